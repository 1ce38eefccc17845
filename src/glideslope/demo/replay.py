"""The city's traffic again, in time order, through a gateway.

Each flight asks for its prediction when it is due to leave and reports how late it was when it has landed: outcomes
follow their predictions by hours of the data's clock, as in life.
"""

import asyncio
import heapq
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

import msgspec

from glideslope.demo.client import Connection, Disconnected
from glideslope.demo.flights import Flights, clock

STAMP: Final = "x-glideslope-"
PREDICTION: Final = "x-glideslope-prediction"
SUBJECT: Final = "x-glideslope-subject"
NO_ANSWER: Final = 0
ANSWER_SECONDS: Final = 5.0
# A gateway that refuses connections must not cost the whole month before it is back.
REFUSED_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Answer:
    """What one flight was answered.

    Status 0 says that no answer came. `stamps` are the headers that start with x-glideslope-, named in lower case;
    `seconds` is the wall time it took.
    """

    row: int
    subject: str
    status: int
    seconds: float
    stamps: Mapping[str, str]

    @property
    def dropped(self) -> bool:
        return self.status != 200


@dataclass(slots=True)
class Counts:
    """What the replay did so far. Everything but a 200 is dropped; `outcomes` are those handed on."""

    requests: int = 0
    dropped: int = 0
    outcomes: int = 0


class Replay:
    """Replays *flights* through the gateway at *url*; `run` may be called again and again and goes on where it stopped.

    *on_answer* gets every answer, *on_outcome* the prediction id and the truth once the data's clock has passed the
    arrival; flights answered without a prediction id have no outcome to report. Both are called in the event loop and
    must not block. *hours_per_second* is data time over wall time; None goes as fast as *in_flight* questions allow.
    """

    def __init__(
        self,
        flights: Flights,
        *,
        url: str,
        on_answer: Callable[[Answer], None],
        on_outcome: Callable[[str, bool], None],
        hours_per_second: float | None = None,
        in_flight: int = 16,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname is None:
            raise ValueError(f"the gateway's address is {url!r}; expected http://host:port/path")
        if in_flight < 1 or (hours_per_second is not None and not hours_per_second > 0):
            raise ValueError("in_flight must be at least 1 and hours_per_second above 0")
        self.counts = Counts()
        self._flights = flights
        self._host, self._port = parts.hostname, parts.port or 80
        lines = {"host": parts.netloc, "content-type": "application/json", **(headers or {})}
        stated = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self._head = f"POST {parts.path or '/'} HTTP/1.1\r\n{stated}{SUBJECT}: "
        self._on_answer, self._on_outcome = on_answer, on_outcome
        self._in_flight = in_flight
        self._hours_per_second = hours_per_second
        self._next = 0
        self._now = int(flights.departs[0]) if len(flights) else 0
        self._landing: list[tuple[int, str, bool]] = []
        self._going = asyncio.Event()
        self._going.set()
        self._stopped = False
        self._until: Callable[[], bool] | None = None
        self._data_start, self._wall_start = 0.0, 0.0

    @property
    def now(self) -> datetime:
        """The data's clock: the scheduled departure of the latest flight sent, or of the first before any was."""
        return clock(self._now)

    @property
    def sent(self) -> int:
        """How many flights were taken from the list so far: the row of the next one."""
        return self._next

    @property
    def waiting_outcomes(self) -> int:
        """Predictions whose flights have not landed on the data's clock."""
        return len(self._landing)

    @property
    def finished(self) -> bool:
        """Whether the last flight was sent."""
        return self._next >= len(self._flights)

    def pause(self) -> None:
        """Send nothing more until `resume`; questions in flight are answered."""
        self._going.clear()

    def resume(self) -> None:
        self._start_clock()
        self._going.set()

    def stop(self) -> None:
        """Make the current `run` return once what is in flight is answered."""
        self._stopped = True
        self._going.set()

    def set_speed(self, hours_per_second: float | None) -> None:
        """Change the speed from now on; None is as fast as possible."""
        self._hours_per_second = hours_per_second
        self._start_clock()

    async def run(self, until: Callable[[], bool] | None = None) -> bool:
        """Replay until *until* says so (asked before each flight), `stop` is called or the flights end.

        Returns whether *until* was met. Raises what a callback raises.
        """
        self._stopped, self._until = False, until
        self._start_clock()
        async with asyncio.TaskGroup() as group:
            for _ in range(self._in_flight):
                group.create_task(self._work())
        return until is not None and until()

    def land_all(self) -> None:
        """Report the outcome of every flight still in the air, in the order of arrival: the clock runs out."""
        while self._landing:
            self._land(self._landing[0][0])

    def _start_clock(self) -> None:
        if not self.finished:
            self._data_start = float(self._flights.departs[self._next])
        self._wall_start = time.monotonic()

    async def _work(self) -> None:
        connection: Connection | None = None
        try:
            while (row := await self._take()) is not None:
                connection = await self._ask(row, connection)
        finally:
            if connection is not None:
                connection.close()

    async def _take(self) -> int | None:
        """Claim the next flight and wait until it is due."""
        if not self._going.is_set():
            await self._going.wait()
        if self._stopped or self.finished or (self._until is not None and self._until()):
            return None
        row = self._next
        self._next += 1
        departs = int(self._flights.departs[row])
        if self._hours_per_second is not None:
            due = self._wall_start + (departs - self._data_start) / (self._hours_per_second * 3600)
            delay = due - time.monotonic()
            if delay > 0:
                await asyncio.sleep(delay)
                await self._going.wait()
        self._now = max(self._now, departs)
        self._land(self._now)
        return row

    def _land(self, now: int) -> None:
        while self._landing and self._landing[0][0] <= now:
            _, prediction, late = heapq.heappop(self._landing)
            self.counts.outcomes += 1
            self._on_outcome(prediction, late)

    async def _ask(self, row: int, connection: Connection | None) -> Connection | None:
        """Ask for one flight, connecting first if need be; returns the connection if it can be used again."""
        subject = self._flights.subject(row)
        body = msgspec.json.encode(self._flights.payload(row))
        request = f"{self._head}{subject}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
        started = time.perf_counter()
        status, stamps = NO_ANSWER, {}
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                if connection is None or not connection.is_open:
                    connection = await Connection.open(self._host, self._port)
                response = await connection.ask(request)
            status = response.status
            stamps = {name: value for name, value in response.headers.items() if name.startswith(STAMP)}
        except (Disconnected, TimeoutError, OSError):
            connection = None
        seconds = time.perf_counter() - started
        self.counts.requests += 1
        self.counts.dropped += status != 200
        prediction = stamps.get(PREDICTION)
        if status == 200 and prediction is not None:
            arrives = int(self._flights.arrives[row])
            heapq.heappush(self._landing, (arrives, prediction, bool(self._flights.late[row])))
        self._on_answer(Answer(row=row, subject=subject, status=status, seconds=seconds, stamps=stamps))
        if connection is None:
            await asyncio.sleep(REFUSED_SECONDS)
        return connection
