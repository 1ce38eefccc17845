"""A clock that stands still until it is told, so that a week of rollout takes a moment and always the same one."""

import asyncio
import heapq
import itertools
from datetime import UTC, datetime, timedelta
from typing import Final

START: Final = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)

_YIELDS: Final = 50
"""How often woken tasks get their turn before time moves on: more awaits in a row than any task of ours makes."""


class ManualClock:
    """Keeps the port Clock; time moves only by `advance`.

    Sleepers wake in the order of their due times, ties in the order they fell asleep, each at exactly its due time and
    with the chance to sleep again before time moves further.
    """

    def __init__(self, start: datetime = START) -> None:
        self._wall = start
        self._passed = 0.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._wall

    def monotonic(self) -> float:
        return self._passed

    async def sleep(self, seconds: float) -> None:
        """Wait until somebody advances that far; zero or less only lets others run."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._passed + seconds, next(self._order), waiter))
        await waiter

    async def advance(self, seconds: float) -> None:
        """Let time pass, waking whoever is due on the way. Raises ValueError for time that runs backwards."""
        if seconds < 0:
            raise ValueError(f"time cannot advance by {seconds} s; `set_wall` moves the wall clock alone")
        await _let_others_run()
        target = self._passed + seconds
        while self._sleepers and self._sleepers[0][0] <= target:
            due, _, waiter = heapq.heappop(self._sleepers)
            self._move_to(due)
            if not waiter.done():
                waiter.set_result(None)
                await _let_others_run()
        self._move_to(target)

    def set_wall(self, now: datetime) -> None:
        """Set the wall clock, as an administrator or a time server might: forwards or backwards, waking nobody."""
        self._wall = now

    @property
    def sleepers(self) -> int:
        """How many wait."""
        return sum(not waiter.done() for _, _, waiter in self._sleepers)

    def _move_to(self, instant: float) -> None:
        self._wall += timedelta(seconds=instant - self._passed)
        self._passed = instant


async def _let_others_run() -> None:
    for _ in range(_YIELDS):
        await asyncio.sleep(0)
