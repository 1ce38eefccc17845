"""Harm budgets as gauges and outcomes as money, as lines of text for terminals and pipes."""

from collections.abc import Sequence

from glideslope.domain.budget import Budget, Measure
from glideslope.domain.formula import Expression, Plugin
from glideslope.domain.metric import Metric
from glideslope.domain.plan import Plan
from glideslope.engine.views import BudgetForecast, BudgetView, GuardrailView, RolloutView, ValueView
from glideslope.interfaces.cli.words import bar, share_of_line, table


def worth_lines(view: RolloutView) -> list[str]:
    """Say what is spent of each harm budget, and what the outcomes of both arms are worth."""
    return [*map(_budget, view.budgets), *map(_value, view.values)]


def with_prices(rows: Sequence[Sequence[str]], guardrails: Sequence[GuardrailView]) -> list[list[str]]:
    """Put beside each guardrail what its difference is worth, if any has a price."""
    if all(g.worth is None for g in guardrails):
        return [list(row) for row in rows]
    worth = ["worth per 1,000", *("-" if g.worth is None else money(g.worth) for g in guardrails)]
    return [[*row, each] for row, each in zip(rows, worth, strict=True)]


def formula_lines(plan: Plan) -> list[str]:
    """Say how each metric of the plan's own comes by its value, with the types of what it reads."""
    return [f"  metric      {metric.name} = {words}" for metric in plan.counted if (words := _formula(metric))]


def budget_lines(plan: Plan, forecasts: Sequence[BudgetForecast]) -> list[str]:
    """Say how large each harm budget is and how many subjects it takes to spend it."""
    if not forecasts:
        return []
    rows = [["harm budget", "ends after", "an equal candidate spends it", "one twice as bad"]]
    budgets = {(str(b.metric), b.measure.value): b for b in plan.budgets or ()}
    for each in forecasts:
        luck = "1 chance in 20 within " if each.measure == Measure.EXCESS else "about "
        rows.append(
            [
                each.metric,
                _size(plan, budgets[each.metric, each.measure]),
                "unknown" if each.when_equal is None else f"{luck}{each.when_equal:,} subjects",
                "unknown" if each.when_worse is None else f"about {each.when_worse:,} subjects",
            ]
        )
    return ["", *table(rows)]


def money(amount: float) -> str:
    """Write an amount with its sign."""
    return f"{amount:+,.2f}"


def _size(plan: Plan, budget: Budget) -> str:
    if budget.measure is Measure.COUNT:
        return f"{budget.size:,.0f} harmful outcomes"
    unit = f" {plan.value.currency}" if budget.metric == "value" and plan.value else ""
    return f"{budget.size:,.6g}{unit} more than the incumbent"


def _budget(budget: BudgetView) -> str:
    unit = f" {budget.unit}" if budget.unit else ""
    what = "harmful" if budget.measure == Measure.COUNT else "above the incumbent"
    waiting = f"; outcomes of {budget.waiting:,} more subjects may come" if budget.waiting else ""
    if budget.spent is None:
        return f"  budget    {budget.metric}: unknown, the counts are malformed{waiting}"
    gauge = bar(share_of_line(budget.spent, budget.size), width=20)
    return f"  budget    {budget.metric} [{gauge}] {budget.spent:,.6g} of {budget.size:,.6g}{unit} {what}{waiting}"


def _value(value: ValueView) -> str:
    where = "" if value.slice == "all" else f" {value.slice}"
    interval = "" if value.low is None or value.high is None else f" [{money(value.low)}, {money(value.high)}]"
    return (
        f"  value{where}  {value.currency} per {value.per:,}: incumbent {money(value.incumbent)}, candidate {money(value.candidate)}, "
        f"difference {money(value.candidate - value.incumbent)}{interval}, {value.candidate_count:,}/{value.incumbent_count:,} subjects"
    )


def _formula(metric: Metric) -> str:
    match metric.formula:
        case Expression(text=text, inputs=inputs):
            types = ", ".join(f"{each.name} {each.type.value}" for each in inputs)
            return f"{' '.join(text.split())}   ({types})"
        case Plugin(name=name, package=package, version=version):
            return f"plug-in {name} of {package} {version}"
        case _:
            return ""
