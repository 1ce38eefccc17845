"""One server per SQLite file: a lock that the kernel drops when its holder dies, however it dies."""

import contextlib
import fcntl
import os
from pathlib import Path

from glideslope.domain.errors import StoreInUse, StoreUnavailable


class FileLock:
    """An exclusive `flock` on a file beside the database, holding the holder's process id.

    The file is never deleted: between another's open and lock that would let both believe they are alone.
    """

    def __init__(self, database: Path) -> None:
        """Take the lock. Raises StoreInUse naming the holder, StoreUnavailable when the folder cannot be written."""
        path = database.with_name(database.name + ".lock")
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnavailable(f"{path}: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(self._file, 32, 0).decode("ascii", "replace").strip()
            os.close(self._file)
            raise StoreInUse(path=str(database), holder=f"process {holder or 'unknown'}") from error
        # Only for people to read: on a full disk the lock holds as well without it.
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give the database free; may be called again."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
