"""Keeps versions' content in a local folder under its digest, and checks it whenever it is handed out."""

import asyncio
import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from glideslope.domain.errors import NotFound, StoreCorrupt, StoreUnavailable
from glideslope.domain.identity import file_digest, root_digest
from glideslope.domain.ids import Digest, digest

Walk = Callable[[Path], Iterable[tuple[str, Path]]]
"""Names the files of a folder by their POSIX paths and says where they lie. Raises NotFound, ArtifactInvalid."""

_PIECE: Final = 1 << 20


class FolderArtifacts:
    """Keeps the port Artifacts under `<root>/sha256/<hex>/`. `walk` is `glideslope.sdk.digest.walk_folder`.

    Copies are made beside and moved into place whole, so what is there is complete however a copy ended.
    """

    def __init__(self, root: Path, *, walk: Walk) -> None:
        """Use or make the folder; leftovers of copies that never finished are removed. Raises StoreUnavailable.

        While any process copies, leftovers stay: they may be its.
        """
        self._kept = root / "sha256"
        self._incoming = root / "incoming"
        self._walk = walk
        with _disk_errors(root):
            self._kept.mkdir(parents=True, exist_ok=True)
            self._incoming.mkdir(exist_ok=True)
            with contextlib.suppress(BlockingIOError), _locked(self._incoming, fcntl.LOCK_EX | fcntl.LOCK_NB):
                for leftover in self._incoming.iterdir():
                    shutil.rmtree(leftover, ignore_errors=True)

    async def digest(self, folder: str) -> Digest:
        return await asyncio.to_thread(self._digest, Path(folder))

    async def keep(self, folder: str) -> Digest:
        """Copy a folder in. Raises NotFound, ArtifactInvalid, StoreUnavailable, and StoreCorrupt for a damaged older copy."""
        return await asyncio.to_thread(self._keep, Path(folder))

    async def find(self, name: Digest) -> Path:
        """Return where a version's content lies, after hashing all of it. Raises NotFound, StoreCorrupt, NameInvalid."""
        place = self._place(digest(name))
        if not place.is_dir():
            raise NotFound(what="artifact", name=name)
        await asyncio.to_thread(self._require_intact, place, name)
        return place

    def _place(self, name: Digest) -> Path:
        return self._kept / name.removeprefix("sha256:")

    def _digest(self, folder: Path) -> Digest:
        with _disk_errors(folder):
            return root_digest({name: file_digest(_pieces(path)) for name, path in self._walk(folder)})

    def _keep(self, folder: Path) -> Digest:
        with _disk_errors(self._incoming), _locked(self._incoming, fcntl.LOCK_SH):
            return self._copied(folder)

    def _copied(self, folder: Path) -> Digest:
        copy = Path(tempfile.mkdtemp(dir=self._incoming))
        try:
            # The digest is of the bytes that were copied: a file changed meanwhile cannot come in under another's name.
            with _disk_errors(copy):
                name = root_digest({name: _copy(path, copy / name) for name, path in self._walk(folder)})
                place = self._place(name)
                if place.exists():
                    self._require_intact(place, name)
                else:
                    _sync_folders(copy)
                    copy.chmod(0o755)
                    copy.replace(place)
                    _sync(self._kept)
        finally:
            shutil.rmtree(copy, ignore_errors=True)
        return name

    def _require_intact(self, place: Path, name: Digest) -> None:
        found = self._digest(place)
        if found != name:
            raise StoreCorrupt(path=str(place), why=f"its content is {found}")


def _copy(source: Path, target: Path) -> bytes:
    """Copy one file durably and return the raw digest of what was written."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as writing:
        written = file_digest(_written(_pieces(source), writing.write))
        writing.flush()
        os.fchmod(writing.fileno(), 0o444)
        os.fsync(writing.fileno())
    return written


def _written(pieces: Iterable[bytes], write: Callable[[bytes], int]) -> Iterator[bytes]:
    for piece in pieces:
        write(piece)
        yield piece


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        while piece := file.read(_PIECE):
            yield piece


@contextlib.contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    """Hold a lock on a folder (flock(2)), which ends with its holder. Raises BlockingIOError with LOCK_NB."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(opened, how)
        yield
    finally:
        os.close(opened)


def _sync_folders(root: Path) -> None:
    for folder, _, _ in os.walk(root):
        _sync(Path(folder))


def _sync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


@contextlib.contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(f"{error.filename or folder}: {error.strerror}") from error
