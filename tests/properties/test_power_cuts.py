"""When the power fails, nothing that was acknowledged is lost, nothing is half there, and the store opens again.

The disk is emulated under SQLite: what was written since a file's last sync survives whole, torn by sectors, or not at all,
as the dice fall. Killing the process could not show this, since the kernel's cache survives the process.
"""

import asyncio
import itertools
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import apsw
import pytest

from glideslope.adapters.stores.sqlite import SqliteStore
from glideslope.engine.ports import Draft, Total

SECTOR = 512
NAMES = (f"cut-{number}" for number in itertools.count())


@dataclass
class Shadow:
    """What a file holds for certain, and what was written to it since."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)
    """Offset and bytes; None instead of bytes shortens the file to the offset."""

    def sync(self) -> None:
        for offset, data in self.pending:
            _apply(self.durable, offset=offset, data=data)
        self.pending.clear()

    def after_cut(self, dice: random.Random) -> bytes:
        """Return what a disk without power may hold."""
        image = bytearray(self.durable)
        for offset, data in self.pending:
            match dice.randrange(4):
                case 0 | 1:
                    _apply(image, offset=offset, data=data)
                case 2 if data is not None:
                    for at in range(0, len(data), SECTOR):
                        if dice.random() < 0.5:
                            _apply(image, offset=offset + at, data=data[at : at + SECTOR])
                case _:
                    continue
        return bytes(image)


def _apply(image: bytearray, *, offset: int, data: bytes | None) -> None:
    if data is None:
        del image[offset:]
        return
    if len(image) < offset:
        image.extend(bytes(offset - len(image)))
    image[offset : offset + len(data)] = data


@dataclass(frozen=True)
class Cut:
    """The disk as one cut leaves it, and what had been acknowledged by then."""

    files: dict[str, bytes]
    acknowledged: frozenset[str]


class Disk(apsw.VFS):
    """Passes everything on to the real file system, and takes pictures of what would survive."""

    def __init__(self, *, dice: random.Random, chance: float) -> None:
        self.name = next(NAMES)
        self.acknowledged: set[str] = set()
        self.cuts: list[Cut] = []
        self.shadows: dict[str, Shadow] = {}
        self.lock = threading.Lock()
        self._dice = dice
        self._chance = chance
        super().__init__(self.name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's name
        return Watched(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - SQLite's name
        with self.lock:
            self.shadows.pop(Path(filename).name, None)
        super().xDelete(filename, syncdir)

    def maybe_cut(self) -> None:
        if self._dice.random() < self._chance:
            files = {name: shadow.after_cut(self._dice) for name, shadow in self.shadows.items()}
            self.cuts.append(Cut(files=files, acknowledged=frozenset(self.acknowledged)))


class Watched(apsw.VFSFile):
    def __init__(self, disk: Disk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._disk = disk
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        assert path is not None
        with disk.lock:
            self._shadow = disk.shadows.setdefault(Path(path).name, Shadow())
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        with self._disk.lock:
            self._disk.maybe_cut()
            self._shadow.pending.append((offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - SQLite's name
        with self._disk.lock:
            self._disk.maybe_cut()
            self._shadow.pending.append((newsize, None))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        with self._disk.lock:
            self._disk.maybe_cut()
            self._shadow.sync()
        super().xSync(flags)


@contextmanager
def disk(*, seed: int, chance: float) -> Iterator[Disk]:
    made = Disk(dice=random.Random(seed), chance=chance)
    try:
        yield made
    finally:
        made.unregister()


def pair(number: int, *, size: int) -> tuple[Draft, Draft]:
    """Two entries of one act: both or neither may be found."""
    first, second = (
        Draft(
            stream=f"s{number}", version=version, data=f"{number}.{version}.".encode() * size, key=f"{number}.{version}"
        )
        for version in (1, 2)
    )
    return first, second


async def work(store: SqliteStore, on: Disk, *, acts: int, size: int) -> None:
    """Record pairs and count outcomes, eight callers at a time, noting what was acknowledged."""
    numbers = iter(range(acts))

    async def caller() -> None:
        for number in numbers:
            await store.append(pair(number, size=size))
            on.acknowledged.add(f"pair {number}")
            await store.once([f"p{number}"], [Total(source="s", epoch=1, cell="c", count=1)])
            on.acknowledged.add(f"outcome {number}")

    await asyncio.gather(*(caller() for _ in range(8)))


def restore(cut: Cut, *, at: Path) -> None:
    at.mkdir()
    for name, content in cut.files.items():
        (at / name).write_bytes(content)


async def lost(cut: Cut, *, at: Path, size: int) -> set[str]:
    """Start again from what the cut left; return what was acknowledged and is gone. Fails on anything half there."""
    restore(cut, at=at)
    async with SqliteStore(at / "state.db") as store:
        entries = await store.entries()
        streams = await store.streams()
        found = set()
        for name, version in streams.items():
            number = int(name[1:])
            assert version == 2, f"half of the act {number} is there"
            assert await store.stream(name) == [draft.data for draft in pair(number, size=size)]
            found.add(f"pair {number}")
        assert len(entries) == 2 * len(streams)
        totals = await store.load("c")
        counted = totals[0].count if totals else 0
        outcomes = [int(said.split()[1]) for said in cut.acknowledged if said.startswith("outcome")]
        again = await store.once(
            [f"p{n}" for n in outcomes], [Total(source="s", epoch=1, cell="c", count=1)] * len(outcomes)
        )
        found |= {f"outcome {number}" for number, new in zip(outcomes, again, strict=True) if not new}
        assert counted >= len(outcomes) - sum(again), "an outcome is noted as seen but was not counted"
    return set(cut.acknowledged) - found


async def cuts_of_one_run(
    tmp_path: Path, *, seed: int, chance: float, acts: int, size: int, synchronous: str
) -> list[Cut]:
    with disk(seed=seed, chance=chance) as on:
        folder = tmp_path / f"run-{seed}"
        folder.mkdir()
        async with SqliteStore(folder / "state.db", vfs=on.name) as store:
            store._writer._connection.pragma("synchronous", synchronous)
            await work(store, on, acts=acts, size=size)
        return on.cuts


async def check(tmp_path: Path, *, seed: int, wanted: int, chance: float, acts: int, size: int) -> int:
    """Run once, cut often, start again from each cut; return how many there were."""
    cuts = await cuts_of_one_run(tmp_path, seed=seed, chance=chance, acts=acts, size=size, synchronous="full")
    chosen = random.Random(seed).sample(cuts, min(wanted, len(cuts)))
    for number, cut in enumerate(chosen):
        assert await lost(cut, at=tmp_path / f"cut-{seed}-{number}", size=size) == set()
    return len(chosen)


async def test_no_power_cut_loses_what_was_acknowledged(tmp_path: Path) -> None:
    assert await check(tmp_path, seed=1, wanted=24, chance=0.1, acts=120, size=20) >= 8


async def test_no_power_cut_during_a_checkpoint_loses_what_was_acknowledged(tmp_path: Path) -> None:
    """Large entries make SQLite copy the log back into the database several times over."""
    assert await check(tmp_path, seed=2, wanted=16, chance=0.008, acts=80, size=8_000) >= 6


async def test_no_power_cut_at_the_first_start_leaves_a_store_that_does_not_open(tmp_path: Path) -> None:
    assert await check(tmp_path, seed=3, wanted=60, chance=1.0, acts=0, size=1) >= 20


async def test_the_emulation_sees_what_a_weaker_setting_loses(tmp_path: Path) -> None:
    """With synchronous=NORMAL acknowledged events go; a check that cannot see that would be worth nothing."""
    cuts = await cuts_of_one_run(tmp_path, seed=4, chance=0.05, acts=60, size=20, synchronous="normal")
    losses = 0
    for number, cut in enumerate(cuts[-12:]):
        losses += bool(await lost(cut, at=tmp_path / f"cut-{number}", size=20))

    assert losses > 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 150))
async def test_thousands_of_power_cuts_lose_nothing(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    size = dice.choice([1, 20, 400, 8_000])
    assert await check(tmp_path, seed=seed, wanted=60, chance=0.2 if size < 1_000 else 0.02, acts=100, size=size) >= 10
