"""The metrics that a plan defines itself, resolved: those that services count, those that formulas give, and the value of outcomes."""

from collections.abc import Callable, Mapping
from typing import assert_never

import msgspec

from glideslope.domain.draft import Draft, MetricDraft
from glideslope.domain.errors import PlanInvalid
from glideslope.domain.expression import Type
from glideslope.domain.formula import Formula, Moment, expression, inputs_of, type_of
from glideslope.domain.ids import MetricName
from glideslope.domain.metric import Better, Kind, Metric, Origin
from glideslope.domain.plugin import Plugins, frozen
from glideslope.domain.value import VALUE, ValueDraft, value_points, value_text

Own = Callable[[MetricDraft], Metric]
"""Resolves a metric's name and bins, wherever its values come from. Raises PlanInvalid."""


def defined(draft: Draft, *, own: Own, plugins: Plugins) -> dict[MetricName, Metric]:
    """Resolve every metric that a draft defines, its value among them. Raises PlanInvalid, ExpressionInvalid."""
    fields = fields_of(draft)
    inputs_of(draft.attributes, fields)
    written = list(draft.metrics)
    if draft.value is not None and (value := value_draft(draft.value)) is not None:
        written.append(value)
    found: dict[MetricName, Metric] = {}
    if any(each.name == VALUE for each in draft.metrics):
        raise PlanInvalid("The name value is taken: say what outcomes are worth under `value`.", where="metrics.value")
    for each in written:
        metric = own(each)
        if each.expression or each.plugin:
            metric = _with_formula(metric, each, draft, plugins=plugins)
        found[each.name] = metric
    return found


def fields_of(draft: Draft) -> Mapping[str, tuple[str, ...]]:
    """Return the fields by which the data is sliced, with their values: what expressions know them by."""
    return {dimension.field: dimension.values for dimension in draft.slices}


def value_draft(draft: ValueDraft) -> MetricDraft | None:
    """Return the value of a prediction's outcome as a metric: a mean of which more is better. Raises PlanInvalid."""
    text = value_text(draft)
    if not text:
        return None
    if draft.is_of_outcomes:
        if draft.floor is not None or draft.cap is not None:
            raise PlanInvalid(
                "what each outcome is worth bounds the value already; leave floor and cap out", where="value"
            )
        return MetricDraft(name=VALUE, kind=Kind.MEAN, better=Better.HIGHER, expression=text, edges=value_points(draft))
    if draft.floor is None or draft.cap is None:
        raise PlanInvalid(
            "a value by an expression has a floor and a cap: a mean without bounds can prove nothing", where="value"
        )
    return MetricDraft(
        name=VALUE, kind=Kind.MEAN, better=Better.HIGHER, expression=text, floor=draft.floor, cap=draft.cap
    )


def kind_of_type(found: Type) -> Kind:
    """Return the kind that a formula of a type has unless the plan says another."""
    return Kind.EVENT if found is Type.BOOLEAN else Kind.MEAN


def check_kind(kind: Kind, found: Type, *, name: str) -> None:
    """Refuse a kind that a formula of a type cannot have. Raises PlanInvalid."""
    match found:
        case Type.BOOLEAN:
            allowed: tuple[Kind, ...] = (Kind.EVENT,)
        case Type.NUMBER:
            allowed = (Kind.MEAN, Kind.SCORE)
        case Type.TEXT:
            raise PlanInvalid(
                f"{name} is a text, and a metric is a number, or true where it is bad", where=f"metrics.{name}"
            )
        case _:
            assert_never(found)
    if kind not in allowed:
        kinds = " or ".join(each.value for each in allowed)
        raise PlanInvalid(f"{name} is {found.words}, so its kind is {kinds}", where=f"metrics.{name}")


def _with_formula(metric: Metric, own: MetricDraft, draft: Draft, *, plugins: Plugins) -> Metric:
    formula, found = _formula(own, draft, plugins=plugins)
    check_kind(own.kind, found, name=own.name)
    origin = Origin.OUTCOME if formula.moment is Moment.OUTCOME else Origin.SERVICE
    return msgspec.structs.replace(metric, origin=origin, formula=formula)


def _formula(own: MetricDraft, draft: Draft, *, plugins: Plugins) -> tuple[Formula, Type]:
    """Return what gives a metric's value, and the type of it. Raises PlanInvalid, ExpressionInvalid."""
    where = "value" if own.name == VALUE else f"metrics.{own.name}"
    if own.expression and own.plugin:
        raise PlanInvalid(f"{own.name} has an expression and a plug-in; it is one of them.", where=where)
    try:
        if own.expression:
            written = expression(own.expression, attributes=draft.attributes, fields=fields_of(draft))
            return written, type_of(written)
        found = plugins.find(own.plugin)
        return frozen(found, fields_of(draft)), found.type
    except PlanInvalid as error:
        error.where = error.where or f"{where}.{'expression' if own.expression else 'plugin'}"
        raise
