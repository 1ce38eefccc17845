"""The data plane is down, or lies: the governor lives, people see it, and all converges when it is back."""

from dataclasses import replace
from datetime import timedelta

import pytest

from glideslope.domain.commands import Halt
from glideslope.domain.errors import DriverUnavailable
from glideslope.domain.ids import ModelName, RolloutId
from glideslope.domain.traffic import Exposure, ObservedRoute, Split, Token
from glideslope.testing.clock import ManualClock
from glideslope.testing.drivers import MemoryDriver, no_fault
from glideslope.testing.traffic import SOUND, Behaviour
from glideslope.testing.world import GRACE, World, draft

DELAYS = ModelName("delays")


def unplugged(_verb: str) -> None:
    raise DriverUnavailable(driver="memory", why="connection refused")


class Liar(MemoryDriver):
    """Reports another share than the one that is in force."""

    async def observe(self, model: ModelName) -> ObservedRoute:
        honest = await super().observe(model)
        if honest.exposure is None:
            return honest
        split = Split(candidate=honest.exposure.split.candidate * 2, control=honest.exposure.split.control)
        exposure = Exposure(rollout=honest.exposure.rollout, step=honest.exposure.step, split=split)
        return ObservedRoute(model, exposure, honest.incumbent, honest.candidate)


class Deaf(MemoryDriver):
    """Says yes to the first withdrawal, and does nothing."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.ignored = 0

    async def lease(self, model: ModelName, exposure: Exposure | None, *, token: Token, ttl: timedelta) -> None:
        if exposure is None and self.exposure(model) is not None and not self.ignored:
            self.ignored += 1
            return
        await super().lease(model, exposure, token=token, ttl=ttl)


async def given(seed: int, driver: type[MemoryDriver] = MemoryDriver) -> tuple[World, RolloutId]:
    world = World(seed=seed, driver=driver)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.run(5)
    return world, await world.propose(draft("delays", "v2"))


@pytest.mark.parametrize("verbs", [("lease", "observe", "shape"), ("lease",), ("observe",)], ids="+".join)
async def test_an_unreachable_data_plane_is_seen_and_survived(verbs: tuple[str, ...]) -> None:
    """Exposure ends by itself, the ledger holds a handful of entries about it, and a fresh decision brings it back."""
    world, rollout = await given(41)
    await world.until(rollout, step="s1", within=5)
    await world.run(2)
    size = len(await world.store.entries())

    def cut(verb: str) -> None:
        if verb in verbs:
            unplugged(verb)

    world.driver.fault = cut
    world.healthy = False
    await world.run(40)
    if "lease" in verbs:
        assert world.exposed("delays") == 0
    assert "connection refused" in (await world.app.fleet()).gateway
    assert (await world.app.rollout(rollout)).step == "s1"
    assert len(await world.store.entries()) - size <= 6
    assert not world.app.governor.trouble

    world.driver.fault = no_fault
    await world.run(3)
    world.healthy = True
    assert (await world.app.fleet()).gateway == "ready"
    assert world.exposed("delays") >= 1_000
    await world.until(rollout, phase="promoted", within=300)


async def test_a_halt_is_obeyed_as_soon_as_the_line_is_back() -> None:
    """Ordered while the line was cut; the lease had ended the exposure long before, and it does not come back."""
    world, rollout = await given(42)
    await world.until(rollout, step="s1", within=5)
    world.driver.fault = unplugged
    world.healthy = False
    await world.run(1)
    await world.app.halt(Halt(rollout=rollout, by=GRACE, why="odd"), key=world.key())
    await world.run(5)
    assert world.exposed("delays") == 0
    world.driver.fault = no_fault
    world.healthy = True

    await world.run(2)

    assert world.exposed("delays") == 0
    view = await world.app.rollout(rollout)
    assert (view.phase, view.confirmed) == ("halted", True)


async def test_a_rollback_decided_while_the_line_is_cut_is_confirmed_later() -> None:
    """Evidence that was under way still counts; nothing is exposed again for having been out of reach."""
    world = World(seed=43)
    await world.serves("delays", v1=SOUND, v2=Behaviour(errors=0.6))
    await world.run(5)
    rollout = await world.propose(draft("delays", "v2"))
    await world.until(rollout, step="s1", within=5)
    world.driver.fault = unplugged
    world.healthy = False
    await world.until(rollout, phase="rolling-back", within=20)
    await world.run(10)
    assert (await world.app.rollout(rollout)).phase == "rolling-back"
    world.driver.fault = no_fault
    world.healthy = True

    await world.until(rollout, phase="rolled-back", within=2)


async def test_traffic_that_is_not_as_asked_is_never_advanced() -> None:
    """A driver that reports another share holds with the reason that says so."""
    world, rollout = await given(44, Liar)

    await world.run(60)

    view = await world.app.rollout(rollout)
    assert (view.step, view.reasons) == ("s1", ("traffic-not-confirmed",))
    assert not view.confirmed


async def test_a_withdrawal_that_was_not_obeyed_is_asked_for_again() -> None:
    """Asked is not obeyed: it looks, and repeats itself until the data plane shows nobody exposed."""
    world, rollout = await given(45, Deaf)
    await world.until(rollout, step="s1", within=5)
    world.healthy = False

    await world.app.halt(Halt(rollout=rollout, by=GRACE, why="odd"), key=world.key())
    await world.run(1)

    assert world.exposed("delays") == 0
    assert (await world.app.rollout(rollout)).confirmed


class Forgetful(MemoryDriver):
    """Lets a lease lapse though it is renewed in time, as a gateway does that the renewals did not reach."""

    def lapse(self, model: ModelName) -> None:
        self._leases[model] = replace(self._leases[model], until=self._clock.monotonic())


async def test_a_lapse_that_only_the_data_plane_knows_of_is_recorded_and_decided_afresh() -> None:
    """The governor renewed all the while, so only what is read back can tell."""
    world, rollout = await given(47, Forgetful)
    await world.until(rollout, step="s1", within=5)
    await world.run(2)
    assert isinstance(world.driver, Forgetful)
    assert world.exposed("delays") > 0

    world.driver.lapse(DELAYS)
    await world.run(3)

    told = await world.story(rollout)
    lapse = told.index("lease-lapsed")
    assert told[lapse : lapse + 3] == ["lease-lapsed", "decided", "traffic-confirmed"]
    assert world.exposed("delays") > 0
