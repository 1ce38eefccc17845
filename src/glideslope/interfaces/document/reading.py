"""From the text of `glideslope.yaml` to a draft; whatever is wrong is refused with its place in the file."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from glideslope.domain.draft import (
    DEFAULT_GUARDRAILS,
    DEFAULT_STAGES,
    Draft,
    GuardrailDraft,
    StageDraft,
    StrataDraft,
)
from glideslope.domain.errors import PlanInvalid
from glideslope.domain.expression import ExpressionInvalid
from glideslope.domain.ids import MetricName, ModelName, VersionName
from glideslope.domain.metric import BUILT_IN, RANKED, SPENDS_NO_ALPHA, Cross, Dimension, Kind
from glideslope.domain.pairs import PairKind, PairLimit, PairRules
from glideslope.domain.plan import AtMaximum, Criterion, DeclaredHarm, HarmNull, Rationale, StageKind, wrong_margin
from glideslope.domain.receipt import MAX_DIMENSIONS
from glideslope.domain.recomputation import Recompute
from glideslope.domain.value import VALUE, value_text
from glideslope.interfaces.document import models, tree
from glideslope.interfaces.document.formulas import Formulas, at_expression, budgets, unknown_metric
from glideslope.interfaces.document.text import DocumentInvalid, Source
from glideslope.interfaces.document.tree import Path, Tree, dotted


@dataclass(frozen=True, slots=True)
class Document:
    """A draft that remembers where each of its parts is written."""

    draft: Draft
    tree: Tree

    def located(self, error: PlanInvalid) -> DocumentInvalid:
        """Give a refusal that came later (from `freeze` or `check_plan`) its place in the file, by its `where`."""
        if isinstance(error, DocumentInvalid):
            return error
        path = self._path(error.where)
        if isinstance(error, ExpressionInvalid) and path[-1] == "expression":
            return at_expression(error, self.tree, path)
        # What stands on a line of its own is shown by its key, since its value may go on for lines.
        span = self.tree.span(path, key=len(path) <= 2 and path[0] in (path[-1], "metrics", "attributes"))
        found = self.tree.source.refusal(error.sentence, span, where=error.where, suggestion=error.suggestion)
        found.next_command = error.next_command
        return found

    def _path(self, where: str) -> Path:
        first, _, rest = where.partition(".")
        if first == "guardrails" and rest:
            names = [guardrail.metric for guardrail in self.draft.guardrails]
            return ("guardrails", names.index(MetricName(rest)), "metric") if rest in names else ("guardrails",)
        if first == "harms" and rest:
            return ("harms", rest)
        if first in ("metrics", "value", "attributes") and rest:
            return (first, *rest.split("."))
        if first == "harm_budget" and rest:
            names = [budget.metric for budget in self.draft.harm_budget]
            number = (names.index(MetricName(rest)),) if isinstance(self.tree.at(("harm_budget",)), list) else ()
            return ("harm_budget", *number, "metric") if rest in names else ("harm_budget",)
        kinds = [stage.stage.value for stage in self.draft.stages]
        return ("stages", kinds.index(first)) if first in kinds else (first,)


def read(text: str, *, file: str) -> Document:
    """Read a plan as written. `file` is what its author calls it. Raises DocumentInvalid (a PlanInvalid)."""
    found = tree.read(Source(text=text, file=file))
    try:
        model = models.Document.model_validate(found.value)
    except ValidationError as error:
        raise refusal(error, found, root=models.Document) from None
    return Document(draft=_draft(model, found), tree=found)


_LOSSES: Final = frozenset(name for name, metric in BUILT_IN.items() if metric.kind not in RANKED)
"""Of which less is better."""

MOST_CONSIDERED: Final = 100
"""Mistakes of one kind among which the first in the file is looked for."""

_TYPES: Final = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list, like [a, b]",
    "tuple_type": "a list, like [a, b]",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "model_attributes_type": "keys and values",
    "finite_number": "a finite number",
}


def refusal(error: ValidationError, found: Tree, *, root: type[BaseModel]) -> DocumentInvalid:
    """Turn what pydantic found into one refusal: unknown keys first (they explain missing ones), then by place.

    `root` is the model of the whole document.
    """
    # A list whose entries are wrong is also called too short.
    order = {"extra_forbidden": 0, "missing": 2, "too_short": 3}
    ranked = [(order.get(each["type"], 1), each) for each in error.errors(include_url=False)]
    foremost = min(rank for rank, _ in ranked)
    # One is shown; each of thousands would cost a search for what it may have meant.
    candidates = islice((each for rank, each in ranked if rank == foremost), MOST_CONSIDERED)
    return min((_one(each, found, root) for each in candidates), key=lambda one: (one.line, one.column))


def _one(each: ErrorDetails, found: Tree, root: type[BaseModel]) -> DocumentInvalid:
    # A union adds the name of the branch to the place, a mapping's key adds "[key]": neither is written in the file.
    written = tuple(part for part in each["loc"] if part != "[key]")
    path = _in_file(written, found)
    name = f"`{path[-1]}`" if path and isinstance(path[-1], str) else "this entry"
    where, source = dotted(path), found.source
    match each["type"]:
        case "extra_forbidden":
            allowed = _allowed(path[:-1], root)
            close = get_close_matches(str(path[-1]), allowed, n=1, cutoff=0.5)
            return source.refusal(
                f"unknown key {name}",
                found.span(path, key=True),
                where=where,
                suggestion=f"`{close[0]}`" if close else "",
                allowed=allowed,
            )
        case "missing":
            key = str(written[-1])
            return source.refusal(f"`{key}` is missing", found.span(path, key=True), where=dotted((*path, key)))
        case "literal_error":
            given = str(each["input"])
            # A short form leaves out the last part of the place.
            choices = _choices(path, root) or _choices(written, root)
            close = get_close_matches(given, choices, n=1, cutoff=0.5)
            return source.refusal(
                f"{name} cannot be `{given}`; there are {', '.join(choices)}",
                found.span(path),
                where=where,
                suggestion=f"`{close[0]}`" if close else "",
            )
        case "value_error":
            sentence = str(each["ctx"]["error"])
        case "greater_than":
            sentence = f"{name} must be more than {each['ctx']['gt']:g}, not {_shown(each['input'])}"
        case "greater_than_equal":
            sentence = f"{name} must be at least {each['ctx']['ge']}, not {_shown(each['input'])}"
        case "less_than_equal":
            sentence = f"{name} must be at most {each['ctx']['le']}, not {_shown(each['input'])}"
        case "too_short":
            sentence = f"{name} needs at least one entry"
        case kind if kind in _TYPES:
            sentence = f"{name} must be {_TYPES[kind]}, not {_shown(each['input'])}"
        case _:
            sentence = f"{name}: {each['msg'][0].lower()}{each['msg'][1:]}"
    return source.refusal(sentence, found.span(path, key="[key]" in each["loc"]), where=where)


def _in_file(written: tuple[str | int, ...], found: Tree) -> Path:
    """Return the part of a place that the file really has, without the branches of unions."""
    path: Path = ()
    for part in written:
        if (*path, part) in found.values:
            path = (*path, part)
    return path


def _shown(value: object) -> str:
    match value:
        case dict():
            return "keys and values"
        case list():
            return "a list"
        case bool():
            return str(value).lower()
        case _:
            return f"`{value}`"


def _models(annotation: Any) -> Iterator[Any]:  # noqa: ANN401 - an annotation is whatever was written
    """Yield the models and containers that a field may hold."""
    if get_origin(annotation) in (Union, UnionType) or hasattr(annotation, "__metadata__"):
        for each in get_args(annotation)[: 1 if hasattr(annotation, "__metadata__") else None]:
            yield from _models(each)
    else:
        yield annotation


def _step(kind: Any, part: str | int) -> Iterator[Any]:  # noqa: ANN401 - as above
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            if (field.alias or name) == part:
                yield from _models(field.annotation)
    elif get_origin(kind) in (tuple, list):
        # A list of one may be written as that one: then the place has no number.
        for each in _models(get_args(kind)[0]):
            yield from [each] if isinstance(part, int) else _step(each, part)
    elif get_origin(kind) is dict:
        yield from _models(get_args(kind)[1])


def _kinds(path: Path, root: type[BaseModel]) -> list[Any]:
    kinds: list[Any] = [root]
    for part in path:
        kinds = [after for kind in kinds for after in _step(kind, part)]
    elements = [after for kind in kinds if get_origin(kind) is tuple for after in _models(get_args(kind)[0])]
    return kinds + elements


def _allowed(path: Path, root: type[BaseModel]) -> tuple[str, ...]:
    """Return the keys that may be written at a place."""
    return tuple(
        field.alias or name
        for kind in _kinds(path, root)
        if isinstance(kind, type) and issubclass(kind, BaseModel)
        for name, field in kind.model_fields.items()
    )


def _choices(path: Path, root: type[BaseModel]) -> tuple[str, ...]:
    """Return the words that may be written at a place."""
    return tuple(str(each) for kind in _kinds(path, root) for each in get_args(kind))


def _draft(model: models.Document, found: Tree) -> Draft:
    stages, criteria = _stages(model, found)
    _check_slices(model, found)
    slices = tuple(Dimension(field=name, values=values) for name, values in model.slices.items())
    formulas = Formulas(model, slices, found)
    metrics = tuple(formulas.metric(name, own) for name, own in model.metrics.items())
    kinds: dict[str, Kind] = {name: metric.kind for name, metric in BUILT_IN.items()}
    kinds |= {own.name: own.kind for own in metrics}
    if formulas.value is not None and value_text(formulas.value):
        kinds[VALUE] = Kind.MEAN
    _check_guardrails(model, kinds, found)
    return Draft(
        model=ModelName(model.model),
        candidate=VersionName(model.candidate),
        owner=model.owner,
        why=model.why,
        stages=stages,
        guardrails=DEFAULT_GUARDRAILS
        if model.guardrails is None
        else tuple(_guardrail(g, kinds[g.metric]) for g in model.guardrails),
        metrics=metrics,
        slices=slices,
        cross=tuple(_crosses(model, found)),
        pairs=None if model.pairs is None else _pairs(model.pairs, found),
        attributes=formulas.attributes,
        value=formulas.value,
        harm_budget=tuple(budgets(model, kinds, found)),
        offline=criteria,
        alpha=model.alpha,
        alpha_pass=model.alpha_pass,
        approvals=model.approvals,
        stale_after=model.stale_after,
        outcomes_stale_after=model.outcomes_stale_after,
        maturity=model.maturity,
        lease=model.lease,
        recompute=None if model.recompute is None else Recompute(model.recompute),
        logged=model.logged,
        proposal=None if model.proposal is None else _rationale(model.proposal),
        harms=tuple(
            DeclaredHarm(metric=MetricName(name), size=size) for name, sizes in model.harms.items() for size in sizes
        ),
    )


def _rationale(written: models.Proposal) -> Rationale:
    return Rationale(**{name: value for name, value in written if value is not None})


def _stages(model: models.Document, found: Tree) -> tuple[tuple[StageDraft, ...], tuple[Criterion, ...]]:
    if model.stages is None:
        return DEFAULT_STAGES, ()
    stages: list[StageDraft] = []
    criteria: list[Criterion] = []
    for number, stage in enumerate(model.stages):
        path = ("stages", number)
        named = [name for name in models.Stage.model_fields if getattr(stage, name) is not None]
        if len(named) != 1:
            raise found.source.refusal(
                f"a stage is exactly one of {', '.join(models.Stage.model_fields)}",
                found.span(path),
                where=dotted(path),
            )
        if stage.offline is not None:
            if criteria:
                raise found.source.refusal("offline is a stage twice", found.span((*path, "offline"), key=True))
            criteria.extend(_criteria(stage.offline, found, (*path, "offline")))
        stages.append(_stage(StageKind(named[0]), stage))
    return tuple(stages), tuple(criteria)


def _stage(kind: StageKind, stage: models.Stage) -> StageDraft:
    timed: models.Timed | None = {
        StageKind.OFFLINE: None,
        StageKind.SHADOW: stage.shadow,
        StageKind.CANARY: stage.canary,
        StageKind.FULL: stage.full,
        StageKind.BAKE: stage.bake,
    }[kind]
    if timed is None:
        return StageDraft(stage=kind)
    return StageDraft(
        stage=kind,
        shares=stage.canary.shares if stage.canary else (),
        mirror=stage.shadow.mirror if stage.shadow else 10_000,
        minimum=timed.minimum,
        maximum=timed.at_most,
        at_maximum=AtMaximum(timed.then),
    )


def _criteria(written: Mapping[str, Sequence[models.Criterion]], found: Tree, path: Path) -> Iterator[Criterion]:
    if not written:
        raise found.source.refusal("the offline stage has no criteria to judge by", found.span(path, key=True))
    for metric, each in written.items():
        for criterion in each:
            if criterion.lower_is_better is None and metric not in _LOSSES:
                raise found.source.refusal(
                    f"is less of `{metric}` better? say `lower_is_better: true` or `false`",
                    found.span((*path, metric), key=True),
                    where=dotted((*path, metric)),
                )
            yield Criterion(
                metric=metric,
                holdout=criterion.holdout,
                margin=criterion.margin,
                lower_is_better=criterion.lower_is_better is not False,
            )


def _guardrail(written: models.Guardrail, kind: Kind) -> GuardrailDraft:
    return GuardrailDraft(
        metric=MetricName(written.metric),
        margin=written.margin,
        harm=None if written.harm is None else HarmNull(written.harm),
        base_rate=written.base_rate,
        limit=written.limit,
        weight=written.weight,
        required=written.required and kind not in SPENDS_NO_ALPHA,
        quantile=written.quantile,
        strata=None
        if written.strata is None
        else StrataDraft(by=written.strata.by, usual=tuple(written.strata.usual.items())),
    )


def _pairs(written: models.Pairs, found: Tree) -> PairRules:
    given = [(kind, getattr(written, kind.value)) for kind in PairKind]
    for kind, limit in given:
        if limit is not None and not 0.0 < limit.limit < 1.0:
            path = ("pairs", kind.value)
            raise found.source.refusal(
                f"`{kind.value}` must be more than 0 and less than 100%, since nothing less can be proven",
                found.span(path),
                where=dotted(path),
            )
    if not 0.0 < written.threshold < 1.0:
        raise found.source.refusal(
            "`threshold` must be between 0 and 1, else every answer is the same",
            found.span(("pairs", "threshold")),
            where="pairs.threshold",
        )
    return PairRules(
        threshold=written.threshold,
        limits=tuple(
            PairLimit(kind=kind, limit=limit.limit, weight=limit.weight, required=limit.required)
            for kind, limit in given
            if limit is not None
        ),
    )


def _crosses(model: models.Document, found: Tree) -> Iterator[Cross]:
    """Read `region & tier`, and say at its own place what `check_plan` could only say of all."""
    seen: list[frozenset[str]] = []
    for number, words in enumerate(model.cross):
        path = ("cross", number)
        parts = [part.strip() for part in words.split(" & ")]
        unknown = next((part for part in parts if part not in model.slices), None)
        sentence, suggestion = "", ""
        if len(parts) != 2 or parts[0] == parts[-1]:
            sentence = f"`{words}` is no cross: write two different fields of `slices`, like `region & tier`"
        elif unknown is not None:
            close = get_close_matches(unknown, list(model.slices), n=1, cutoff=0.5)
            sentence, suggestion = f"`{unknown}` is not among `slices`", f"`{close[0]}`" if close else ""
        elif frozenset(parts) in seen:
            sentence = f"`{words}` is crossed twice"
        if sentence:
            raise found.source.refusal(sentence, found.span(path), where=dotted(path), suggestion=suggestion)
        seen.append(frozenset(parts))
        yield (parts[0], parts[1])


def _never_proven(metric: str, kind: Kind) -> str:
    """Say why it can be required of no step, and what can be."""
    way_out = (
        "and require `brier` or `log_loss`, which compare the arms"
        if kind is Kind.CALIBRATION
        else "or name a cap: a `mean` has a proof"
    )
    word = "calibration pauses" if kind is Kind.CALIBRATION else "mean without bounds advises"
    return f"`{metric}` can never be proven, since a {word} and proves nothing: leave `required` out, {way_out}"


def _check_guardrails(model: models.Document, kinds: Mapping[str, Kind], found: Tree) -> None:
    """Say at the margin itself what `check_plan` could only say of all guardrails."""
    seen: dict[tuple[str, float | None], int] = {}
    for number, guardrail in enumerate(model.guardrails or ()):
        path = ("guardrails", number)
        kind = kinds.get(guardrail.metric)
        if kind is None:
            raise unknown_metric(guardrail.metric, sorted(kinds), found, (*path, "metric"))
        margin = (*path, "margin")
        written = found.value["guardrails"][number]["margin"]  # type: ignore[index,call-overload]  # the model has read it already
        sentence, at = "", margin
        asked = (guardrail.metric, guardrail.quantile)
        if asked in seen:
            line = found.span(("guardrails", seen[asked])).line
            sentence, at = f"`{guardrail.metric}` is a guardrail twice, first on line {line}", (*path, "metric")
        elif wrong_margin(kind, guardrail.margin.kind):
            right = "relative, like 25%" if kind is Kind.LATENCY else "absolute, in its own unit, like 0.02"
            sentence = f"the margin of `{guardrail.metric}` is {right}"
        elif kind is not Kind.EVENT and isinstance(written, str) and written.endswith("pp"):
            sentence = f"`{guardrail.metric}` is not a rate, so its margin cannot be in percentage points"
        elif kind is not Kind.EVENT and guardrail.limit is not None:
            sentence, at = f"`{guardrail.metric}` is not a rate, so it has no limit", (*path, "limit")
        elif kind in SPENDS_NO_ALPHA and guardrail.required and "required" in guardrail.model_fields_set:
            sentence, at = _never_proven(guardrail.metric, kind), (*path, "required")
        elif kind is not Kind.LATENCY and guardrail.quantile is not None:
            sentence, at = f"`{guardrail.metric}` is not a latency, so it has no quantile", (*path, "quantile")
        elif kind is not Kind.MEAN and guardrail.base_rate is not None and guardrail.base_rate < 0:
            sentence, at = f"`base_rate` must be at least 0, not `{guardrail.base_rate:g}`", (*path, "base_rate")
        elif (strata := guardrail.strata) is not None:
            sentence = _wrong_strata(strata, model)
            at = (*path, "strata")
        if sentence:
            raise found.source.refusal(sentence, found.span(at), where=dotted(at))
        seen[asked] = number


def _wrong_strata(strata: models.Strata, model: models.Document) -> str:
    values = model.slices.get(strata.by)
    if values is None:
        return f"strata are by a field under `slices`, and `{strata.by}` is none"
    if missing := [value for value in values if value not in strata.usual]:
        return f"strata by `{strata.by}` need the usual rate of `{missing[0]}` too"
    if stray := [value for value in strata.usual if value not in values]:
        return f"`{stray[0]}` is no value of `{strata.by}` under `slices`"
    return ""


def _check_slices(model: models.Document, found: Tree) -> None:
    if len(model.slices) > MAX_DIMENSIONS:
        extra = list(model.slices)[MAX_DIMENSIONS]
        raise found.source.refusal(
            f"data is sliced by at most {MAX_DIMENSIONS} fields",
            found.span(("slices", extra), key=True),
            where="slices",
        )
    for name, values in model.slices.items():
        for number, value in enumerate(values):
            path = ("slices", name, number)
            if number >= models.MOST_VALUES:
                raise found.source.refusal(
                    f"at most {models.MOST_VALUES} values of one field can be looked at",
                    found.span(path),
                    where=dotted(path),
                )
            if value in values[:number]:
                raise found.source.refusal(f"`{value}` is listed twice", found.span(path), where=dotted(path))
