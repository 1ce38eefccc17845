"""How far a channel has come, and what it does next. Pure: time and chance are arguments.

A channel is a cursor over the ledger. What could not be delivered is parked with its thread: what follows in that thread waits
behind it, everything else goes on. Nothing is kept but positions, since messages are made of the record again.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

FIRST_PAUSE: Final = 1_000
"""Milliseconds; each further pause is twice as long."""
LONGEST_PAUSE: Final = 600_000
LONGEST_GATE: Final = 60_000
LONGEST_ASKED: Final = 3_600_000
"""The most that a receiver's Retry-After is heeded."""
PATIENCE: Final = 3 * 86_400_000
"""For so long a message is tried."""
TRIES_REFUSED: Final = 8
"""How often a message is tried that the receiver refuses in so many words (4xx): no time will mend it by itself."""


DIGEST: Final = "@digest"
OVERDUE: Final = "@overdue"
"""Threads of what stands in no stream; no stream is called so."""


class Parked(msgspec.Struct, frozen=True, kw_only=True):
    """The first message of a thread that could not be delivered yet. Instants in milliseconds since the epoch, UTC."""

    entry: int
    tries: int
    since: int
    again: int


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """All that is kept of a channel between two starts."""

    cursor: int
    """The next entry to look at."""
    digested: int
    """The next entry that a digest looks at."""
    digest_at: int
    """Until when things are in a digest that was sent."""
    parked: Mapping[str, Parked] = {}
    failures: int = 0
    """Attempts in a row that failed, of whatever thread."""
    gate: int = 0
    """Before this instant nothing is tried."""
    overdue: tuple[str, ...] = ()
    """What is overdue and was told."""
    delivered_at: int = 0
    """When something was last delivered; 0 for never."""


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """Why an attempt failed, and whether trying again can help."""

    why: str
    refused: bool = False
    """The receiver says that it is the message's fault."""
    again_after: float | None = None
    """Seconds for which the receiver asks to be left alone."""


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """It arrived, as far as the receiver says."""

    how: str


Outcome = Delivered | Failed


def begin(*, size: int, now: int) -> Standing:
    """Return the standing of a new channel: it is told what happens from now on."""
    return Standing(cursor=size, digested=size, digest_at=now)


def succeeded(standing: Standing, *, now: int) -> Standing:
    """Note that something arrived: the receiver is there, so what is parked is worth trying again at once."""
    parked = standing.parked
    if standing.failures:
        parked = {thread: msgspec.structs.replace(each, again=min(each.again, now)) for thread, each in parked.items()}
    return msgspec.structs.replace(standing, failures=0, gate=0, delivered_at=now, parked=parked)


def failed(standing: Standing, failure: Failed, *, now: int, chance: float) -> Standing:
    """Note that an attempt failed. `chance` is from 0 to 1."""
    failures = standing.failures + 1
    pause = _pause(failures - 1, longest=LONGEST_GATE, chance=chance) // 2
    return msgspec.structs.replace(standing, failures=failures, gate=now + max(pause, _asked(failure)))


def patience(before: Parked | None, failure: Failed, *, entry: int, now: int, chance: float) -> Parked | None:
    """Return where a message waits after an attempt that failed; None when it is given up."""
    tries, since = (1, now) if before is None else (before.tries + 1, before.since)
    if now - since >= PATIENCE or (failure.refused and tries >= TRIES_REFUSED):
        return None
    pause = _pause(tries - 1, longest=LONGEST_PAUSE, chance=chance)
    return Parked(entry=entry, tries=tries, since=since, again=now + max(pause, _asked(failure)))


def due(standing: Standing, *, now: int) -> str | None:
    """Return the stream whose turn to be tried again came first; None when none is due."""
    ready = [
        (each.again, thread)
        for thread, each in standing.parked.items()
        if each.again <= now and thread not in (DIGEST, OVERDUE)
    ]
    return min(ready)[1] if ready else None


def wakes(standing: Standing) -> int | None:
    """Return when the next parked message is due; None where nothing is parked."""
    again = min((each.again for each in standing.parked.values()), default=None)
    return None if again is None else max(again, standing.gate)


def without(standing: Standing, thread: str) -> Standing:
    """Return the standing with nothing parked of a thread."""
    left = {name: each for name, each in standing.parked.items() if name != thread}
    return msgspec.structs.replace(standing, parked=left)


def unparked(standing: Standing, thread: str, after: int | None, *, now: int) -> Standing:
    """Go on in a thread after its first parked message is done with: to the entry `after`, or out of the parking place."""
    left = without(standing, thread)
    return left if after is None else waiting(left, thread, Parked(entry=after, tries=0, since=now, again=now))


def waiting(standing: Standing, thread: str, parked: Parked) -> Standing:
    """Return the standing with a thread parked."""
    return msgspec.structs.replace(standing, parked={**standing.parked, thread: parked})


def _pause(doublings: int, *, longest: int, chance: float) -> int:
    whole = min(longest, FIRST_PAUSE << min(doublings, 20))
    # From half of it to all of it: receivers that come back are not met by all at once.
    return round(whole * (0.5 + chance / 2))


def _asked(failure: Failed) -> int:
    return 0 if failure.again_after is None else min(LONGEST_ASKED, round(failure.again_after * 1000))
