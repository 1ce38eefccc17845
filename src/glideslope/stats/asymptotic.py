"""A confidence sequence for means without bounds. It holds in the limit only, so it is shown and never decides.

Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (Annals of Statistics 2024). At small shares and few events its error is
many times its nominal one; it is refused there.
"""

from collections.abc import Sequence
from math import sqrt

from glideslope.stats.counts import Table, joined
from glideslope.stats.interval import Interval, sum_in_order
from glideslope.stats.reals import ln

LEAST = 30
"""Informative subjects that each arm needs: those whose value is not the commonest one."""

TUNED_FOR = 5_000
"""Subjects at which the sequence is narrowest."""


def asymptotic_interval(tables: Sequence[Table], *, values: Sequence[float], alpha: float) -> Interval | None:
    """Return the difference of means, candidate minus incumbent, over all steps; None with too few to say anything.

    Each step is a stratum, weighted by the precision of its comparison.
    """
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha is {alpha!r}; expected a number between 0 and 1")
    parts = sorted(joined(tables), key=lambda table: table.coin)
    arms = [[sum(column) for column in zip(*rows, strict=True)] for rows in _rows(parts)]
    if not arms or min(sum(counts) - max(counts) for counts in arms) < LEAST:
        return None
    strata = []
    for table in parts:
        first, second = _moments(table.candidate, values), _moments(table.incumbent, values)
        if first is not None and second is not None:
            (n_1, mean_1, var_1), (n_0, mean_0, var_0) = first, second
            strata.append((n_1 * n_0 / (n_1 + n_0), mean_1 - mean_0, var_1 / n_1 + var_0 / n_0))
    weight = sum_in_order([w for w, _, _ in strata])
    if not strata or weight <= 0:
        return None
    estimate = sum_in_order([w * gap for w, gap, _ in strata]) / weight
    variance = sum_in_order([w * w * v for w, _, v in strata]) / (weight * weight)
    subjects = sum(map(sum, arms))
    half = sqrt(variance * subjects) * _width(subjects, alpha=alpha)
    return Interval(
        low=estimate - half,
        high=estimate + half,
        estimate=estimate,
        candidate_count=sum(arms[0]),
        incumbent_count=sum(arms[1]),
    )


def _rows(parts: Sequence[Table]) -> list[list[tuple[int, ...]]]:
    return [[t.candidate for t in parts], [t.incumbent for t in parts]] if parts else []


def _moments(counts: Sequence[int], values: Sequence[float]) -> tuple[int, float, float] | None:
    n = sum(counts)
    if n < 2:
        return None
    mean = sum_in_order([v * c for v, c in zip(values, counts, strict=True)]) / n
    spread = sum_in_order([c * (v - mean) ** 2 for v, c in zip(values, counts, strict=True)]) / (n - 1)
    return n, mean, spread


def _width(subjects: int, *, alpha: float) -> float:
    """Return the half-width of the sequence in standard deviations of one subject."""
    log = 2 * ln(1 / alpha)
    rho = (log + ln(log) + 1) / TUNED_FOR if log > 1 else 1 / TUNED_FOR
    grown = subjects * rho + 1
    return sqrt(2 * grown / (subjects * subjects * rho) * ln(sqrt(grown) / alpha))
