"""Files that only their owner may read: keys and tokens, written whole or not at all."""

import contextlib
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

from glideslope.domain.errors import StoreUnavailable

T = TypeVar("T")

LARGEST: Final = 16 << 20
"""Bytes; tens of thousands of tokens."""


def read_secret(path: Path) -> bytes | None:
    """Return the content; None when there is no such file.

    Raises StoreUnavailable when it cannot be read, is no regular file, or when group or others have any right on it: a secret
    that others could have read is not one, and tightening it quietly would hide that.
    """
    try:
        # Without blocking: a pipe in its place would hold the reader until somebody writes.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise StoreUnavailable(f"{path} is not a regular file")
            if stat.S_IMODE(status.st_mode) & 0o077:
                raise StoreUnavailable(
                    f"{path} holds a secret and others have rights on it (mode {stat.S_IMODE(status.st_mode):04o})",
                    next_command=f"chmod 600 {path}",
                )
            if status.st_size > LARGEST:
                raise StoreUnavailable(f"{path} is longer than the {LARGEST:,} bytes of any secret")
            return file.read(LARGEST)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreUnavailable(f"{path}: {error.strerror}") from error


def write_secret(path: Path, content: bytes) -> None:
    """Write or replace the file, mode 0600, durably and at once: a reader sees the old content or the new.

    Raises StoreUnavailable.
    """
    try:
        written = _written_beside(path, content)
        try:
            written.replace(path)
        except OSError:
            written.unlink()
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise StoreUnavailable(f"{path}: {error.strerror}") from error


def create_secret(path: Path, content: bytes) -> bool:
    """Write the file unless there is one, by the same promises; tell whether it was written. Raises StoreUnavailable."""
    try:
        written = _written_beside(path, content)
        created = False
        with contextlib.suppress(FileExistsError):
            # Of two processes that start together, one links first and both read that one's key.
            os.link(written, path)
            created = True
        written.unlink()
        _sync_folder(path.parent)
    except OSError as error:
        raise StoreUnavailable(f"{path}: {error.strerror}") from error
    return created


def _written_beside(path: Path, content: bytes) -> Path:
    # mkstemp makes the file 0600 from the first moment on.
    file, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(file, "wb") as writing:
            writing.write(content)
            writing.flush()
            os.fsync(writing.fileno())
    except OSError:
        os.unlink(name)  # noqa: PTH108 - the name is all that mkstemp gives
        raise
    return Path(name)


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


class Followed(Generic[T]):
    """What a file says, read again when it is another: each replacement is. `absent` is what it says before there is one.

    Asked once per request, so it costs one look at the file. Raises what `read` raises, and StoreUnavailable; what could not be read
    whole does not count as read, and is complained of each time.
    """

    def __init__(self, path: Path, read: Callable[[Path], T], *, absent: T) -> None:
        self._path = path
        self._read = read
        self._said = absent
        self._stamp: tuple[int, int, int] | None = None

    def __call__(self) -> T:
        """Return what the file says now."""
        stamp = self._look()
        if stamp != self._stamp:
            self._said = self._read(self._path)
            self._stamp = stamp
        return self._said

    def _look(self) -> tuple[int, int, int] | None:
        try:
            status = os.stat(self._path)  # noqa: PTH116 - Path.stat costs twice as much
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreUnavailable(f"{self._path}: {error.strerror}") from error
        return status.st_ino, status.st_mtime_ns, status.st_mode
