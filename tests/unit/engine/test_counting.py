"""Counters count exactly once, through duplicates, restarts and takeovers."""

import asyncio
from collections.abc import Sequence

import pytest

from glideslope.domain.errors import StoreUnavailable
from glideslope.domain.ids import WHOLE, MetricName, ModelName, RolloutId, StepName
from glideslope.domain.metric import Cell
from glideslope.domain.observation import Outcome, Outcomes
from glideslope.domain.traffic import Arm
from glideslope.engine.ports import Total
from glideslope.engine.scopes import Scope
from glideslope.testing.memory import no_fault
from glideslope.testing.traffic import SOUND
from glideslope.testing.world import World, draft

DELAYS = ModelName("delays")


async def given() -> tuple[World, RolloutId]:
    world = World(seed=71)
    traffic = await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.run(5)
    rollout = await world.propose(draft("delays", "v2"))
    await world.run(8)
    traffic.demand.per_second = 0
    await world.run(15)
    return world, rollout


async def test_reading_the_counters_back_changes_nothing() -> None:
    """What this process counted and what others saved meet in the store; loading them again adds nothing."""
    world, rollout = await given()
    observer, found = world.app.observer, world.app.record.rollout(rollout)
    before = observer.evidence(found, in_force=True)

    await observer.load()
    await observer.load()

    after = observer.evidence(found, in_force=True)
    assert (after.counts, after.exposed, after.maturity) == (before.counts, before.exposed, before.maturity)
    assert before.maturity[0].candidate > 10


async def test_a_restart_finds_what_was_counted() -> None:
    """After a flush another process starts with the same evidence."""
    world, rollout = await given()
    before = world.app.observer.evidence(world.app.record.rollout(rollout), in_force=True)
    world.kill(world.app)

    app = await world.start()

    after = app.observer.evidence(app.record.rollout(rollout), in_force=True)
    assert (after.counts, after.exposed, after.maturity) == (before.counts, before.exposed, before.maturity)


async def test_outcomes_made_durable_without_an_answer_are_counted_once() -> None:
    """The sender repeats them and is told that they are known; the evidence has them all the same."""
    world, rollout = await given()
    traffic = world.traffic[DELAYS]
    traffic.demand.per_second, traffic.demand.delay = 400, 0
    moment = traffic.moment(0.25, now=world.clock.monotonic(), wall=1_767_268_800)
    found = world.app.record.rollout(rollout)
    before = sum(m.candidate + m.incumbent for m in world.app.observer.evidence(found, in_force=True).maturity)

    def lost(verb: str) -> None:
        if verb == "once":
            raise StoreUnavailable("no answer")

    world.store.after_commit = lost
    with pytest.raises(StoreUnavailable):
        await world.app.outcomes(moment.outcomes)
    world.store.after_commit = no_fault
    taken = await world.app.outcomes(moment.outcomes)
    assert taken.counted == 0
    assert taken.repeated == len(moment.outcomes.outcomes)
    await world.app.flush()

    after = sum(m.candidate + m.incumbent for m in world.app.observer.evidence(found, in_force=True).maturity)
    assert after - before == sum(1 for s in moment.served if s.rollout and s.status == 200)


async def test_an_empty_batch_is_no_trouble() -> None:
    """Nothing in, nothing out."""
    world, _ = await given()

    taken = await world.app.outcomes(Outcomes(outcomes=()))

    assert (taken.counted, taken.repeated, taken.unmeasured, taken.refused) == (0, 0, 0, ())
    refused = await world.app.outcomes(Outcomes(outcomes=(Outcome(prediction="", happened=True),)))
    assert len(refused.refused) == 1


def test_totals_of_a_source_merge_by_maximum_and_of_sources_add_up() -> None:
    """Late, doubled, reordered: the same sum."""
    name = RolloutId("r-0001")
    key = "r-0001/s1/candidate/errors/all/1"
    cell = Cell.parse(key)
    scope = Scope(name)
    for source, epoch, count in (("a", 1, 5), ("a", 1, 3), ("b", 1, 2), ("a", 1, 7), ("a", 2, 1), ("b", 1, 2)):
        scope.absorb(source, epoch=epoch, totals={key: count})
    scope.add_outcome(cell)

    assert scope.bins(cell.step, cell.metric, cell.slice, cell.arm, size=2) == (0, 7 + 1 + 2 + 1)


async def test_counts_that_are_being_saved_when_the_server_stops_are_saved_all_the_same() -> None:
    """An orderly stop cancels the save that is under way, and asks for a last one: that must not find nothing to do."""
    world, rollout = await given()
    observer, save, gate = world.app.observer, world.store.save, asyncio.Event()
    cell = Cell(rollout, StepName("s1"), Arm.CANDIDATE, MetricName("exposure"), WHOLE, 0).key()
    before = {t.cell: t.count for t in await world.store.load(f"{rollout}/")}[cell]

    async def slow(totals: Sequence[Total]) -> None:
        await gate.wait()
        await save(totals)

    world.store.save = slow  # type: ignore[method-assign]  # a store that takes its time
    observer._own.count(cell)
    under_way = asyncio.create_task(observer.flush())
    await asyncio.sleep(0)
    last = asyncio.create_task(observer.flush())
    await asyncio.sleep(0)
    under_way.cancel()
    gate.set()
    await last

    assert {t.cell: t.count for t in await world.store.load(f"{rollout}/")}[cell] == before + 1
