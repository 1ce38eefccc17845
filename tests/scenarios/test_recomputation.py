"""What is promoted was counted twice, by two codes that agree; where they do not, nothing advances and both numbers are named."""

from dataclasses import replace

import msgspec
import pytest

from glideslope.domain.decision import Decision, Hold, Question
from glideslope.domain.draft import Draft
from glideslope.domain.errors import LogAbsent
from glideslope.domain.events import Decided
from glideslope.domain.ids import ModelName, RolloutId
from glideslope.domain.metric import Cell
from glideslope.domain.observation import Outcome, Outcomes
from glideslope.domain.reasons import Reason
from glideslope.domain.recomputation import Recompute
from glideslope.testing.logs import MemoryLog
from glideslope.testing.traffic import SOUND
from glideslope.testing.world import SHADOW, STAGES, World, draft

DELAYS = ModelName("delays")


def what() -> Draft:
    return msgspec.structs.replace(draft("delays", "v2"), recompute=Recompute.REQUIRED)


async def a_world(log: MemoryLog | None, *, subjects: int = 0, per_second: float = 100.0) -> World:
    world = World(seed=11, log=log)
    traffic = await world.serves("delays", v1=SOUND, v2=SOUND)
    traffic.demand.per_second, traffic.demand.subjects, traffic.demand.repeated = per_second, subjects, 0.2
    traffic.demand.anonymous = 0.05
    await world.run(20)
    return world


def last(world: World, rollout: RolloutId) -> Decision:
    return [r.event.decision for r in world.app.record.history(rollout) if isinstance(r.event, Decided)][-1]


async def test_a_sound_candidate_is_promoted_when_the_log_confirms_every_cell() -> None:
    world = await a_world(MemoryLog())
    rollout = await world.propose(what())

    await world.until(rollout, phase="promoted", within=200)

    told = [r.event for r in world.app.record.history(rollout) if isinstance(r.event, Decided)]
    onward = [e.evidence.recomputation for e in told if not isinstance(e.decision, Hold)][1:]
    assert all(found is not msgspec.UNSET and found.agrees and found.cells > 50 for found in onward)


async def test_subjects_who_come_again_are_counted_alike_by_both() -> None:
    world = await a_world(MemoryLog(), subjects=300)
    rollout = await world.propose(what())
    await world.run(60)

    view = await world.app.recomputation(rollout)

    assert (view.agrees, view.differing, view.missing) == (True, 0, 0)
    assert view.cells > 100


async def test_without_a_recomputation_nothing_advances() -> None:
    log = MemoryLog()
    world = await a_world(log)
    rollout = await world.propose(what())

    def broken(verb: str) -> None:
        if verb == "recount":
            from glideslope.domain.errors import LogUnavailable

            raise LogUnavailable("the disk is gone")

    log.before = broken
    await world.run(60)

    assert Reason.RECOMPUTATION_MISSING in last(world, rollout).reasons
    assert world.app.record.rollout(rollout).position == 0


@pytest.mark.parametrize("side", ["counters", "log"])
async def test_a_corrupted_side_holds_the_rollout_and_is_named_with_both_numbers(side: str) -> None:
    log = MemoryLog()
    world = await a_world(log)
    rollout = await world.propose(what())
    await world.run(3)
    if side == "counters":
        scope = world.app.observer.scope(rollout)
        step, metric, slice_, arm = next(k for k in sorted(scope.keys()) if k[1] == "log_loss" and k[2] == "origin=JFK")
        scope.add(Cell(rollout, step, arm, metric, slice_, 3), 7)
    else:
        row = next(k for k, r in enumerate(log.outcomes) if r.slices == '{"origin":"JFK"}')
        log.outcomes[row] = msgspec.structs.replace(log.outcomes[row], happened=not log.outcomes[row].happened)

    await world.run(60)

    decision = last(world, rollout)
    assert isinstance(decision, Hold)
    assert Reason.RECOMPUTATION_DIFFERS in decision.reasons
    told = [f.difference for f in decision.findings if f.question is Question.RECOMPUTATION and f.difference]
    assert {("log_loss", "origin=JFK")} <= {(d.metric, d.slice) for d in told}
    if side == "counters":
        assert [d.counted - d.recomputed for d in told if d.slice == "origin=JFK"] == [7]
    shown = (await world.app.rollout(rollout)).last
    assert shown is not None
    assert any("the counters say" in sentence for sentence in shown.sentences)


async def test_a_plan_that_asks_for_it_is_refused_where_no_log_is_kept() -> None:
    world = await a_world(None)
    with pytest.raises(LogAbsent):
        await world.propose(what())
    with pytest.raises(LogAbsent):
        await world.app.plan(what())


async def test_a_server_that_is_killed_and_started_again_still_agrees() -> None:
    """What the gateway's counts had not reached is left out of the recount too: the count of rows is saved with them."""
    world = await a_world(MemoryLog())
    rollout = await world.propose(what())
    for _ in range(3):
        await world.run(4.25)
        world.kill(world.app)
        await world.start()
    await world.run(5)

    view = await world.app.recomputation(rollout)

    assert (view.sentences, view.missing, view.agrees) == ((), 0, True)


async def test_outcomes_that_could_not_be_counted_at_once_are_counted_before_those_that_follow() -> None:
    log = MemoryLog()
    world = await a_world(log, subjects=200)
    rollout = await world.propose(what())
    await world.run(10)

    def broken(verb: str) -> None:
        if verb == "once":
            from glideslope.domain.errors import StoreUnavailable

            raise StoreUnavailable("busy")

    for _ in range(5):
        world.store.before_commit = broken
        await world.run(0.5)
        world.store.before_commit = lambda _: None
        await world.run(1)

    view = await world.app.recomputation(rollout)
    assert (view.sentences, view.agrees) == ((), True)


async def test_an_outcome_without_receipt_needs_a_log() -> None:
    world = await a_world(None)
    taken = await world.app.outcomes(Outcomes(outcomes=(Outcome(prediction="order-1", happened=True, model=DELAYS),)))
    assert [r.code for r in taken.refused] == ["prediction-log-absent"]


async def test_the_pairs_of_a_plan_of_an_older_release_are_named_as_not_confirmed() -> None:
    """The log keeps nothing of them, and its rollout goes on as it did."""
    world = await a_world(MemoryLog())
    shadowed = draft("delays", "v2", stages=(SHADOW, *STAGES))
    rollout = await world.propose(msgspec.structs.replace(shadowed, recompute=Recompute.REQUIRED))
    await world.run(10)
    found = world.app.record.rollout(rollout)
    older = msgspec.structs.replace(found.plan, recount=msgspec.UNSET)

    compared = await world.app.log.recompute(replace(found, plan=older))

    assert compared.result.unconfirmed == ("pairs of log_loss",)
    assert compared.result.agrees
