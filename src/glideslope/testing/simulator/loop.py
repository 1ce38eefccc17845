"""An event loop whose time is virtual: it jumps from one timer to the next, and always in the same way."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Deadlock(RuntimeError):
    """Everybody waits and nothing is due: time cannot move on."""


class _Stillness:
    """Stands where a selector would: nothing ever arrives from outside, so waiting means letting time pass."""

    def __init__(self, loop: "VirtualLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> tuple[()]:
        if timeout is None:
            raise Deadlock
        self._loop.passed += timeout
        return ()


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs tasks in the order in which they became ready, and timers at exactly their time."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0
        self._selector = _Stillness(self)

    def time(self) -> float:
        return self.passed

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Say nothing: what a killed host was doing ends unheard, and broken promises are reported by name."""

    def _process_events(self, event_list: tuple[()]) -> None:
        del event_list

    def _write_to_self(self) -> None:
        """Nobody waits outside."""


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in virtual time, and leave nothing behind. Raises Deadlock, and what `main` raises."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main)
    finally:
        _end(loop)
        loop.close()


def _end(loop: VirtualLoop) -> None:
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
