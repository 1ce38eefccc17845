"""What people say that moves nothing: a reviewer asks for more and is answered, a yes to what has moved is refused, and a person judges."""

import dataclasses

import pytest
from msgspec.structs import replace
from tests.scenarios.test_governed import ADA, CAT, EVE, ORGANISATION, PIA, SAM, approve, change, given

from glideslope.domain.commands import Approve, AskMore, Halt, Judge, RecordFacts, Reply, Resume, Seen, Withdraw
from glideslope.domain.draft import SECOND, GuardrailDraft, StageDraft
from glideslope.domain.errors import (
    ChangeMoved,
    JudgementOutdated,
    NotEntitled,
    NothingAsked,
    RolloutEnded,
    SelfApproval,
)
from glideslope.domain.governing.facts import Code, Facts
from glideslope.domain.ids import Actor, Digest, MetricName, ModelName, RolloutId, VersionName
from glideslope.domain.plan import AtMaximum, Margin, MarginKind, StageKind
from glideslope.testing.traffic import SOUND
from glideslope.testing.world import GRACE, World, draft


async def shown(world: World, rollout: RolloutId) -> Seen:
    view = await world.app.rollout(rollout)
    change = view.governed.change if view.governed is not None else ""
    return Seen(version=view.version, change=Digest(change) if change else None)


async def yes(world: World, rollout: RolloutId, by: Actor, seen: Seen) -> None:
    digest = world.app.record.rollout(rollout).plan_digest
    command = Approve(rollout=rollout, plan_digest=digest, granted=True, by=by, why="read it", seen=seen)
    await world.app.approve(command, key=world.key())


async def test_a_reviewer_asks_and_the_proposer_replies_and_nothing_moves_by_either() -> None:
    world = await given(341)
    rollout = await world.propose(change())
    await world.app.ask_more(AskMore(rollout=rollout, by=SAM, why="which rows were left out?"), key="q")
    again = await world.app.ask_more(AskMore(rollout=rollout, by=SAM, why="which rows were left out?"), key="q")
    (more,) = again.asked
    assert (more.by, more.replied_by, again.phase) == (SAM, "", "proposed")
    with pytest.raises(SelfApproval):
        await world.app.ask_more(AskMore(rollout=rollout, by=ADA, why="why?"), key=world.key())
    with pytest.raises(NotEntitled, match="review"):
        await world.app.ask_more(AskMore(rollout=rollout, by=EVE, why="why?"), key=world.key())

    def reply(by: Actor, question: int) -> Reply:
        return Reply(rollout=rollout, question=question, by=by, why="cancelled flights")

    with pytest.raises(NotEntitled, match="proposed it"):
        await world.app.reply(reply(CAT, more.question), key=world.key())
    with pytest.raises(NothingAsked):
        await world.app.reply(reply(ADA, 77), key=world.key())
    replied = await world.app.reply(reply(ADA, more.question), key=world.key())
    assert (replied.asked[0].reply, replied.phase) == ("cancelled flights", "proposed")
    with pytest.raises(NothingAsked, match="already"):
        await world.app.reply(reply(ADA, more.question), key=world.key())
    await world.run(3)
    assert (await world.app.rollout(rollout)).phase == "proposed", "an answer is no yes"
    assert [h.sentence for h in await world.app.story(rollout) if h.kind in ("more-asked", "reply-given")] == [
        "sam asks for more as security: which rows were left out?",
        "ada replies to what was asked: cancelled flights",
    ]


async def test_a_yes_to_what_has_moved_since_is_refused_with_what_changed() -> None:
    world = await given(342)
    rollout = await world.propose(change())
    await world.run(2)
    seen = await shown(world, rollout)
    await approve(world, rollout, SAM)
    await world.app.ask_more(AskMore(rollout=rollout, by=CAT, why="a card?"), key=world.key())
    with pytest.raises(ChangeMoved, match="cat asks for more: a card"):
        await yes(world, rollout, PIA, seen)

    seen = await shown(world, rollout)
    facts = Facts(model=ModelName("delays"), version=VersionName("v2"), code=Code(repository="r", revision="c" * 40))
    await world.app.record_facts(RecordFacts(facts=facts, by=ADA, why="found it"), key=world.key())
    with pytest.raises(
        ChangeMoved, match="What stands behind it is not what it was: what is known about the candidate"
    ):
        await yes(world, rollout, PIA, seen)

    seen = await shown(world, rollout)
    await approve(world, rollout, CAT, granted=False)
    with pytest.raises(ChangeMoved, match="cat denied it"):
        await yes(world, rollout, PIA, seen)
    await world.run(2)
    with pytest.raises((ChangeMoved, RolloutEnded)):
        await yes(world, rollout, PIA, seen)


async def test_a_yes_beside_another_yes_is_no_stale_one() -> None:
    world = await given(343, replace(ORGANISATION))
    rollout = await world.propose(change())
    await world.run(2)
    seen = await shown(world, rollout)
    await yes(world, rollout, SAM, seen)
    await yes(world, rollout, PIA, seen)
    await world.until(rollout, phase="running", within=5)
    later = await shown(world, rollout)
    await world.app.withdraw(Withdraw(rollout=rollout, by=SAM, why="an advisory"), key=world.key())
    with pytest.raises(ChangeMoved, match="sam took the approval back"):
        await yes(world, rollout, PIA, later)


async def test_a_person_judges_what_the_machine_cannot_and_is_not_asked_again_in_that_step() -> None:
    world = World(seed=344)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    stage = StageDraft(
        stage=StageKind.CANARY, shares=(100,), minimum=2 * SECOND, maximum=6 * SECOND, at_maximum=AtMaximum.HOLD
    )
    rollout = await world.propose(draft("delays", "v2", stages=(stage,)))
    await world.run(12)
    (item,) = (await world.app.inbox(GRACE)).items
    assert (item.asks, item.grounds) == ("judgement", ("deadline-passed-hold",))
    with pytest.raises(JudgementOutdated, match="deadline-passed-hold"):
        await world.app.judge(Judge(rollout=rollout, about=("lopsided",), by=GRACE, why="looked"), key=world.key())

    judged = await world.app.judge(
        Judge(rollout=rollout, about=item.grounds, by=GRACE, why="few flights at night"), key=world.key()
    )
    assert [(each.by, each.step, each.why) for each in judged.judged] == [("grace", "s1", "few flights at night")]
    await world.run(5)
    view = await world.app.rollout(rollout)
    assert (view.phase, view.share) == ("running", 100), "it goes on as it is"
    assert (await world.app.inbox(None)).items == ()


async def test_what_would_only_halt_again_is_said_and_not_offered() -> None:
    """Resuming is decided on the evidence of this moment: after a broken limit it would withdraw the exposure again at once."""
    world = World(seed=33)
    traffic = await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.run(5)
    errors = GuardrailDraft(metric=MetricName("errors"), margin=Margin(MarginKind.ABSOLUTE, 0.05), limit=0.1)
    rollout = await world.propose(draft("delays", "v2", guardrails=(errors,)))
    await world.until(rollout, step="s1", within=5)
    under_way = {each.act: each for each in (await world.app.weigh(rollout)).answers}
    assert {act: (each.possible, each.share) for act, each in under_way.items()} == {
        "judge": (True, 1_000),
        "halt": (True, 0),
        "rollback": (True, 0),
    }
    for version, behaviour in list(traffic.versions.items()):
        traffic.versions[version] = dataclasses.replace(behaviour, errors=0.5)
    await world.until(rollout, phase="halted", within=30)

    halted = {each.act: each for each in (await world.app.weigh(rollout)).answers}
    assert set(halted) == {"resume", "rollback"}
    assert not halted["resume"].possible
    assert "halted again at once" in halted["resume"].then
    before = len(await world.app.story(rollout))
    await world.app.resume(Resume(rollout=rollout, by=GRACE, why="try"), key=world.key())
    await world.run(2)
    view = await world.app.rollout(rollout)
    assert (view.phase, view.reasons) == ("halted", ("absolute-limit-breached",)), "as it was foretold"
    assert len(await world.app.story(rollout)) > before


async def test_a_person_s_halt_can_be_resumed_and_the_forecast_says_so() -> None:
    world = World(seed=35)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.run(5)
    rollout = await world.propose(draft("delays", "v2"))
    await world.until(rollout, step="s1", within=5)
    await world.app.halt(Halt(rollout=rollout, by=GRACE, why="a complaint"), key=world.key())
    await world.run(2)
    resume = next(each for each in (await world.app.weigh(rollout)).answers if each.act == "resume")
    assert (resume.possible, resume.share) == (True, 1_000)

    await world.app.resume(Resume(rollout=rollout, by=GRACE, why="looked"), key=world.key())
    await world.run(1)
    assert (await world.app.rollout(rollout)).share == 1_000
    weighed = await world.app.weigh(rollout)
    assert weighed.traffic_per_second
    assert [each.share for each in weighed.reach] == [1_000, 5_000, 10_000, 10_000]
