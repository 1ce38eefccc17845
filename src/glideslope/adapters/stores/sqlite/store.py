"""All state of one server in one SQLite file: the record, leases, counters and checkpoints, durable when acknowledged."""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import apsw

from glideslope.adapters.stores.sqlite import search, statements
from glideslope.adapters.stores.sqlite.connection import open_reader, open_writer
from glideslope.adapters.stores.sqlite.errors import CLOSED, translated
from glideslope.adapters.stores.sqlite.lock import FileLock
from glideslope.adapters.stores.sqlite.writer import Act, Writer
from glideslope.domain.errors import StoreUnavailable
from glideslope.domain.governing.query import Document, Question
from glideslope.engine.ports import Alike, Draft, Fence, Lease, Total

T = TypeVar("T")


class SqliteStore:
    """Keeps the ports Store, Leases, Counters, Summaries, Checkpoints and SearchIndex in one file that one server owns.

    Writes wait for the disk in the writer's thread; reads are answered at once on the caller's (microseconds a row, so ask
    for a long ledger in pages). Every method may raise StoreUnavailable or StoreCorrupt.
    """

    def __init__(self, path: Path, *, vfs: str | None = None) -> None:
        """Open or create the database. `vfs` names a registered SQLite VFS; tests cut the power with one.

        Raises StoreInUse, StoreCorrupt, StoreUnavailable.
        """
        self.path = path
        self._lock = FileLock(path)
        try:
            writing = open_writer(path, vfs=vfs)
            try:
                self._reader = open_reader(path, vfs=vfs)
            except BaseException:
                writing.close()
                raise
        except BaseException:
            self._lock.release()
            raise
        self._reading = threading.Lock()
        self._closed = False
        self._writer = Writer(writing, path=str(path))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Finish what waits and let another server have the file. May be called again."""
        with self._reading:
            self._closed = True
            self._reader.close()
        try:
            # The writer closes last: only it can copy the log into the database and leave one plain file behind.
            await asyncio.to_thread(self._writer.close)
        finally:
            self._lock.release()

    async def append(self, drafts: Sequence[Draft], *, fence: Fence | None = None) -> Sequence[int]:
        return await self._write(partial(statements.append, drafts=tuple(drafts), fence=fence))

    async def entries(self, start: int = 0, stop: int | None = None) -> Sequence[bytes]:
        return self._read(partial(statements.entries, start=start, stop=stop))

    async def streams(self) -> Mapping[str, int]:
        return self._read(statements.streams)

    async def stream(self, name: str) -> Sequence[bytes]:
        return self._read(partial(statements.stream, name=name))

    async def acquire(self, name: str, *, holder: str, ttl: timedelta, now: datetime) -> Lease | None:
        return await self._write(partial(statements.acquire, name=name, holder=holder, ttl=ttl, now=now))

    async def release(self, lease: Lease) -> None:
        await self._write(partial(statements.release, lease=lease))

    async def save(self, totals: Sequence[Total]) -> None:
        await self._write(partial(statements.save, totals=tuple(totals)))

    async def load(self, prefix: str) -> Sequence[Total]:
        return self._read(partial(statements.load, prefix=prefix))

    async def once(self, keys: Sequence[str], totals: Sequence[Total]) -> Sequence[bool]:
        return await self._write(partial(statements.once, keys=tuple(keys), totals=tuple(totals)))

    async def once_alike(
        self, keys: Sequence[bytes], places: Sequence[int], groups: Sequence[Alike]
    ) -> Sequence[bytes | None]:
        act = partial(statements.once_alike, keys=tuple(keys), places=tuple(places), groups=tuple(groups))
        return await self._write(act)

    async def has_noted(self, prefix: str) -> bool:
        return self._read(partial(statements.has_noted, prefix=prefix))

    async def summarise(self, summaries: Mapping[str, bytes], *, drop: Sequence[str] = ()) -> None:
        await self._write(partial(statements.summarise, summaries=dict(summaries), drop=tuple(drop)))

    async def summaries(self, prefix: str) -> Mapping[str, bytes]:
        return self._read(partial(statements.summaries, prefix=prefix))

    async def keep(self, size: int, note: bytes) -> None:
        await self._write(partial(statements.keep, size=size, note=note))

    async def cosign(self, size: int, line: bytes) -> None:
        await self._write(partial(statements.cosign, size=size, line=line))

    async def checkpoints(self) -> Sequence[bytes]:
        return self._read(statements.checkpoints)

    async def indexed(self) -> int:
        return self._read(search.indexed)

    async def index(self, documents: Sequence[Document]) -> None:
        await self._write(partial(search.index, documents=tuple(documents)))

    async def find(self, question: Question, *, below: int | None = None, limit: int) -> Sequence[int]:
        return self._read(partial(search.find, question=question, below=below, limit=limit))

    async def clear(self) -> None:
        await self._write(search.clear)

    async def _write(self, act: Act[T]) -> T:
        return await self._writer.do(act)

    def _read(self, question: Callable[[apsw.Connection], T]) -> T:
        with self._reading:
            if self._closed:
                raise StoreUnavailable(CLOSED)
            try:
                return question(self._reader)
            except apsw.Error as error:
                raise translated(error, path=str(self.path)) from error
            except MemoryError as error:
                raise StoreUnavailable("no memory is left") from error
