"""The loop around judging: what fails is seen, and fails alone."""

import asyncio

import pytest

from glideslope.domain.errors import RolloutInProgress, StoreUnavailable
from glideslope.domain.events import Decided
from glideslope.domain.ids import ModelName
from glideslope.domain.traffic import ObservedRoute
from glideslope.engine.observer import Observer
from glideslope.testing.memory import no_fault
from glideslope.testing.traffic import SOUND
from glideslope.testing.world import World, draft


async def test_a_rollout_that_cannot_be_judged_lapses_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its exposure is not renewed, people are told why, and the others go on."""
    world = World(seed=81)
    for model in ("delays", "fares"):
        await world.serves(model, v1=SOUND, v2=SOUND)
    await world.run(5)
    sick = await world.propose(draft("delays", "v2"))
    sound = await world.propose(draft("fares", "v2"))
    await world.run(1)
    honest = Observer.evidence

    def poisoned(self: Observer, rollout, *, in_force):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - as the real one
        if rollout.id == sick:
            raise ZeroDivisionError("a bug")
        return honest(self, rollout, in_force=in_force)

    monkeypatch.setattr(Observer, "evidence", poisoned)
    world.healthy = False
    await world.run(4)

    assert (world.exposed("delays"), world.exposed("fares")) == (0, 1_000)
    assert "a bug" in world.app.governor.stuck
    monkeypatch.setattr(Observer, "evidence", honest)
    for rollout in (sick, sound):
        await world.until(rollout, phase="promoted", within=200)
    assert not world.app.governor.stuck


async def test_running_governs_flushes_signs_and_stops() -> None:
    """On a clock that is moved by hand the loops do what single ticks do, and a failing one goes on."""
    world = World(seed=82)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    app = world.app
    async with app.running():
        rollout = await world.propose(draft("delays", "v2"))
        await world.clock.advance(1.0)
        assert (await app.rollout(rollout)).phase == "running"
        assert world.exposed("delays") == 1_000

        def down(_verb: str) -> None:
            raise StoreUnavailable("unplugged")

        world.store.before_commit = down
        await world.clock.advance(4.0)
        assert "unplugged" in app.governor.trouble
        assert world.exposed("delays") == 0
        world.store.before_commit = no_fault
        await world.clock.advance(2.0)
        assert world.exposed("delays") == 1_000
        await world.clock.advance(6.0)
        assert await world.store.checkpoints()
        assert all(check.ok for check in await app.doctor())
    assert world.clock.sleepers == 0


async def test_a_tick_that_fails_for_no_known_reason_is_told_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A governor that ended in silence would leave every rollout where it is, and the doctor content."""
    world = World(seed=85)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    app = world.app
    async with app.running():
        await world.propose(draft("delays", "v2"))
        await world.clock.advance(1.0)

        async def broken(_model: ModelName) -> ObservedRoute:
            raise ZeroDivisionError("a bug")

        with monkeypatch.context() as patch:
            patch.setattr(world.driver, "observe", broken)
            await world.clock.advance(4.0)
            assert "a bug" in app.governor.trouble
            assert not all(check.ok for check in await app.doctor())
        await world.clock.advance(4.0)

        assert world.exposed("delays") == 1_000
        assert all(check.ok for check in await app.doctor())


async def test_two_proposals_at_once_are_one_rollout() -> None:
    """Both found the model free and asked the candidate whether it answers; the second is refused all the same."""
    world = World(seed=83)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    gate = asyncio.Event()

    async def slow(_url: str) -> None:
        await gate.wait()

    world.probe.ask = slow  # type: ignore[method-assign]  # a probe that takes its time
    both = [asyncio.create_task(world.propose(draft("delays", "v2"))) for _ in range(2)]
    await world.clock.advance(0.1)
    gate.set()

    done = await asyncio.gather(*both, return_exceptions=True)

    assert sorted(type(d).__name__ for d in done) == ["RolloutInProgress", "str"]
    assert any(isinstance(d, RolloutInProgress) for d in done)
    assert world.app.record.open_rollout_of(ModelName("delays")) is not None


async def test_every_decision_of_the_machine_carries_its_evidence() -> None:
    """Decided entries hold what they rest on, so that they can be made again."""
    world = World(seed=84)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.run(5)
    rollout = await world.propose(draft("delays", "v2"))
    await world.until(rollout, step="s2", within=100)

    decided = [r.event for r in world.app.record.history(rollout) if isinstance(r.event, Decided)]

    assert decided[-1].evidence.counts
    assert decided[-1].evidence.exposed[0].candidate > 0
