"""The fast lane: a candidate inside an agreed envelope goes without a meeting; one outside goes to everybody, with the clause it left."""

from typing import Any

import pytest
from msgspec import UNSET
from msgspec.structs import replace
from tests.scenarios.enveloped import envelope, made
from tests.scenarios.test_governed import CAT, HIGH, ORGANISATION, PIA, SAM, agreed, approve, change, given, kept
from tests.scenarios.test_governed_policies import POLICY, policy_in_force

from glideslope.domain.commands import AnswerAgreement, RecordFacts, Resume, TableAgreement
from glideslope.domain.errors import AgreementInvalid, Conflict, NotFound, SelfApproval, SignOffMissing
from glideslope.domain.events import Decided, Proposed
from glideslope.domain.governing.approval import Need
from glideslope.domain.governing.calendar import Calendar
from glideslope.domain.governing.envelope import Envelope, again
from glideslope.domain.governing.envelope.document import Architecture, Ladder
from glideslope.domain.governing.examined import Examined
from glideslope.domain.governing.facts import Facts, Makers
from glideslope.domain.governing.governed import Permit
from glideslope.domain.governing.kinds import document_of
from glideslope.domain.governing.organisation import DAY, Escalation, Tier
from glideslope.domain.governing.policy.wording import because
from glideslope.domain.ids import Actor, Digest, ModelName, RolloutId
from glideslope.domain.plan import Rationale
from glideslope.engine.governing_views import AgreementView, LaneView
from glideslope.testing.traffic import SOUND, Behaviour
from glideslope.testing.world import ADA, World

LASTING = replace(ORGANISATION, tiers=(Tier(name="low"), replace(HIGH, valid_for=DAY)))
SAID = Rationale(benefit="fewer late alarms", risks=("slower in winter",), intended_use_changed=False)
SLOW = replace(LASTING, tiers=(Tier(name="low"), replace(HIGH, valid_for=DAY, minimum=10_000)))
"""So that each step lasts long enough for something to happen in it."""


def clock(world: World) -> int:
    return int(world.clock.now().timestamp() * 1000)


def retraining(**changes: Any) -> Any:
    return change(proposal=SAID, **changes)


async def table(world: World, found: Envelope, *, by: Actor = ADA) -> AgreementView:
    command = TableAgreement(
        of="envelope",
        name=found.name,
        document=document_of(found),
        text="as agreed",
        by=by,
        why="monthly",
        admin=True,
    )
    return await world.app.table(command, key=world.key())


async def say_yes(world: World, name: str, digest: str, *by: Actor) -> None:
    for who in by:
        yes = AnswerAgreement(of="envelope", name=name, digest=Digest(digest), granted=True, by=who, why="read it")
        await world.app.answer(yes, key=world.key())


async def agree(world: World, found: Envelope, *by: Actor) -> None:
    view = await table(world, found)
    assert view.tabled is not None, "nobody puts an envelope in force alone"
    await say_yes(world, found.name, view.tabled.digest, *(by or (PIA, SAM, CAT)))
    assert world.app.record.agreement("envelope", found.name).in_force.digest == view.tabled.digest  # type: ignore[union-attr]


async def record(world: World, *facts: Facts) -> None:
    for each in facts:
        await world.app.record_facts(RecordFacts(facts=each, by=ADA, why="from the pipeline"), key=world.key())


async def enveloped(
    seed: int, organisation: Any = LASTING, *, found: Envelope | None = None, **versions: Behaviour
) -> World:
    """Return a world with two versions, facts of both, and an envelope in force."""
    world = await given(seed, organisation, **versions)
    now = clock(world)
    await agree(world, found or envelope(now=now))
    await record(world, made("v1", now=now), made("v2", now=now))
    return world


async def held(world: World, rollout: RolloutId, *, because: str) -> None:
    """Let time pass until it is held for this reason, at its first step."""
    for _ in range(18):
        await world.pass_time(5)
        view = await world.app.rollout(rollout)
        if view.reasons == (because,):
            break
    await world.run(1)
    view = await world.app.rollout(rollout)
    assert (view.phase, view.step, view.reasons) == ("running", "s1", (because,))


async def lane_of(world: World, rollout: RolloutId) -> LaneView:
    view = await world.app.rollout(rollout)
    assert view.governed is not None
    assert view.governed.lane is not None
    return view.governed.lane


async def test_inside_it_goes_by_what_was_given_with_the_envelope_and_the_ledger_shows_it() -> None:
    world = await enveloped(360)
    shown = (await world.app.plan(retraining(), by=ADA)).lane
    assert shown is not None
    assert (shown.inside, shown.closed, shown.missing, len(shown.held)) == (True, "", (), 12)
    assert {g.by: g.functions for g in shown.given} == {"pia": ("product",), "sam": ("security",)}
    rollout = await world.propose(retraining())
    await world.until(rollout, step="s1", within=5)

    history = world.app.record.history(rollout)
    assert isinstance(history[0].event, Proposed)
    first, *later = world.app.record.history(f"examination.{rollout}")
    assert (first.at, first.entry) == (history[0].at, history[0].entry + 1), "in one transaction with the proposal"
    begun = next(r.event for r in history if isinstance(r.event, Decided))
    assert begun.decision.reasons == ("inside-envelope",)
    assert later, "and again with each decision"
    for recorded in (first, *later):
        event = recorded.event
        assert isinstance(event, Examined)
        assert not isinstance(event.classified, type(UNSET))
        assert again(event.classified, envelope(now=clock_then(world)), event.dossier) == event.classified


def clock_then(world: World) -> int:
    """Return the moment for which the world's envelope was written."""
    held = world.app.record.agreement("envelope", "delays-monthly")
    assert held is not None
    assert held.in_force is not None
    return int(held.in_force.document["until"]) - 365 * DAY


async def test_outside_it_waits_for_everybody_and_the_clause_it_left_is_named_with_both_values() -> None:
    world = await enveloped(361)
    await record(world, made("v2", now=clock(world), architecture="mlp"))
    shown = (await world.app.plan(retraining(), by=ADA)).lane
    assert shown is not None
    rollout = await world.propose(retraining())
    await world.run(3)
    lane = await lane_of(world, rollout)
    told = [(each.clause, each.answer, each.why) for each in lane.left]
    why = "it was gradient-boosting and is mlp; the envelope allows gradient-boosting"
    assert told == [("architecture", "fail", why)] == [(e.clause, e.answer, e.why) for e in shown.left]
    assert not lane.given
    assert {n.function for n in lane.missing} == {"product", "security"}
    decided = [r.event for r in world.app.record.history(rollout) if isinstance(r.event, Decided)]
    permit = decided[0].evidence.permit
    assert isinstance(permit, Permit)
    assert permit.lane
    assert [block.why for block in permit.lane.left] == [why]
    story = [each.sentence for each in await world.app.story(rollout)]
    assert any(each.endswith(f"Outside its envelope: architecture: {why}.") for each in story)
    await approve(world, rollout, PIA, SAM)
    await world.until(rollout, step="s1", within=5)
    last = [r.event for r in world.app.record.history(rollout) if isinstance(r.event, Decided)][-1]
    assert last.decision.reasons == ("approved",)


async def test_what_was_not_shown_is_outside_until_it_is_shown() -> None:
    world = await given(362, LASTING)
    await agree(world, envelope(now=clock(world)))
    rollout = await world.propose(retraining())
    await world.run(3)
    lane = await lane_of(world, rollout)
    assert {each.answer for each in lane.left} == {"no-evidence"}
    assert any("facts of how the candidate v2 was made" in each.why for each in lane.left)
    await record(world, made("v1", now=clock(world)), made("v2", now=clock(world)))
    await world.until(rollout, step="s1", within=5)


async def test_facts_that_change_after_it_was_classified_hold_it_where_it_is() -> None:
    world = await enveloped(363, SLOW)
    rollout = await world.propose(retraining())
    await world.until(rollout, step="s1", within=5)
    await record(world, made("v2", now=clock(world), configuration={"trees": 400, "depth": 9}))
    await held(world, rollout, because="envelope-left")
    assert [(e.clause, e.why) for e in (await lane_of(world, rollout)).left] == [
        ("settings", "depth is 9; the envelope allows 3 to 8")
    ]
    await approve(world, rollout, PIA, SAM)
    await world.until(rollout, step="s2", within=5)


async def test_an_envelope_that_changes_while_a_rollout_runs_gives_it_nothing_any_more() -> None:
    world = await enveloped(364, SLOW)
    rollout = await world.propose(retraining())
    await world.until(rollout, step="s1", within=5)
    looser = envelope(now=clock(world), architecture=Architecture(among=("mlp",)))
    view = await table(world, looser)
    assert view.tabled is not None
    assert any(each.startswith("looser: it allows the architectures mlp") for each in view.differences)
    assert any(each.startswith("stricter: the setting depth may not change") for each in view.differences)
    await say_yes(world, looser.name, view.tabled.digest, PIA, SAM, CAT)
    await held(world, rollout, because="envelope-left")
    assert "in force no more" in (await lane_of(world, rollout)).left[0].why


async def test_an_envelope_agreed_on_after_the_proposal_does_not_speak_for_it() -> None:
    world = await given(365, LASTING)
    await record(world, made("v1", now=clock(world)), made("v2", now=clock(world)))
    rollout = await world.propose(retraining())
    await agree(world, envelope(now=clock(world)))
    await world.run(3)
    view = await world.app.rollout(rollout)
    assert view.governed is not None
    assert (view.phase, view.governed.lane) == ("proposed", None)


async def test_an_envelope_that_ends_while_a_rollout_runs_gives_it_nothing_any_more() -> None:
    world = await given(366, SLOW)
    now = clock(world)
    await agree(world, envelope(now=now, until=now + 8_000))
    await record(world, made("v1", now=now), made("v2", now=now))
    rollout = await world.propose(retraining())
    await world.until(rollout, step="s1", within=5)
    await held(world, rollout, because="envelope-left")
    assert [each.clause for each in (await lane_of(world, rollout)).left] == ["until"]
    with pytest.raises(AgreementInvalid, match="later than now"):
        await table(world, envelope(now=now, until=now + 8_000))
    with pytest.raises(AgreementInvalid, match="731 days"):
        await table(world, envelope(now=now, until=clock(world) + 732 * DAY))


async def test_those_whose_approval_falls_away_must_agree_themselves_and_nobody_to_their_own() -> None:
    world = await given(367, LASTING)
    found = envelope(now=clock(world))
    view = await table(world, found)
    assert view.tabled is not None
    assert {n.function for n in view.needs} == {"product", "security", "compliance"}
    with pytest.raises(SelfApproval):
        await say_yes(world, found.name, view.tabled.digest, ADA)
    await say_yes(world, found.name, view.tabled.digest, PIA, CAT)
    await record(world, made("v1", now=clock(world)), made("v2", now=clock(world)))
    rollout = await world.propose(retraining())
    await world.run(3)
    assert (await world.app.rollout(rollout)).phase == "proposed", "security has not agreed to the envelope"
    for where, wrong in (
        ("falls_away.0", envelope(now=clock(world), falls_away=(Need("legal"),))),
        ("tiers.0", envelope(now=clock(world), models=(), tiers=("hihg",))),
    ):
        with pytest.raises(AgreementInvalid) as refused:
            await table(world, wrong)
        assert refused.value.where == where


async def test_a_maker_who_agreed_to_the_envelope_gives_nothing_to_what_they_made() -> None:
    world = await enveloped(368)
    lin, sam = (Actor("lin"),), (SAM,)
    makers = Makers(trained_by=lin, data_by=sam, evaluated_by=lin, code_by=lin)
    await record(world, made("v2", now=clock(world), makers=makers))
    rollout = await world.propose(retraining())
    await world.run(3)
    lane = await lane_of(world, rollout)
    assert (lane.inside, [g.by for g in lane.given]) == (True, ["pia"])
    assert [n.function for n in lane.missing] == ["security"]
    assert (await world.app.rollout(rollout)).phase == "proposed"


async def test_of_two_that_speak_for_a_model_neither_counts() -> None:
    world = await enveloped(369)
    other = envelope(now=clock(world), name="all-high", models=(), tiers=("high",))
    with pytest.raises(AgreementInvalid, match="speaks for delays already") as refused:
        await table(world, other)
    assert refused.value.where == "tiers.0"

    second = await given(370, LASTING)
    now = clock(second)
    one, two = envelope(now=now), envelope(now=now, name="all-high", models=(), tiers=("high",))
    tabled = [await table(second, each) for each in (one, two)]
    for each, view in zip((one, two), tabled, strict=True):
        assert view.tabled is not None
        await say_yes(second, each.name, view.tabled.digest, PIA, SAM, CAT)
    await record(second, made("v1", now=now), made("v2", now=now))
    rollout = await second.propose(retraining())
    await second.run(3)
    assert (await second.app.rollout(rollout)).phase == "proposed"
    assert [(e.clause, e.why) for e in (await lane_of(second, rollout)).left] == [
        ("alone", "delays-monthly speaks for the model too")
    ]


async def test_after_a_breach_the_fast_lane_is_closed_until_the_three_have_approved() -> None:
    ds = replace(HIGH, valid_for=DAY, approvals=(Need("product"), Need("data-science")))
    dan = replace(ORGANISATION.people[2], id=Actor("dan"), functions=("data-science",))
    organisation = replace(LASTING, people=(*ORGANISATION.people, dan), tiers=(Tier(name="low"), ds))
    world = await given(371, organisation, v2=Behaviour(errors=0.4))
    now = clock(world)
    found = envelope(now=now, falls_away=(Need("product"), Need("data-science")))
    await agree(world, found, PIA, Actor("dan"), CAT)
    await record(world, made("v1", now=now), made("v2", now=now))
    first = await world.propose(retraining())
    await world.until(first, phase="rolled-back", within=120)
    second = await world.propose(retraining())
    await world.run(3)
    lane = await lane_of(world, second)
    assert (lane.inside, lane.given) == (True, ())
    assert lane.closed == f"{first} ended by a breach, until product, security and compliance have approved"
    assert {n.function for n in lane.missing} == {"product", "security", "compliance", "data-science"}
    await approve(world, second, PIA, SAM)
    await world.run(3)
    assert (await world.app.rollout(second)).phase == "proposed"
    await approve(world, second, CAT)
    await world.until(second, step="s1", within=5)
    assert [g.by for g in (await lane_of(world, second)).given] == ["dan", "pia"]


async def test_a_no_under_way_closes_the_fast_lane_and_exposes_nobody() -> None:
    world = await enveloped(372)
    rollout = await world.propose(retraining())
    await world.until(rollout, step="s1", within=5)
    await approve(world, rollout, CAT, granted=False)
    await world.run(0.5)
    view = await world.app.rollout(rollout)
    assert (view.phase, view.reasons, world.exposed("delays")) == ("halted", ("approval-withdrawn",), 0)
    assert (await lane_of(world, rollout)).closed.startswith("cat said no")
    with pytest.raises(SignOffMissing, match="product, security"):
        await world.app.resume(Resume(rollout=rollout, by=ADA, why="all well?"), key=world.key())
    await approve(world, rollout, CAT)
    await world.app.resume(Resume(rollout=rollout, by=ADA, why="compliance agrees"), key=world.key())
    await world.run(0.5)
    assert world.exposed("delays") > 0


async def test_who_must_approve_each_candidate_all_the_same_is_asked_and_told_nobody_else() -> None:
    loud = replace(LASTING, escalations=(Escalation(after=1_000, to=("owners",)),))
    world = await given(373, loud)
    now = clock(world)
    await agree(world, envelope(now=now, falls_away=(Need("product"),), remains=(Need("compliance"),)))
    await record(world, made("v1", now=now), made("v2", now=now))
    rollout = await world.propose(retraining())
    await world.run(3)
    lane = await lane_of(world, rollout)
    assert [n.function for n in lane.missing] == ["compliance", "security"]
    story = [each.sentence for each in await world.app.story(rollout)]
    assert any(each.startswith("Still missing: compliance, security.") for each in story)
    await approve(world, rollout, CAT)
    await world.run(2)
    assert (await world.app.rollout(rollout)).phase == "proposed"
    await approve(world, rollout, SAM)
    await world.until(rollout, step="s1", within=5)


async def test_more_than_falls_away_is_not_given_and_one_person_is_one_yes() -> None:
    two = replace(HIGH, valid_for=DAY, approvals=(Need("security", 2),))
    eva = replace(ORGANISATION.people[2], id=Actor("eva"))
    organisation = replace(LASTING, people=(*ORGANISATION.people, eva), tiers=(Tier(name="low"), two))
    world = await given(374, organisation)
    now = clock(world)
    await agree(world, envelope(now=now, falls_away=(Need("security"),)), SAM, CAT)
    await record(world, made("v1", now=now), made("v2", now=now))
    rollout = await world.propose(retraining())
    await approve(world, rollout, SAM)
    await world.run(3)
    assert (await world.app.rollout(rollout)).phase == "proposed", "sam is one person"
    await approve(world, rollout, Actor("eva"))
    await world.until(rollout, step="s1", within=5)


async def test_an_envelope_that_is_not_in_force_can_be_tried_on_a_plan() -> None:
    world = await given(375, LASTING)
    now = clock(world)
    await record(world, made("v1", now=now), made("v2", now=now))
    assert (await world.app.plan(retraining(), by=ADA)).lane is None
    shown = (await world.app.plan(retraining(), by=ADA, envelope=envelope(now=now))).lane
    assert shown is not None
    assert (shown.inside, shown.missing) == (True, ())
    narrow = envelope(now=now, exposure=Ladder(first=500, most=5_000, step=5_000))
    shown = (await world.app.plan(retraining(), by=ADA, envelope=narrow)).lane
    assert shown is not None
    assert [(e.clause, e.why) for e in shown.left] == [
        ("exposure", "the first step exposes 10%; the envelope allows 5%")
    ]
    assert world.app.record.agreement("envelope", narrow.name) is None


async def test_the_fast_lane_waits_for_its_turn_like_everybody() -> None:
    world = await enveloped(376)
    other = replace(LASTING, models={ModelName("delays"): "high", ModelName("fraud"): "high"})
    view = await agreed(world, other)
    assert view.tabled is not None
    yes = AnswerAgreement(
        of="organisation", name="organisation", digest=Digest(view.tabled.digest), granted=True, by=PIA, why="yes"
    )
    await world.app.answer(yes, key=world.key())
    await kept(world, Calendar(name="releases", zone="UTC", at_once=1, first=(ModelName("delays"),)))
    await world.serves("fraud", v1=SOUND, v2=SOUND)
    await world.run(3)
    fraud = await world.propose(replace(retraining(), model=ModelName("fraud")))
    first = await world.propose(retraining())
    await approve(world, fraud, PIA, SAM)
    await world.run(3)
    assert (await world.app.rollout(first)).phase == "running"
    assert (await world.app.rollout(fraud)).phase == "proposed", "delays goes first, though nobody approved it itself"


async def test_a_policy_that_asks_for_approvals_sees_those_that_came_with_the_envelope() -> None:
    world = await enveloped(377)
    await policy_in_force(world, POLICY)
    rollout = await world.propose(retraining())
    await world.until(rollout, step="s1", within=5)
    told = world.app.record.history(f"examination.{rollout}")[-1].event
    assert isinstance(told, Examined)
    answer = next(each for each in told.answers if each.rule == "APPROVED")
    assert because(answer.outcome) == ("pia, product, with the envelope", "sam, security, with the envelope")
    await record(world, made("v2", now=clock(world), architecture="mlp"))
    permit = world.app._asking.permit(world.app.record.rollout(rollout))
    assert isinstance(permit, Permit)
    assert [block.rule for block in permit.blocks] == ["APPROVED"], "nobody approved what it is now"


async def test_a_yes_to_an_envelope_is_taken_back_alone_and_given_again_by_the_same_function() -> None:
    eva = replace(ORGANISATION.people[2], id=Actor("eva"))
    world = await enveloped(378, replace(SLOW, people=(*ORGANISATION.people, eva)))
    rollout = await world.propose(retraining())
    await world.until(rollout, step="s1", within=5)
    held_ = world.app.record.agreement("envelope", "delays-monthly")
    assert held_ is not None
    assert held_.in_force is not None
    digest = held_.in_force.digest
    with pytest.raises(Conflict, match="nothing to take back"):
        await say_no(world, digest, eva.id)
    with pytest.raises(SelfApproval):
        await say_yes(world, "delays-monthly", digest, ADA)
    await table(world, envelope(now=clock(world), says="something else, so that nobody could answer"))
    await say_no(world, digest, SAM)
    await held(world, rollout, because="envelope-left")
    lane = await lane_of(world, rollout)
    assert (lane.inside, [g.by for g in lane.given], [n.function for n in lane.missing]) == (
        True,
        ["pia"],
        ["security"],
    )
    assert (await world.app.agreement("envelope", "delays-monthly")).in_force is not None
    await say_yes(world, "delays-monthly", digest, eva.id)
    await world.until(rollout, step="s2", within=5)
    with pytest.raises(NotFound):
        await world.app.answer(
            AnswerAgreement(of="organisation", name="organisation", digest=digest, granted=False, by=PIA, why="no"),
            key=world.key(),
        )


async def say_no(world: World, digest: Digest, by: Actor) -> None:
    no = AnswerAgreement(of="envelope", name="delays-monthly", digest=digest, granted=False, by=by, why="a flaw")
    await world.app.answer(no, key=world.key())


async def test_one_that_has_ended_stands_in_nobodys_way() -> None:
    world = await given(379, LASTING)
    now = clock(world)
    await agree(world, envelope(now=now, name="all-of-last-year", until=now + 3_000))
    await world.pass_time(4)
    await agree(world, envelope(now=now))
    await record(world, made("v1", now=now), made("v2", now=now))
    rollout = await world.propose(retraining())
    await world.until(rollout, step="s1", within=5)
    assert (await lane_of(world, rollout)).envelope == "delays-monthly"
