"""A model is watched as it goes: both arms show within seconds of traffic, each slice too, and the end of a rollout hides nothing."""

from glideslope.domain.commands import OrderRollback
from glideslope.domain.ids import ModelName
from glideslope.engine.live import EVERY, POINTS, LiveView
from glideslope.testing.traffic import SOUND, Behaviour
from glideslope.testing.world import ADA, World, draft

DELAYS = ModelName("delays")


async def looked(world: World, times: int) -> None:
    """Let time pass as it does between samples."""
    for _ in range(times):
        await world.app.watching.recent.look()
        await world.pass_time(EVERY)


def series(view: LiveView) -> dict[str, dict[str, float | None]]:
    return {each.name: {arm.arm: arm.value for arm in each.arms} for each in view.series}


async def test_both_arms_and_their_slices_show_within_seconds_without_waiting_for_a_sample() -> None:
    world = World(seed=5)
    await world.serves("delays", v1=SOUND, v2=Behaviour(latency=24.5))
    await world.app.watching.recent.look()
    await world.pass_time(4)
    assert set(series(await world.app.live(DELAYS))["requests"]) == {"incumbent"}
    rollout = await world.propose(draft("delays", "v2"))
    await world.until(rollout, step="s1", within=20)
    await world.pass_time(5)

    view = await world.app.live(DELAYS)

    found = series(view)
    assert set(found) >= {"requests", "errors", "latency p50", "latency p95", "log_loss"}
    for name in ("requests", "latency p95", "log_loss"):
        assert set(found[name]) == {"candidate", "incumbent"}, name
    slow, quick = found["latency p50"]["candidate"], found["latency p50"]["incumbent"]
    assert slow is not None
    assert quick is not None
    assert slow > quick
    assert {each.slice for each in view.slices} == {"origin=EWR", "origin=JFK", "origin=LGA"}
    assert (view.candidate, view.rollout) == ("v2", rollout)
    assert view.heard is not None
    assert view.heard < 2
    assert {source.origin: source.fresh for source in view.sources}["gateway"]


async def test_a_model_that_is_new_shows_from_its_first_request_on() -> None:
    world = World(seed=5)
    await (await world.start()).watching.recent.look()
    await world.serves("delays", v1=SOUND)
    await world.pass_time(3)

    view = await world.app.live(DELAYS)

    (requests,) = (arm for each in view.series if each.name == "requests" for arm in each.arms)
    assert requests.count == sum(flow.requests for flow in world.app.meters.flows.values()) > 0


async def test_ten_minutes_are_kept_and_no_more_and_what_ended_is_still_seen() -> None:
    world = World(seed=5)
    traffic = await world.serves("delays", v1=SOUND, v2=SOUND, per_second=20.0)
    rollout = await world.propose(draft("delays", "v2"))
    await world.until(rollout, step="s1", within=20)
    await looked(world, 1)
    await world.app.roll_back(OrderRollback(rollout=rollout, by=ADA, why="enough"), key="k")
    await world.until(rollout, phase="rolled-back", within=10)

    view = await world.app.live(DELAYS)
    assert set(series(view)["log_loss"]) == {"candidate", "incumbent"}
    assert view.rollout == ""

    traffic.demand.per_second = 0.0
    await looked(world, POINTS + 2)
    view = await world.app.live(DELAYS)
    assert len(view.at) == POINTS
    assert view.series == ()
    assert view.heard is not None
    assert view.heard > POINTS * EVERY
