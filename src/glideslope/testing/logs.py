"""The prediction log in memory: the same answers as the real one, by the plainest code that gives them."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from glideslope.domain.ids import WHOLE, MetricName, ModelName, RolloutId, SliceName, StepName
from glideslope.domain.logged import (
    NO_SCORE,
    RECEIPT_BITS,
    TOSS,
    AnswersRow,
    BlockRow,
    OutcomeRow,
    PairRow,
    PredictionRow,
    RequestRow,
)
from glideslope.domain.metric import (
    ERRORS,
    EXPOSURE,
    LOG_LOSS_CAP,
    OUTCOME_SEEN,
    Kind,
    Metric,
    Origin,
    outcome_bin,
)
from glideslope.domain.receipt import SCORE_LEVELS
from glideslope.domain.traffic import Arm
from glideslope.engine.prediction_log import (
    MOST_CONTRADICTIONS,
    Cohort,
    Contradiction,
    Group,
    Join,
    Joined,
    Recount,
    Recounted,
    Recounts,
    Ripeness,
    Silence,
    Whose,
)
from glideslope.testing.log_comparisons import count_answers, count_blocks, count_formula, count_pairs

Row = TypeVar("Row", PredictionRow, RequestRow, OutcomeRow, PairRow, AnswersRow, BlockRow)
Numbered = TypeVar("Numbered", PredictionRow, RequestRow, AnswersRow)
HOUR = 3_600_000
Counts = dict[tuple[StepName, Arm, MetricName, SliceName, int], int]


def no_fault(_verb: str) -> None:
    """Let it pass."""


@dataclass(frozen=True, slots=True)
class _Due:
    """An id's outcome once it counts."""

    at: int
    row: PredictionRow
    happened: bool


class MemoryLog:
    """Keeps the port PredictionLog in this process. `before` is called with each verb, and raises to inject a fault."""

    def __init__(self, *, before: Callable[[str], None] = no_fault) -> None:
        self.before = before
        self.predictions: list[PredictionRow] = []
        self.requests: list[RequestRow] = []
        self.outcomes: list[OutcomeRow] = []
        self.pairs: list[PairRow] = []
        self.answers: list[AnswersRow] = []
        self.blocks: list[BlockRow] = []
        self._n = 0
        self._clock = 0

    async def write(
        self,
        *,
        predictions: Sequence[PredictionRow] = (),
        requests: Sequence[RequestRow] = (),
        outcomes: Sequence[OutcomeRow] = (),
        pairs: Sequence[PairRow] = (),
        answers: Sequence[AnswersRow] = (),
        blocks: Sequence[BlockRow] = (),
        now: int,
    ) -> None:
        self.before("write")
        self._clock = max(self._clock, now)
        self.predictions += map(self._stamped, predictions)
        self.requests += map(self._stamped, requests)
        self.outcomes += map(self._stamped, outcomes)
        self.pairs += map(self._stamped, pairs)
        self.answers += map(self._stamped, answers)
        self.blocks += map(self._stamped, blocks)

    def mark(self) -> int:
        return self._n

    async def join(self, asked: Join) -> Joined:
        self.before("join")
        self._clock = max(self._clock, asked.until)
        known = self._known(asked.model)
        said = self._said(asked.model)
        counts: dict[tuple[StepName, Arm, tuple[SliceName, ...], tuple[int, ...]], int] = defaultdict(int)
        seen: set[tuple[StepName, int, SliceName]] = set()
        for due in self._due(asked.model, asked.rollout, until=asked.until, settle=asked.settle):
            place = 2 * due.row.score + due.happened
            bins = tuple(by[place] for by in asked.bins.values()) if due.row.score != NO_SCORE else ()
            if new := _new(seen, due.row.step, _unit(due.row), asked.members(due.row.slices)):
                counts[due.row.step, due.row.arm, new, bins] += 1
        contradictions = [
            found
            for key, rows in said.items()
            if key in known and known[key].rollout == asked.rollout
            if (found := _contradiction(rows, settle=asked.settle)) is not None
        ]
        contradictions.sort(key=lambda c: c.prediction)
        return Joined(
            groups=[
                Group(step, arm, slices, dict(zip(asked.bins, bins, strict=False)), count)
                for (step, arm, slices, bins), count in counts.items()
            ],
            waiting=sum(key not in known for key in said),
            contradicted=len(contradictions),
            late=sum(c.late for c in contradictions),
            contradictions=contradictions[:MOST_CONTRADICTIONS],
        )

    async def silence(self, asked: Silence) -> Sequence[Recounted]:
        self.before("silence")
        self._clock = max(self._clock, asked.until)
        return self._silence(asked)

    def _silence(self, asked: Silence) -> list[Recounted]:
        answers: dict[tuple[StepName, int], list[PredictionRow]] = defaultdict(list)
        for row in self.predictions:
            if row.model == asked.model and row.rollout == asked.rollout:
                answers[row.step, _unit(row)].append(row)
        counts: Counts = defaultdict(int)
        for (step, unit), rows in answers.items():
            first, keys = rows[0], {row.key for row in rows}
            deadline = first.received + asked.within
            if deadline >= asked.until:
                continue
            came = any(
                o.received <= deadline
                and (o.key in keys or (o.counted and (o.rollout, o.step, o.unit) == (asked.rollout, step, unit)))
                for o in self.outcomes
                if o.model == asked.model and o.happened is not None
            )
            for slice_ in asked.members(first.slices):
                counts[step, first.arm, asked.metric, slice_, int(not came)] += 1
        return [Recounted(*place, count) for place, count in sorted(counts.items())]

    async def recount(self, asked: Recount) -> Recounts:
        self.before("recount")
        counts: Counts = defaultdict(int)
        missing = self._count_requests(asked, counts) + self._count_predictions(asked, counts)
        unmatched = self._count_outcomes(asked, counts)
        missing += self._count_comparisons(asked, counts)
        return Recounts(
            counts=[Recounted(*place, count) for place, count in sorted(counts.items())],
            missing=missing,
            unmatched=unmatched,
        )

    async def claims(self, model: ModelName, rollout: RolloutId) -> Mapping[str, str]:
        self.before("claims")
        rows: tuple[PairRow | BlockRow, ...] = (*self.pairs, *self.blocks)
        return {
            key: cell
            for row in rows
            if (row.model, row.rollout) == (model, rollout)
            for key, cell in row.claims.items()
        }

    async def cohorts(self, model: ModelName, rollout: RolloutId) -> Sequence[Cohort]:
        self.before("cohorts")
        found: dict[tuple[int, StepName, Arm], list[tuple[PredictionRow, bool]]] = defaultdict(list)
        for first, seen in self._firsts(model, rollout):
            found[first.received // HOUR * HOUR, first.step, first.arm].append((first, seen))
        return [_cohort(*place, members) for place, members in sorted(found.items())]

    async def ripeness(self, model: ModelName, rollout: RolloutId) -> Sequence[Ripeness]:
        self.before("ripeness")
        found: dict[tuple[StepName, Arm, str], list[bool]] = defaultdict(list)
        for first, seen in self._firsts(model, rollout):
            found[first.step, first.arm, first.slices].append(seen)
        return [
            Ripeness(step=step, arm=arm, slices=slices, subjects=len(seen), labelled=sum(seen))
            for (step, arm, slices), seen in sorted(found.items())
        ]

    def _firsts(self, model: ModelName, rollout: RolloutId) -> list[tuple[PredictionRow, bool]]:
        """Return each subject's first prediction of a step, and whether an outcome of any of its own has come."""
        labelled = {o.key for o in self.outcomes if o.model == model and o.happened is not None}
        units: dict[tuple[StepName, int], list[PredictionRow]] = defaultdict(list)
        for row in self.predictions:
            if row.model == model and row.rollout == rollout:
                units[row.step, _unit(row)].append(row)
        return [(rows[0], any(r.key in labelled for r in rows)) for rows in units.values()]

    async def forget(self, *, before: int) -> int:
        self.before("forget")
        rows = self._size()
        self.predictions = [r for r in self.predictions if r.received >= before]
        self.requests = [r for r in self.requests if r.received >= before]
        self.outcomes = [r for r in self.outcomes if r.received >= before]
        self.pairs = [r for r in self.pairs if r.received >= before]
        self.answers = [r for r in self.answers if r.received >= before]
        self.blocks = [r for r in self.blocks if r.received >= before]
        return rows - self._size()

    def _size(self) -> int:
        tables: tuple[Sequence[object], ...] = (
            self.predictions,
            self.requests,
            self.outcomes,
            self.pairs,
            self.answers,
            self.blocks,
        )
        return sum(map(len, tables))

    def _stamped(self, row: Row) -> Row:
        self._n += 1
        return msgspec.structs.replace(row, n=self._n, received=self._clock)

    def _known(self, model: ModelName) -> dict[int, PredictionRow]:
        known: dict[int, PredictionRow] = {}
        for row in self.predictions:
            if row.model == model:
                known.setdefault(row.key, row)
        return known

    def _said(self, model: ModelName) -> dict[int, list[OutcomeRow]]:
        said: dict[int, list[OutcomeRow]] = defaultdict(list)
        for row in self.outcomes:
            if row.model == model and not row.counted:
                said[row.key].append(row)
        return said

    def _due(self, model: ModelName, rollout: RolloutId, *, until: int, settle: int) -> list[_Due]:
        known = self._known(model)
        found: list[tuple[int, int, _Due]] = []
        for key, rows in self._said(model).items():
            row = known.get(key)
            if row is None or row.rollout != rollout:
                continue
            settled = rows[0].received + settle
            due = _Due(max(settled, row.received), row, _settled(rows, settle=settle).happened is True)
            if due.at < until:
                found.append((due.at, key, due))
        return [due for _, _, due in sorted(found, key=lambda each: each[:2])]

    def _count_requests(self, asked: Recount, counts: Counts) -> int:
        names = {m.name for m in asked.metrics}
        rows = _within(
            (r for r in self.requests if r.model == asked.model and r.rollout == asked.rollout), asked.gateways
        )
        seen: set[tuple[Whose, StepName, int]] = set()
        bad: set[tuple[Whose, StepName, int]] = set()
        exposed: set[tuple[Whose, StepName, int]] = set()
        for r in rows:
            unit = ((r.source, r.epoch), r.step, r.subject or -r.number)
            failed = r.rescued or r.status == 0 or r.status >= 500
            who = ((r.source, r.epoch), r.step, r.subject or -(r.stream or r.number))
            if who not in exposed:
                exposed.add(who)
                counts[r.step, r.arm, EXPOSURE, WHOLE, 0] += 1
            if r.in_flight:
                continue
            if unit not in seen:
                seen.add(unit)
                if not failed and ERRORS.name in names:
                    counts[r.step, r.arm, ERRORS.name, WHOLE, 0] += 1
            if failed and unit not in bad:
                bad.add(unit)
                if ERRORS.name in names:
                    counts[r.step, r.arm, ERRORS.name, WHOLE, 1] += 1
        for metric in asked.metrics:
            if metric.kind is Kind.LATENCY and metric.origin is Origin.GATEWAY:
                _count_latency(metric, rows, asked, counts)
        return sum(asked.gateways.values()) - len(rows)

    def _count_predictions(self, asked: Recount, counts: Counts) -> int:
        rows = _within(
            (r for r in self.predictions if r.model == asked.model and r.rollout == asked.rollout), asked.services
        )
        for metric in asked.metrics:
            if metric.origin is not Origin.OUTCOME:
                _count_metric(metric, rows, asked, counts)
        exposed: set[tuple[Whose, StepName, int]] = set()
        for r in rows:
            unit = ((r.source, r.epoch), r.step, r.subject or -r.number)
            if EXPOSURE in r.metrics and unit not in exposed:
                exposed.add(unit)
                for slice_ in asked.members(r.slices):
                    counts[r.step, r.arm, EXPOSURE, slice_, 0] += 1
        return sum(asked.services.values()) - len(rows)

    def _count_outcomes(self, asked: Recount, counts: Counts) -> int:
        seen: set[tuple[StepName, int, SliceName]] = set()
        known = self._known(asked.model)
        told = self._by_receipt(asked)
        for o in told:
            if o.happened is not None:
                new = _new(seen, o.step, o.unit, asked.members(o.slices))
                _count_outcome(asked.metrics, o.step, o.arm, new, score=o.score, counts=counts, happened=o.happened)
        seen.clear()
        for due in self._due(asked.model, asked.rollout, until=asked.until, settle=asked.settle):
            r = due.row
            new = _new(seen, r.step, _unit(r), asked.members(r.slices))
            _count_outcome(asked.metrics, r.step, r.arm, new, score=r.score, counts=counts, happened=due.happened)
        return sum(o.key not in known for o in told)

    def _by_receipt(self, asked: Recount) -> list[OutcomeRow]:
        """Return what was counted by receipt, with what is known of the prediction in place of what the receipt says."""
        known = self._known(asked.model)
        told = []
        for o in self.outcomes:
            if o.counted and o.model == asked.model and o.rollout == asked.rollout and o.n <= asked.mark:
                row = known.get(o.key)
                told.append(
                    o
                    if row is None
                    else msgspec.structs.replace(o, step=row.step, arm=row.arm, slices=row.slices, score=row.score)
                )
        return told

    def _count_comparisons(self, asked: Recount, counts: Counts) -> int:
        told = self._by_receipt(asked)
        for metric in asked.metrics:
            if metric.origin is Origin.OUTCOME and metric.formula is not msgspec.UNSET:
                count_formula(metric, told, asked, counts)
            if metric.within is not msgspec.UNSET:
                silence = Silence(
                    model=asked.model,
                    rollout=asked.rollout,
                    until=asked.until,
                    within=metric.within,
                    metric=metric.name,
                    members=asked.members,
                )
                for c in self._silence(silence):
                    counts[c.step, c.arm, c.metric, c.slice, c.bin] += c.count
        of = (asked.model, asked.rollout)
        count_blocks([r for r in self.blocks if (r.model, r.rollout) == of and r.n <= asked.mark], told, asked, counts)
        pairs = [r for r in self.pairs if (r.model, r.rollout) == of and r.n <= asked.mark]
        for metric in asked.paired:
            count_pairs(metric, pairs, asked, counts)
        answers = _within((r for r in self.answers if (r.model, r.rollout) == of), asked.answers)
        count_answers(answers, asked, counts)
        return sum(asked.answers.values()) - len(answers)


def _within(rows: Iterable[Numbered], marks: Mapping[Whose, int]) -> list[Numbered]:
    kept: dict[tuple[str, int, int], Numbered] = {}
    for row in rows:
        if row.number <= marks.get((row.source, row.epoch), 0):
            kept.setdefault((row.source, row.epoch, row.number), row)
    return [kept[place] for place in sorted(kept)]


def _count_latency(metric: Metric, rows: Sequence[RequestRow], asked: Recount, counts: Counts) -> None:
    seen: set[tuple[Whose, StepName, int]] = set()
    threshold = asked.thresholds.get(metric.name, metric.edges[-1])
    for r in rows:
        unit = ((r.source, r.epoch), r.step, r.subject or -(r.stream or r.number))
        slower = 1 + asked.tolerances.get(metric.name, 0.0) if r.arm is Arm.CANDIDATE else 1.0
        milliseconds = r.latency_us / 1000 / slower
        if unit not in seen and (not r.in_flight or milliseconds > threshold):
            seen.add(unit)
            counts[r.step, r.arm, metric.name, WHOLE, metric.bin(milliseconds)] += 1


def _count_metric(
    metric: Metric,
    rows: Sequence[PredictionRow],
    asked: Recount,
    counts: Counts,
) -> None:
    tolerance = asked.tolerances.get(metric.name, 0.0)
    seen: set[tuple[Whose, StepName, int]] = set()
    bad: set[tuple[Whose, StepName, int]] = set()
    for r in rows:
        value = r.metrics.get(metric.measured)
        if value is None:
            continue
        unit = ((r.source, r.epoch), r.step, r.subject or -r.number)
        divisor = 1 + tolerance if r.arm is Arm.CANDIDATE else 1.0
        if metric.kind is Kind.EVENT:
            if value > 0 and unit not in bad:
                bad.add(unit)
                bin_ = 1
            elif value <= 0 and unit not in seen:
                bin_ = 0
            else:
                continue
        elif unit not in seen:
            bin_ = metric.bin(value / divisor, chance=r.metrics.get(f"{TOSS}{metric.name}", 0.0))
        else:
            continue
        seen.add(unit)
        for slice_ in asked.members(r.slices):
            counts[r.step, r.arm, metric.name, slice_, bin_] += 1


def _count_outcome(
    metrics: Sequence[Metric],
    step: StepName,
    arm: Arm,
    slices: Sequence[SliceName],
    *,
    score: int,
    counts: Counts,
    happened: bool,
) -> None:
    for slice_ in slices:
        if slice_ == WHOLE:
            counts[step, arm, OUTCOME_SEEN, WHOLE, 0] += 1
        for metric in metrics:
            if metric.is_of_outcomes and score != NO_SCORE:
                bin_ = outcome_bin(metric, probability=score / SCORE_LEVELS, happened=happened)
                counts[step, arm, metric.name, slice_, bin_] += 1


def _new(
    seen: set[tuple[StepName, int, SliceName]], step: StepName, unit: int, slices: Sequence[SliceName]
) -> tuple[SliceName, ...]:
    """Return those of the slices in which a unit was not seen yet."""
    new = tuple(slice_ for slice_ in slices if (step, unit, slice_) not in seen)
    seen.update((step, unit, slice_) for slice_ in new)
    return new


def _unit(row: PredictionRow) -> int:
    if row.subject:
        return row.subject & RECEIPT_BITS
    return -1 - row.request if row.request else -(1 << 62) - (row.key & ((1 << 61) - 1))


def _settled(rows: Sequence[OutcomeRow], *, settle: int) -> OutcomeRow:
    in_time = [r for r in rows if r.received <= rows[0].received + settle]
    return max(in_time, key=lambda r: (r.at, r.n))


def _contradiction(rows: Sequence[OutcomeRow], *, settle: int) -> Contradiction | None:
    if len({r.happened for r in rows}) < 2:
        return None
    counted, last = _settled(rows, settle=settle), max(rows, key=lambda r: (r.at, r.n))
    return Contradiction(
        rows[0].prediction, len(rows), counted.happened is True, late=last.happened != counted.happened
    )


def _cohort(hour: int, step: StepName, arm: Arm, members: Sequence[tuple[PredictionRow, bool]]) -> Cohort:
    scores = [r.score / SCORE_LEVELS for r, _ in members if r.score != NO_SCORE]
    return Cohort(
        step=step,
        arm=arm,
        hour=hour,
        subjects=len(members),
        labelled=sum(seen for _, seen in members),
        scored=len(scores),
        wrong=math.fsum(_wrong(p) for p in scores),
        log_loss=math.fsum(p * _log(p) + (1 - p) * _log(1 - p) for p in scores),
        brier=math.fsum(p * (1 - p) for p in scores),
    )


def _wrong(p: float) -> float:
    # As the counters do: at one half, neither class is likelier, and neither is wrong.
    return 0.0 if p == 0.5 else min(p, 1 - p)


def _log(p: float) -> float:
    return min(-math.log(p), LOG_LOSS_CAP) if p > 0 else LOG_LOSS_CAP
