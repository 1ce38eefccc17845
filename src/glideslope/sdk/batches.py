"""Things on their way to the server: buffered within bounds, sent in batches, kept until they arrive, dropped never silently."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from glideslope.domain.errors import GlideslopeError
from glideslope.sdk.background import after_fork
from glideslope.sdk.errors import ServerRefused

T = TypeVar("T")

LARGEST_BATCH: Final = 1_000
MOST_WAITING: Final = 100_000


class Batches(Generic[T]):
    """Takes items at once and hands them to `send` in batches, oldest first, at least once each.

    `send` delivers a batch or raises GlideslopeError. A batch that the server refuses for what it is (4xx) would be
    refused for ever: it is dropped. So are items that come while the buffer is full, and what a forked child inherits is
    the parent's to send.
    """

    def __init__(
        self, send: Callable[[Sequence[T]], object], *, largest: int = LARGEST_BATCH, most: int = MOST_WAITING
    ) -> None:
        self._send = send
        self._largest = largest
        self._most = most
        self.forked()
        after_fork(self)

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    def put(self, item: T) -> bool:
        """Take an item; tell whether there was room. Never blocks, never raises."""
        if len(self._waiting) >= self._most:
            self.drop()
            return False
        self._waiting.append(item)
        return True

    def send_waiting(self) -> bool:
        """Send all that waits; tell whether all of it arrived. Never raises."""
        with self._sending:
            while self._waiting:
                batch = [self._waiting[i] for i in range(min(self._largest, len(self._waiting)))]
                try:
                    self._send(batch)
                except ServerRefused as refusal:
                    if refusal.status >= 500 or refusal.status in _LATER:
                        return False
                    self.drop(len(batch))
                except GlideslopeError:
                    return False
                for _ in batch:
                    self._waiting.popleft()
        return True

    def drop(self, count: int = 1) -> None:
        """Note that something was lost."""
        with self._dropping:
            self.dropped += count

    def forked(self) -> None:
        """Start empty."""
        self._waiting: deque[T] = deque()
        self._sending = threading.Lock()
        self._dropping = threading.Lock()
        self.dropped = 0


_LATER: Final = frozenset({401, 403, 404, 408, 409, 425, 429})
"""Refusals that somebody or time can mend: a token not yet known, a rollout not yet there, too much at once."""
