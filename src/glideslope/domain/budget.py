"""The harm budget: how much harm a rollout may cost before it ends, whether or not a test has said that there is any.

It is a budget and not a test: what is spent is counted, without any claim about what would have happened otherwise, and a candidate that
is no worse can spend it by bad luck. Counts are integers and sums exact fractions, so that everybody who has the evidence gets the same
sum, in whatever order it came.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from fractions import Fraction
from typing import Final, assert_never

import msgspec

from glideslope.domain.decision import Finding, Question, Spending, Verdict
from glideslope.domain.errors import PlanInvalid
from glideslope.domain.evidence import Counts, Evidence
from glideslope.domain.ids import WHOLE, MetricName
from glideslope.domain.metric import Kind, Metric
from glideslope.ledger.canonical import LARGEST_INTEGER

_PLACES: Final = 6
"""Digits after the point of what a finding says was spent. The comparison itself is exact."""

LARGEST: Final = 1e12


class Measure(StrEnum):
    """What is added up."""

    COUNT = "count"  # harmful outcomes of the candidate's subjects
    EXCESS = "excess"  # what they cost beyond what the incumbent's rate or mean would have cost the same subjects


class Budget(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True, forbid_unknown_fields=True):
    """An amount that ends the rollout when it is spent: outcomes of an event, else the metric's own unit."""

    metric: MetricName
    measure: Measure
    size: float


def spendings(
    budgets: Iterable[Budget], metrics: Mapping[MetricName, Metric], evidence: Evidence
) -> tuple[Finding, ...]:
    """Hold each budget against the evidence: FAIL is spent, INVALID malformed, INCONCLUSIVE all else. There is no pass."""
    return tuple(_finding(budget, metrics[budget.metric], evidence) for budget in budgets)


def check_budget(budget: Budget, metric: Metric) -> None:
    """Refuse what cannot be added up. Raises PlanInvalid."""
    where = f"harm_budget.{budget.metric}"
    if not (math.isfinite(budget.size) and 0 < budget.size <= LARGEST):
        raise PlanInvalid(f"{budget.metric}: a harm budget is a number above 0.", where=where)
    match budget.measure, metric.kind:
        case Measure.COUNT, Kind.EVENT:
            pass
        case Measure.COUNT, _:
            raise PlanInvalid(
                f"{budget.metric} is no event, so its outcomes are not counted; say `excess`.", where=where
            )
        case Measure.EXCESS, Kind.EVENT | Kind.SCORE | Kind.MEAN | Kind.COUNT:
            pass
        case Measure.EXCESS, _:
            raise PlanInvalid(f"{budget.metric} has no mean whose excess could be added up.", where=where)
        case _:
            assert_never(budget.measure)


def _finding(budget: Budget, metric: Metric, evidence: Evidence) -> Finding:
    rows = [c for c in evidence.counts if c.metric == budget.metric and c.slice == WHOLE]
    verdict, spent = Verdict.INVALID, Fraction(0)
    sizes = (0, 0)
    if _is_well_formed(rows, bins=metric.bins):
        spent = _spent(budget, metric, rows)
        verdict = Verdict.FAIL if spent >= Fraction(budget.size) else Verdict.INCONCLUSIVE
        sizes = (sum(sum(c.candidate) for c in rows), sum(sum(c.incumbent) for c in rows))
    return Finding(
        question=Question.BUDGET,
        verdict=verdict,
        subject=budget.metric,
        slice=WHOLE,
        wealth=0.0,
        line=0.0,
        candidate=sizes[0],
        incumbent=sizes[1],
        spending=Spending(measure=budget.measure.value, spent=round(float(spent), _PLACES), size=budget.size),
    )


def _spent(budget: Budget, metric: Metric, rows: Sequence[Counts]) -> Fraction:
    costs = [Fraction(value) for value in metric.values]
    match budget.measure:
        case Measure.COUNT:
            return sum((_sum(costs, c.candidate) for c in rows), Fraction(0))
        case Measure.EXCESS:
            # A good step may make up for a bad one: it is the rollout that has a budget.
            return max(Fraction(0), sum((_excess(costs, c, rows) for c in rows), Fraction(0)))
        case _:
            assert_never(budget.measure)


def _excess(costs: Sequence[Fraction], row: Counts, rows: Sequence[Counts]) -> Fraction:
    """Return what a step's candidates cost more than as many incumbents would have.

    The incumbents are the step's own control; in a step without one, all that were counted before. Where none was counted at all, nothing
    is known to their credit: then each candidate is held against the best outcome that there is.
    """
    of = [row] if sum(row.incumbent) else [c for c in rows if sum(c.incumbent)]
    seen = sum(sum(c.incumbent) for c in of)
    usual = sum((_sum(costs, c.incumbent) for c in of), Fraction(0)) / seen if seen else min(costs)
    return _sum(costs, row.candidate) - usual * sum(row.candidate)


def _sum(costs: Sequence[Fraction], counts: Sequence[int]) -> Fraction:
    return sum((cost * count for cost, count in zip(costs, counts, strict=True)), Fraction(0))


def _is_well_formed(rows: Sequence[Counts], *, bins: int) -> bool:
    counts = [count for c in rows for arm in (c.candidate, c.incumbent) for count in arm]
    return (
        len({c.step for c in rows}) == len(rows)
        and all(len(arm) == bins for c in rows for arm in (c.candidate, c.incumbent))
        and all(type(count) is int and 0 <= count <= LARGEST_INTEGER for count in counts)
    )
