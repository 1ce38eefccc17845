"""What people are shown of harm budgets and of value: gauges and money beside the technical metrics. Pure; no decision rests on it."""

import math
from collections.abc import Sequence
from typing import Final

from glideslope.domain.budget import spendings
from glideslope.domain.decision import Verdict
from glideslope.domain.evidence import Evidence, Exposed
from glideslope.domain.ids import WHOLE, MetricName, SliceName
from glideslope.domain.metric import Metric, Origin
from glideslope.domain.plan import Plan
from glideslope.domain.tables import metric_tables
from glideslope.domain.value import VALUE
from glideslope.engine.views import BudgetView, GuardrailView, ValueView
from glideslope.stats.interval import difference_interval

PER: Final = 1_000
"""Subjects to which money is shown: one subject's share is too small to read."""
DISPLAY_ALPHA: Final = 0.05


def budget_views(plan: Plan, evidence: Evidence) -> tuple[BudgetView, ...]:
    """Return each budget with what is spent of it by now, be the rollout under way or over."""
    metrics = {metric.name: metric for metric in plan.counted}
    found = spendings(plan.budgets or (), metrics, evidence)
    return tuple(
        BudgetView(
            metric=budget.metric,
            measure=budget.measure.value,
            spent=None if finding.verdict is Verdict.INVALID or not finding.spending else finding.spending.spent,
            size=budget.size,
            unit=_unit(plan, budget.metric),
            waiting=_waiting(metrics[budget.metric], evidence.exposed, finding.candidate),
        )
        for budget, finding in zip(plan.budgets or (), found, strict=True)
    )


def value_views(plan: Plan, evidence: Evidence) -> tuple[ValueView, ...]:
    """Return what the arms' outcomes are worth, on the whole and on each slice that has outcomes; empty without a value model."""
    metric = next((m for m in plan.counted if m.name == VALUE), None)
    if metric is None or not plan.value:
        return ()
    views = (_value(plan, evidence, metric, slice_) for slice_ in (WHOLE, *plan.slices))
    return tuple(view for view in views if view is not None)


def priced(plan: Plan, view: GuardrailView) -> float | None:
    """Return what a guardrail's difference is worth per PER subjects; None without a price or an estimate."""
    worth = next(
        (price.worth for price in (plan.value.each if plan.value else ()) if price.metric == view.metric), None
    )
    if worth is None or view.candidate is None or view.incumbent is None:
        return None
    return PER * worth * (view.candidate - view.incumbent)


def _value(plan: Plan, evidence: Evidence, metric: Metric, slice_: SliceName) -> ValueView | None:
    tables = metric_tables(plan, evidence, metric, slice_) or ()
    candidate, incumbent = ([t.candidate for t in tables], [t.incumbent for t in tables])
    counts = (sum(map(sum, candidate)), sum(map(sum, incumbent)))
    if not all(counts):
        return None
    costs = metric.values
    interval = difference_interval(tables, values=costs, centre=(min(costs) + max(costs)) / 2, alpha=DISPLAY_ALPHA)
    # Costs are values with the sign turned, so the ends change places.
    return ValueView(
        slice=slice_,
        currency=plan.value.currency if plan.value else "",
        per=PER,
        incumbent=PER * -_mean(costs, incumbent),
        candidate=PER * -_mean(costs, candidate),
        low=None if interval.high is None else PER * -interval.high,
        high=None if interval.low is None else PER * -interval.low,
        candidate_count=counts[0],
        incumbent_count=counts[1],
    )


def _mean(costs: Sequence[float], rows: Sequence[Sequence[int]]) -> float:
    counts = [sum(column) for column in zip(*rows, strict=True)]
    total = math.fsum(cost * count for cost, count in zip(costs, counts, strict=True))
    return float(total / sum(counts))


def _unit(plan: Plan, metric: MetricName) -> str:
    return plan.value.currency if metric == VALUE and plan.value else ""


def _waiting(metric: Metric, exposed: Sequence[Exposed], counted: int) -> int:
    """Return how many subjects met the candidate whose outcome may still come: by so much the budget can yet be exceeded."""
    if metric.origin is not Origin.OUTCOME:
        return 0
    return max(0, sum(each.candidate for each in exposed) - counted)
