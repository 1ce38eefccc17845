"""What telling needs of the world: somebody who sends, and a place for how far each channel has come."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import msgspec

from glideslope.domain.telling.channel import NO_CHANNELS, Channel, Channels
from glideslope.domain.telling.message import Parcel
from glideslope.domain.telling.standing import Outcome


class Ended(StrEnum):
    """How an attempt to deliver ended."""

    DELIVERED = "delivered"
    FAILED = "failed"
    GIVEN_UP = "given-up"


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to deliver, as it is kept for people to look at."""

    channel: str
    at: int
    """Milliseconds since the epoch, UTC."""
    message: str
    """The message's id, the same at each attempt."""
    entry: int | None
    thread: str
    happening: str
    severity: str
    title: str
    ended: Ended
    detail: str
    tries: int
    """The how-manieth attempt of this message it was, from 1."""
    took: int
    """Milliseconds."""


class Deliveries(Protocol):
    """How far each channel has come, and what was tried. Not the record: nothing that is decided rests on it."""

    async def standing(self, channel: str) -> bytes | None:
        """Return what was last kept of a channel; None before anything was. Raises StoreUnavailable."""
        ...

    async def keep(self, channel: str, standing: bytes, attempts: Sequence[Attempt] = ()) -> None:
        """Keep a channel's standing in place of what was there, and attempts besides; all or nothing. Raises StoreUnavailable."""
        ...

    async def attempts(
        self, channel: str = "", *, limit: int, below: int | None = None
    ) -> Sequence[tuple[int, Attempt]]:
        """Return the newest attempts, of one channel or of all, each with its number; those below a number for more."""
        ...

    async def prune(self, *, before: int, most: int) -> int:
        """Forget attempts before an instant, and the oldest beyond so many; return how many were forgotten."""
        ...


class Notifier(Protocol):
    """Sends to whatever a channel leads to. Keeps nothing, and holds nobody up for longer than it says."""

    async def send(self, channel: Channel, parcel: Parcel, *, links: str, now: int) -> Outcome:
        """Try once, within half a minute, and tell what came of it; no secret is in what it tells. Never raises.

        `links` is before every page's path, `now` in milliseconds since the epoch, UTC.
        """
        ...


@dataclass(frozen=True, slots=True)
class ChannelsRead:
    """The channels as they were last read, and what is wrong with their file now; then those from before stay."""

    channels: Channels = NO_CHANNELS
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlets:
    """All that telling touches outside the engine."""

    deliveries: Deliveries
    notifier: Notifier
    channels: Callable[[], ChannelsRead]
    """Asked every few seconds."""
    address: Callable[[], str] = field(default=lambda: "")
    """Where people reach this server, if the channels do not say."""
    chance: Callable[[], float]
    """From 0 to 1; spreads what is tried again."""
