"""The second opinion: counts recomputed from the prediction log, held against the counters on which decisions rest. Pure.

Both are integers and both count the same subjects by other code, so they agree to the last one or something is wrong.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

import msgspec

from glideslope.domain.ids import MetricName, SliceName, StepName
from glideslope.domain.metric import Cell, Kind, Metric, Origin
from glideslope.domain.traffic import Arm

MOST_DIFFERENCES: Final = 20
"""Told one by one; how many there are in all is always said."""

FRESH: Final = 60_000
"""Milliseconds after which an agreement says nothing any more about the counters as they are."""


KEPT: Final = 2
"""Of a plan that asks for a recomputation: the log keeps what formulas read, both answers of a pair, and who stood in a block.
Plans of older releases say nothing, and neither is kept for them."""


class Recompute(StrEnum):
    """Whether a plan asks for the second opinion."""

    REQUIRED = "required"  # nothing advances on counters that the log does not confirm


class Difference(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One cell in which the two disagree."""

    step: StepName
    arm: Arm
    metric: MetricName
    slice: SliceName
    bin: int
    counted: int
    """By the counters."""
    recomputed: int
    """From the log."""


class Recomputation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What came of comparing, as part of a decision's evidence."""

    age: int
    """Milliseconds since the counters were read for it."""
    cells: int
    """How many cells were compared."""
    differing: int
    """In how many the two disagree."""
    differences: tuple[Difference, ...] = ()
    """The first MOST_DIFFERENCES of them."""
    missing: int = 0
    """Rows that sources say they wrote, and the log does not hold."""
    uncovered: tuple[MetricName, ...] = ()
    """Guardrails that cannot be recomputed from the log."""
    unconfirmed: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    """What a shadow stage is judged by and nothing confirms: the pairs of plans of older releases, which are not in the log.
    Absent where the plan has no such stage."""

    @property
    def agrees(self) -> bool:
        """Tell whether all that was compared is the same, and all was compared. In a shadow stage there is nothing yet."""
        return (self.cells > 0 or self.unconfirmed is not msgspec.UNSET) and not (
            self.differing or self.missing or self.uncovered
        )


def is_covered(metric: Metric, *, in_process: bool = False, kept: bool = True) -> bool:
    """Tell whether a metric can be recomputed from the log, to the last count.

    Where services are the gateway, no latency's quantile is, since they may count a request before it has ended. In plans of older
    releases, of which nothing more is `kept`, neither are means, what is made of an outcome's attributes, and the silence of outcomes.
    """
    if metric.origin is Origin.OUTCOME:
        return metric.is_of_outcomes or kept
    if metric.kind is Kind.LATENCY:
        return not (in_process and metric.of is not msgspec.UNSET)
    return kept or not metric.is_dithered


def compare(counted: Mapping[Cell, int], recomputed: Mapping[Cell, int]) -> tuple[int, tuple[Difference, ...]]:
    """Return how many cells were compared, and each in which the two disagree, in a fixed order. Zeros are absent cells."""
    cells = {cell for counts in (counted, recomputed) for cell, count in counts.items() if count}
    return len(cells), tuple(_differences(cells, counted, recomputed))


def _differences(
    cells: Iterable[Cell], counted: Mapping[Cell, int], recomputed: Mapping[Cell, int]
) -> Iterable[Difference]:
    for cell in sorted(cells):
        ours, theirs = counted.get(cell, 0), recomputed.get(cell, 0)
        if ours != theirs:
            yield Difference(
                step=cell.step,
                arm=cell.arm,
                metric=cell.metric,
                slice=cell.slice,
                bin=cell.bin,
                counted=ours,
                recomputed=theirs,
            )


def sentence(difference: Difference) -> str:
    """Say where the two disagree, with both numbers."""
    d = difference
    return (
        f"{d.metric} of the {d.arm.value} in {d.step}, {d.slice}, bin {d.bin}: the counters say {d.counted:,}, "
        f"the prediction log {d.recomputed:,}."
    )
