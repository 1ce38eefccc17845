"""One thread writes, in groups: whatever waits shares one transaction and one sync, and each caller its own answer.

More writers gain nothing on SQLite and starve each other for seconds; a group commit gives ten times the rate instead.
"""

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import apsw

from glideslope.adapters.stores.sqlite.errors import CLOSED, translated
from glideslope.domain.errors import StoreUnavailable

T = TypeVar("T")
Act = Callable[[apsw.Connection], T]
"""Runs statements inside a transaction that it neither begins nor ends; may be run again after it was undone."""

MOST: Final = 1024
"""Acts in one transaction: bounds how long the first waits for the last."""


@dataclass(frozen=True, slots=True)
class Done:
    """What an act returned, durable now."""

    value: Any


Answer = Done | Exception


@dataclass(frozen=True, slots=True)
class _Job:
    act: Act[Any]
    loop: asyncio.AbstractEventLoop
    waiter: "asyncio.Future[Any]"


def commit(connection: apsw.Connection, acts: Sequence[Act[Any]], *, path: str) -> list[Answer]:
    """Run all acts in one transaction and make it durable; answer each. A failing act is undone alone.

    When the transaction as a whole is lost (no space, I/O error), every act is answered StoreUnavailable or StoreCorrupt.
    """
    # One that could not be ended the last time: what it did was answered as unavailable, and must not be kept now.
    _roll_back(connection)
    try:
        answers = _all_or_none(connection, acts)
        if answers is None:
            answers = _each_for_itself(connection, acts, path=path)
    except apsw.Error as error:
        _roll_back(connection)
        lost = translated(error, path=path)
        return [lost] * len(acts)
    except Exception as error:  # noqa: BLE001 - unanswered it would end the thread, and whoever writes would wait for ever
        _roll_back(connection)
        return [StoreUnavailable(_why(error))] * len(acts)
    return answers


def _all_or_none(connection: apsw.Connection, acts: Sequence[Act[Any]]) -> list[Answer] | None:
    """Run the acts without savepoints, which would cost as much as the acts; None, undone, when one of them fails."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        answers: list[Answer] = [Done(act(connection)) for act in acts]
    except Exception:  # noqa: BLE001 - whatever it is, it is met again, and answered, by itself
        _roll_back(connection)
        return None
    connection.execute("COMMIT")
    return answers


def _each_for_itself(connection: apsw.Connection, acts: Sequence[Act[Any]], *, path: str) -> list[Answer]:
    connection.execute("BEGIN IMMEDIATE")
    answers = [_run(connection, act, path=path) for act in acts]
    connection.execute("COMMIT")
    return answers


def _run(connection: apsw.Connection, act: Act[Any], *, path: str) -> Answer:
    connection.execute("SAVEPOINT act")
    answer: Answer
    try:
        answer = Done(act(connection))
    except apsw.Error as error:
        # SQLite ends the whole transaction by itself on some errors; then nothing of the group was kept.
        if not connection.in_transaction:
            raise
        answer = translated(error, path=path)
    except MemoryError as error:
        answer = StoreUnavailable(_why(error))
    except Exception as failure:  # noqa: BLE001 - the boundary between one caller's act and everybody's writer
        answer = failure
    if not isinstance(answer, Done):
        connection.execute("ROLLBACK TO act")
    connection.execute("RELEASE act")
    return answer


def _why(error: Exception) -> str:
    return "no memory is left" if isinstance(error, MemoryError) else repr(error)


def _roll_back(connection: apsw.Connection) -> None:
    if connection.in_transaction:
        try:
            connection.execute("ROLLBACK")
        except Exception:  # noqa: BLE001 - as above, with an answer at hand
            # It is tried again before the next group; this one was answered with the first error already.
            return


class Writer:
    """Owns the writing connection and its thread. `do` may be called from any event loop."""

    def __init__(self, connection: apsw.Connection, *, path: str) -> None:
        self._connection = connection
        self._path = path
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self.groups = 0
        """How many transactions were made; fewer than acts when acts shared them."""
        self._thread = threading.Thread(target=self._work, name="glideslope-store", daemon=True)
        self._thread.start()

    async def do(self, act: Act[T]) -> T:
        """Run an act and return its value once it is durable.

        Raises what the act raised, or StoreUnavailable, StoreCorrupt. A caller that stops waiting does not undo its act.
        """
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[T] = loop.create_future()
        with self._lock:
            if self._closed:
                raise StoreUnavailable(CLOSED)
            self._jobs.put(_Job(act=act, loop=loop, waiter=waiter))
        return await waiter

    def close(self) -> None:
        """Finish what waits, then close the connection. May be called again."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        working = True
        while working:
            group = [self._jobs.get()]
            while len(group) < MOST and not self._jobs.empty():
                group.append(self._jobs.get())
            jobs = [job for job in group if job is not None]
            working = len(jobs) == len(group)
            if jobs:
                self.groups += 1
                answers = commit(self._connection, [job.act for job in jobs], path=self._path)
                _deliver(jobs, answers)
        self._connection.close()


def _deliver(jobs: Sequence[_Job], answers: Sequence[Answer]) -> None:
    """Wake each event loop once for all of its callers: a wake-up costs more than an answer."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Answer]]] = {}
    for job, answer in zip(jobs, answers, strict=True):
        by_loop.setdefault(job.loop, []).append((job.waiter, answer))
    for loop, answered in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle, answered)
        except RuntimeError:
            # The loop was closed: nobody waits there any more, and what was committed stays committed.
            continue


def _settle(answered: Sequence[tuple["asyncio.Future[Any]", Answer]]) -> None:
    for waiter, answer in answered:
        if waiter.done():
            continue
        if isinstance(answer, Done):
            waiter.set_result(answer.value)
        else:
            waiter.set_exception(answer)
