"""A disk that loses power, under any SQLite store: what was written since the last sync survives whole, in part, or not at all.

Killing a process cannot show this, since the kernel's cache survives the process. `Disk` is an SQLite VFS: it passes
everything on to real files, which play that cache, notes what each sync made certain, and takes `Moment`s at random. A moment
can be cut (what may a disk without power hold?) or killed (the cache stays, the process does not), as often as wanted.

    disk = Disk(folder, dice=random.Random(7), chance=0.1)
    async with MyStore(folder / "state.db", vfs=disk.name) as store:
        await store.append(drafts)
        disk.said.append("drafts")
    files = disk.moments[0].cut(random.Random(8))
"""

import itertools
import random
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import apsw

SECTOR: Final = 512
_NAMES: Final = itertools.count()
_JOURNALS: Final = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL | apsw.SQLITE_OPEN_WAL


@dataclass(slots=True)
class Inode:
    """What a file holds for certain, and what was written to it since."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)
    """Offset and bytes; None instead of bytes shortens the file to the offset."""

    def sync(self) -> None:
        """Make certain what is pending."""
        for offset, data in self.pending:
            _write(self.durable, offset=offset, data=data)
        self.pending.clear()

    def copy(self) -> "Inode":
        """Return one that nobody changes."""
        return Inode(bytearray(self.durable), list(self.pending))

    def image(self, dice: random.Random) -> bytes:
        """Return what may be found after a cut: of what is pending, any part in any order of arrival."""
        found = bytearray(self.durable)
        arrives = dice.choice((0.1, 0.5, 0.9))
        for offset, data in self.pending:
            if dice.random() < arrives:
                _write(found, offset=offset, data=data)
            elif data is not None:
                _tear(found, offset=offset, data=data, dice=dice)
        return bytes(found)


@dataclass(frozen=True, slots=True)
class Moment:
    """A disk as it was just before a write, a sync, or the making or removing of a file."""

    before: str
    """The verb, as SQLite calls it."""
    inodes: Mapping[int, Inode]
    folder: Mapping[str, int]
    """The names that are certain."""
    renamed: Sequence[tuple[str, int | None]]
    """Names made (with whose) or removed (None) since."""
    log: Sequence[object]
    length: int

    @property
    def said(self) -> list[object]:
        """Return what had been acknowledged by then."""
        return list(itertools.islice(self.log, self.length))

    @property
    def unsynced(self) -> bool:
        """Tell whether a cut could take anything away."""
        return bool(self.renamed) or any(inode.pending for inode in self.inodes.values())

    def cut(self, dice: random.Random) -> dict[str, bytes]:
        """Return the files that a disk without power may hold."""
        folder = dict(self.folder)
        keeps = dice.choice((0.0, 0.5, 1.0))
        for name, made in self.renamed:
            if dice.random() < keeps:
                _rename(folder, name, made)
        return {name: self.inodes[number].image(dice) for name, number in folder.items()}


class Disk(apsw.VFS):
    """Keeps the files in `folder`, which begins as `since` says: files that are certain, or a moment at which a process died.

    With `chance` a moment is taken before each write, sync, making and removing. `unregister` it when done, or use `disk`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        dice: random.Random,
        chance: float,
        since: Mapping[str, bytes] | Moment | None = None,
    ) -> None:
        self.name = f"disk-{next(_NAMES)}"
        self.said: list[object] = []
        """What was acknowledged; for the user of this disk to append to."""
        self.moments: list[Moment] = []
        self.syncs = 0
        self._inodes: dict[int, Inode] = {}
        self._folder: dict[str, int] = {}
        self._live: dict[str, int] = {}
        self._renamed: list[tuple[str, int | None]] = []
        self._lock = threading.Lock()
        self._dice = dice
        self._chance = chance
        self._begin(folder, since or {})
        super().__init__(self.name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's name
        return _Watched(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - SQLite's name
        super().xDelete(filename, syncdir)
        with self._lock:
            self._perhaps("delete")
            name = Path(filename).name
            self._live.pop(name, None)
            self._renamed.append((name, None))
            if syncdir:
                self._sync_folder()

    def opened(self, name: str) -> Inode:
        """Return the file of that name, made if there is none."""
        with self._lock:
            number = self._live.get(name)
            if number is None:
                self._perhaps("create")
                number = self._live[name] = max(self._inodes, default=-1) + 1
                self._inodes[number] = Inode()
                self._renamed.append((name, number))
            return self._inodes[number]

    def wrote(self, inode: Inode, offset: int, data: bytes | None) -> None:
        """Note a write, or a cut to the offset, before it is done."""
        with self._lock:
            self._perhaps("write")
            inode.pending.append((offset, data))

    def synced(self, inode: Inode, *, folder: bool) -> None:
        """Note a sync, of the folder as well where SQLite does that."""
        with self._lock:
            self._perhaps("sync")
            self.syncs += 1
            inode.sync()
            if folder:
                self._sync_folder()

    def now(self, before: str = "now") -> Moment:
        """Return the disk as it is."""
        return Moment(
            before=before,
            inodes={number: self._inodes[number].copy() for number in {*self._folder.values(), *self._live.values()}},
            folder=dict(self._folder),
            renamed=tuple(self._renamed),
            log=self.said,
            length=len(self.said),
        )

    def _begin(self, folder: Path, since: Mapping[str, bytes] | Moment) -> None:
        if isinstance(since, Moment):
            self._inodes = {number: inode.copy() for number, inode in since.inodes.items()}
            self._folder, self._renamed = dict(since.folder), list(since.renamed)
            self._live = dict(since.folder)
            for name, made in since.renamed:
                _rename(self._live, name, made)
            self.said.extend(since.said)
        else:
            for number, (name, content) in enumerate(since.items()):
                self._inodes[number] = Inode(bytearray(content))
                self._folder[name] = self._live[name] = number
        held = {name: self._inodes[number].copy() for name, number in self._live.items()}
        for inode in held.values():
            inode.sync()
        lay_out({name: bytes(inode.durable) for name, inode in held.items()}, folder)

    def _perhaps(self, before: str) -> None:
        if self._dice.random() < self._chance:
            self.moments.append(self.now(before))

    def _sync_folder(self) -> None:
        for name, made in self._renamed:
            _rename(self._folder, name, made)
        self._renamed.clear()


class _Watched(apsw.VFSFile):
    def __init__(self, disk: Disk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        if path is None:
            raise apsw.CantOpenError("a file without a name is none that could survive")
        # SQLite syncs the folder with the first sync of a journal that it may have made (os_unix.c, UNIXFILE_DIRSYNC);
        # never for a database, whose name becomes certain with that of its journal.
        self._folder_too = bool(flags[0] & _JOURNALS and flags[0] & apsw.SQLITE_OPEN_CREATE)
        super().__init__("", name, flags)
        self._disk = disk
        self._inode = disk.opened(Path(path).name)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        self._disk.wrote(self._inode, offset, bytes(data))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - SQLite's name
        self._disk.wrote(self._inode, newsize, None)
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        super().xSync(flags)
        self._disk.synced(self._inode, folder=self._folder_too)
        self._folder_too = False


@contextmanager
def disk(
    folder: Path, *, dice: random.Random, chance: float, since: Mapping[str, bytes] | Moment | None = None
) -> Iterator[Disk]:
    """Register a disk for as long as it is used."""
    made = Disk(folder, dice=dice, chance=chance, since=since)
    try:
        yield made
    finally:
        made.unregister()


def lay_out(files: Mapping[str, bytes], folder: Path) -> None:
    """Write files that a cut left, to start from."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _write(image: bytearray, *, offset: int, data: bytes | None) -> None:
    if data is None:
        del image[offset:]
        return
    if len(image) < offset:
        image.extend(bytes(offset - len(image)))
    image[offset : offset + len(data)] = data


def _tear(image: bytearray, *, offset: int, data: bytes, dice: random.Random) -> None:
    """Let part of a write arrive: nothing, some sectors, a beginning, the file's new length alone, or rubbish in one sector."""
    match dice.randrange(5):
        case 0:
            for at in range(0, len(data), SECTOR):
                if dice.random() < 0.5:
                    _write(image, offset=offset + at, data=data[at : at + SECTOR])
        case 1:
            _write(image, offset=offset, data=data[: dice.randrange(len(data) + 1)])
        case 2:
            if len(image) < offset + len(data):
                image.extend(bytes(offset + len(data) - len(image)))
        case 3:
            at = dice.randrange(0, len(data), SECTOR)
            rubbish = data[:at] + dice.randbytes(len(data[at : at + SECTOR]))
            _write(image, offset=offset, data=rubbish)
        case _:
            return


def _rename(folder: dict[str, int], name: str, made: int | None) -> None:
    if made is None:
        folder.pop(name, None)
    else:
        folder[name] = made
