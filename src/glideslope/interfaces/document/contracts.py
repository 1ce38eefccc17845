"""`contract.yaml`: a data contract as people read and write it, with a position for everything that is wrong, and its JSON Schema."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, NoReturn

from msgspec.structs import replace

from glideslope.domain.contract import (
    FIRST,
    LONGEST_NAME,
    MOST_BINS,
    MOST_FEATURES,
    Contract,
    FeatureRule,
    FeatureType,
    check_contract,
)
from glideslope.domain.errors import ContractInvalid, NameInvalid
from glideslope.domain.ids import model_name
from glideslope.interfaces.document import quantities, tree
from glideslope.interfaces.document.text import DocumentInvalid, Source
from glideslope.interfaces.document.tree import Path, Tree, Value, dotted

FORMAT: Final = 1
LARGEST: Final = 2 << 20
"""Characters: two thousand features with their references."""

_TOP: Final = ("contract", "model", "features")
_RULE: Final = ("type", "range", "categories", "missing", "tags", "edges", "reference")


class ContractRefused(ContractInvalid):
    """What is wrong with a contract, at its place in a file."""

    def __init__(self, sentence: str, *, file: str, allowed: tuple[str, ...] = (), **place: Any) -> None:  # noqa: ANN401 - the base's
        super().__init__(sentence, **place)
        self.file = file
        self.allowed = allowed


@dataclass(frozen=True, slots=True)
class ContractDocument:
    """A contract that remembers where each of its parts is written."""

    contract: Contract
    tree: Tree


def read(text: str, *, file: str) -> ContractDocument:
    """Read a contract as written. Raises ContractRefused."""
    try:
        found = tree.read(Source(text=text, file=file), largest=LARGEST, what="a contract")
        contract = _contract(found)
        try:
            check_contract(contract)
        except ContractInvalid as error:
            first, _, rest = error.where.partition(".")
            _refuse(found, (first, rest) if rest else (first,), error.sentence, key=True)
    except DocumentInvalid as error:
        raise _contractual(error) from None
    return ContractDocument(contract=contract, tree=found)


def _contractual(error: DocumentInvalid) -> ContractRefused:
    return ContractRefused(
        error.sentence,
        file=error.file,
        where=error.where,
        line=error.line,
        column=error.column,
        width=error.width,
        source=error.source,
        suggestion=error.suggestion,
        allowed=error.allowed,
    )


def _refuse(found: Tree, path: Path, sentence: str, *, key: bool = False, suggestion: str = "") -> NoReturn:
    raise found.source.refusal(sentence, found.span(path, key=key), where=dotted(path), suggestion=suggestion)


def _known(found: Tree, path: Path, written: Mapping[str, Value], allowed: Sequence[str]) -> None:
    for key in written:
        if key not in allowed:
            close = get_close_matches(key, allowed, n=1, cutoff=0.5)
            raise found.source.refusal(
                f"`{key}` is not known here",
                found.span((*path, key), key=True),
                where=dotted((*path, key)),
                suggestion=f"`{close[0]}`" if close else "",
                allowed=tuple(allowed),
            )


def _contract(found: Tree) -> Contract:
    _known(found, (), found.value, _TOP)
    for key in _TOP:
        if key not in found.value:
            _refuse(found, (), f"`{key}` is missing; a contract says {', '.join(_TOP)}")
    if found.value["contract"] != FORMAT or isinstance(found.value["contract"], bool):
        _refuse(found, ("contract",), f"this reads contracts of format {FORMAT}")
    features = found.value["features"]
    if not isinstance(features, dict):
        _refuse(found, ("features",), "features are keys and values, like `distance: {type: number}`")
    name = found.value["model"]
    try:
        model = model_name(name if isinstance(name, str) else "")
    except NameInvalid:
        _refuse(found, ("model",), f"{name!r} cannot be the name of a model")
    return Contract(model=model, features=tuple(_rule(found, name, rule) for name, rule in features.items()))


def _rule(found: Tree, name: str, written: Value) -> FeatureRule:
    path: Path = ("features", name)
    if not isinstance(written, dict):
        _refuse(found, path, f"`{name}` says its type and more, like `{name}: {{type: number}}`", key=True)
    _known(found, path, written, _RULE)
    if "type" not in written:
        _refuse(found, path, f"`{name}` has no type: number, integer, text or boolean", key=True)
    try:
        kind = FeatureType(str(written["type"]))
    except ValueError:
        close = get_close_matches(str(written["type"]), list(FeatureType), n=1, cutoff=0.4)
        suggestion = f"`{close[0]}`" if close else ""
        _refuse(found, (*path, "type"), "a type is number, integer, text or boolean", suggestion=suggestion)
    low, high = _range(found, path, written)
    try:
        missing = quantities.fraction(written.get("missing", 0))
    except ValueError as error:
        _refuse(found, (*path, "missing"), str(error))
    rule = FeatureRule(
        name=name,
        type=kind,
        low=low,
        high=high,
        categories=tuple(str(each) for each in _list(found, path, written, "categories", kinds=(str,), what="texts")),
        missing=missing,
        tags=tuple(str(each) for each in _list(found, path, written, "tags", kinds=(str,), what="words")),
        edges=tuple(float(each) for each in _list(found, path, written, "edges", kinds=(int, float), what="numbers")),  # type: ignore[arg-type]  # _list has looked
    )
    counts = _list(found, path, written, "reference", kinds=(int,), what="whole numbers")
    if not counts:
        return rule
    missing_rows, *bins = (int(count) for count in counts)  # type: ignore[arg-type]  # as above
    if len(bins) == rule.bins + 1:
        # What the reference itself held outside its contract.
        *bins, outside = bins
    else:
        outside = 0
    if len(bins) != rule.bins:
        _refuse(
            found,
            (*path, "reference"),
            f"a reference counts the missing rows first, then its {rule.bins} bins, then at will those outside: expected "
            f"{rule.bins + 1} or {rule.bins + 2} numbers, got {len(counts)}",
        )
    return replace(rule, reference=(missing_rows, 0, outside, 0, *bins))


def _range(found: Tree, path: Path, written: Mapping[str, Value]) -> tuple[float | None, float | None]:
    if "range" not in written:
        return None, None
    ends = written["range"]
    if not isinstance(ends, list) or len(ends) != 2:
        _refuse(found, (*path, "range"), "a range is two numbers, like [0, 120]; `any` leaves an end open")
    low, high = (None if end == "any" else end for end in ends)
    for number, end in enumerate((low, high)):
        if end is not None and (isinstance(end, bool) or not isinstance(end, (int, float))):
            _refuse(found, (*path, "range", number), f"{end!r} is not a number; `any` leaves an end open")
    return (None if low is None else float(low), None if high is None else float(high))  # type: ignore[arg-type]  # looked at above


def _list(
    found: Tree, path: Path, written: Mapping[str, Value], key: str, *, kinds: tuple[type, ...], what: str
) -> list[Value]:
    value = written.get(key, [])
    if not isinstance(value, list):
        _refuse(found, (*path, key), f"`{key}` is a list of {what}, like [a, b]")
    for number, each in enumerate(value):
        if not isinstance(each, kinds) or isinstance(each, bool):
            _refuse(
                found, (*path, key, number), f"{each!r} is not one of {what}; text that looks like a number is quoted"
            )
    return value


def show(contract: Contract) -> str:
    """Write a contract so that it reads back the same."""
    lines = [f"contract: {FORMAT}", f"model: {contract.model}", "features:"]
    for rule in contract.features:
        lines += [f"  {_text(rule.name)}:", f"    type: {rule.type.value}"]
        if rule.low is not None or rule.high is not None:
            ends = ("any" if end is None else _number(end) for end in (rule.low, rule.high))
            lines.append(f"    range: [{', '.join(ends)}]")
        if rule.categories:
            lines.append(f"    categories: [{', '.join(map(_text, rule.categories))}]")
        lines.append(f"    missing: {_number(rule.missing)}")
        if rule.tags:
            lines.append(f"    tags: [{', '.join(rule.tags)}]")
        if rule.edges:
            lines.append(f"    edges: [{', '.join(map(_number, rule.edges))}]")
        if rule.reference:
            outside = sum(rule.reference[1:FIRST])
            counts = [rule.reference[0], *rule.reference[FIRST:], *([outside] if outside else [])]
            lines.append(f"    reference: [{', '.join(map(str, counts))}]")
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    # JSON's quoted text is YAML's too; all of it is quoted, so that no word is read as a number or as true.
    return json.dumps(text, ensure_ascii=False)


def _number(number: float) -> str:
    return str(int(number)) if number == int(number) and abs(number) < 1e15 else _decimal(number)


def _decimal(number: float) -> str:
    written = repr(float(number))
    # YAML 1.2's floats have a point or an exponent; repr's `1e-07` is one of them.
    return written if tree.is_number(written) else f"{number:.17e}"


def schema() -> Mapping[str, Any]:
    """Return the JSON Schema (2020-12) of contract.yaml."""
    number_or_open = {"anyOf": [{"type": "number"}, {"const": "any"}]}
    fraction = {
        "anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "string", "pattern": quantities.PERCENT}]
    }
    rule = {
        "type": "object",
        "additionalProperties": False,
        "required": ["type"],
        "properties": {
            "type": {"enum": [kind.value for kind in FeatureType], "description": "What its values are."},
            "range": {
                "type": "array",
                "prefixItems": [number_or_open, number_or_open],
                "minItems": 2,
                "maxItems": 2,
                "items": False,
                "description": "The lowest and highest value, both allowed; `any` leaves an end open.",
            },
            "categories": {
                "type": "array",
                "items": {"type": "string"},
                "uniqueItems": True,
                "maxItems": MOST_BINS,
                "description": "The known texts; any other is counted as unseen.",
            },
            "missing": {**fraction, "default": 0, "description": "The share of rows that may have no value."},
            "tags": {
                "type": "array",
                "items": {"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$"},
                "description": "Words about it. Of what is tagged personal or secret, no value is shown to anybody.",
            },
            "edges": {
                "type": "array",
                "items": {"type": "number"},
                "maxItems": MOST_BINS - 1,
                "description": "Inner edges of a number's bins, ascending; a value on an edge belongs below it.",
            },
            "reference": {
                "type": "array",
                "items": {"type": "integer", "minimum": 0},
                "description": "Rows of the reference: missing, then per bin or category, then at will those outside.",
            },
        },
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "contract.yaml",
        "description": "A data contract: what the input of a model must look like, and the reference it is held against.",
        "type": "object",
        "additionalProperties": False,
        "required": list(_TOP),
        "properties": {
            "contract": {"const": FORMAT, "description": "The format of this file."},
            "model": {"type": "string", "pattern": "^[a-z0-9](?:[a-z0-9.-]{0,62}[a-z0-9])?$"},
            "features": {
                "type": "object",
                "minProperties": 1,
                "maxProperties": MOST_FEATURES,
                "propertyNames": {"minLength": 1, "maxLength": LONGEST_NAME},
                "additionalProperties": rule,
            },
        },
    }
