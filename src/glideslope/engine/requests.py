"""What a server counts itself on its way to the prediction log: noted at once, written with the counters.

Requests, as the gateway reported them; and answers to the same requests, as they met.
"""

from dataclasses import dataclass, field
from typing import Final

import xxhash

from glideslope.domain.ids import ModelName, RolloutId, StepName
from glideslope.domain.logged import SUBJECT_BITS, AnswersRow, RequestRow
from glideslope.domain.pairs import Half
from glideslope.engine.ports import Clock, Served
from glideslope.engine.prediction_log import PredictionLog

MOST_WAITING: Final = 1_000_000
"""Rows that wait for a log that cannot be written; what comes then is counted and not logged, and so found missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """Two answers to one request. `slices` and `unit` are those that they are counted by."""

    model: ModelName
    rollout: RolloutId
    step: StepName
    unit: int
    slices: str
    candidate: Half
    incumbent: Half


@dataclass(slots=True)
class Noted:
    """Rows of both kinds, in the order of counting."""

    requests: list[RequestRow] = field(default_factory=list)
    answers: list[AnswersRow] = field(default_factory=list)


class Requests:
    """Holds what was noted since the last write; as much as a second of traffic, and more only while the log cannot be written."""

    def __init__(self, log: PredictionLog, *, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._rows = Noted()

    def note(self, request: Served, *, source: str, epoch: int, number: int) -> None:
        """Note a request that was counted as the `number`th of its rollout; also one in flight that is late."""
        if len(self._rows.requests) >= MOST_WAITING:
            return
        self._rows.requests.append(
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

    def note_answers(self, met: Met, *, source: str, epoch: int, number: int) -> None:
        """Note answers that were compared as the `number`th of their rollout."""
        if len(self._rows.answers) >= MOST_WAITING:
            return
        candidate, incumbent = met.candidate, met.incumbent
        self._rows.answers.append(
            AnswersRow(
                model=met.model,
                source=source,
                epoch=epoch,
                number=number,
                rollout=met.rollout,
                step=met.step,
                unit=met.unit,
                slices=met.slices,
                candidate_score=candidate.score,
                incumbent_score=incumbent.score,
                candidate_answer=_hash(candidate.answer),
                incumbent_answer=_hash(incumbent.answer),
                candidate_us=candidate.microseconds,
                incumbent_us=incumbent.microseconds,
                candidate_features=candidate.features,
                incumbent_features=incumbent.features,
            )
        )

    def take(self) -> Noted:
        """Return what was noted, and forget it."""
        rows, self._rows = self._rows, Noted()
        return rows

    async def write(self, rows: Noted) -> None:
        """Make rows durable; those that cannot be are kept for the next time. Raises LogUnavailable."""
        if not (rows.requests or rows.answers):
            return
        try:
            await self._log.write(
                requests=rows.requests, answers=rows.answers, now=int(self._clock.now().timestamp() * 1000)
            )
        except BaseException:
            # Cancelled too: what may have been written is written again, and told by its number.
            self._rows = Noted(
                requests=[*rows.requests, *self._rows.requests], answers=[*rows.answers, *self._rows.answers]
            )
            raise


def _hash(text: str) -> int:
    return (xxhash.xxh64_intdigest(text.encode()) & SUBJECT_BITS) or 1 if text else 0
