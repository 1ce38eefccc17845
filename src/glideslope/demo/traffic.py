"""The city's traffic behind the story: replays flights, reports outcomes, and remembers who answered when."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from glideslope.demo.flights import Flights
from glideslope.demo.replay import Answer, Replay
from glideslope.domain.stamps import ARM, SERVED
from glideslope.sdk.client import Client
from glideslope.sdk.outcomes import OutcomeSender

OUTCOMES_EVERY: Final = 0.2
REMEMBERED: Final = 20_000


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer: when it came (monotonic seconds), which arm it was assigned, which version gave it."""

    at: float
    arm: str
    served: str
    status: int


@dataclass(slots=True)
class Traffic:
    """Flights in time order through the gateway, their outcomes to the server."""

    flights: Flights
    gateway: str
    client: Client
    hours_per_second: float
    sender: OutcomeSender = field(init=False)
    replay: Replay = field(init=False)
    seen: deque[Seen] = field(init=False)

    def __post_init__(self) -> None:
        self.sender = OutcomeSender(self.client, every=OUTCOMES_EVERY)
        self.seen = deque(maxlen=REMEMBERED)
        self.replay = Replay(
            self.flights,
            url=self.gateway,
            on_answer=self._answered,
            on_outcome=self._landed,
            hours_per_second=self.hours_per_second,
            in_flight=32,
        )

    @property
    def day(self) -> str:
        """The data's day, as people write it."""
        return self.replay.now.strftime("%d %b")

    async def run(self, until: Callable[[], bool]) -> bool:
        """Go on until told, or until the flights end; return whether it was told."""
        return await self.replay.run(until)

    def since(self, moment: float) -> list[Seen]:
        """Return the answers that came after a moment."""
        return [seen for seen in self.seen if seen.at > moment]

    def _answered(self, answer: Answer) -> None:
        stamps = answer.stamps
        self.seen.append(Seen(time.monotonic(), stamps.get(ARM, ""), stamps.get(SERVED, ""), answer.status))

    def _landed(self, prediction: str, late: bool) -> None:
        self.sender.send(prediction, happened=late)
