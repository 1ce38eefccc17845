"""When the power fails, nothing that was acknowledged is lost, nothing is half there, and the store opens again.

Cuts fall before, between and after writes and syncs; in the recovery from an earlier cut; and after a kill, whose successor
answers from what only the kernel's cache holds. What a whole engine loses is asked in test_power_cuts_of_rollouts.py.
"""

import asyncio
import random
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from glideslope.adapters.stores.sqlite import SqliteStore
from glideslope.engine.notary import Notary
from glideslope.engine.ports import Draft, Total
from glideslope.ledger import checkpoint, merkle, note
from glideslope.testing.disk import Disk, Moment, disk, lay_out
from glideslope.testing.memory import MemorySigner

ONE = Total(source="s", epoch=1, cell="c", count=1)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SIGNER = MemorySigner()


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory where there is such a place: what is certain and what is not is decided by the emulation alone."""
    shared = Path("/dev/shm")  # noqa: S108 - only a place for folders with names of their own
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as made:
        yield Path(made)


@dataclass(frozen=True, slots=True)
class Load:
    """What a run does: so many acts of such a size, so likely cut at each write."""

    acts: int
    size: int
    chance: float
    synchronous: str = "full"


def pair(number: int, *, size: int) -> tuple[Draft, Draft]:
    """Two entries of one act: both or neither may be found."""
    first, second = (
        Draft(
            stream=f"s{number}", version=version, data=f"{number}.{version}.".encode() * size, key=f"{number}.{version}"
        )
        for version in (1, 2)
    )
    return first, second


async def act(store: SqliteStore, on: Disk, notary: Notary, number: int, *, size: int) -> None:
    """Do one of everything that a server does, and note what was acknowledged."""
    await store.append(pair(number, size=size))
    on.said.append(("pair", number))
    await store.once([f"p{number}"], [ONE])
    on.said.append(("outcome", number))
    await store.save([Total(source="gateway", epoch=1, cell="g", count=number)])
    on.said.append(("saved", number))
    if number % 7 == 0:
        signed = await notary.sign()
        on.said.append(("signed", signed))
        lease = await store.acquire("governor", holder="a", ttl=timedelta(seconds=3), now=NOW)
        assert lease is not None
        on.said.append(("epoch", lease.epoch))


async def work(store: SqliteStore, on: Disk, load: Load) -> None:
    """Act eight at a time, so that groups of them share a commit."""
    numbers = iter(range(load.acts))
    notary = Notary(store=store, checkpoints=store, signer=SIGNER)

    async def caller() -> None:
        for number in numbers:
            await act(store, on, notary, number, size=load.size)

    await asyncio.gather(*(caller() for _ in range(8)))


async def run(at: Path, load: Load, *, seed: int) -> list[Moment]:
    """Work, close, open again and work on what is known already; return the moments at which the power might fail."""
    with disk(at, dice=random.Random(seed), chance=load.chance) as on:
        for _ in range(2):
            async with SqliteStore(at / "state.db", vfs=on.name) as store:
                store._writer._connection.pragma("synchronous", load.synchronous)
                await work(store, on, load)
        return on.moments


async def resume(
    at: Path, since: Moment | Mapping[str, bytes], load: Load, *, seed: int, said: Sequence[object] = ()
) -> list[Moment]:
    """Start again on a disk, be told everything once more, and do a little; return the moments of all this."""
    with disk(at, dice=random.Random(seed), chance=min(0.5, 3 * load.chance), since=since) as on:
        on.said.extend(said)
        async with SqliteStore(at / "state.db", vfs=on.name) as store:
            on.moments.append(on.now("opened"))
            for number in range(load.acts):
                # What is known already is acknowledged without a write, so it had better be certain.
                if await store.stream(f"s{number}"):
                    await store.append(pair(number, size=load.size))
                    on.said.append(("pair", number))
            on.moments.append(on.now("known acts were acknowledged"))
            signed = await Notary(store=store, checkpoints=store, signer=SIGNER).sign()
            on.said.append(("signed", signed))
            on.moments.append(on.now("signed"))
        on.moments.append(on.now("closed"))
        return on.moments


async def lost(at: Path, files: Mapping[str, bytes], said: Sequence[object], *, size: int) -> set[object]:
    """Start again from what a cut left; return what was acknowledged and is gone. Fails on anything half there."""
    lay_out(files, at)
    async with SqliteStore(at / "state.db") as store:
        entries = await store.entries()
        found: set[object] = set()
        for name, version in (await store.streams()).items():
            number = int(name[1:])
            assert version == 2, f"half of the act {number} is there"
            assert await store.stream(name) == [draft.data for draft in pair(number, size=size)]
            found.add(("pair", number))
        assert len(entries) == 2 * len(found)
        found |= _still_true(said, entries)
        seen = await store.load("")
        counted = sum(total.count for total in seen if total.cell == "c")
        saved = max((total.count for total in seen if total.cell == "g"), default=-1)
        found |= {("saved", number) for number in range(saved + 1)}
        told = [one for one in dict.fromkeys(said) if isinstance(one, tuple) and one[0] == "outcome"]
        again = await store.once([f"p{number}" for _, number in told], [ONE] * len(told))
        found |= {one for one, new in zip(told, again, strict=True) if not new}
        assert counted >= len(told) - sum(again), "an outcome is noted as seen but was not counted"
        epochs = [one for one in said if isinstance(one, tuple) and one[0] == "epoch"]
        lease = await store.acquire("governor", holder="b", ttl=timedelta(seconds=3), now=NOW + timedelta(hours=1))
        assert lease is not None
        found |= {one for one in epochs if one[1] < lease.epoch}
    return {one for one in said if one != ("signed", None)} - found


def _still_true(said: Sequence[object], entries: Sequence[bytes]) -> set[object]:
    """Return the checkpoints that were signed and still speak of what is there."""
    frontier = merkle.Frontier()
    roots = [frontier.root()]
    for data in entries:
        frontier.append(merkle.leaf_hash(data))
        roots.append(frontier.root())
    found: set[object] = set()
    for one in said:
        if isinstance(one, tuple) and one[0] == "signed" and one[1] is not None:
            stated = checkpoint.parse(note.parse(one[1]).text)
            if stated.size < len(roots) and roots[stated.size] == stated.root:
                found.add(one)
    return found


async def check(at: Path, load: Load, *, seed: int, wanted: int) -> int:
    """Run once and cut `wanted` times: half of them once, a quarter again during recovery, a quarter after a kill."""
    moments = await run(at / "run", load, seed=seed)
    dice = random.Random(seed)
    judged = 0

    async def judge(moment: Moment, files: Mapping[str, bytes] | None = None) -> None:
        nonlocal judged
        judged += 1
        at_cut = at / f"cut-{judged}"
        gone = await lost(at_cut, moment.cut(dice) if files is None else files, moment.said, size=load.size)
        assert gone == set(), f"seed {seed}, {load}: cut before a {moment.before}"
        shutil.rmtree(at_cut)

    for moment in dice.choices(moments, k=wanted // 2):
        await judge(moment)
    while judged < wanted:
        moment = dice.choice(moments)
        killed = dice.random() < 0.5
        since = moment if killed else moment.cut(dice)
        said = () if killed else moment.said
        at_again = at / f"again-{judged}"
        later = await resume(at_again, since, load, seed=dice.randrange(2**32), said=said)
        shutil.rmtree(at_again)
        for second in dice.sample(later, min(5, len(later), wanted - judged)):
            await judge(second)
    return judged


async def test_no_power_cut_loses_what_was_acknowledged(folder: Path) -> None:
    assert await check(folder, Load(acts=60, size=20, chance=0.1), seed=1, wanted=60) == 60


async def test_no_power_cut_during_a_checkpoint_loses_what_was_acknowledged(folder: Path) -> None:
    """Large entries make SQLite copy the log back into the database several times over."""
    assert await check(folder, Load(acts=70, size=8_000, chance=0.008), seed=2, wanted=16) == 16


async def test_no_power_cut_at_the_first_start_leaves_a_store_that_does_not_open(folder: Path) -> None:
    assert await check(folder, Load(acts=0, size=1, chance=1.0), seed=3, wanted=80) == 80


async def test_what_a_killed_process_left_in_the_cache_is_certain_before_anybody_is_told_that_it_is_known(
    folder: Path,
) -> None:
    """Killed between write and sync, a commit is found by the next process, which owes a sync before it believes it."""
    load = Load(acts=20, size=20, chance=1.0)
    moments = await run(folder / "run", load, seed=5)
    between = [m for m in moments if m.before == "sync" and m.unsynced][:40]
    for number, moment in enumerate(between):
        later = await resume(folder / f"again-{number}", moment, load, seed=number)
        second = next(m for m in later if m.before == "known acts were acknowledged")
        files = second.cut(random.Random(number))
        assert await lost(folder / f"cut-{number}", files, second.said, size=load.size) == set()
    assert len(between) >= 10


async def test_the_emulation_sees_what_a_weaker_setting_loses(folder: Path) -> None:
    """With synchronous=NORMAL acknowledged events go; a check that cannot see that would be worth nothing."""
    load = Load(acts=60, size=20, chance=0.05, synchronous="normal")
    moments = await run(folder / "run", load, seed=4)
    losses = 0
    for number, moment in enumerate(moments[: len(moments) // 2][-12:]):
        losses += bool(await lost(folder / f"cut-{number}", moment.cut(random.Random(number)), moment.said, size=20))

    assert losses > 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 180))
async def test_eight_thousand_power_cuts_lose_nothing(folder: Path, seed: int) -> None:
    size = random.Random(seed).choice([1, 20, 400, 8_000])
    load = Load(acts=70, size=size, chance=0.2 if size < 1_000 else 0.01)
    assert await check(folder, load, seed=seed, wanted=100) == 100
