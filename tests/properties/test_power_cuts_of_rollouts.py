"""The power fails under a whole engine with a rollout under way: whatever anybody was told or shown is there afterwards.

Everything counts as told that the store returned: entries, read or written; outcomes; totals; checkpoints; and exposures
that were granted on a decision, which must have been certain before.
"""

import random
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from glideslope.adapters.stores.sqlite import SqliteStore
from glideslope.domain.commands import Approve, Halt, OrderRollback, Propose, Resume, Retry
from glideslope.domain.errors import GlideslopeError
from glideslope.domain.ids import RolloutId
from glideslope.domain.metric import OUTCOME_SEEN
from glideslope.engine.scopes import OUTCOMES
from glideslope.ledger import checkpoint, entry, merkle, note
from glideslope.testing.disk import Disk, Moment, disk, lay_out
from glideslope.testing.drivers import MemoryDriver
from glideslope.testing.traffic import SOUND, Behaviour, Traffic
from glideslope.testing.world import ADA, GRACE, ORIGIN, World, draft

R1, R2 = RolloutId("r-0001"), RolloutId("r-0002")


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory where there is such a place: what is certain and what is not is decided by the emulation alone."""
    shared = Path("/dev/shm")  # noqa: S108 - only a place for folders with names of their own
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as made:
        yield Path(made)


class Told:
    """An SqliteStore that notes on its disk what it returned, each entry once."""

    def __init__(self, store: SqliteStore, said: list[object]) -> None:
        self._store = store
        self._said = said
        self._shown = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def entries(self, start: int = 0, stop: int | None = None) -> Sequence[bytes]:
        found = await self._store.entries(start, stop)
        if start <= self._shown < start + len(found):
            self._said.extend(("entry", start + k, data) for k, data in enumerate(found) if start + k >= self._shown)
            self._shown = start + len(found)
        return found

    async def append(self, drafts: Sequence[Any], **fence: Any) -> Sequence[int]:
        positions = await self._store.append(drafts, **fence)
        await self.entries(self._shown, max(positions) + 1)
        return positions

    async def save(self, totals: Sequence[Any]) -> None:
        await self._store.save(totals)
        self._said.extend(("total", total) for total in totals)

    async def once(self, keys: Sequence[str], totals: Sequence[Any]) -> Sequence[bool]:
        new = await self._store.once(keys, totals)
        self._said.extend(("outcome", key, total) for key, total in zip(keys, totals, strict=True))
        return new

    async def once_alike(
        self, keys: Sequence[bytes], places: Sequence[int], groups: Sequence[Any]
    ) -> Sequence[bytes | None]:
        notes = await self._store.once_alike(keys, places, groups)
        self._said.extend(("outcomes", key, groups[place]) for key, place in zip(keys, places, strict=True))
        return notes

    async def has_noted(self, prefix: str) -> bool:
        return await self._store.has_noted(prefix)

    async def keep(self, size: int, signed: bytes) -> None:
        await self._store.keep(size, signed)
        self._said.append(("signed", signed))


class Noted(MemoryDriver):
    """A data plane that notes what it was granted."""

    said: list[object]

    async def lease(self, model: Any, exposure: Any, **how: Any) -> None:
        await super().lease(model, exposure, **how)
        if exposure is not None:
            self.said.append(("granted", exposure.rollout, exposure.step))


def world_on(on: Disk, at: Path, *, seed: int) -> tuple[World, SqliteStore]:
    store = SqliteStore(at / "state.db", vfs=on.name)
    world = World(seed=seed, driver=Noted)
    world.driver.said = on.said  # type: ignore[attr-defined]  # the line above made it
    world.store = Told(store, on.said)  # type: ignore[assignment]  # keeps the same ports
    return world, store


@dataclass
class Person:
    """Gives commands and notes which were acknowledged."""

    world: World
    said: list[object]

    async def does(self, verb: str, command: Any) -> None:
        key = self.world.key()
        await getattr(self.world.app, verb)(command, key=key)
        self.said.append(("command", verb, command, key))


async def live(on: Disk, at: Path, *, seed: int) -> None:
    """Live through a rollout with everything in it: approval, canary, a halt, a resumption, an end, a second try."""
    dice = random.Random(seed)
    world, store = world_on(on, at, seed=seed)
    async with store:
        candidate = dice.choice([SOUND, SOUND, Behaviour(errors=0.4)])
        await world.serves("delays", v1=SOUND, v2=candidate, per_second=40)
        person = Person(world, on.said)
        world.bundled = False  # signed and verified after the cuts
        await world.run(2)
        await person.does("propose", Propose(draft=draft("delays", "v2", approvals=1), by=ADA))
        await world.run(1)
        digest = world.app.record.rollout(R1).plan_digest
        await person.does("approve", Approve(rollout=R1, plan_digest=digest, granted=True, by=GRACE, why="fine"))
        for _ in range(dice.randrange(1, 4)):
            await world.run(dice.randrange(2, 8))
            await world.app.notary.sign()
        try:
            await person.does("halt", Halt(rollout=R1, by=GRACE, why="odd"))
            await world.run(1)
            await person.does("resume", Resume(rollout=R1, by=GRACE, why="it was the sensor"))
            await world.run(dice.randrange(2, 8))
            await person.does("roll_back", OrderRollback(rollout=R1, by=GRACE, why="enough"))
        except GlideslopeError:
            assert world.app.record.rollout(R1).phase == "rolled-back", "a harmful candidate may be gone by then"
        await world.run(1)
        await person.does("retry", Retry(rollout=R1, by=GRACE, why="again", draft=draft("delays", "v2")))
        await world.run(3)


async def resume(on: Disk, at: Path, *, seed: int, hours: float = 1.0, seconds: float = 3.0) -> World:
    """Start a server again where another ended, let callers come, and let it govern for a while."""
    world, store = world_on(on, at, seed=seed)
    async with store:
        await world.clock.advance(hours * 3600)
        app = await world.start()
        # A ledger of nothing has no checkpoint, and so nothing to verify.
        world.bundled = app.record.size() > 0
        model = app.record.find_model("delays")  # type: ignore[arg-type]  # a name is a string
        if model is not None and len(model.versions) == 2:
            traffic = partial(Traffic, driver=world.driver, versions=dict.fromkeys(model.versions, SOUND))
            await app.governor.tick()
            world.traffic[model.name] = traffic(model.name, dimensions=ORIGIN, seed=seed)
        await world.run(seconds)
        assert app.governor.acting
        assert not app.governor.trouble
    return world


async def judge(at: Path, files: Mapping[str, bytes], said: Sequence[Any]) -> None:
    """Start again from what a cut left and hold it against what was said. Fails on anything lost or half there."""
    lay_out(files, at)
    async with SqliteStore(at / "state.db") as store:
        world = World()
        world.store = store  # type: ignore[assignment]  # keeps the same ports
        await world.clock.advance(10 * 3600)
        app = await world.start()
        entries = list(await store.entries())
        told = {kind: [one for one in said if one[0] == kind] for kind in {one[0] for one in said}}
        for _, position, data in told.get("entry", []):
            assert position < len(entries), f"entry {position} of {len(entries)} was shown"
            assert entries[position] == data
        world.promises.read(entries, now=0)
        world.promises.every_decision_replays()
        for _, verb, command, key in told.get("command", []):
            await getattr(app, verb)(command, key=key)
        assert len(await store.entries()) == len(entries), "a command that was acknowledged took effect again"
        granted_as_decided(entries, told.get("granted", []))
        checkpoints_still_hold(entries, told.get("signed", []))
        if entries:
            world.promises.a_stranger_can_check([line async for line in app.notary.bundle()])
        await outcomes_count_once(store, told.get("outcome", []), told.get("outcomes", []), told.get("total", []))


def granted_as_decided(entries: Sequence[bytes], granted: Sequence[Any]) -> None:
    read = [entry.decode(data) for data in entries]
    decided: set[tuple[str, str]] = set()
    for each in read:
        decision: Any = each.body.get("decision")
        if decision and decision["type"] == "advance":
            decided.add((each.stream, f"s{int(decision['to']) + 1}"))
    assert {(rollout, step) for _, rollout, step in granted} <= decided, "somebody was exposed on no certain decision"


def checkpoints_still_hold(entries: Sequence[bytes], signed: Sequence[Any]) -> None:
    roots = [(frontier := merkle.Frontier()).root()]
    for data in entries:
        frontier.append(merkle.leaf_hash(data))
        roots.append(frontier.root())
    for _, text in signed:
        stated = checkpoint.parse(note.parse(text).text)
        assert stated.size < len(roots), "a checkpoint speaks of entries that are gone"
        assert roots[stated.size] == stated.root


async def outcomes_count_once(
    store: SqliteStore, outcomes: Sequence[Any], alike: Sequence[Any], totals: Sequence[Any]
) -> None:
    kept_outcomes = [total for total in await store.load("") if total.source == OUTCOMES]
    counted = sum(total.count for total in kept_outcomes if total.cell.startswith("base."))
    seen = store._reader.execute("SELECT count(*) FROM seen").get
    assert counted == seen, "each key that is noted was counted once"
    subjects = sum(total.count for total in kept_outcomes if f"/{OUTCOME_SEEN}/" in total.cell) - sum(
        total.count for total in kept_outcomes if total.cell.startswith("base.") and f"/{OUTCOME_SEEN}/" in total.cell
    )
    noted = store._reader.execute("SELECT count(*) FROM told WHERE length(note) > 0").get
    assert subjects == noted, "each subject that is noted was counted once"
    keys = {key: group for _, key, group in alike}
    notes = await store.once_alike(list(keys), list(range(len(keys))), list(keys.values()))
    assert None not in notes, "an outcome that was acknowledged is gone"
    known = {key: total for _, key, total in outcomes}
    assert not any(await store.once(list(known), list(known.values()))), "an outcome that was acknowledged is gone"
    kept = {(t.cell, t.source, t.epoch): t.count for t in await store.load("")}
    for _, total in totals:
        assert kept.get((total.cell, total.source, total.epoch), -1) >= total.count


async def check(at: Path, *, seed: int, wanted: int) -> int:
    """Live once and cut `wanted` times: two thirds once, the rest again while a server recovers and governs on."""
    dice = random.Random(seed)
    with disk(at / "run", dice=random.Random(seed), chance=0.06) as on:
        await live(on, at / "run", seed=seed)
        moments = on.moments
    judged = 0

    async def cut(moment: Moment) -> None:
        nonlocal judged
        judged += 1
        place = at / f"cut-{judged}"
        await judge(place, moment.cut(dice), moment.said)
        shutil.rmtree(place)

    for moment in dice.choices(moments, k=wanted * 2 // 3):
        await cut(moment)
    while judged < wanted:
        first = dice.choice(moments)
        killed = dice.random() < 0.5
        place = at / f"again-{judged}"
        since = first if killed else first.cut(dice)
        with disk(place, dice=dice, chance=0.15, since=since) as on:
            if not killed:
                on.said.extend(first.said)
            await resume(on, place, seed=seed)
            later = [*on.moments[:3], *dice.sample(on.moments, min(4, len(on.moments))), on.now()]
        shutil.rmtree(place)
        for second in later[: wanted - judged]:
            await cut(second)
    return judged


async def test_a_power_cut_under_a_rollout_takes_nothing_that_anybody_was_told(folder: Path) -> None:
    assert await check(folder, seed=1, wanted=24) == 24


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200, 220))
async def test_two_thousand_power_cuts_under_rollouts_take_nothing(folder: Path, seed: int) -> None:
    assert await check(folder, seed=seed, wanted=100) == 100
