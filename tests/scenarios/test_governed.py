"""Who decides: with an organisation in force a change needs the functions that its tier names, and goes back when they are taken back."""

import dataclasses
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from glideslope.domain.commands import (
    AnswerAgreement,
    Approve,
    AskGlass,
    BreakGlass,
    CloseIncident,
    Halt,
    NoteIncident,
    OrderRollback,
    Register,
    Resume,
    ReviewGlass,
    TableAgreement,
    Withdraw,
)
from glideslope.domain.draft import Draft
from glideslope.domain.errors import (
    IncidentIncomplete,
    NotEntitled,
    OwnerUnknown,
    SelfApproval,
    SignOffMissing,
)
from glideslope.domain.governing.approval import Need
from glideslope.domain.governing.calendar import Calendar, Day, FreezeRule
from glideslope.domain.governing.glass import Emergency
from glideslope.domain.governing.governed import Freeze
from glideslope.domain.governing.incident import Remedy
from glideslope.domain.governing.kinds import document_of
from glideslope.domain.governing.organisation import (
    DAY,
    Delegation,
    Escalation,
    Organisation,
    Person,
    Right,
    Team,
    Tier,
)
from glideslope.domain.ids import Actor, Digest, ModelName, RolloutId, VersionName
from glideslope.domain.plan import Rationale
from glideslope.engine.governing_views import AgreementView
from glideslope.engine.rule_sources import RuleSource
from glideslope.testing.traffic import SOUND, Behaviour
from glideslope.testing.world import ADA, World, draft

PIA, SAM, CAT, EVE = Actor("pia"), Actor("sam"), Actor("cat"), Actor("eve")
REVIEWS = (Right.REVIEW,)
HIGH = Tier(name="high", approvals=(Need("product"), Need("security")), valid_for=60_000)

ORGANISATION = Organisation(
    people=(
        Person(id=ADA, functions=("data-science",), rights=(Right.PROPOSE, Right.OPERATE, Right.ADMINISTER)),
        Person(id=PIA, functions=("product",), rights=(*REVIEWS, Right.ADMINISTER), team="owners"),
        Person(id=SAM, functions=("security",), rights=REVIEWS),
        Person(id=CAT, functions=("compliance",), rights=REVIEWS),
    ),
    teams=(Team(name="owners", reach="#owners"),),
    tiers=(Tier(name="low"), HIGH),
    usual_tier="low",
    models={ModelName("delays"): "high"},
)


def change(**changes: Any) -> Draft:
    said = Rationale(benefit="fewer late alarms", risks=("slower in winter",))
    return replace(draft("delays", "v2"), **{"owner": "owners", "proposal": said, **changes})


async def agreed(world: World, organisation: Organisation, *, by: Actor = ADA) -> AgreementView:
    command = TableAgreement(
        of="organisation",
        name="organisation",
        document=document_of(organisation),
        text="as agreed",
        by=by,
        why="so it is",
        admin=True,
    )
    return await world.app.table(command, key=world.key())


async def given(
    seed: int,
    organisation: Organisation = ORGANISATION,
    *,
    sources: Mapping[str, RuleSource] | None = None,
    **versions: Behaviour,
) -> World:
    world = World(seed=seed, sources=sources)
    await world.serves("delays", v1=SOUND, **(versions or {"v2": SOUND}))
    await agreed(world, organisation)
    await world.run(5)
    return world


async def approve(world: World, rollout: RolloutId, *by: Actor, granted: bool = True) -> None:
    for who in by:
        digest = world.app.record.rollout(rollout).plan_digest
        command = Approve(rollout=rollout, plan_digest=digest, granted=granted, by=who, why="read it")
        await world.app.approve(command, key=world.key())


async def test_nothing_moves_before_each_function_has_approved() -> None:
    world = await given(301)
    rollout = await world.propose(change())
    await world.run(3)
    await approve(world, rollout, SAM)
    await world.run(3)
    view = await world.app.rollout(rollout)
    assert view.phase == "proposed"
    assert view.governed is not None
    assert [n.function for n in view.governed.missing] == ["product"]
    await approve(world, rollout, CAT)
    await world.run(3)
    assert (await world.app.rollout(rollout)).phase == "proposed", "compliance was not asked for"
    await approve(world, rollout, PIA)
    await world.until(rollout, step="s1", within=5)


async def test_who_has_no_right_is_refused_and_the_proposer_does_not_count() -> None:
    world = await given(302)
    with pytest.raises(NotEntitled, match="propose"):
        await world.propose(change(), by=PIA)
    with pytest.raises(NotEntitled, match="propose"):
        await world.propose(change(), by=EVE)
    with pytest.raises(OwnerUnknown):
        await world.propose(replace(change(), owner="nobody"))
    rollout = await world.propose(change())
    with pytest.raises(SelfApproval):
        await approve(world, rollout, ADA)
    with pytest.raises(NotEntitled, match="review"):
        await approve(world, rollout, EVE)


async def test_one_person_with_two_functions_counts_once() -> None:
    both = Person(id=SAM, functions=("security", "product"), rights=REVIEWS)
    organisation = replace(ORGANISATION, people=tuple(both if p.id == SAM else p for p in ORGANISATION.people))
    world = await given(303, organisation)
    rollout = await world.propose(change())
    await approve(world, rollout, SAM)
    await world.run(3)
    assert (await world.app.rollout(rollout)).phase == "proposed"
    await approve(world, rollout, PIA)
    await world.until(rollout, step="s1", within=5)


async def test_an_approval_taken_back_exposes_nobody_until_it_is_given_again_and_resumed() -> None:
    world = await given(304)
    rollout = await world.propose(change())
    await approve(world, rollout, PIA, SAM)
    await world.until(rollout, step="s1", within=5)
    await world.app.withdraw(Withdraw(rollout=rollout, by=SAM, why="a new advisory"), key=world.key())
    await world.run(0.5)
    view = await world.app.rollout(rollout)
    assert (view.phase, view.reasons, world.exposed("delays")) == ("halted", ("approval-withdrawn",), 0)
    with pytest.raises(SignOffMissing, match="security"):
        await world.app.resume(Resume(rollout=rollout, by=ADA, why="all well?"), key=world.key())
    await approve(world, rollout, SAM)
    await world.app.resume(Resume(rollout=rollout, by=ADA, why="it does not reach us"), key=world.key())
    await world.run(0.5)
    assert world.exposed("delays") > 0


async def test_approvals_run_out_and_hold_the_rollout_where_it_is() -> None:
    """A minute after they were given they no longer count: it widens no further, and nobody is thrown back."""
    slow = replace(ORGANISATION, tiers=(Tier(name="low"), replace(HIGH, minimum=90_000)))
    world = await given(305, slow)
    rollout = await world.propose(change())
    await approve(world, rollout, PIA, SAM)
    await world.until(rollout, step="s1", within=4)
    await world.run(100)
    view = await world.app.rollout(rollout)
    assert (view.phase, view.step, view.reasons) == ("running", "s1", ("approvals-run-out",))
    await approve(world, rollout, PIA, SAM)
    await world.until(rollout, step="s2", within=4)


async def test_the_delegate_of_somebody_away_approves_in_their_function_until_they_are_back() -> None:
    world = World(seed=306)
    now = int(world.clock.now().timestamp() * 1000)
    away = Delegation(who=SAM, to=CAT, since=now, until=now + DAY, away=True)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    await agreed(world, replace(ORGANISATION, delegations=(away,)))
    await world.run(5)
    rollout = await world.propose(change())
    with pytest.raises(NotEntitled):
        await approve(world, rollout, SAM)
    await approve(world, rollout, CAT, PIA)
    await world.until(rollout, step="s1", within=5)
    later = replace(ORGANISATION, delegations=(replace(away, since=now - DAY, until=now),))
    assert later.authority(CAT, now=now) == ("compliance",)
    assert later.authority(SAM, now=now) == ("security",)


async def test_raising_a_tier_tightens_the_same_plan() -> None:
    strict = replace(HIGH, alpha=0.001, margin_scale=0.5, first_share=100, growth=5.0, minimum=30_000, approvals=())
    loose = replace(ORGANISATION, models={})
    raised = replace(ORGANISATION, tiers=(Tier(name="low"), strict))
    world = await given(307, loose)
    before = await world.app.plan(change())
    await agreed(world, raised)
    pending = (await world.app.agreement("organisation", "organisation")).tabled
    assert pending is not None, "an administrator alone does not change it"
    answer = AnswerAgreement(
        of="organisation",
        name="organisation",
        digest=pending.digest,
        granted=True,
        by=PIA,
        why="yes",  # type: ignore[arg-type]  # a digest as shown
    )
    await world.app.answer(answer, key=world.key())
    after = await world.app.plan(change())
    assert (before.plan.alpha, after.plan.alpha) == (0.01, 0.001)
    shares = [s.candidate for s in after.plan.steps if s.has_coin]
    assert shares[0] <= 100
    assert all(b <= 5 * a for a, b in pairwise(shares))
    assert {g.margin.size for g in after.plan.guardrails} == {g.margin.size / 2 for g in before.plan.guardrails}
    assert any(w.code == "tightened" for w in after.warnings)
    assert before.digest != after.digest


async def test_after_a_breach_only_product_security_and_compliance_let_it_go_on() -> None:
    """Whatever the tier: the second attempt waits for the three, though the first needed nobody."""
    organisation = replace(ORGANISATION, models={})
    world = await given(308, organisation, v2=Behaviour(errors=0.4))
    first = await world.propose(change())
    await world.until(first, phase="rolled-back", within=120)
    second = await world.propose(change())
    view = await world.app.rollout(second)
    assert view.governed is not None
    assert view.governed.after_breach == first
    assert {n.function for n in view.governed.missing} == {"product", "security", "compliance"}
    await approve(world, second, PIA, SAM)
    await world.run(5)
    assert (await world.app.rollout(second)).phase == "proposed"
    await approve(world, second, CAT)
    await world.until(second, step="s1", within=5)


async def test_anybody_may_halt_and_roll_back_and_not_anybody_may_resume() -> None:
    world = await given(309, replace(ORGANISATION, models={}))
    rollout = await world.propose(change())
    await world.until(rollout, step="s1", within=5)
    await world.app.halt(Halt(rollout=rollout, by=EVE, why="odd"), key=world.key())
    await world.run(0.5)
    with pytest.raises(NotEntitled, match="operate"):
        await world.app.resume(Resume(rollout=rollout, by=EVE, why="well"), key=world.key())
    await world.app.roll_back(OrderRollback(rollout=rollout, by=EVE, why="enough"), key=world.key())
    await world.run(0.5)
    assert (await world.app.rollout(rollout)).phase == "rolled-back"


async def test_without_an_organisation_nothing_is_governed() -> None:
    world = World(seed=310)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.run(5)
    rollout = await world.propose(draft("delays", "v2"))
    await world.until(rollout, step="s1", within=5)
    assert world.app.record.rollout(rollout).plan.governed is UNSET


def refusals() -> Mapping[str, Organisation]:
    people = ORGANISATION.people
    return {
        "nobody may administer": replace(ORGANISATION, people=tuple(replace(p, rights=REVIEWS) for p in people)),
        "is there twice": replace(ORGANISATION, people=(*people, people[0])),
        "nobody may review": replace(ORGANISATION, tiers=(Tier(name="low", approvals=(Need("legal"),)),), models={}),
        "nobody is left for 'compliance'": replace(
            ORGANISATION,
            people=tuple(
                replace(p, functions=("security", "compliance")) if p.id == SAM else p for p in people if p.id != CAT
            ),
            tiers=(Tier(name="low", approvals=(Need("security"), Need("compliance"))),),
            models={},
        ),
        "there is no tier": replace(ORGANISATION, models={ModelName("delays"): "hihg"}),
        "there is no team": replace(ORGANISATION, teams=()),
    }


@pytest.mark.parametrize("sentence", list(refusals()))
async def test_an_organisation_that_could_not_decide_is_refused(sentence: str) -> None:
    world = World(seed=311)
    await world.serves("delays", v1=SOUND)
    with pytest.raises(Exception, match=sentence):
        await agreed(world, refusals()[sentence])
    assert world.app.record.agreement("organisation", "organisation") is None


async def test_a_broken_limit_keeps_it_away_until_the_three_have_signed_off() -> None:
    world = await given(312, replace(ORGANISATION, models={}), v2=SOUND)
    errors = next(g for g in draft("delays", "v2").guardrails if g.metric == "errors")
    rest = tuple(g for g in draft("delays", "v2").guardrails if g.metric != "errors")
    rollout = await world.propose(change(guardrails=(replace(errors, limit=0.05), *rest)))
    await world.until(rollout, step="s1", within=5)
    broken = Behaviour(errors=0.5)
    world.traffic[ModelName("delays")].versions.update(v1=broken, v2=broken)
    await world.until(rollout, phase="halted", within=60)
    assert "absolute-limit-breached" in (await world.app.rollout(rollout)).reasons
    with pytest.raises(SignOffMissing, match="product, security, compliance"):
        await world.app.resume(Resume(rollout=rollout, by=ADA, why="it was the network"), key=world.key())
    await approve(world, rollout, PIA, SAM, CAT)
    await world.app.resume(Resume(rollout=rollout, by=ADA, why="it was the network"), key=world.key())


CALENDAR = Calendar(
    name="releases",
    zone="Europe/Berlin",
    freezes=(FreezeRule(name="weekend", days=(Day.SAT, Day.SUN)),),
    at_once=1,
    first=(ModelName("fraud"),),
)


async def kept(world: World, calendar: Calendar) -> None:
    command = TableAgreement(
        of="calendar",
        name=calendar.name,
        document=document_of(calendar),
        text="as agreed",
        by=ADA,
        why="so it is",
        admin=True,
    )
    view = await world.app.table(command, key=world.key())
    if view.tabled is not None:
        answer = AnswerAgreement(
            of="calendar", name=calendar.name, digest=Digest(view.tabled.digest), granted=True, by=CAT, why="yes"
        )
        await world.app.answer(answer, key=world.key())


def here(world: World) -> int:
    return int(world.clock.now().timestamp() * 1000)


async def test_in_a_freeze_nothing_begins_and_it_begins_when_it_ends() -> None:
    world = await given(320, replace(ORGANISATION, models={}))
    now = here(world)
    freeze = FreezeRule(name="release of the app", since=now, until=now + 30_000)
    await kept(world, replace(CALENDAR, freezes=(freeze,)))
    rollout = await world.propose(change())
    await world.run(10)
    view = await world.app.rollout(rollout)
    assert (view.phase, view.reasons) == ("proposed", ("freeze-in-force",))
    await world.until(rollout, step="s1", within=40)


@pytest.mark.parametrize("asks", list(Freeze))
async def test_a_freeze_that_begins_under_way(asks: Freeze) -> None:
    world = await given(321, replace(ORGANISATION, models={}))
    rollout = await world.propose(change())
    await world.until(rollout, step="s1", within=5)
    now = here(world)
    freeze = FreezeRule(name="audit", since=now, until=now + 3_600_000, asks=asks)
    await kept(world, replace(CALENDAR, freezes=(freeze,)))
    await world.run(90)
    view = await world.app.rollout(rollout)
    match asks:
        case Freeze.FINISH:
            assert view.step != "s1"
        case Freeze.HOLD:
            assert (view.phase, view.step, view.reasons) == ("running", "s1", ("freeze-in-force",))
            assert world.exposed("delays") > 0
        case Freeze.RETURN:
            assert (view.phase, view.reasons, world.exposed("delays")) == ("halted", ("freeze-returns",), 0)


async def test_harm_is_withdrawn_in_a_freeze_too() -> None:
    world = await given(322, replace(ORGANISATION, models={}), v2=Behaviour(errors=0.4))
    rollout = await world.propose(change())
    await world.until(rollout, step="s1", within=5)
    now = here(world)
    await kept(world, replace(CALENDAR, freezes=(FreezeRule(name="audit", since=now, until=now + 3_600_000),)))
    await world.until(rollout, phase="rolled-back", within=120)


async def test_one_at_a_time_and_who_goes_first() -> None:
    world = await given(323, replace(ORGANISATION, models={}))
    for model in ("spam", "fraud"):
        await world.serves(model, v1=SOUND, v2=SOUND)
    await kept(world, replace(CALENDAR, freezes=()))
    running = await world.propose(change())
    await world.until(running, step="s1", within=5)
    waiting = {m: await world.propose(replace(draft(m, "v2"), owner="owners")) for m in ("spam", "fraud")}
    await world.run(3)
    for rollout in waiting.values():
        assert (await world.app.rollout(rollout)).reasons == ("policy-blocks",)
    await world.app.roll_back(OrderRollback(rollout=running, by=ADA, why="enough"), key=world.key())
    await world.until(waiting["fraud"], step="s1", within=5)
    assert (await world.app.rollout(waiting["spam"])).phase == "proposed"


async def test_silence_is_told_on_and_never_taken_for_consent() -> None:
    told = (Escalation(after=20_000, to=("pia",)), Escalation(after=40_000, to=("owners",)))
    world = await given(324, replace(ORGANISATION, escalations=told))
    rollout = await world.propose(change())
    await approve(world, rollout, SAM)
    await world.run(60)
    story = await world.app.story(rollout)
    assert [h.sentence for h in story if h.kind == "escalated"] == [
        "Still missing: product. pia should know.",
        "Still missing: product. owners should know.",
    ]
    assert (await world.app.rollout(rollout)).phase == "proposed"


async def test_two_people_break_the_glass_for_a_while_and_a_third_must_look_at_it() -> None:
    both = tuple(
        replace(p, rights=(*p.rights, Right.OPERATE)) if p.id in (PIA, SAM) else p for p in ORGANISATION.people
    )
    world = await given(325, replace(ORGANISATION, people=both))
    rollout = await world.propose(change())
    await world.run(2)
    ask = AskGlass(rollout=rollout, emergency=Emergency.OUTAGE, lasting=3_600_000, by=ADA, why="v1 is down")
    await world.app.ask_glass(ask, key=world.key())
    await world.run(2)
    assert (await world.app.rollout(rollout)).phase == "proposed", "one person alone passes nothing"
    with pytest.raises(NotEntitled, match="second person"):
        await world.app.break_glass(BreakGlass(rollout=rollout, by=ADA, why="v1 is down"), key=world.key())
    await world.app.break_glass(BreakGlass(rollout=rollout, by=SAM, why="seen"), key=world.key())
    await world.until(rollout, phase="promoted", within=300)
    with pytest.raises(NotEntitled, match="neither of the two"):
        await world.app.review_glass(
            ReviewGlass(rollout=rollout, justified=True, by=SAM, why="it was"), key=world.key()
        )
    registered = Register(
        model=ModelName("delays"),
        version=VersionName("v3"),
        digest=Digest("sha256:" + "3" * 64),
        url="http://delays-v3",
        by=ADA,
        why="trained",
    )
    await world.app.register(registered, key=world.key())
    world.traffic[ModelName("delays")].versions[VersionName("v3")] = SOUND
    after = await world.propose(replace(change(), candidate=VersionName("v3")))
    await approve(world, after, PIA, SAM)
    await world.run(3)
    assert (await world.app.rollout(after)).reasons == ("policy-blocks",), "the review is owed"
    await world.app.review_glass(ReviewGlass(rollout=rollout, justified=True, by=CAT, why="it was"), key=world.key())
    await world.until(after, step="s1", within=5)


async def test_broken_glass_passes_no_statistics() -> None:
    people = tuple(replace(p, rights=(*p.rights, Right.OPERATE)) for p in ORGANISATION.people)
    world = await given(326, replace(ORGANISATION, people=people), v2=Behaviour(errors=0.4))
    rollout = await world.propose(change())
    ask = AskGlass(rollout=rollout, emergency=Emergency.OUTAGE, lasting=3_600_000, by=ADA, why="v1 is down")
    await world.app.ask_glass(ask, key=world.key())
    await world.app.break_glass(BreakGlass(rollout=rollout, by=SAM, why="seen"), key=world.key())
    await world.until(rollout, phase="rolled-back", within=120)


async def test_a_breach_opens_an_incident_that_cannot_be_closed_before_it_says_all() -> None:
    world = await given(330, replace(ORGANISATION, models={}), v2=Behaviour(errors=0.4))
    rollout = await world.propose(change())
    await world.until(rollout, phase="rolled-back", within=120)
    (view,) = await world.app.incidents()
    assert (view.rollout, view.candidate, view.step) == (rollout, "v2", "s1")
    assert view.exposed > 0
    assert view.breaches[0].metric == "errors"
    assert view.breaches[0].wealth >= view.breaches[0].line
    close = CloseIncident(rollout=rollout, by=CAT, why="enough")
    with pytest.raises(IncidentIncomplete, match="a hypothesis why"):
        await world.app.close_incident(close, key=world.key())
    remedy = Remedy(what="a test of the new parser", owner="owners", due="2026-12-24")
    note = NoteIncident(
        rollout=rollout,
        by=ADA,
        why="looked",
        gap="no test had such input",
        hypotheses=("the parser",),
        remedies=(remedy,),
    )
    await world.app.note_incident(note, key=world.key())
    with pytest.raises(IncidentIncomplete, match="owners does: a test of the new parser"):
        await world.app.close_incident(close, key=world.key())
    with pytest.raises(OwnerUnknown):
        await world.app.note_incident(replace_note(note, owner="nobody"), key=world.key())
    done = NoteIncident(rollout=rollout, by=ADA, why="done", remedies=(replace(remedy, done=True),))
    await world.app.note_incident(done, key=world.key())
    with pytest.raises(NotEntitled, match="review"):
        await world.app.close_incident(CloseIncident(rollout=rollout, by=ADA, why="enough"), key=world.key())
    both = tuple(replace(p, rights=(*p.rights, Right.REVIEW)) if p.id == ADA else p for p in ORGANISATION.people)
    pending = await agreed(world, replace(ORGANISATION, models={}, people=both))
    assert pending.tabled is not None
    yes = AnswerAgreement(
        of="organisation", name="organisation", digest=Digest(pending.tabled.digest), granted=True, by=PIA, why="yes"
    )
    await world.app.answer(yes, key=world.key())
    with pytest.raises(NotEntitled, match="did not propose"):
        await world.app.close_incident(CloseIncident(rollout=rollout, by=ADA, why="enough"), key=world.key())
    closed = await world.app.close_incident(close, key=world.key())
    assert (closed.closed_by, closed.lacking) == (CAT, ())
    await world.run(1)


def replace_note(note: NoteIncident, *, owner: str) -> NoteIncident:
    remedies = note.remedies
    assert isinstance(remedies, tuple)
    return dataclasses.replace(note, remedies=(replace(remedies[0], owner=owner),))


async def test_a_rollback_that_a_person_ordered_opens_none() -> None:
    world = await given(331, replace(ORGANISATION, models={}))
    rollout = await world.propose(change())
    await world.until(rollout, step="s1", within=5)
    await world.app.roll_back(OrderRollback(rollout=rollout, by=ADA, why="enough"), key=world.key())
    await world.run(1)
    assert await world.app.incidents() == []
