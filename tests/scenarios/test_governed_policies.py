"""What policies ask: nothing begins or widens that they are not shown, and what they were shown stands in the ledger."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace
from tests.scenarios.test_governed import CAT, HIGH, ORGANISATION, PIA, SAM, approve, change, given

from glideslope.domain.commands import AnswerAgreement, RecordFacts, TableAgreement
from glideslope.domain.errors import MakerMayNotApprove
from glideslope.domain.events import Decided
from glideslope.domain.governing.dossier import dossier_digest
from glideslope.domain.governing.examined import Examined
from glideslope.domain.governing.facts import DataField, Dataset, Facts, Makers, Use
from glideslope.domain.governing.governed import Permit
from glideslope.domain.governing.kinds import document_of
from glideslope.domain.governing.organisation import DAY, Tier
from glideslope.domain.governing.policy import Policy, examine
from glideslope.domain.ids import Actor, Digest, ModelName, VersionName
from glideslope.interfaces.document import agreements
from glideslope.testing.world import ADA, World, content

POLICY = """
policy: 1
name: product
says: What must be shown before a change reaches anybody.
tiers: [low, high]
rules:
  - {id: WHY, kind: change_described, parts: [why, benefit, risks]}
  - {id: AGREED, kind: change_is_what_was_agreed}
  - {id: NO-PII, kind: no_training_field_tagged, tags: [pii], look_upstream: 1}
  - {id: APPROVED, kind: approved_by, need: {low: [], high: [product, security]}, valid_for: 14d}
"""


LASTING = replace(ORGANISATION, tiers=(Tier(name="low"), replace(HIGH, valid_for=DAY)))


async def policy_in_force(world: World, text: str) -> None:
    document = agreements.read(text, file="policy.yaml")
    command = TableAgreement(
        of=document.of,
        name=document.name,
        document=document_of(document.agreed),
        text=text,
        by=ADA,
        why="so it is",
        admin=True,
    )
    view = await world.app.table(command, key=world.key())
    assert view.tabled is not None, "nobody puts a policy in force alone"
    answer = AnswerAgreement(
        of=document.of, name=document.name, digest=Digest(view.tabled.digest), granted=True, by=CAT, why="yes"
    )
    await world.app.answer(answer, key=world.key())


def facts(*tags: str, by: str = "lin") -> Facts:
    email = DataField(name="email", tags=tags, upstream=(), traced=1)
    flights = Dataset(name="flights", use=Use.TRAINING, fields=(email,))
    makers = Makers(trained_by=(Actor(by),), data_by=(Actor(by),), evaluated_by=(Actor(by),), code_by=(Actor(by),))
    return Facts(
        model=ModelName("delays"),
        version=VersionName("v2"),
        digest=content("delays", "v2"),
        makers=makers,
        datasets=(flights,),
    )


async def record(world: World, found: Facts) -> None:
    await world.app.record_facts(RecordFacts(facts=found, by=ADA, why="from the pipeline"), key=world.key())


async def test_what_a_policy_is_not_shown_blocks_and_what_it_is_shown_stands_in_the_ledger() -> None:
    world = await given(340, LASTING)
    await policy_in_force(world, POLICY)
    rollout = await world.propose(change())
    await approve(world, rollout, PIA, SAM)
    await world.run(3)
    view = await world.app.rollout(rollout)
    assert (view.phase, view.reasons) == ("proposed", ("policy-blocks",))
    assert view.governed is not None
    assert next(b for b in view.governed.blocks if b.startswith("NO-PII")).endswith("(no-evidence)")
    (rule,) = view.governed.rules
    assert (rule.rule, rule.answer, view.governed.asked) == ("NO-PII", "no-evidence", 4)
    assert "pii" in rule.asks
    assert rule.mend
    assert (view.governed.void, len(view.governed.approvals)) == ((), 2)

    await record(world, facts())
    await world.run(3)
    view = await world.app.rollout(rollout)
    assert view.phase == "proposed", "they approved before it was known what it was made of"
    assert view.governed is not None
    assert {n.function for n in view.governed.missing} == {"product", "security"}
    assert {(v.by, v.why) for v in view.governed.void} == {
        (by, "the change is no longer what was approved") for by in (PIA, SAM)
    }
    await approve(world, rollout, PIA, SAM)
    await world.until(rollout, step="s1", within=5)

    told = [r.event for r in world.app.record.history(f"examination.{rollout}")]
    assert told
    last = told[-1]
    assert isinstance(last, Examined)
    policy = agreements.read(POLICY, file="policy.yaml").agreed
    assert isinstance(policy, Policy)
    assert examine(policy, last.dossier) == last.answers
    assert not any(answer.blocks for answer in last.answers)


async def test_a_plan_tells_beforehand_what_forbids_the_proposal_and_proposing_says_the_same() -> None:
    world = await given(346, LASTING)
    assert (await world.app.plan(change(), by=ADA)).blocks == (), "no policy is in force"
    await policy_in_force(world, POLICY)
    before = await world.app.plan(change(), by=ADA)
    assert [b.split(":")[0] for b in before.blocks] == ["NO-PII", "APPROVED"]
    assert not world.app.record.open_rollouts(), "nothing was proposed by asking"
    await record(world, facts())
    known = await world.app.plan(change(), by=ADA)
    assert [b.split(":")[0] for b in known.blocks] == ["APPROVED"]
    view = await world.app.rollout(await world.propose(change()))
    assert view.governed is not None
    assert view.governed.blocks == known.blocks


async def test_every_permit_of_a_policy_rests_on_what_the_ledger_says_it_was_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = await given(345, LASTING)
    await policy_in_force(world, POLICY)
    await record(world, facts())
    passed, now = 0, world.clock.now

    def later() -> datetime:
        """A clock goes on while anything is computed."""
        nonlocal passed
        passed += 1
        return now() + timedelta(milliseconds=passed)

    monkeypatch.setattr(world.clock, "now", later)
    rollout = await world.propose(change())
    await world.run(3)
    await approve(world, rollout, PIA, SAM)
    await world.until(rollout, step="s1", within=5)

    events = [r.event for r in world.app.record.history(rollout)]
    permits = [e.evidence.permit for e in events if isinstance(e, Decided)]
    examined = [r.event for r in world.app.record.history(f"examination.{rollout}")]
    told = [dossier_digest(e.dossier) for e in examined if isinstance(e, Examined)]
    assert len(permits) >= 2
    assert told == [permit.dossier for permit in permits if isinstance(permit, Permit)]


async def test_facts_that_turn_out_otherwise_hold_what_is_under_way() -> None:
    world = await given(341, LASTING)
    await policy_in_force(world, POLICY)
    await record(world, facts())
    rollout = await world.propose(change())
    await approve(world, rollout, PIA, SAM)
    await world.until(rollout, step="s1", within=5)
    await record(world, facts("pii"))
    await approve(world, rollout, PIA, SAM)
    await world.run(90)
    view = await world.app.rollout(rollout)
    assert (view.phase, view.step, view.reasons) == ("running", "s1", ("policy-blocks",))
    assert view.governed is not None
    assert any("flights" in block and "(fail)" in block for block in view.governed.blocks)


async def test_another_policy_gives_no_permit_to_what_was_proposed_under_the_old_one() -> None:
    world = await given(342, LASTING)
    await policy_in_force(world, POLICY)
    await record(world, facts())
    rollout = await world.propose(change())
    await approve(world, rollout, PIA, SAM)
    await world.until(rollout, step="s1", within=5)
    await policy_in_force(world, POLICY.replace("[pii]", "[pii, health]"))
    await world.run(90)
    view = await world.app.rollout(rollout)
    assert (view.step, view.reasons) == ("s1", ("permit-missing",))


async def test_a_proposal_that_does_not_say_what_a_policy_asks_for_is_blocked() -> None:
    world = await given(344, LASTING)
    await policy_in_force(world, POLICY)
    await record(world, facts())
    rollout = await world.propose(change(proposal=None))
    await approve(world, rollout, PIA, SAM)
    await world.run(3)
    view = await world.app.rollout(rollout)
    assert view.governed is not None
    assert (view.phase, [b.partition(":")[0] for b in view.governed.blocks]) == ("proposed", ["WHY"])


async def test_who_made_it_may_not_approve_it() -> None:
    world = await given(343, LASTING)
    await record(world, facts(by="sam"))
    rollout = await world.propose(change())
    with pytest.raises(MakerMayNotApprove):
        await approve(world, rollout, SAM)
