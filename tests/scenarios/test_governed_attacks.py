"""Insiders who try to pass who decides: each story is a way that must not lead to callers, or to an act done twice."""

from itertools import pairwise
from typing import Any

import pytest
from msgspec.structs import replace
from tests.scenarios.test_governed import (
    CALENDAR,
    CAT,
    EVE,
    HIGH,
    ORGANISATION,
    PIA,
    SAM,
    agreed,
    approve,
    change,
    given,
    here,
    kept,
)

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
from glideslope.domain.errors import Conflict, KeyReused, MakerMayNotApprove, NotEntitled, SignOffMissing
from glideslope.domain.governing.approval import Need
from glideslope.domain.governing.calendar import FreezeRule
from glideslope.domain.governing.glass import Emergency
from glideslope.domain.governing.governed import Freeze
from glideslope.domain.governing.incident import Remedy
from glideslope.domain.governing.kinds import document_of
from glideslope.domain.governing.organisation import DAY, Delegation, Organisation, Right, Tier
from glideslope.domain.ids import Actor, Digest, ModelName, RolloutId, VersionName
from glideslope.testing.traffic import SOUND, Behaviour
from glideslope.testing.world import ADA, World, content, draft

OPERATORS = replace(
    ORGANISATION, people=tuple(replace(p, rights=tuple({*p.rights, Right.OPERATE})) for p in ORGANISATION.people)
)


async def ask(world: World, rollout: RolloutId, by: Actor, *, key: str = "", lasting: int = 60_000) -> None:
    command = AskGlass(rollout=rollout, emergency=Emergency.OUTAGE, lasting=lasting, by=by, why="v1 is down")
    await world.app.ask_glass(command, key=key or world.key())


async def smash(world: World, rollout: RolloutId, by: Actor, *, key: str = "") -> None:
    await world.app.break_glass(BreakGlass(rollout=rollout, by=by, why="seen"), key=key or world.key())


async def look(world: World, rollout: RolloutId, by: Actor, *, key: str = "") -> None:
    command = ReviewGlass(rollout=rollout, justified=True, by=by, why="it was")
    await world.app.review_glass(command, key=key or world.key())


async def force(world: World, organisation: Organisation) -> None:
    """Put an organisation in force by the two administrators."""
    view = await agreed(world, organisation)
    if view.tabled is not None:
        await world.app.answer(yes("organisation", "organisation", view.tabled.digest, by=PIA), key=world.key())


def yes(of: str, name: str, digest: str, *, by: Actor) -> AnswerAgreement:
    return AnswerAgreement(of=of, name=name, digest=Digest(digest), granted=True, by=by, why="yes")


async def version(world: World, name: str, *, by: Actor = ADA, url: str = "", digest: str = "") -> None:
    command = Register(
        model=ModelName("delays"),
        version=VersionName(name),
        digest=Digest(digest) if digest else content("delays", name),
        url=url or f"http://delays-{name}",
        by=by,
        why="trained",
    )
    await world.app.register(command, key=world.key())
    world.traffic[ModelName("delays")].versions[VersionName(name)] = SOUND


# Broken glass.


async def test_asking_again_does_not_wipe_the_review_that_is_owed() -> None:
    world = await given(401, OPERATORS)
    rollout = await world.propose(change())
    await ask(world, rollout, ADA, lasting=3_600_000)
    await smash(world, rollout, SAM)
    await world.until(rollout, step="s1", within=5)
    await ask(world, rollout, ADA)
    assert world.app.record.rollout(rollout).glass is not None
    await world.app.roll_back(OrderRollback(rollout=rollout, by=ADA, why="done"), key=world.key())
    await world.until(rollout, phase="rolled-back", within=5)
    after = await world.propose(change())
    await approve(world, after, PIA, SAM)
    await world.run(3)
    assert (await world.app.rollout(after)).reasons == ("policy-blocks",), "the review is still owed"
    await look(world, rollout, CAT)
    await world.until(after, step="s1", within=5)


async def test_the_second_person_alone_does_not_keep_the_glass_broken() -> None:
    world = await given(402, OPERATORS)
    rollout = await world.propose(change())
    await ask(world, rollout, ADA)
    await smash(world, rollout, SAM, key="once")
    glass = world.app.record.rollout(rollout).glass
    assert glass is not None
    await world.run(30)
    await smash(world, rollout, SAM, key="once")
    with pytest.raises(Conflict):
        await smash(world, rollout, SAM)
    later = world.app.record.rollout(rollout).glass
    assert later is not None
    assert later.until == glass.until


async def test_glass_broken_again_after_its_review_owes_another() -> None:
    world = await given(403, OPERATORS)
    rollout = await world.propose(change())
    await ask(world, rollout, ADA)
    await smash(world, rollout, SAM)
    await look(world, rollout, CAT)
    await world.run(1)
    await ask(world, rollout, ADA)
    await smash(world, rollout, PIA)
    with pytest.raises(NotEntitled, match="broke"):
        await look(world, rollout, SAM)
    await world.app.roll_back(OrderRollback(rollout=rollout, by=ADA, why="done"), key=world.key())
    await world.until(rollout, phase="rolled-back", within=5)
    after = await world.propose(change())
    await approve(world, after, PIA, SAM)
    await world.run(3)
    assert (await world.app.rollout(after)).reasons == ("policy-blocks",)


async def test_glass_does_not_pass_the_review_of_earlier_glass() -> None:
    world = await given(404, OPERATORS)
    first = await world.propose(change())
    await ask(world, first, ADA)
    await smash(world, first, SAM)
    await world.app.roll_back(OrderRollback(rollout=first, by=ADA, why="done"), key=world.key())
    await world.until(first, phase="rolled-back", within=5)
    second = await world.propose(change())
    with pytest.raises(Conflict, match="review"):
        await ask(world, second, ADA)


async def test_a_sign_off_after_a_breach_that_is_taken_back_is_not_passed_by_glass() -> None:
    world = await given(405, replace(OPERATORS, models={}), v2=Behaviour(errors=0.4))
    first = await world.propose(change())
    await world.until(first, phase="rolled-back", within=120)
    await version(world, "v3")
    second = await world.propose(replace(change(), candidate=VersionName("v3")))
    await approve(world, second, PIA, SAM, CAT)
    await world.until(second, step="s1", within=5)
    await ask(world, second, ADA)
    await smash(world, second, SAM)
    await world.app.withdraw(Withdraw(rollout=second, by=CAT, why="not what I read"), key=world.key())
    await world.run(1)
    assert world.exposed("delays") == 0


# After a breach.


async def test_a_broken_limit_is_not_left_behind_by_rolling_back_and_trying_again() -> None:
    world = await given(410, replace(ORGANISATION, models={}))
    errors = next(g for g in draft("delays", "v2").guardrails if g.metric == "errors")
    rest = tuple(g for g in draft("delays", "v2").guardrails if g.metric != "errors")
    limited = change(guardrails=(replace(errors, limit=0.05), *rest))
    rollout = await world.propose(limited)
    await world.until(rollout, step="s1", within=5)
    broken = Behaviour(errors=0.5)
    world.traffic[ModelName("delays")].versions.update(v1=broken, v2=broken)
    await world.until(rollout, phase="halted", within=60)
    await world.app.roll_back(OrderRollback(rollout=rollout, by=ADA, why="enough"), key=world.key())
    await world.until(rollout, phase="rolled-back", within=5)
    world.traffic[ModelName("delays")].versions.update(v1=SOUND, v2=SOUND)
    again = await world.propose(change())
    await world.run(3)
    view = await world.app.rollout(again)
    assert (view.phase, view.reasons) == ("proposed", ("awaiting-approval",))


# An organisation that changes meanwhile.


async def test_a_proposal_from_before_the_organisation_does_not_begin_under_it() -> None:
    world = World(seed=420)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.run(5)
    rollout = await world.propose(change(approvals=1))
    await agreed(world, ORGANISATION)
    await approve(world, rollout, CAT)
    await world.run(3)
    view = await world.app.rollout(rollout)
    assert (view.phase, view.reasons) == ("proposed", ("policy-blocks",))


async def test_a_proposal_made_under_a_lower_tier_does_not_begin_under_a_higher() -> None:
    low = Tier(name="low", approvals=(Need("compliance"),))
    organisation = replace(ORGANISATION, tiers=(low, HIGH), models={})
    world = await given(421, organisation)
    rollout = await world.propose(change())
    await force(world, replace(organisation, models={ModelName("delays"): "high"}))
    await approve(world, rollout, CAT)
    await world.run(3)
    view = await world.app.rollout(rollout)
    assert (view.phase, view.reasons) == ("proposed", ("policy-blocks",))


async def test_a_change_of_the_organisation_that_is_not_about_the_tier_leaves_proposals_alone() -> None:
    world = await given(422)
    rollout = await world.propose(change())
    await force(world, replace(ORGANISATION, people=(*ORGANISATION.people, replace(ORGANISATION.people[2], id=EVE))))
    await approve(world, rollout, PIA, EVE)
    await world.until(rollout, step="s1", within=5)


# Calendars.


async def test_a_proposal_that_nobody_signs_keeps_no_other_from_its_turn() -> None:
    world = await given(425)
    await world.serves("spam", v1=SOUND, v2=SOUND)
    await kept(world, replace(CALENDAR, freezes=(), first=(ModelName("delays"),)))
    unsigned = await world.propose(change())
    other = await world.propose(replace(draft("spam", "v2"), owner="owners"))
    await world.until(other, step="s1", within=5)
    await approve(world, unsigned, PIA, SAM)
    await world.run(3)
    assert (await world.app.rollout(unsigned)).reasons == ("policy-blocks",)


# Resuming.


async def test_resuming_is_beginning_anew_and_needs_approvals_that_still_count() -> None:
    world = await given(430)
    rollout = await world.propose(change())
    await approve(world, rollout, PIA, SAM)
    await world.until(rollout, step="s1", within=5)
    await world.app.halt(Halt(rollout=rollout, by=ADA, why="a pause"), key=world.key())
    await world.run(70)
    with pytest.raises(SignOffMissing):
        await world.app.resume(Resume(rollout=rollout, by=ADA, why="go on"), key=world.key())
    await world.run(1)
    assert world.exposed("delays") == 0
    await approve(world, rollout, PIA, SAM)
    await world.app.resume(Resume(rollout=rollout, by=ADA, why="go on"), key=world.key())
    await world.run(1)
    assert world.exposed("delays") > 0


async def test_nobody_is_exposed_anew_in_a_freeze_that_holds() -> None:
    world = await given(431, replace(ORGANISATION, models={}))
    rollout = await world.propose(change())
    await world.until(rollout, step="s1", within=5)
    await world.app.halt(Halt(rollout=rollout, by=ADA, why="a pause"), key=world.key())
    now = here(world)
    await kept(world, replace(CALENDAR, freezes=(FreezeRule(name="audit", since=now, until=now + 3_600_000),)))
    await world.app.resume(Resume(rollout=rollout, by=ADA, why="go on"), key=world.key())
    await world.run(2)
    view = await world.app.rollout(rollout)
    assert (view.phase, view.reasons, world.exposed("delays")) == ("halted", ("freeze-in-force",), 0)


async def test_what_lapsed_by_itself_in_a_freeze_that_holds_comes_back_where_it_was() -> None:
    world = await given(432, replace(ORGANISATION, models={}))
    rollout = await world.propose(change())
    await world.until(rollout, step="s1", within=5)
    now = here(world)
    freeze = FreezeRule(name="audit", since=now, until=now + 3_600_000, asks=Freeze.HOLD)
    await kept(world, replace(CALENDAR, freezes=(freeze,)))
    world.kill(world.app)
    await world.start()
    await world.run(8)
    view = await world.app.rollout(rollout)
    assert (view.phase, view.step) == ("running", "s1")
    assert world.exposed("delays") > 0


# Who made it, where it is served, and a no under way.


async def test_whoever_registered_the_candidate_may_not_approve_it() -> None:
    """Nor by letting somebody else register it once more."""
    second = replace(ORGANISATION.people[1], id=EVE, rights=(Right.REVIEW,))
    world = await given(440, replace(ORGANISATION, people=(*ORGANISATION.people, second)))
    await version(world, "v3", by=PIA)
    await version(world, "v3", by=ADA)
    rollout = await world.propose(replace(change(), candidate=VersionName("v3")))
    with pytest.raises(MakerMayNotApprove):
        await approve(world, rollout, PIA)


async def test_a_version_that_is_known_is_not_served_from_elsewhere_by_anybodys_word() -> None:
    world = await given(441)
    with pytest.raises(NotEntitled):
        await version(world, "v1", by=EVE, url="http://delays-v2")
    with pytest.raises(NotEntitled):
        await version(world, "v2", by=EVE, url="http://elsewhere")
    await version(world, "v2", by=ADA, url="http://elsewhere")
    await version(world, "v9", by=EVE)


async def test_a_no_under_way_withdraws_as_taking_the_yes_back_does() -> None:
    world = await given(442)
    rollout = await world.propose(change())
    await approve(world, rollout, PIA, SAM)
    await world.until(rollout, step="s1", within=5)
    await approve(world, rollout, SAM, granted=False)
    await world.run(1)
    assert world.exposed("delays") == 0


# Organisations that give more than they say.


def sly() -> dict[str, Organisation]:
    handed = Delegation(who=SAM, to=CAT, since=0, until=DAY, functions=("product",))
    posing = replace(ORGANISATION.people[3], functions=("administer",))
    return {
        "does not have": replace(ORGANISATION, delegations=(handed,)),
        "not a function": replace(ORGANISATION, people=(*ORGANISATION.people[:3], posing)),
        "one approval at least": replace(ORGANISATION, agreements={"organisation": (Need("product", 0),)}),
        "no agreement of the kind": replace(ORGANISATION, agreements={"calender": (Need("product"),)}),
        "only 2 may review as 'administer'": replace(
            ORGANISATION, agreements={"organisation": (Need("administer", 10**9),)}
        ),
        "cannot be printed": replace(
            ORGANISATION, people=(*ORGANISATION.people, replace(ORGANISATION.people[3], id=Actor("eve\ncat: granted")))
        ),
        "nobody may review as 'legal'": replace(ORGANISATION, agreements={"organisation": (Need("legal"),)}),
    }


@pytest.mark.parametrize("sentence", list(sly()))
async def test_an_organisation_that_says_less_than_it_gives_is_refused(sentence: str) -> None:
    world = World(seed=450)
    await world.serves("delays", v1=SOUND)
    with pytest.raises(Exception, match=sentence):
        await agreed(world, sly()[sentence])


# The ladder of a tier.


async def test_a_tiers_growth_binds_the_last_step_to_everybody_too() -> None:
    careful = replace(HIGH, first_share=100, growth=5.0, approvals=())
    world = await given(460, replace(ORGANISATION, tiers=(Tier(name="low"), careful)))
    canary, *rest = change().stages
    short = change(stages=(replace(canary, shares=(100,)), *rest))
    plan = (await world.app.plan(short)).plan
    shares = [s.candidate for s in plan.steps if s.candidate]
    assert all(wide <= 5 * narrow for narrow, wide in pairwise(shares)), shares
    assert shares[0] <= 100


# The same act sent twice, and others who write first.


async def test_the_same_act_sent_again_is_answered_and_not_done_twice() -> None:
    world = await given(470)
    view = await agreed(world, replace(ORGANISATION, models={}))
    assert view.tabled is not None
    answer = yes("organisation", "organisation", view.tabled.digest, by=PIA)
    first = await world.app.answer(answer, key="once")
    assert await world.app.answer(answer, key="once") == first
    rollout = await world.propose(change())
    yes_ = Approve(
        rollout=rollout,
        plan_digest=world.app.record.rollout(rollout).plan_digest,
        granted=True,
        by=PIA,
        why="read it",
    )
    await world.app.approve(yes_, key="a")
    await world.app.withdraw(Withdraw(rollout=rollout, by=PIA, why="no"), key="w")
    size = world.app.record.size()
    await world.app.withdraw(Withdraw(rollout=rollout, by=PIA, why="no"), key="w")
    assert world.app.record.size() == size


async def test_an_approval_sent_again_after_it_began_is_answered() -> None:
    world = World(seed=471)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.run(5)
    rollout = await world.propose(draft("delays", "v2", approvals=1))
    digest = world.app.record.rollout(rollout).plan_digest
    command = Approve(rollout=rollout, plan_digest=digest, granted=True, by=PIA, why="read it")
    await world.app.approve(command, key="a")
    await world.until(rollout, step="s1", within=5)
    assert (await world.app.approve(command, key="a")).id == rollout


def tabled(organisation: Organisation, *, by: Actor = ADA, why: str = "so it is") -> TableAgreement:
    return TableAgreement(
        of="organisation",
        name="organisation",
        document=document_of(organisation),
        text="as agreed",
        by=by,
        why=why,
        admin=True,
    )


async def test_a_key_that_stands_for_another_agreement_is_refused() -> None:
    world = await given(472)
    await world.app.table(tabled(replace(ORGANISATION, models={})), key="k")
    with pytest.raises(KeyReused):
        await world.app.table(tabled(replace(ORGANISATION, escalations=(), usual_tier="high")), key="k")


async def test_a_closing_sent_again_is_answered() -> None:
    world = await given(473, replace(ORGANISATION, models={}), v2=Behaviour(errors=0.4))
    rollout = await world.propose(change())
    await world.until(rollout, phase="rolled-back", within=120)
    remedy = Remedy(what="a test", owner="owners", due="2026-12-24", done=True)
    note = NoteIncident(rollout=rollout, by=ADA, why="looked", gap="a gap", hypotheses=("h",), remedies=(remedy,))
    await world.app.note_incident(note, key="n")
    with pytest.raises(KeyReused):
        await world.app.note_incident(NoteIncident(rollout=rollout, by=PIA, why="looked", gap="none"), key="n")
    close = CloseIncident(rollout=rollout, by=CAT, why="enough")
    first = await world.app.close_incident(close, key="c")
    assert await world.app.close_incident(close, key="c") == first
    assert await world.app.note_incident(note, key="n") == first


async def test_who_writes_second_is_tried_again_and_not_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another server writes between reading and writing: its entry is read, and the answer goes through."""
    world = await given(474)
    view = await agreed(world, replace(ORGANISATION, models={}))
    assert view.tabled is not None
    await world.start()
    front, other = world.apps
    reading = front.record.refresh
    raced: list[Any] = []

    async def late() -> None:
        await reading()
        if not raced:
            raced.append(True)
            await other.answer(yes("organisation", "organisation", view.tabled.digest, by=CAT), key="cat")

    monkeypatch.setattr(front.record, "refresh", late)
    answer = yes("organisation", "organisation", view.tabled.digest, by=PIA)
    after = await front.answer(answer, key="pia")
    assert after.tabled is None
