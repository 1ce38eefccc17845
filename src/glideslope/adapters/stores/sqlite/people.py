"""Personal data in a SQLite file of its own, from which what is erased is gone: overwritten pages, an overwritten journal.

A file of its own, since the record's file keeps a write-ahead log that readers may hold open, and since a backup of the
record then holds no personal data. Out of our reach are copies: backups, snapshots, and what a disk keeps by itself.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import apsw

from glideslope.adapters.stores.sqlite.connection import require_safe_library
from glideslope.adapters.stores.sqlite.errors import CLOSED, translated
from glideslope.domain.errors import StoreUnavailable
from glideslope.domain.ids import Actor

T = TypeVar("T")

LAYOUT: Final = 1
_CREATE: Final = "CREATE TABLE IF NOT EXISTS person (actor TEXT NOT NULL PRIMARY KEY, data BLOB NOT NULL) STRICT"


class SqlitePeople:
    """Keeps the port PersonalData. Its few rows are written rarely, each in a transaction that is on the disk when answered."""

    def __init__(self, path: Path) -> None:
        """Open or create the file, which only its owner may read. Raises StoreCorrupt, StoreUnavailable."""
        require_safe_library(apsw.sqlite_lib_version())
        self._path = path
        self._lock = threading.Lock()
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._connection: apsw.Connection | None = apsw.Connection(str(path))
            self._connection.set_busy_timeout(2_000)
            # What is deleted or replaced is overwritten with zeros, in the file; the journal we overwrite ourselves.
            self._connection.pragma("secure_delete", True)
            self._connection.pragma("journal_mode", "persist")
            self._connection.pragma("synchronous", "full")
            self._connection.execute(_CREATE)
        except OSError as error:
            raise StoreUnavailable(f"{path}: {error.strerror}") from error
        except apsw.Error as error:
            raise translated(error, path=str(path)) from error
        self._wipe_journal()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    async def put(self, actor: Actor, data: bytes) -> None:
        await self._do(
            lambda connection: (
                connection.execute(
                    "INSERT INTO person (actor, data) VALUES (?, ?)"
                    " ON CONFLICT (actor) DO UPDATE SET data = excluded.data",
                    (actor, data),
                ).get
            )
        )

    async def of(self, actor: Actor) -> bytes | None:
        found = await self._do(
            lambda connection: connection.execute("SELECT data FROM person WHERE actor = ?", (actor,)).get, wipe=False
        )
        return None if found is None else bytes(found)

    async def actors(self) -> Sequence[Actor]:
        def ask(connection: apsw.Connection) -> list[Actor]:
            return [Actor(str(name)) for (name,) in connection.execute("SELECT actor FROM person ORDER BY actor")]

        return await self._do(ask, wipe=False)

    async def erase(self, actor: Actor) -> None:
        def forget(connection: apsw.Connection) -> None:
            connection.execute("DELETE FROM person WHERE actor = ?", (actor,))
            # Overwritten cells may leave longer pages behind; a file written anew has none.
            connection.execute("VACUUM")

        await self._do(forget)

    async def _do(self, act: Callable[[apsw.Connection], T], *, wipe: bool = True) -> T:
        return await asyncio.to_thread(self._now, act, wipe=wipe)

    def _now(self, act: Callable[[apsw.Connection], T], *, wipe: bool) -> T:
        with self._lock:
            if self._connection is None:
                raise StoreUnavailable(CLOSED)
            try:
                done = act(self._connection)
            except apsw.Error as error:
                raise translated(error, path=str(self._path)) from error
            if wipe:
                self._wipe_journal()
            return done

    def _wipe_journal(self) -> None:
        """Overwrite the journal, which holds pages as they were, in its place on the disk; then empty it."""
        journal = self._path.with_name(f"{self._path.name}-journal")
        try:
            with journal.open("r+b") as file:
                length = file.seek(0, os.SEEK_END)
                file.seek(0)
                file.write(bytes(length))
                file.flush()
                os.fsync(file.fileno())
                file.truncate(0)
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreUnavailable(f"{journal}: {error.strerror}") from error
