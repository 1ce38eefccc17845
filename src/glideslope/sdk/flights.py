"""Requests that have begun and not ended: one that is late already is counted as late, and not when it ends.

Else the slow ones of a slow candidate are missing exactly when they matter. A latency in bins is known to be late once the
request's age has passed the guardrail's threshold, or the last edge; less than that is known only at its end.
"""

import threading
import time
from collections.abc import Callable
from typing import Final

from glideslope.sdk.observe import Observer
from glideslope.sdk.stamps import Stamps

MOST: Final = 10_000
"""Requests watched at once; further ones are counted when they end."""


class Flight:
    """One request on its way. `seconds` is its age."""

    __slots__ = ("_clock", "began", "late", "stamps")

    def __init__(self, stamps: Stamps, *, clock: Callable[[], float]) -> None:
        self.stamps = stamps
        self.began = clock()
        self.late: frozenset[str] = frozenset()
        """Metrics by which it has been counted as late."""
        self._clock = clock

    @property
    def seconds(self) -> float:
        """Return how long ago it began."""
        return self._clock() - self.began


class Flights:
    """All requests on their way. Thread-safe; nothing here raises into a request."""

    def __init__(self, observer: Observer, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self._observer = observer
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[int, Flight] = {}

    def begin(self, stamps: Stamps) -> Flight:
        """Watch a request from now on."""
        flight = Flight(stamps, clock=self._clock)
        if stamps.measured and not stamps.shadow:
            with self._lock:
                if len(self._open) < MOST:
                    self._open[id(flight)] = flight
        return flight

    def end(self, flight: Flight) -> float:
        """Watch it no more; return its age in seconds."""
        with self._lock:
            self._open.pop(id(flight), None)
        return flight.seconds

    def count_late(self) -> None:
        """Count those whose age tells already that they are late."""
        if not self._open:
            return
        with self._lock:
            waiting = list(self._open.values())
        for flight in waiting:
            flight.late |= self._observer.observe_late(flight.stamps, "latency", flight.seconds * 1000, but=flight.late)

    def forked(self) -> None:
        """Forget the parent's requests."""
        self._lock = threading.Lock()
        self._open = {}
