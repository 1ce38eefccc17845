"""Two servers on one store: one governs, and one that lost its lease can do no harm."""

from datetime import timedelta

import pytest

from glideslope.domain.commands import Halt
from glideslope.domain.errors import LeaseLost, TokenStale
from glideslope.domain.events import Lapsed
from glideslope.domain.ids import ModelName, RolloutId, StepName
from glideslope.domain.traffic import Token
from glideslope.engine.ports import Fence
from glideslope.engine.record import Append
from glideslope.testing.traffic import SOUND
from glideslope.testing.world import GRACE, World, draft

DELAYS = ModelName("delays")


async def given_two(seed: int) -> tuple[World, RolloutId]:
    world = World(seed=seed)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.run(5)
    world.front = world.app
    await world.start()
    rollout = await world.propose(draft("delays", "v2"))
    await world.until(rollout, step="s1", within=5)
    return world, rollout


async def test_only_the_holder_of_the_lease_governs_and_the_other_shows_the_same() -> None:
    """The second server neither judges nor exposes; what it shows is at most a second old."""
    world, rollout = await given_two(7)
    first, second = world.apps

    await world.run(3)

    assert (first.governor.acting, second.governor.acting) == (True, False)
    assert (await second.rollout(rollout)).phase == "running"
    assert len(await second.decisions(rollout)) == len(await first.decisions(rollout))


async def test_a_command_given_to_the_other_server_is_obeyed() -> None:
    """Whoever takes a command, the governor obeys it at its next tick."""
    world, rollout = await given_two(8)
    await world.run(2)

    await world.apps[1].halt(Halt(rollout=rollout, by=GRACE, why="looks odd"), key="k")
    await world.run(0.25)

    assert world.exposed("delays") == 0
    assert (await world.apps[0].rollout(rollout)).phase == "halted"


async def test_a_frozen_governor_that_wakes_is_fenced() -> None:
    """The other takes over, decides afresh and finishes; the frozen one's commits and its tokens are refused."""
    world, rollout = await given_two(9)
    frozen, other = world.apps
    await world.run(3)
    stale = world.driver.exposure(DELAYS)

    await world.quietly(8, apps=(other,))

    assert "lease-lapsed" in [h.kind for h in await other.story(rollout)]
    assert world.exposed("delays") > 0
    old = Fence(name="governor", epoch=1)
    expected = other.record.version(rollout)
    with pytest.raises(LeaseLost):
        await frozen.record.append(
            (Append(stream=rollout, expected=expected, events=(Lapsed(step=StepName("s1"), why="late"),), key="late"),),
            fence=old,
        )
    with pytest.raises(TokenStale):
        await world.driver.lease(DELAYS, stale, token=Token(epoch=1, version=1 << 40), ttl=timedelta(seconds=9))
    world.front = other
    await world.run(2)
    assert (frozen.governor.acting, other.governor.acting) == (False, True)
    await world.until(rollout, phase="promoted", within=300)


async def test_whoever_takes_over_knows_what_the_other_counted() -> None:
    """Evidence that one server saved is evidence for the next, once."""
    world, rollout = await given_two(10)
    first, second = world.apps
    await world.run(6)
    exposed = first.observer.evidence(first.record.rollout(rollout), in_force=True).exposed

    world.kill(first)
    await world.run(6)

    known = second.observer.evidence(second.record.rollout(rollout), in_force=True).exposed
    assert known[0].candidate >= exposed[0].candidate - 25
    served = world.traffic[DELAYS].truth.subjects
    for k, step in enumerate(known):
        for arm, subjects in ((("candidate"), step.candidate), (("incumbent"), step.incumbent)):
            assert subjects <= sum(len(who) for (_, s, a), who in served.items() if (s, a.value) == (step.step, arm)), k
