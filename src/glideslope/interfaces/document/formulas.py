"""What a plan writes about metrics of its own, their formulas and their worth, checked where it is written."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

from glideslope.domain.budget import Budget, Measure
from glideslope.domain.defining import check_kind, kind_of_type, value_draft
from glideslope.domain.draft import MetricDraft
from glideslope.domain.errors import PlanInvalid
from glideslope.domain.expression import ExpressionInvalid, Type
from glideslope.domain.formula import Attribute, Moment, expression, inputs_of, type_of
from glideslope.domain.ids import MetricName
from glideslope.domain.metric import Better, Dimension, Kind
from glideslope.domain.value import VALUE, ValueDraft, value_model
from glideslope.interfaces.document import models
from glideslope.interfaces.document.text import DocumentInvalid
from glideslope.interfaces.document.tree import Path, Tree, dotted


class Formulas:
    """Reads the formulas of one document. Every method raises DocumentInvalid."""

    def __init__(self, model: models.Document, slices: Sequence[Dimension], found: Tree) -> None:
        self._found = found
        self._fields = {dimension.field: dimension.values for dimension in slices}
        self.attributes = tuple(
            Attribute(name=name, type=Type(each.type), comes=Moment(each.comes))
            for name, each in model.attributes.items()
        )
        try:
            inputs_of(self.attributes, self._fields)
        except PlanInvalid as error:
            path = tuple(error.where.split("."))
            raise found.source.refusal(error.sentence, found.span(path, key=True), where=error.where) from None
        self.value = None if model.value is None else self._value(model.value)

    def metric(self, name: str, written: models.OwnMetric) -> MetricDraft:
        """Return a metric as written; one by an expression has the kind that the expression's type tells."""
        path: Path = ("metrics", name)
        if written.expression is not None and written.plugin is not None:
            raise self._refusal("this has an expression and a plug-in; it is one of them", (*path, "plugin"), key=True)
        kind = None if written.kind is None else Kind(written.kind)
        if written.expression is not None:
            kind = self._kind(name, written.expression, kind)
        if written.no_outcome_within is not None:
            kind = kind or Kind.EVENT
        if kind is None:
            raise self._refusal("`kind` is missing", path, key=True, where=(*path, "kind"))
        return MetricDraft(
            name=MetricName(name),
            kind=kind,
            cap=written.cap,
            edges=written.edges or (),
            floor=written.floor,
            unit=written.unit,
            better=Better(written.better),
            expression=written.expression or "",
            plugin=written.plugin or "",
            no_outcome_within=written.no_outcome_within or 0,
        )

    def _kind(self, name: str, text: str, written: Kind | None) -> Kind:
        found = self._type(text, ("metrics", name, "expression"))
        try:
            kind = written or kind_of_type(found)
            check_kind(kind, found, name=name)
        except PlanInvalid as error:
            at = "expression" if written is None or found is Type.TEXT else "kind"
            raise self._refusal(error.sentence, ("metrics", name, at)) from None
        return kind

    def _value(self, written: models.Value) -> ValueDraft:
        draft = ValueDraft(
            currency=written.currency,
            threshold=written.threshold,
            hit=written.hit,
            miss=written.miss,
            false_alarm=written.false_alarm,
            quiet=written.quiet,
            expression=written.expression or "",
            floor=written.floor,
            cap=written.cap,
            each={MetricName(name): worth for name, worth in written.each.items()},
        )
        try:
            value_model(draft)
            metric = value_draft(draft)
        except PlanInvalid as error:
            raise self._refusal(error.sentence, ("value",), key=True) from None
        if metric is not None and draft.expression:
            found = self._type(draft.expression, ("value", "expression"))
            if found is not Type.NUMBER:
                raise self._refusal(f"a value is a number, and this is {found.words}", ("value", "expression"))
        return draft

    def _type(self, text: str, path: Path) -> Type:
        try:
            return type_of(expression(text, attributes=self.attributes, fields=self._fields))
        except ExpressionInvalid as error:
            raise at_expression(error, self._found, path) from None

    def _refusal(self, sentence: str, path: Path, *, key: bool = False, where: Path = ()) -> DocumentInvalid:
        return self._found.source.refusal(sentence, self._found.span(path, key=key), where=dotted(where or path))


def budgets(model: models.Document, kinds: Mapping[str, Kind], found: Tree) -> Iterator[Budget]:
    """Yield the harm budgets, each in a metric that there is. Raises DocumentInvalid."""
    listed = isinstance(found.at(("harm_budget",)), list)
    for number, written in enumerate(model.harm_budget or ()):
        path: Path = ("harm_budget", number) if listed else ("harm_budget",)
        if written.metric not in kinds:
            raise unknown_metric(written.metric, sorted(kinds), found, (*path, "metric"))
        if (written.count is None) == (written.excess is None):
            raise found.source.refusal(
                "a harm budget is either a `count` or an `excess`", found.span(path), where=dotted(path)
            )
        if written.count is not None:
            yield Budget(metric=MetricName(written.metric), measure=Measure.COUNT, size=float(written.count))
        elif written.excess is not None:
            yield Budget(metric=MetricName(written.metric), measure=Measure.EXCESS, size=written.excess)


def at_expression(error: ExpressionInvalid, found: Tree, path: Path) -> DocumentInvalid:
    """Give a refusal its place within the text of an expression."""
    span = found.span_within(path, error.offset, error.width)
    return found.source.refusal(error.sentence, span, where=dotted(path), suggestion=error.suggestion)


def unknown_metric(given: str, known: Sequence[str], found: Tree, path: Path) -> DocumentInvalid:
    """Return the refusal of a metric that there is not."""
    if given == VALUE:
        sentence = "nothing says what outcomes are worth; say it under `value`"
        return found.source.refusal(sentence, found.span(path), where=dotted(path))
    close = get_close_matches(given, known, n=1, cutoff=0.5)
    return found.source.refusal(
        f"`metric` cannot be `{given}`; there are {', '.join(known)}",
        found.span(path),
        where=dotted(path),
        suggestion=f"`{close[0]}`" if close else "",
    )
