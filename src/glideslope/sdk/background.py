"""A daemon thread that acts again and again beside the host: it never fails, never holds up an exit, and survives a fork."""

import os
import threading
from collections.abc import Callable
from typing import Final, Protocol
from weakref import WeakSet


class Forkable(Protocol):
    """What holds locks, threads or connections that a forked child must not inherit."""

    def forked(self) -> None:
        """Start afresh; called in the child, before anything else runs there."""
        ...


_forkables: Final[WeakSet[Forkable]] = WeakSet()


def after_fork(thing: Forkable) -> None:
    """Have `thing.forked()` called in every child that this process forks while the thing lives."""
    _forkables.add(thing)


def _tell_all() -> None:
    for thing in list(_forkables):
        thing.forked()


# A lock held by another thread at the moment of the fork stays locked in the child for ever.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_tell_all)


class Background:
    """Calls `act` in a thread of its own; `act` returns the seconds to wait before the next time.

    `act` must not raise; should it do so nevertheless, it is called again after `pause` seconds and `failures` counts it.
    In a forked child the thread is gone, and `start` starts another.
    """

    def __init__(self, act: Callable[[], float], *, name: str, pause: float = 1.0) -> None:
        self._act = act
        self._name = name
        self._pause = pause
        self._starting = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._stopped = False
        self.failures = 0
        after_fork(self)

    @property
    def running(self) -> bool:
        """Tell whether the thread lives."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start the thread unless it runs or was stopped."""
        if self._thread is not None or self._stopped:
            return
        with self._starting:
            if self._thread is None and not self._stopped:
                thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                thread.start()
                self._thread = thread

    def nudge(self) -> None:
        """Act now instead of later."""
        self._wake.set()

    def stop(self, *, timeout: float = 1.0) -> bool:
        """Ask the thread to act once more and end; wait for at most `timeout` seconds and tell whether it did."""
        self._stopped = True
        self._wake.set()
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(timeout)
        return not thread.is_alive()

    def forked(self) -> None:
        """Forget the parent's thread and locks."""
        self._starting = threading.Lock()
        self._wake = threading.Event()
        self._thread = None

    def _run(self) -> None:
        while True:
            last = self._stopped
            self._wake.clear()
            try:
                wait = self._act()
            except Exception:  # noqa: BLE001 - the boundary to the host: a thread that dies here would fall silent
                self.failures += 1
                wait = self._pause
            if last:
                return
            if wait > 0 and not self._stopped:
                self._wake.wait(wait)
