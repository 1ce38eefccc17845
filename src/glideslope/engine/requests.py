"""Measured requests on their way from the gateway's report to the prediction log: noted at once, written with the counters."""

from collections.abc import Sequence
from typing import Final

import xxhash

from glideslope.domain.logged import SUBJECT_BITS, RequestRow
from glideslope.engine.ports import Clock, Served
from glideslope.engine.prediction_log import PredictionLog

MOST_WAITING: Final = 1_000_000
"""Rows that wait for a log that cannot be written; what comes then is counted and not logged, and so found missing."""


class Requests:
    """Holds what was noted since the last write; as much as a second of traffic, and more only while the log cannot be written."""

    def __init__(self, log: PredictionLog, *, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._rows: list[RequestRow] = []

    def note(self, request: Served, *, source: str, epoch: int, number: int) -> None:
        """Note a request that was counted as the `number`th of its rollout; also one in flight that is late."""
        if len(self._rows) >= MOST_WAITING:
            return
        self._rows.append(
            RequestRow(
                model=request.model,
                source=source,
                epoch=epoch,
                number=number,
                rollout=request.rollout,
                step=request.step,
                arm=request.arm,
                subject=_hash(request.subject),
                status=request.status,
                latency_us=request.latency_us,
                rescued=request.rescued,
                stream=_hash(request.stream),
                in_flight=request.in_flight,
            )
        )

    def take(self) -> Sequence[RequestRow]:
        """Return what was noted, and forget it."""
        rows, self._rows = self._rows, []
        return rows

    async def write(self, rows: Sequence[RequestRow]) -> None:
        """Make rows durable; those that cannot be are kept for the next time. Raises LogUnavailable."""
        if not rows:
            return
        try:
            await self._log.write(requests=rows, now=int(self._clock.now().timestamp() * 1000))
        except BaseException:
            # Cancelled too: what may have been written is written again, and told by its number.
            self._rows = [*rows, *self._rows]
            raise


def _hash(subject: str) -> int:
    return (xxhash.xxh64_intdigest(subject.encode()) & SUBJECT_BITS) or 1 if subject else 0
