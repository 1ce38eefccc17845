"""How far each channel has come and what was tried, in a SQLite file of its own: governing never waits for its writes.

WAL with synchronous=NORMAL: what a power cut takes is the last standing, and from the one before it messages are sent again, never lost.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import apsw
import msgspec

from glideslope.adapters.stores.sqlite.connection import require_safe_library
from glideslope.adapters.stores.sqlite.errors import CLOSED, translated
from glideslope.domain.errors import StoreUnavailable
from glideslope.engine.telling.ports import Attempt

T = TypeVar("T")

LAYOUT: Final = 1
_CREATE: Final = """
CREATE TABLE IF NOT EXISTS channel (name TEXT NOT NULL PRIMARY KEY, standing BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS attempt (
    number INTEGER PRIMARY KEY AUTOINCREMENT, channel TEXT NOT NULL, at INTEGER NOT NULL, data BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS attempt_of ON attempt (channel, number);
"""


class SqliteDeliveries:
    """Keeps the port Deliveries. Its work is done by one thread of its own, in the order in which it was asked for."""

    def __init__(self, path: Path) -> None:
        """Open or create the file, which only its owner may read. Raises StoreCorrupt, StoreUnavailable."""
        require_safe_library(apsw.sqlite_lib_version())
        self._path = path
        self._lock = threading.Lock()
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._connection: apsw.Connection | None = apsw.Connection(str(path))
            self._connection.set_busy_timeout(2_000)
            self._connection.pragma("journal_mode", "wal")
            self._connection.pragma("synchronous", "normal")
            found = int(self._connection.pragma("user_version"))
            if found > LAYOUT:
                raise StoreUnavailable(f"{path} has layout {found} and this version reads {LAYOUT}")
            self._connection.execute(_CREATE)
            self._connection.pragma("user_version", LAYOUT)
        except OSError as error:
            raise StoreUnavailable(f"{path}: {error.strerror}") from error
        except apsw.Error as error:
            raise translated(error, path=str(path)) from error
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="deliveries")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(wait=True)
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    async def standing(self, channel: str) -> bytes | None:
        found = await self._do(
            lambda connection: connection.execute("SELECT standing FROM channel WHERE name = ?", (channel,)).get
        )
        return None if found is None else bytes(found)

    async def keep(self, channel: str, standing: bytes, attempts: Sequence[Attempt] = ()) -> None:
        rows = [(each.channel, each.at, msgspec.json.encode(each)) for each in attempts]

        def act(connection: apsw.Connection) -> None:
            with connection:
                connection.execute(
                    "INSERT INTO channel (name, standing) VALUES (?, ?)"
                    " ON CONFLICT (name) DO UPDATE SET standing = excluded.standing",
                    (channel, standing),
                )
                connection.executemany("INSERT INTO attempt (channel, at, data) VALUES (?, ?, ?)", rows)

        await self._do(act)

    async def attempts(
        self, channel: str = "", *, limit: int, below: int | None = None
    ) -> Sequence[tuple[int, Attempt]]:
        def ask(connection: apsw.Connection) -> list[tuple[int, Attempt]]:
            of = "channel = ?1" if channel else "?1 = ''"
            rows = connection.execute(
                f"SELECT number, data FROM attempt WHERE {of} AND number < ?2 ORDER BY number DESC LIMIT ?3",  # noqa: S608 - of our own words
                (channel, 2**62 if below is None else below, limit),
            )
            return [(int(number), msgspec.json.decode(bytes(data), type=Attempt)) for number, data in rows]

        return await self._do(ask)

    async def prune(self, *, before: int, most: int) -> int:
        def act(connection: apsw.Connection) -> int:
            connection.execute(
                "DELETE FROM attempt WHERE at < ? OR number <= (SELECT max(number) FROM attempt) - ?", (before, most)
            )
            return connection.changes()

        return await self._do(act)

    async def _do(self, act: Callable[[apsw.Connection], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._now, act)
        except RuntimeError as error:
            raise StoreUnavailable(CLOSED) from error

    def _now(self, act: Callable[[apsw.Connection], T]) -> T:
        with self._lock:
            if self._connection is None:
                raise StoreUnavailable(CLOSED)
            try:
                return act(self._connection)
            except apsw.Error as error:
                raise translated(error, path=str(self._path)) from error
