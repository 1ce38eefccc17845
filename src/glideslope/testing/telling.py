"""Channels in memory: deliveries with the promises of the real ones but that of outliving the process, and a receiver that obeys."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from glideslope.domain.telling.channel import Channel
from glideslope.domain.telling.message import Parcel
from glideslope.domain.telling.standing import Delivered, Outcome
from glideslope.engine.telling.ports import Attempt


class MemoryDeliveries:
    """Keeps the port Deliveries in this process."""

    def __init__(self) -> None:
        self._standings: dict[str, bytes] = {}
        self._attempts: list[tuple[int, Attempt]] = []
        self._last = 0

    async def standing(self, channel: str) -> bytes | None:
        return self._standings.get(channel)

    async def keep(self, channel: str, standing: bytes, attempts: Sequence[Attempt] = ()) -> None:
        self._standings[channel] = standing
        for each in attempts:
            self._last += 1
            self._attempts.append((self._last, each))

    async def attempts(
        self, channel: str = "", *, limit: int, below: int | None = None
    ) -> Sequence[tuple[int, Attempt]]:
        found = [
            (number, each)
            for number, each in reversed(self._attempts)
            if channel in ("", each.channel) and (below is None or number < below)
        ]
        return found[:limit]

    async def prune(self, *, before: int, most: int) -> int:
        newest = self._last - most
        left = [(number, each) for number, each in self._attempts if each.at >= before and number > newest]
        forgotten = len(self._attempts) - len(left)
        self._attempts = left
        return forgotten


def _takes_all(channel: Channel, parcel: Parcel) -> Outcome:
    del channel, parcel
    return Delivered(how="taken")


@dataclass(slots=True)
class MemoryNotifier:
    """Keeps the port Notifier: what it takes stays in `taken`; `answer` says what becomes of each parcel."""

    answer: Callable[[Channel, Parcel], Outcome] = _takes_all
    taken: list[Parcel] = field(default_factory=list)
    tried: list[Parcel] = field(default_factory=list)

    async def send(self, channel: Channel, parcel: Parcel, *, links: str, now: int) -> Outcome:
        del links, now
        self.tried.append(parcel)
        outcome = self.answer(channel, parcel)
        if isinstance(outcome, Delivered):
            self.taken.append(parcel)
        return outcome
