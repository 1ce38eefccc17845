"""Which of a service's counts are let in: those that the plan of their own rollout knows, each judged by itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from glideslope.domain.errors import GlideslopeError, Invalid
from glideslope.domain.ids import WHOLE, MetricName, RolloutId, SliceName, StepName
from glideslope.domain.metric import (
    BASELINE,
    EXPOSURE,
    LOGGED,
    NO_STEP,
    Cell,
    Metric,
    Origin,
    baseline_scope,
    logged_cell,
)
from glideslope.domain.observation import MOST_REFUSALS, CellRefusal, Totals, TotalsTaken
from glideslope.domain.plan import Plan
from glideslope.domain.traffic import Arm
from glideslope.engine.record import Model, Record
from glideslope.engine.scopes import GATEWAY, JOINED, OUTCOMES
from glideslope.engine.sources import parted
from glideslope.ledger.canonical import LARGEST_INTEGER

LONGEST_SOURCE: Final = 200
"""Characters."""

_OWN: Final = frozenset({GATEWAY, JOINED, OUTCOMES})
"""Sources that only a server itself counts under."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A message, sorted."""

    counts: Mapping[RolloutId, Mapping[str, int]]
    """By rollout, the totals by cell that are let in."""
    origins: frozenset[tuple[RolloutId, Origin]]
    """For which rollouts it brings which kind of evidence."""
    taken: TotalsTaken


@dataclass(frozen=True, slots=True)
class _Known:
    """What a plan's cells are made of."""

    steps: frozenset[StepName]
    slices: frozenset[SliceName]
    metrics: Mapping[MetricName, Metric]


@lru_cache(maxsize=256)
def _known(plan: Plan) -> _Known:
    return _Known(
        steps=frozenset(s.name for s in plan.steps if s.candidate),
        slices=frozenset((WHOLE, *plan.slices)),
        metrics={metric.name: metric for metric in plan.counted},
    )


class Door:
    """Knows the record. With `in_process`, services are the gateway too, and count its metrics."""

    def __init__(self, record: Record, *, in_process: bool) -> None:
        self._record = record
        self._in_process = in_process

    def check(self, totals: Totals) -> Checked:
        """Sort a message. Raises Invalid for a source that cannot be; what else is wrong is refused cell by cell."""
        _, name = parted(totals.source)
        if not 0 < len(name) <= LONGEST_SOURCE or name in _OWN:
            raise Invalid(f"{name!r} cannot be the name of a source of observations.")
        for number, what in ((totals.epoch, "epoch"), (totals.sequence, "message number"), (totals.dropped, "loss")):
            if not 0 <= number <= LARGEST_INTEGER:
                raise Invalid(f"{number} cannot be the {what} of {name}.")
        counts: dict[RolloutId, dict[str, int]] = {}
        origins: set[tuple[RolloutId, Origin]] = set()
        refused: list[CellRefusal] = []
        for key, count in totals.counts.items():
            try:
                cell = Cell.parse(key)
                origin = self._origin(cell, totals=totals)
                if not 0 <= count <= LARGEST_INTEGER:
                    raise Invalid(f"Nothing can have been seen {count} times.")
            except GlideslopeError as error:
                refused.append(CellRefusal(cell=key, code=error.code, why=str(error)))
            else:
                counts.setdefault(cell.rollout, {})[key] = count
                if origin is not None:
                    origins.add((cell.rollout, origin))
        taken = TotalsTaken(
            taken=len(totals.counts) - len(refused),
            refused=len(refused),
            refusals=tuple(refused[:MOST_REFUSALS]),
        )
        return Checked(counts=counts, origins=frozenset(origins), taken=taken)

    def _origin(self, cell: Cell, *, totals: Totals) -> Origin | None:
        """Return what kind of evidence a cell is; None for ordinary traffic, which is none.

        Raises NotFound, Invalid for one that its rollout's plan does not know.
        """
        if cell.rollout == baseline_scope(totals.model):
            self._check_baseline(cell, self._record.model(totals.model))
            return None
        plan = self._record.rollout(cell.rollout).plan
        if plan.model != totals.model:
            raise Invalid(f"{cell.rollout} is about {plan.model}, not {totals.model}.")
        if cell.metric == LOGGED and cell == logged_cell(cell.rollout):
            return None
        known = _known(plan)
        if cell.step not in known.steps:
            raise Invalid(f"{cell.rollout} exposes nobody in a step {cell.step}.")
        if cell.slice not in known.slices:
            raise Invalid(f"{cell.rollout} does not look at the slice {cell.slice}.")
        metric = known.metrics.get(cell.metric)
        if metric is None and cell.metric != EXPOSURE:
            raise Invalid(f"{cell.rollout} does not count {cell.metric}.")
        origin, bins = (metric.origin, metric.bins) if metric is not None else (Origin.GATEWAY, 1)
        if cell.bin >= bins:
            raise Invalid(f"{cell.metric} has {bins} bins.")
        if origin is Origin.OUTCOME:
            raise Invalid(f"{cell.metric} is counted from outcomes, which are sent with their prediction's id.")
        if origin is Origin.GATEWAY and not self._in_process:
            raise Invalid(f"{cell.metric} is counted by the gateway.")
        return origin

    def _check_baseline(self, cell: Cell, model: Model) -> None:
        if not self._in_process:
            raise Invalid(f"The ordinary traffic of {model.name} is counted by the gateway.")
        metric = BASELINE.get(cell.metric)
        place = (cell.step, cell.arm, cell.slice)
        if metric is None or place != (NO_STEP, Arm.INCUMBENT, WHOLE) or cell.bin >= metric.bins:
            raise Invalid(f"The incumbent's ordinary traffic is not counted like {cell.key()}.")
