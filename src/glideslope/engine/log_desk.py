"""Everything the engine does with the prediction log: takes rows in, joins late outcomes, recomputes what was counted.

Long because it is the one place that knows both the counters and the log; the rules are in `domain.recomputation` and in the
port (`engine.prediction_log`), the SQL is the adapter's.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache, partial
from hashlib import blake2b
from typing import Final

import msgspec

from glideslope.domain.alphas import is_paired, is_shadowed
from glideslope.domain.errors import GlideslopeError, Invalid, LogAbsent
from glideslope.domain.expression import Type, Undefined
from glideslope.domain.formula import Plugin
from glideslope.domain.ids import WHOLE, Actor, MetricName, ModelName, RolloutId, SliceName
from glideslope.domain.logged import (
    LONGEST_ID,
    LONGEST_TEXT,
    MOST_FIELDS,
    NO_SCORE,
    SETTLE,
    OutcomeRow,
    Prediction,
    PredictionRefusal,
    PredictionRow,
    Predictions,
    PredictionsTaken,
    canonical_slices,
    read_slices,
)
from glideslope.domain.metric import (
    OUTCOME_SEEN,
    RANKED,
    Cell,
    Cross,
    Dimension,
    Kind,
    Metric,
    crossed,
    outcome_bin,
)
from glideslope.domain.observation import MOST_REFUSALS, Outcome
from glideslope.domain.plan import Plan, StageKind, thresholds
from glideslope.domain.plugin import NO_PLUGINS, Plugins, computed
from glideslope.domain.receipt import SCORE_LEVELS
from glideslope.domain.recomputation import MOST_DIFFERENCES, Recomputation, compare, is_covered
from glideslope.domain.rollout import DECIDED, Rollout
from glideslope.engine.observer import Observer
from glideslope.engine.ports import Clock, Counters, Total
from glideslope.engine.prediction_log import (
    Contradiction,
    Group,
    Join,
    Joined,
    PredictionLog,
    Recount,
    Silence,
)
from glideslope.engine.record import Record
from glideslope.engine.scopes import JOINED

KEEP: Final = timedelta(days=90)
"""How long rows are kept; those of an open rollout always are."""
FORGET_EVERY: Final = 3_600.0
LARGEST_NUMBER: Final = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Compared:
    """One recomputation of a rollout, and when the counters were read for it (monotonic seconds)."""

    at: float
    result: Recomputation
    unmatched: int


class LogDesk:
    """Without a log it takes nothing, joins nothing and has nothing to say."""

    def __init__(
        self,
        *,
        record: Record,
        observer: Observer,
        counters: Counters,
        clock: Clock,
        log: PredictionLog | None,
        in_process: bool = False,
        settle: int = SETTLE,
        keep: timedelta = KEEP,
        plugins: Plugins = NO_PLUGINS,
    ) -> None:
        self._record = record
        self._observer = observer
        self._counters = counters
        self._clock = clock
        self._log = log
        self._in_process = in_process
        self._settle = settle
        self._keep = keep
        self._plugins = plugins
        self._until: dict[RolloutId, int] = {}
        """Of each rollout, until when what is due is in the counters."""
        self._joined: dict[RolloutId, Joined] = {}
        self._compared: dict[RolloutId, Compared] = {}
        self._forgot = float("-inf")

    @property
    def log(self) -> PredictionLog:
        """Return the log. Raises LogAbsent."""
        if self._log is None:
            raise LogAbsent
        return self._log

    @property
    def has_log(self) -> bool:
        return self._log is not None

    def now(self) -> int:
        """Return the wall clock in milliseconds."""
        return _milliseconds(self._clock.now())

    async def take(self, message: Predictions) -> PredictionsTaken:
        """Keep a batch of predictions. One that cannot be is refused by itself. Raises LogAbsent, Invalid, LogUnavailable."""
        log = self.log
        if not 0 <= message.epoch <= LARGEST_NUMBER:
            raise Invalid(f"{message.epoch} cannot be the epoch of a source.")
        self._record.model(message.model)
        rows, refused = [], []
        for prediction in message.predictions:
            try:
                rows.append(self._row(prediction, message))
            except GlideslopeError as error:
                refused.append(
                    PredictionRefusal(prediction=prediction.prediction[:LONGEST_ID], code=error.code, why=str(error))
                )
        if rows:
            await log.write(predictions=rows, now=self.now())
        return PredictionsTaken(kept=len(rows), refused=tuple(refused[:MOST_REFUSALS]))

    def told(self, outcome: Outcome, *, model: ModelName, by: Actor) -> OutcomeRow:
        """Return the row for an outcome of an id of the caller's own. Raises LogAbsent, Invalid."""
        if self._log is None:
            raise LogAbsent
        _require_id(outcome.prediction)
        if outcome.happened is msgspec.UNSET:
            raise Invalid("An outcome for an id of your own says whether it happened; nothing else of it is joined.")
        return OutcomeRow(
            model=model,
            prediction=outcome.prediction,
            key=key_of(model, outcome.prediction),
            at=own_time(outcome),
            happened=outcome.happened,
            by=by,
            counted=False,
        )

    async def join(self) -> None:
        """Count what is due of every open rollout with metrics on outcomes. Raises LogUnavailable, StoreUnavailable."""
        if self._log is None:
            return
        for rollout in self._record.open_rollouts():
            if _told_by_outcomes(rollout.plan) or _silent(rollout.plan):
                await self._join(rollout, self._log)

    async def _join(self, rollout: Rollout, log: PredictionLog) -> None:
        plan, until = rollout.plan, self.now()
        joined = await log.join(
            Join(
                model=plan.model,
                rollout=rollout.id,
                until=until,
                settle=self._settle,
                bins=bins_of(_told_by_outcomes(plan)),
                members=partial(members_of, plan.dimensions, plan.crosses or ()),
            )
        )
        counts: dict[str, int] = {}
        for group in joined.groups:
            for cell in _cells(rollout.id, group):
                counts[cell.key()] = counts.get(cell.key(), 0) + group.count
        for metric in _silent(plan):
            for each in await log.silence(
                Silence(
                    model=plan.model,
                    rollout=rollout.id,
                    until=until,
                    within=metric.within or 0,
                    metric=metric.name,
                    members=partial(members_of, plan.dimensions, plan.crosses or ()),
                )
            ):
                cell = Cell(rollout.id, each.step, each.arm, each.metric, each.slice, each.bin)
                counts[cell.key()] = counts.get(cell.key(), 0) + each.count
        if counts:
            await self._counters.save([Total(JOINED, 0, cell, count) for cell, count in counts.items()])
        # Both at once: a recomputation must know until when what it finds has been counted.
        self._observer.joined(rollout, counts)
        self._until[rollout.id] = max(until, self._until.get(rollout.id, 0))
        self._joined[rollout.id] = joined

    async def recompute_due(self) -> None:
        """Recompute every open rollout whose plan asks for it. Raises LogUnavailable, StoreUnavailable."""
        for rollout in self._record.open_rollouts():
            if rollout.plan.recompute is not msgspec.UNSET and rollout.phase not in DECIDED and rollout.position >= 0:
                await self.recompute(rollout)

    async def recompute(self, rollout: Rollout) -> Compared:
        """Hold a rollout's counters against its rows. Raises LogAbsent, LogUnavailable, StoreUnavailable."""
        log, plan = self.log, rollout.plan
        covered = [m for m in plan.counted if self._covers(plan, m)]
        async with self._observer.counting:
            at = self._clock.monotonic()
            counted = self._observer.cells(rollout, covered)
            services, gateways, answers = self._observer.logged(rollout)
            mark, until = log.mark(), self._until.get(rollout.id, 0)
        # What the gateway's requests were counted by may still be on its way to the log; marks leave out what comes after.
        await self._observer.flush()
        found = await log.recount(
            Recount(
                model=plan.model,
                rollout=rollout.id,
                services=services,
                gateways=gateways,
                mark=mark,
                until=until,
                settle=self._settle,
                metrics=covered,
                members=partial(members_of, plan.dimensions, plan.crosses or ()),
                tolerances=plan.tolerances,
                thresholds=thresholds(plan),
                ranked=[g.metric for g in plan.guardrails if g.metric.kind in RANKED] if plan.is_kept else (),
                paired=[g.metric for g in plan.guardrails if is_shadowed(plan, g)] if plan.is_kept else (),
                answers=answers,
                rules=plan.rules if plan.is_kept and _is_shadowed(plan) else None,
                valued=partial(self._valued, plan),
            )
        )
        recomputed: dict[Cell, int] = {}
        for each in found.counts:
            cell = Cell(rollout.id, each.step, each.arm, each.metric, each.slice, each.bin)
            recomputed[cell] = recomputed.get(cell, 0) + each.count
        cells, differences = compare(counted, recomputed)
        result = Recomputation(
            age=0,
            cells=cells,
            differing=len(differences),
            differences=differences[:MOST_DIFFERENCES],
            missing=max(0, found.missing),
            uncovered=tuple(m.name for m in plan.counted if not self._covers(plan, m)),
            unconfirmed=unconfirmed(plan),
        )
        compared = self._compared[rollout.id] = Compared(at=at, result=result, unmatched=found.unmatched)
        self._observer.changed.add(rollout.id)
        return compared

    def _covers(self, plan: Plan, metric: Metric) -> bool:
        return is_covered(metric, in_process=self._in_process, kept=plan.is_kept)

    def _valued(self, plan: Plan, metric: Metric, inputs: Mapping[str, object]) -> float | None:
        """Ask a plug-in about one row."""
        if not isinstance(metric.formula, Plugin):
            return None
        fields = {d.field: "" for d in plan.dimensions}
        wanted = Type.BOOLEAN if metric.kind is Kind.EVENT else Type.NUMBER
        value = computed(metric.formula, wanted, {**fields, **inputs}, plugins=self._plugins)
        return None if isinstance(value, (Undefined, str)) else float(value)

    def evidence(self, rollout: Rollout) -> Recomputation | msgspec.UnsetType:
        """Return the last recomputation with its age, for a plan that asks for it."""
        found = self._compared.get(rollout.id)
        if rollout.plan.recompute is msgspec.UNSET or found is None:
            return msgspec.UNSET
        return msgspec.structs.replace(found.result, age=round(1000 * (self._clock.monotonic() - found.at)))

    def waiting(self, rollout: RolloutId) -> tuple[int, int, int, Sequence[Contradiction]]:
        """Return how many outcomes wait for their prediction, how many ids are contradicted, how many too late, and examples."""
        found = self._joined.get(rollout)
        return (0, 0, 0, ()) if found is None else (found.waiting, found.contradicted, found.late, found.contradictions)

    def forget(self, rollout: RolloutId) -> None:
        """Drop what was kept about a rollout that has ended; its rows stay."""
        for kept in (self._compared, self._joined, self._until):
            kept.pop(rollout, None)

    async def tidy(self) -> None:
        """Drop rows that are old enough, now and then. Raises LogUnavailable."""
        now = self._clock.monotonic()
        if self._log is None or now - self._forgot < FORGET_EVERY:
            return
        self._forgot = now
        before = self.now() - self._keep // timedelta(milliseconds=1)
        open_since = min((r.proposed_at for r in self._record.open_rollouts()), default=before)
        await self._log.forget(before=min(before, open_since))

    def _row(self, prediction: Prediction, message: Predictions) -> PredictionRow:
        """Check a prediction. Raises Invalid, NotFound."""
        _require_id(prediction.prediction)
        plan: Plan | None = None
        if prediction.rollout:
            plan = self._record.rollout(prediction.rollout).plan
            if plan.model != message.model:
                raise Invalid(f"{prediction.rollout} is about {plan.model}, not {message.model}.")
            if prediction.step not in {s.name for s in plan.steps if s.candidate}:
                raise Invalid(f"{prediction.rollout} exposes nobody in a step {prediction.step}.")
        if not (NO_SCORE <= prediction.score <= SCORE_LEVELS):
            raise Invalid(f"{prediction.score} cannot be a score: 0 to {SCORE_LEVELS}.")
        for number, what in ((prediction.number, "number"), (prediction.at, "time"), (prediction.request, "request")):
            if not 0 <= number <= LARGEST_NUMBER:
                raise Invalid(f"{number} cannot be the {what} of a prediction.")
        if not 0 <= prediction.subject < 1 << 63:
            raise Invalid(f"{prediction.subject} cannot be a subject's hash.")
        if max(map(len, (prediction.metrics, prediction.slices, prediction.attributes))) > MOST_FIELDS:
            raise Invalid(f"A prediction has at most {MOST_FIELDS} metrics, slices and attributes each.")
        loggable = frozenset(plan.logged or ()) if plan is not None else frozenset()
        return PredictionRow(
            model=message.model,
            source=message.source,
            epoch=message.epoch,
            number=prediction.number,
            prediction=prediction.prediction,
            key=key_of(message.model, prediction.prediction),
            at=prediction.at,
            rollout=prediction.rollout,
            step=prediction.step,
            arm=prediction.arm,
            request=prediction.request,
            subject=prediction.subject,
            slices=canonical_slices(prediction.slices, plan.dimensions if plan is not None else ()),
            score=prediction.score,
            metrics=prediction.metrics,
            attributes={k: v[:LONGEST_TEXT] for k, v in prediction.attributes.items() if k in loggable},
        )


def unconfirmed(plan: Plan) -> tuple[str, ...] | msgspec.UnsetType:
    """Name the pairs by which a plan's shadow stage is judged and that nothing confirms; absent of a plan without such a stage."""
    if not _is_shadowed(plan):
        return msgspec.UNSET
    if plan.is_kept:
        return ()
    paired = [g.metric.name for g in plan.guardrails if is_paired(g.metric)]
    return tuple(f"pairs of {name}" for name in (*paired, *(limit.kind.value for limit in plan.rules.limits)))


def _is_shadowed(plan: Plan) -> bool:
    return any(s.stage is StageKind.SHADOW for s in plan.steps)


def key_of(model: ModelName, prediction: str) -> int:
    """Return the 64 bits by which the log joins. Two ids of 10 million share them with a chance of one in 370,000."""
    return int.from_bytes(blake2b(f"{model}\x1f{prediction}".encode(), digest_size=8).digest(), signed=True)


def _told_by_outcomes(plan: Plan) -> tuple[Metric, ...]:
    """Return the metrics that a score and what happened decide."""
    return tuple(m for m in plan.counted if m.is_of_outcomes)


def _silent(plan: Plan) -> tuple[Metric, ...]:
    """Return the metrics that are about outcomes which do not come."""
    return tuple(m for m in plan.counted if m.within is not msgspec.UNSET)


def _require_id(prediction: str) -> None:
    if not 0 < len(prediction) <= LONGEST_ID or not prediction.isprintable():
        raise Invalid(f"A prediction's id is 1 to {LONGEST_ID} printable characters.")


def own_time(outcome: Outcome) -> int:
    """Return when the truth was known, 0 when it was not said. Raises Invalid."""
    at = outcome.at
    if at is msgspec.UNSET:
        return 0
    if not isinstance(at, int) or not 0 <= at <= LARGEST_NUMBER:
        raise Invalid(f"{at} cannot be the time of an outcome: milliseconds since 1970.")
    return at


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


@lru_cache(maxsize=64)
def bins_of(metrics: tuple[Metric, ...]) -> Mapping[MetricName, Sequence[int]]:
    """Return each metric's bin for every score and outcome, by the code that counts outcomes by receipt."""
    return {
        metric.name: [
            outcome_bin(metric, probability=score / SCORE_LEVELS, happened=happened)
            for score in range(SCORE_LEVELS + 1)
            for happened in (False, True)
        ]
        for metric in metrics
    }


def _cells(rollout: RolloutId, group: Group) -> Iterable[Cell]:
    """Return the cells in which a group of outcomes is counted: as those by receipt are."""
    for slice_ in group.slices:
        if slice_ == WHOLE:
            yield Cell(rollout, group.step, group.arm, OUTCOME_SEEN, WHOLE, 0)
        for metric, bin_ in group.bins.items():
            yield Cell(rollout, group.step, group.arm, metric, slice_, bin_)


@lru_cache(maxsize=4096)
def members_of(dimensions: tuple[Dimension, ...], crosses: tuple[Cross, ...], text: str) -> tuple[SliceName, ...]:
    """Return the slices of a prediction from its fields as JSON: the whole, those of its values, and their crosses."""
    fields = read_slices(text)
    named = {d.field: SliceName(f"{d.field}={fields[d.field]}") for d in dimensions if fields.get(d.field) in d.values}
    both = (crossed(named[a], named[b]) for a, b in crosses if a in named and b in named)
    return (WHOLE, *named.values(), *both)
