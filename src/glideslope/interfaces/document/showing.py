"""A draft written out in full, with every default, so that it reads back as the same draft; and the schema of the file."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import yaml

from glideslope.domain.budget import Budget, Measure
from glideslope.domain.draft import Draft, GuardrailDraft, MetricDraft, StageDraft
from glideslope.domain.errors import Invalid
from glideslope.domain.metric import BUILT_IN, SPENDS_NO_ALPHA, Better, Kind
from glideslope.domain.pairs import PairRules
from glideslope.domain.plan import Criterion, StageKind
from glideslope.domain.value import ValueDraft
from glideslope.interfaces.document import models, quantities, tree

SCHEMA_FILE: Final = "glideslope.schema.json"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


_PLAIN: Final = re.compile(r"(?=.*[A-Za-z%])[A-Za-z0-9][A-Za-z0-9_.%@+-]*")
_WORDS_OF_OTHERS: Final = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
"""We read some of these as text, but other programs would not."""


def show(draft: Draft) -> str:
    """Write the draft as a file. Raises Invalid for a draft that no file can say (an offline stage with times)."""
    kinds = {name: metric.kind for name, metric in BUILT_IN.items()} | {own.name: own.kind for own in draft.metrics}
    written: dict[str, Any] = {
        "model": draft.model,
        "candidate": draft.candidate,
        "owner": draft.owner,
        "why": draft.why,
        "stages": [_stage(stage, draft.offline) for stage in draft.stages],
        "guardrails": [_guardrail(each, kinds.get(each.metric)) for each in draft.guardrails],
        "metrics": {own.name: _metric(own) for own in draft.metrics},
        "slices": {dimension.field: list(dimension.values) for dimension in draft.slices},
        **({"cross": [" & ".join(cross) for cross in draft.cross]} if draft.cross else {}),
        **({"pairs": _pairs(draft.pairs)} if draft.pairs else {}),
        "harms": _harms(draft),
        "attributes": {each.name: {"type": each.type.value, "with": each.comes.value} for each in draft.attributes},
        **({} if draft.value is None else {"value": _value(draft.value)}),
        **({"harm_budget": [_budget(each) for each in draft.harm_budget]} if draft.harm_budget else {}),
        "alpha": draft.alpha,
        "alpha_pass": draft.alpha_pass,
        "approvals": draft.approvals,
        "lease": quantities.write_duration(draft.lease),
        "stale_after": quantities.write_duration(draft.stale_after),
        "outcomes_stale_after": quantities.write_duration(draft.outcomes_stale_after),
        **({} if draft.maturity is None else {"maturity": draft.maturity}),
    }
    if draft.proposal is not None:
        written["proposal"] = msgspec.to_builtins(draft.proposal)
    if draft.recompute is not None:
        written["recompute"] = draft.recompute.value
    if draft.logged:
        # On one line: a list with an entry on each is for stages and guardrails.
        written["logged"] = tuple(draft.logged)
    head = f"# yaml-language-server: $schema=./{SCHEMA_FILE}\n"
    return head + "".join(_pair(key, value) for key, value in written.items())


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of `glideslope.yaml`, for editors."""
    found: dict[str, Any] = without_null(models.Document.model_json_schema(by_alias=True))
    return {"$schema": DIALECT, **found, "title": "glideslope.yaml"}


def _pair(key: str, value: object) -> str:
    if not isinstance(value, list):
        return f"{key}: {_flow(value)}\n"
    return f"{key}:\n" + "".join(f"  - {_flow(each)}\n" for each in value)


def _flow(value: object) -> str:
    """Write a value on one line. Text that might be read as something else is quoted, and so is all that is not plain."""
    match value:
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case float():
            text = repr(value)
            return text if "." in text or "e" not in text else text.replace("e", ".0e")
        case str():
            return _text(value)
        case Mapping():
            return "{" + ", ".join(f"{_flow(key)}: {_flow(each)}" for key, each in value.items()) + "}"
        case Sequence():
            return "[" + ", ".join(_flow(each) for each in value) + "]"
        case _:
            raise Invalid(f"{value!r} cannot be written in a plan.")


def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and not tree.is_number(text) and text.lower() not in _WORDS_OF_OTHERS:
        return text
    # PyYAML escapes what must be; without a width it would fold long lines.
    quoted: str = yaml.safe_dump(text, default_style='"', width=10**9, allow_unicode=text.isprintable())
    return quoted.strip()


def _stage(stage: StageDraft, criteria: tuple[Criterion, ...]) -> dict[str, Any]:
    if stage.stage is StageKind.OFFLINE:
        if stage != StageDraft(stage=StageKind.OFFLINE):
            raise Invalid("An offline stage has criteria, but no times.")
        return {"offline": _offline(criteria)}
    body: dict[str, Any] = {}
    if stage.stage is StageKind.CANARY:
        body["shares"] = [quantities.write_share(share) for share in stage.shares]
    if stage.stage is StageKind.SHADOW:
        body["mirror"] = quantities.write_share(stage.mirror)
    body["for"] = quantities.write_duration(stage.minimum)
    body["at_most"] = quantities.write_duration(stage.maximum)
    body["then"] = stage.at_maximum.value
    return {stage.stage.value: body}


def _offline(criteria: tuple[Criterion, ...]) -> dict[str, Any]:
    found: dict[str, list[dict[str, Any]]] = {}
    for each in criteria:
        written = {"holdout": each.holdout, "margin": each.margin, "lower_is_better": each.lower_is_better}
        found.setdefault(each.metric, []).append(written)
    return {metric: each[0] if len(each) == 1 else each for metric, each in found.items()}


def _metric(draft: MetricDraft) -> dict[str, Any]:
    written: dict[str, Any] = {"kind": draft.kind.value}
    if draft.cap is not None:
        written["cap"] = draft.cap
    if draft.edges:
        written["edges"] = list(draft.edges)
    if draft.floor:
        written["floor"] = draft.floor
    if draft.unit is not None:
        written["unit"] = draft.unit
    if draft.better is Better.HIGHER:
        written["better"] = draft.better.value
    if draft.expression:
        written["expression"] = draft.expression
    if draft.plugin:
        written["plugin"] = draft.plugin
    if draft.no_outcome_within:
        written["no_outcome_within"] = quantities.write_duration(draft.no_outcome_within)
    return written


def _value(draft: ValueDraft) -> dict[str, Any]:
    return {key: each for key in ValueDraft.__struct_fields__ if (each := getattr(draft, key)) not in (None, "", {})}


def _budget(budget: Budget) -> dict[str, Any]:
    whole = budget.measure is Measure.COUNT
    return {"metric": budget.metric, budget.measure.value: int(budget.size) if whole else budget.size}


def _guardrail(draft: GuardrailDraft, kind: Kind | None) -> dict[str, Any]:
    written = {
        "metric": draft.metric,
        "margin": quantities.write_margin(draft.margin),
        "harm": None if draft.harm is None else draft.harm.value,
        "limit": draft.limit,
        "weight": draft.weight,
        "required": draft.required and kind not in SPENDS_NO_ALPHA,
        "base_rate": draft.base_rate,
        "quantile": None if draft.quantile is None else quantities.write_quantile(draft.quantile),
        "strata": None if draft.strata is None else {"by": draft.strata.by, "usual": dict(draft.strata.usual)},
    }
    return {key: value for key, value in written.items() if value is not None}


def _harms(draft: Draft) -> dict[str, Any]:
    found: dict[str, list[Any]] = {}
    for harm in draft.harms:
        found.setdefault(harm.metric, []).append(quantities.write_harm(harm.size))
    return {metric: each[0] if len(each) == 1 else each for metric, each in found.items()}


def _pairs(rules: PairRules) -> dict[str, Any]:
    limits = {
        limit.kind.value: {"limit": limit.limit, "weight": limit.weight, "required": limit.required}
        for limit in rules.limits
    }
    return {"threshold": rules.threshold, **limits}


def without_null(node: Any) -> Any:  # noqa: ANN401 - JSON
    """Leave out `null`: what is not wanted is not written, it has no empty value."""
    match node:
        case {"anyOf": [*options], **rest} if {"type": "null"} in options:
            kept = [each for each in options if each != {"type": "null"}]
            rest.pop("default", None)
            return without_null({**rest, **kept[0]} if len(kept) == 1 else {**rest, "anyOf": kept})
        case dict():
            return {key: without_null(each) for key, each in node.items()}
        case list():
            return [without_null(each) for each in node]
        case _:
            return node
