"""A renewal prolongs what a decision granted; one that comes too late brings nothing back."""

from glideslope.domain.ids import ModelName
from glideslope.testing.traffic import SOUND
from glideslope.testing.world import World, draft

DELAYS = ModelName("delays")


async def test_a_lease_bears_the_version_of_its_decision_however_much_is_recorded_since() -> None:
    """Confirmations and holds are entries too: with their version, a late renewal would pass for a fresh decision."""
    world = World(seed=5)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    rollout = await world.propose(draft("delays", "v2"))
    await world.until(rollout, step="s1", within=5)
    granted = world.driver.token(DELAYS)
    version = world.app.record.version(rollout)

    await world.run(4)

    assert world.app.record.version(rollout) > version
    assert world.app.record.rollout(rollout).step.name == "s1"  # type: ignore[union-attr]  # it is under way
    assert world.driver.token(DELAYS) == granted


async def test_what_lapsed_in_the_data_plane_stays_lapsed_until_it_is_decided_afresh() -> None:
    """A renewal that was under way while the lease ran out is refused, whatever was recorded meanwhile."""
    world = World(seed=6)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    rollout = await world.propose(draft("delays", "v2"))
    await world.until(rollout, step="s1", within=5)
    await world.run(1)
    app = world.app
    before = world.driver.token(DELAYS)

    await world.quietly(2.5)
    assert world.exposed("delays") == 0
    await world.run(0.5)

    kinds = await world.story(rollout)
    assert app.record.rollout(rollout).order > 2
    assert "lease-lapsed" in kinds
    assert world.driver.token(DELAYS) > before
