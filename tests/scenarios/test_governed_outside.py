"""Rules that others answer, of policies in force: asked beforehand, off the governor's loop; no answer, no permission."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace
from tests.scenarios.test_governed import PIA, SAM, approve, change
from tests.scenarios.test_governed import given as governed
from tests.scenarios.test_governed_policies import LASTING, policy_in_force

from glideslope.adapters.rules.cel import CelSource
from glideslope.domain.draft import SECOND, Draft
from glideslope.domain.events import Decided
from glideslope.domain.governing.dossier import Dossier, dossier_digest
from glideslope.domain.governing.examined import Examined
from glideslope.domain.governing.governed import Permit
from glideslope.domain.governing.policy import Cel, Fail, NoEvidence, Opa, Outcome, Pass
from glideslope.domain.ids import RolloutId
from glideslope.engine.consulting import AGAIN_AFTER, GOOD_FOR
from glideslope.engine.rule_sources import RuleSource
from glideslope.testing.world import World

CEL = """
policy: 1
name: careful
says: What an expression finds.
tiers: [low, high]
rules:
  - id: NARROW
    kind: cel
    says: No canary step is wider than the house allows.
    findings: "plan.steps.filter(s, s.stage == 'canary' && s.share > 5000).map(s, 'a step of ' + string(s.share))"
    needs: [plan.steps]
"""

OPA = """
policy: 1
name: elsewhere
says: What the OPA server says.
tiers: [low, high]
rules:
  - {id: ELSEWHERE, kind: opa, says: The risk office agrees., path: glideslope/credit, within: 20s}
"""


@dataclass
class Office:
    """Keeps the port RuleSource; answers what it is told to, and keeps what it was asked."""

    says: Outcome = Pass(("glideslope/credit passes",))  # noqa: RUF009 - frozen
    asked: list[Dossier] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)

    def answer(self, rule: Cel | Opa, dossier: Dossier) -> Outcome:
        assert isinstance(rule, Opa)
        assert threading.current_thread() is not threading.main_thread(), "the governor's loop would wait"
        self.asked.append(dossier)
        self.allowed.append(rule.within)
        return self.says


def slowly() -> Draft:
    """Return a change whose first step takes longer than an answer counts."""
    first, *rest = change().stages
    return change(stages=(replace(first, minimum=int(GOOD_FOR + 5) * SECOND), *rest))


async def given(seed: int, policy: str, what: Draft | None = None, **sources: RuleSource) -> tuple[World, RolloutId]:
    """An organisation and a policy in force, and a change that people have approved."""
    world = await governed(seed, LASTING, sources=sources)
    await policy_in_force(world, policy)
    rollout = await world.propose(what or change())
    await approve(world, rollout, PIA, SAM)
    return world, rollout


async def blocks(world: World, rollout: RolloutId) -> tuple[str, ...]:
    view = await world.app.rollout(rollout)
    assert view.governed is not None
    return view.governed.blocks


def examinations(world: World, rollout: RolloutId) -> Iterator[Examined]:
    for recorded in world.app.record.history(f"examination.{rollout}"):
        assert isinstance(recorded.event, Examined)
        yield recorded.event


async def test_a_change_begins_when_cel_finds_nothing_wrong_and_the_ledger_says_what_it_was_asked() -> None:
    world, rollout = await given(351, CEL, cel=CelSource())

    await world.until(rollout, step="s1", within=5)

    last = list(examinations(world, rollout))[-1]
    assert [a.outcome for a in last.answers] == [Pass(("the expression found nothing wrong",))]
    decided = [r.event for r in world.app.record.history(rollout) if isinstance(r.event, Decided)][-1]
    permit = decided.evidence.permit
    assert isinstance(permit, Permit)
    assert permit.dossier == dossier_digest(last.dossier)
    assert permit.blocks == ()


async def test_what_cel_finds_blocks_and_is_named() -> None:
    world, rollout = await given(352, CEL.replace("5000", "500"), cel=CelSource())

    await world.run(5)

    assert (await world.app.rollout(rollout)).reasons == ("policy-blocks",)
    assert any("NARROW: a step of " in block and block.endswith("(fail)") for block in await blocks(world, rollout))
    assert isinstance(list(examinations(world, rollout))[-1].answers[0].outcome, Fail)


async def test_without_anybody_who_answers_nothing_begins() -> None:
    world, rollout = await given(353, OPA)

    await world.run(5)

    assert (await world.app.rollout(rollout)).phase == "proposed"
    assert any("anybody who answers rules of the kind opa" in block for block in await blocks(world, rollout))


@pytest.mark.parametrize(
    "says",
    [NoEvidence(("an answer of the OPA server: it said 500",)), Fail(("new_customer=yes",))],
    ids=["none", "fail"],
)
async def test_anything_but_a_pass_of_an_outside_rule_blocks_until_it_passes(says: Outcome) -> None:
    office = Office(says)
    world, rollout = await given(354, OPA, opa=office)
    await world.run(5)
    assert (await world.app.rollout(rollout)).reasons == ("policy-blocks",)

    office.says = Pass(("glideslope/credit passes",))
    await world.until(rollout, step="s1", within=AGAIN_AFTER + 2)

    assert set(office.allowed) == {"10s"}, "a rule may allow more, the server does not wait for so long"


async def test_every_answer_that_the_ledger_holds_is_about_the_very_dossier_that_was_sent() -> None:
    office = Office()
    world, rollout = await given(355, OPA, opa=office)
    await world.until(rollout, step="s2", within=90)

    sent = {dossier_digest(each) for each in office.asked}
    passed = [e for e in examinations(world, rollout) if isinstance(e.answers[0].outcome, Pass)]
    assert passed
    assert {dossier_digest(e.dossier) for e in passed} <= sent
    for recorded in world.app.record.history(rollout):
        if isinstance(recorded.event, Decided) and isinstance(recorded.event.evidence.permit, Permit):
            permit = recorded.event.evidence.permit
            if not permit.blocks:
                assert permit.dossier in sent


async def test_an_office_that_hangs_lets_a_rollout_stay_where_it_is_and_widens_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    office = Office()
    world, rollout = await given(356, OPA, slowly(), opa=office)
    await world.until(rollout, step="s1", within=5)
    assert await blocks(world, rollout) == ()

    async def hang() -> None: ...

    monkeypatch.setattr(world.app.consulting, "settle", hang)
    await world.run(GOOD_FOR + 15)

    assert world.app.record.rollout(rollout).phase == "running", "what was begun goes on"
    assert world.exposed("delays") == 1_000, "and nothing was widened since its answer grew old"
    assert any("an answer of the OPA server (no-evidence)" in block for block in await blocks(world, rollout))
