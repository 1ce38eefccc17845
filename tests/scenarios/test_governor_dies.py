"""The governor dies in the middle of a canary: exposure ends by itself, and whoever comes next goes on with what is known."""

from glideslope.domain.ids import MetricName, StepName
from glideslope.domain.traffic import Arm
from glideslope.testing.traffic import SOUND
from glideslope.testing.world import World, draft

S1 = StepName("s1")


async def test_exposure_lapses_by_itself_and_comes_back_by_a_fresh_decision() -> None:
    """Nothing acknowledged is lost, nothing is counted twice, and the rollout ends as it would have."""
    world = World(seed=5)
    traffic = await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.run(10)
    rollout = await world.propose(draft("delays", "v2"))
    await world.until(rollout, step="s1", within=5)
    await world.run(8)
    before = world.app.observer.scope(rollout).bins(S1, MetricName("exposure"), "all", Arm.CANDIDATE, size=1)[0]

    world.kill(world.app)
    await world.run(1)
    assert world.exposed("delays") == 1_000
    await world.run(1.5)
    assert world.exposed("delays") == 0
    await world.run(5)

    await world.start()
    await world.run(1)
    told = await world.story(rollout)
    lapse = told.index("lease-lapsed")
    assert told[lapse : lapse + 3] == ["lease-lapsed", "decided", "traffic-confirmed"]
    assert told.count("lease-lapsed") == 1
    assert world.exposed("delays") == 1_000
    after = world.app.observer.scope(rollout).bins(S1, MetricName("exposure"), "all", Arm.CANDIDATE, size=1)[0]
    # What the last second before a death counted may be lost; both arms lose it alike.
    assert before - 25 <= after <= before + 30
    served = len(traffic.truth.subjects[rollout, S1, Arm.CANDIDATE])
    assert after <= served
    await world.until(rollout, phase="promoted", within=300)


async def test_death_at_every_moment_of_a_rollout_loses_nothing() -> None:
    """Killed every few seconds, at another point of the tick each time, it still arrives, with all promises kept."""
    world = World(seed=6)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.run(5)
    rollout = await world.propose(draft("delays", "v2"))
    for pause in (1.25, 2.5, 0.25, 3.75, 5.0, 2.25, 0.5, 7.0):
        await world.run(pause)
        world.kill(world.app)
        await world.run(pause / 2)
        await world.start()

    await world.until(rollout, phase="promoted", within=300)
