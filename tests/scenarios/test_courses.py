"""How a rollout went can be told from the record alone: whom it exposed when, what each decision saw, what served before."""

from glideslope.domain.ids import ModelName
from glideslope.testing.traffic import SOUND, Behaviour
from glideslope.testing.world import World, draft


async def test_a_rollback_is_told_from_first_exposure_to_nobody() -> None:
    world = World(seed=7)
    await world.serves("delays", v1=Behaviour(errors=0.01), v2=Behaviour(errors=0.3))
    rollout = await world.propose(draft("delays", "v2"))
    view = await world.until(rollout, phase="rolled-back", within=600)
    course = await world.app.course(rollout)
    decisions = await world.app.decisions(rollout)

    assert [each.share for each in course.exposed] == [0, 1_000, 0]
    decided = {each.entry for each in decisions}
    assert {each.entry for each in course.exposed[1:]} <= decided
    last = next(each for each in reversed(course.looks) if each.metric == "errors")
    shown = next(each for each in view.guardrails if each.metric == "errors" and each.slice == "all")
    assert (last.low, last.estimate, last.high) == (shown.low, shown.estimate, shown.high), (
        "the page shows what was judged"
    )
    first = await world.app.course(rollout, as_of=course.exposed[1].entry)
    assert [each.share for each in first.exposed] == [0, 1_000]
    assert all(each.entry <= course.exposed[1].entry for each in first.looks)
    assert (await world.app.proposal(rollout)).digest == view.plan_digest


async def test_what_served_a_model_is_told_with_the_rollout_that_brought_it() -> None:
    world = World(seed=11)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.run(20)
    rollout = await world.propose(draft("delays", "v2"))
    assert (await world.app.pulse()).under_way == (rollout,)
    await world.until(rollout, phase="promoted", within=600)
    now, before = await world.app.served(ModelName("delays"))

    assert (now.version, now.rollout, now.until) == ("v2", rollout, "")
    assert (before.version, before.rollout, before.until) == ("v1", "", now.since)
    assert (await world.app.course(rollout)).exposed[-1].share == 10_000
    assert (await world.app.pulse()).under_way == ()
    view = await world.app.rollout(rollout)
    assert {each.origin for each in view.sources} == {"gateway", "outcome"}


async def test_a_silent_source_is_said_to_be_stale() -> None:
    world = World(seed=3)
    traffic = await world.serves("delays", v1=SOUND, v2=SOUND)
    rollout = await world.propose(draft("delays", "v2"))
    await world.until(rollout, step="s1", within=30)
    await world.run(2)
    assert all(each.fresh for each in (await world.app.rollout(rollout)).sources if each.origin == "gateway")
    traffic.demand.per_second = 0.0
    await world.run(6)
    (gateway,) = [each for each in (await world.app.rollout(rollout)).sources if each.origin == "gateway"]

    assert not gateway.fresh
