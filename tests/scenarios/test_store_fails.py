"""The store fails, before a commit, after it, for long: nothing is half done, exposure lapses, and all converges."""

from collections.abc import Awaitable, Callable
from random import Random

import pytest

from glideslope.domain.commands import Approve, Halt, OrderRollback, Propose, Register, Resume, Retry
from glideslope.domain.errors import StoreUnavailable
from glideslope.domain.ids import ModelName, RolloutId, VersionName
from glideslope.testing.memory import no_fault
from glideslope.testing.traffic import SOUND
from glideslope.testing.world import ADA, GRACE, World, content, draft

Act = Callable[[World, str], Awaitable[object]]


class Once:
    """Fails the next commit of a verb, and no other."""

    def __init__(self, verb: str) -> None:
        self.left = 1
        self._verb = verb

    def __call__(self, verb: str) -> None:
        if verb == self._verb and self.left:
            self.left -= 1
            raise StoreUnavailable("pulled plug")


def down(_verb: str) -> None:
    raise StoreUnavailable("the disk is full")


R1 = RolloutId("r-0001")


async def register(world: World, key: str) -> object:
    digest = content("delays", "v9")
    version, model = VersionName("v9"), ModelName("delays")
    command = Register(model=model, version=version, digest=digest, url="http://v9", by=ADA, why="trained")
    return await world.app.register(command, key=key)


async def propose(world: World, key: str) -> object:
    return await world.app.propose(Propose(draft=draft("delays", "v2", approvals=1), by=ADA), key=key)


async def approve(world: World, key: str) -> object:
    digest = world.app.record.rollout(R1).plan_digest
    return await world.app.approve(Approve(rollout=R1, plan_digest=digest, granted=True, by=GRACE, why="fine"), key=key)


async def halt(world: World, key: str) -> object:
    return await world.app.halt(Halt(rollout=R1, by=GRACE, why="odd"), key=key)


async def resume(world: World, key: str) -> object:
    return await world.app.resume(Resume(rollout=R1, by=GRACE, why="it was the sensor"), key=key)


async def roll_back(world: World, key: str) -> object:
    return await world.app.roll_back(OrderRollback(rollout=R1, by=GRACE, why="enough"), key=key)


async def retry(world: World, key: str) -> object:
    command = Retry(rollout=R1, by=GRACE, why="again", draft=draft("delays", "v9", approvals=1))
    return await world.app.retry(command, key=key)


LIFE: tuple[tuple[Act, str], ...] = (
    (register, "version-registered"),
    (propose, "rollout-proposed"),
    (approve, "approval-given"),
    (halt, "halted"),
    (resume, "resumed"),
    (roll_back, "decided"),
    (retry, "rollout-proposed"),
)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_every_command_survives_a_lost_acknowledgement(when: str) -> None:
    """Sent again under the same key it is done once, however the first try ended and whatever happened in between."""
    world = World(seed=12)
    world.healthy = False
    await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.run(3)
    for act, kind in LIFE:
        size = len(await world.store.entries())
        fault = Once("append")
        if when == "before":
            world.store.before_commit = fault
        else:
            world.store.after_commit = fault
        with pytest.raises(StoreUnavailable):
            await act(world, f"{act.__name__}")
        assert fault.left == 0
        done = [data for data in (await world.store.entries())[size:] if f'"kind":"{kind}"'.encode() in data]
        assert len(done) == (when == "after")

        await world.run(0.5)
        first = await act(world, f"{act.__name__}")
        await world.run(2)
        again = await act(world, f"{act.__name__}")

        assert type(first) is type(again)
        by_people = [
            data
            for data in (await world.store.entries())[size:]
            if f'"kind":"{kind}"'.encode() in data and b'"by":"glideslope"' not in data
        ]
        assert len(by_people) == 1, act.__name__


async def test_an_outage_ends_exposure_and_the_end_of_it_brings_a_fresh_decision() -> None:
    """While the store is down nothing is renewed; counts and outcomes of that time arrive when it is back."""
    world = World(seed=13)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.run(10)
    rollout = await world.propose(draft("delays", "v2"))
    await world.until(rollout, step="s1", within=5)
    await world.run(3)

    world.store.before_commit = down
    world.bundled = False
    await world.run(6)
    assert world.exposed("delays") == 0
    assert "disk is full" in world.app.governor.trouble
    await world.run(8)
    world.store.before_commit = no_fault
    world.bundled = True

    await world.run(2)
    assert world.exposed("delays") == 1_000
    assert not world.app.governor.trouble
    assert "lease-lapsed" in await world.story(rollout)
    await world.until(rollout, phase="promoted", within=300)


@pytest.mark.parametrize("seed", range(4))
async def test_a_store_that_fails_at_random_is_only_slow(seed: int) -> None:
    """One commit in seven fails, before or after it is durable; the rollout ends where it belongs, and counts exactly."""
    chance = Random(seed)

    def flaky(_verb: str) -> None:
        if chance.random() < 0.07:
            raise StoreUnavailable("flaky")

    world = World(seed=seed)
    traffic = await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.run(5)
    rollout = await world.propose(draft("delays", "v2"))
    world.healthy = world.bundled = False
    world.store.before_commit = world.store.after_commit = flaky

    await world.until(rollout, phase="promoted", within=400)

    world.store.before_commit = world.store.after_commit = no_fault
    traffic.demand.per_second = 0
    world.bundled = True
    await world.run(15)
    scope = world.app.observer.evidence(world.app.record.rollout(rollout), in_force=True)
    for e in scope.exposed:
        served = {arm.value: len(who) for (_, s, arm), who in traffic.truth.subjects.items() if s == e.step}
        assert (e.candidate, e.incumbent) == (served["candidate"], served.get("incumbent", 0))
    for m in scope.maturity:
        answered = {e.step: (e.candidate, e.incumbent) for e in scope.exposed}[m.step]
        assert 0.9 * answered[0] <= m.candidate <= answered[0]
        assert 0.9 * answered[1] <= m.incumbent <= answered[1]
