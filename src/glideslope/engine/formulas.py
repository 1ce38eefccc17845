"""What an outcome is worth by the plan's own formulas: from its signed receipt, and from what it brings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

import msgspec
import xxhash

from glideslope.domain.errors import Invalid
from glideslope.domain.expression import Type, Undefined, Value
from glideslope.domain.formula import (
    HAPPENED,
    OUTCOME,
    PREDICTION,
    Expression,
    Formula,
    Plugin,
    asked,
    compile_expression,
)
from glideslope.domain.metric import Dimension, Kind, Metric, Origin
from glideslope.domain.observation import MOST_ATTRIBUTES, Outcome, OutcomeUndefined
from glideslope.domain.plan import Plan
from glideslope.domain.plugin import Plugins, computed
from glideslope.domain.receipt import Receipt


@dataclass(frozen=True, slots=True)
class Worth:
    """What became of one outcome by the formulas of a plan."""

    bins: Mapping[str, int]
    """By the metric's name."""
    undefined: tuple[OutcomeUndefined, ...]
    """Metrics that it is about and that have no value for it."""


def worth(plan: Plan, receipt: Receipt, outcome: Outcome, *, plugins: Plugins) -> Worth:
    """Evaluate every formula that an outcome is about. Raises Invalid for an outcome that no metric could be asked about."""
    inputs = _inputs(plan.dimensions, receipt, outcome)
    bins: dict[str, int] = {}
    undefined = []
    for metric in plan.counted:
        formula = metric.formula
        if formula is msgspec.UNSET or metric.origin is not Origin.OUTCOME or not asked(formula, inputs):
            continue
        value = _value(metric, formula, inputs, plugins=plugins)
        if isinstance(value, Undefined):
            undefined.append(
                OutcomeUndefined(
                    prediction=outcome.prediction,
                    metric=metric.name,
                    code=value.why.value,
                    why=f"{metric.name} has no value, since {value.sentence}",
                )
            )
        else:
            bins[metric.name] = metric.bin(float(value), chance=chance(receipt, metric.name))
    return Worth(bins=bins, undefined=tuple(undefined))


def value_for(plan: Plan, metric: Metric, receipt: Receipt, outcome: Outcome, *, plugins: Plugins) -> float | None:
    """Return what a metric's formula makes of an outcome; None where it makes nothing of it, or is not asked."""
    formula, inputs = metric.formula, _inputs(plan.dimensions, receipt, outcome)
    if formula is msgspec.UNSET or not asked(formula, inputs):
        return None
    value = _value(metric, formula, inputs, plugins=plugins)
    return None if isinstance(value, (Undefined, str)) else float(value)


def check_outcome(outcome: Outcome) -> None:
    """Refuse what tells nothing or too much. Raises Invalid."""
    attributes: Mapping[str, object] = outcome.attributes or {}
    if outcome.happened is msgspec.UNSET and outcome.outcome is msgspec.UNSET and not attributes:
        raise Invalid("This outcome tells nothing: neither `happened` nor `outcome` nor any of `attributes`.")
    if len(attributes) > MOST_ATTRIBUTES:
        raise Invalid(f"An outcome has at most {MOST_ATTRIBUTES} attributes, not {len(attributes)}.")


def _value(metric: Metric, formula: Formula, inputs: Mapping[str, object], *, plugins: Plugins) -> Value | Undefined:
    match formula:
        case Expression():
            return compile_expression(formula)(inputs)
        case Plugin():
            wanted = Type.BOOLEAN if metric.kind is Kind.EVENT else Type.NUMBER
            return computed(formula, wanted, inputs, plugins=plugins)
        case _:
            assert_never(formula)


def _inputs(dimensions: Sequence[Dimension], receipt: Receipt, outcome: Outcome) -> Mapping[str, object]:
    """Return what is known by now. What the receipt says stands, whatever the outcome's attributes are called."""
    return {
        **(outcome.attributes or {}),
        **fields_of(dimensions, receipt.slices),
        PREDICTION: receipt.probability,
        HAPPENED: None if outcome.happened is msgspec.UNSET else outcome.happened,
        OUTCOME: None if outcome.outcome is msgspec.UNSET else outcome.outcome,
    }


def fields_of(dimensions: Sequence[Dimension], indices: Sequence[int]) -> Mapping[str, str]:
    """Return each field by which the data is sliced, with its value; empty for one that the plan does not look at."""
    return {
        dimension.field: dimension.values[index] if index < len(dimension.values) else ""
        for dimension, index in zip(dimensions, indices, strict=False)
    }


def chance(receipt: Receipt, metric: str) -> float:
    """Return a number from 0 up to 1 that knows nothing of arms; the same whenever the subject's outcome is counted."""
    who = f"{receipt.subject:x}" if receipt.subject else f"r{receipt.request:x}"
    return xxhash.xxh64_intdigest(f"{receipt.rollout}/{metric}/{who}".encode()) / 2.0**64
