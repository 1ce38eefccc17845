"""Agreements as people read and write them: `organisation.yaml` and its like, with a position for everything that is wrong.

What people write and what the record holds differ only in units: `14d`, `5%`, `2026-12-01T00:00:00Z` become numbers here.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import partial
from typing import Any, Final, NoReturn

import msgspec

from glideslope.domain.errors import AgreementInvalid
from glideslope.domain.governing.envelope import Envelope
from glideslope.domain.governing.kinds import KINDS
from glideslope.interfaces.document import quantities, tree
from glideslope.interfaces.document.text import DocumentInvalid, Source
from glideslope.interfaces.document.tree import Path, Tree, Value, dotted

FORMAT: Final = 1
LARGEST: Final = 1 << 18
"""Characters: two thousand people. Reading them takes seconds, which whoever asks should not be able to spend at will."""

DECADE: Final = 3_653 * 86_400_000
"""Milliseconds: the longest span of data that anybody writes down."""

EACH: Final = "*"
"""Any key or place, in a pattern of paths."""

Pattern = tuple[str, ...]


class AgreementRefused(AgreementInvalid, DocumentInvalid):
    """What is wrong with an agreement, at its place in a file."""


@dataclass(frozen=True, slots=True)
class AgreementDocument:
    """An agreement as written, understood."""

    of: str
    name: str
    agreed: msgspec.Struct
    text: str


def instant(written: object) -> int:
    """Read a date or an RFC 3339 time with its offset as milliseconds since the epoch. Raises ValueError with a sentence."""
    try:
        moment = datetime.fromisoformat(written) if isinstance(written, str) else None
    except ValueError:
        moment = None
    if moment is None or (moment.tzinfo is None and "T" in str(written)):
        raise ValueError(f"{written!r} is not a time: write 2026-12-01, or 2026-12-01T09:00:00+01:00 with its offset")
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def needs(written: object) -> list[dict[str, Any]]:
    """Read `[product, security]` or `{product: 2}`. Raises ValueError with a sentence."""
    match written:
        case list() if all(isinstance(each, str) for each in written):
            return [{"function": each} for each in written]
        case dict() if all(isinstance(count, int) and not isinstance(count, bool) for count in written.values()):
            return [{"function": function, "count": count} for function, count in written.items()]
        case _:
            raise ValueError(
                "approvals are a list of functions, like [product, security], or how many of each, like {product: 2}"
            )


@dataclass(frozen=True, slots=True)
class Unit:
    """How people write what the record holds as a number or a list."""

    read: Callable[[object], Any]
    schema: Mapping[str, Any]


_DURATION: Final = Unit(quantities.duration, {"type": "string", "pattern": quantities.DURATION})
_SPAN: Final = Unit(partial(quantities.duration, longest=DECADE), {"type": "string", "pattern": quantities.DURATION})
_MARGIN: Final = Unit(
    lambda written: msgspec.to_builtins(quantities.margin(written)),
    {"oneOf": [{"type": "number"}, {"type": "string", "pattern": f"{quantities.PERCENT}|{quantities.POINTS}"}]},
)
_FRACTION: Final = Unit(
    quantities.fraction, {"oneOf": [{"type": "number"}, {"type": "string", "pattern": quantities.PERCENT}]}
)
_SHARE: Final = Unit(quantities.share, {"type": "string", "pattern": quantities.PERCENT})
_INSTANT: Final = Unit(instant, {"type": "string", "description": "A date, or an RFC 3339 time with its offset."})
_NEEDS: Final = Unit(
    needs,
    {
        "oneOf": [
            {"type": "array", "items": {"type": "string"}},
            {"type": "object", "additionalProperties": {"type": "integer", "minimum": 1}},
        ]
    },
)

UNITS: Final[Mapping[str, Mapping[Pattern, Unit]]] = {
    "organisation": {
        ("delegations", EACH, "since"): _INSTANT,
        ("delegations", EACH, "until"): _INSTANT,
        ("tiers", EACH, "approvals"): _NEEDS,
        ("tiers", EACH, "valid_for"): _DURATION,
        ("tiers", EACH, "minimum"): _DURATION,
        ("tiers", EACH, "drill_within"): _DURATION,
        ("tiers", EACH, "keep"): _DURATION,
        ("tiers", EACH, "proving", "within"): _DURATION,
        ("tiers", EACH, "first_share"): _SHARE,
        ("escalations", EACH, "after"): _DURATION,
        ("agreements", EACH): _NEEDS,
        ("reviews", EACH): _DURATION,
    },
    "envelope": {
        ("until",): _INSTANT,
        ("review_every",): _DURATION,
        ("falls_away",): _NEEDS,
        ("remains",): _NEEDS,
        ("data", "newest"): _SPAN,
        ("data", "longest"): _SPAN,
        ("data", "shortest"): _SPAN,
        ("exposure", "first"): _SHARE,
        ("exposure", "most"): _SHARE,
        ("exposure", "step"): _DURATION,
        ("proof", "guardrails", EACH): _MARGIN,
        ("proof", "alpha_pass"): _FRACTION,
        ("proof", "maturity"): _FRACTION,
    },
    "calendar": {("freezes", EACH, "since"): _INSTANT, ("freezes", EACH, "until"): _INSTANT},
}


def envelope(text: str, *, file: str) -> Envelope:
    """Read an envelope as written. Raises AgreementRefused."""
    found = read(text, file=file)
    if not isinstance(found.agreed, Envelope):
        source = Source(text=text, file=file, what="agreement", error=AgreementRefused)
        _refuse(
            tree.read(source, largest=LARGEST, what="an agreement"), (found.of,), "an envelope is expected", key=True
        )
    return found.agreed


def read(text: str, *, file: str) -> AgreementDocument:
    """Read an agreement as written; its first key names its kind, like `organisation: 1`. Raises AgreementRefused."""
    source = Source(text=text, file=file, what="agreement", error=AgreementRefused)
    found = tree.read(source, largest=LARGEST, what="an agreement")
    of = next((key for key in found.value if key in KINDS), None)
    if of is None:
        first = next(iter(found.value), "")
        close = get_close_matches(first, KINDS, n=1, cutoff=0.5)
        _refuse(
            found,
            (first,) if first else (),
            f"an agreement begins with its kind and format, like `organisation: {FORMAT}`",
            key=True,
            suggestion=f"`{close[0]}`" if close else "",
        )
    if found.value[of] != FORMAT or isinstance(found.value[of], bool):
        _refuse(found, (of,), f"this reads {of}s of format {FORMAT}")
    kind = KINDS[of]
    written = {key: value for key, value in found.value.items() if key != of and key not in kind.beside}
    meant = _meant(written, (), UNITS.get(of, {}), found)
    try:
        agreed = msgspec.convert(meant, type=kind.type)
    except msgspec.ValidationError as error:
        raise _located(str(error), found) from None
    try:
        kind.check(agreed)
    except AgreementInvalid as error:
        _refuse(found, _path(error.where), error.sentence)
    name = of if kind.single else str(getattr(agreed, "name", of))
    return AgreementDocument(of=of, name=name, agreed=agreed, text=source.text)


def _meant(value: Value, path: Path, units: Mapping[Pattern, Unit], found: Tree) -> Any:  # noqa: ANN401 - JSON
    unit = next((u for pattern, u in units.items() if _fits(pattern, path)), None)
    if unit is not None:
        try:
            return unit.read(value)
        except ValueError as error:
            _refuse(found, path, str(error))
    match value:
        case dict():
            return {key: _meant(each, (*path, key), units, found) for key, each in value.items()}
        case list():
            return [_meant(each, (*path, number), units, found) for number, each in enumerate(value)]
        case _:
            return value


def _fits(pattern: Pattern, path: Path) -> bool:
    return len(pattern) == len(path) and all(wanted in (EACH, part) for wanted, part in zip(pattern, path, strict=True))


_AT: Final = re.compile(r" - at `\$(?P<path>[^`]*)`$")
_KEY: Final = re.compile(r"unknown field `(?P<key>[^`]*)`")
_PART: Final = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d+|\.\.\.)\]")


def _located(said: str, found: Tree) -> DocumentInvalid:
    """Point at what msgspec found wrong; it says the path at the end of its sentence."""
    match = _AT.search(said)
    sentence = said[: match.start()] if match else said
    path: Path = tuple(
        int(place) if place.isdecimal() else key
        for key, place in _PART.findall(match["path"] if match else "")
        if key or place.isdecimal()
    )
    if unknown := _KEY.search(sentence):
        path = (*path, unknown["key"])
        return found.source.refusal(
            f"`{unknown['key']}` is not known here", found.span(path, key=True), where=dotted(path)
        )
    sentence = sentence[:1].lower() + sentence[1:]
    return found.source.refusal(sentence, found.span(path), where=dotted(path))


def _path(where: str) -> Path:
    return tuple(int(part) if part.isdecimal() else part for part in where.split(".") if part)


def _refuse(found: Tree, path: Path, sentence: str, *, key: bool = False, suggestion: str = "") -> NoReturn:
    raise found.source.refusal(sentence, found.span(path, key=key), where=dotted(path), suggestion=suggestion)


def schema(of: str) -> Mapping[str, Any]:
    """Return the JSON Schema (2020-12) of a kind of agreement, as people write it."""
    kind = KINDS[of]
    (ref,), parts = msgspec.json.schema_components([kind.type], ref_template="#/$defs/{name}")
    for pattern, unit in UNITS.get(of, {}).items():
        _place(parts, kind.type.__name__, pattern, unit.schema)
    root = parts.pop(str(ref["$ref"]).rsplit("/", 1)[1])
    root["properties"] = {of: {"const": FORMAT, "description": "The format of this file."}, **root["properties"]}
    root["required"] = [of, *root.get("required", [])]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **root, "title": f"{of}.yaml", "$defs": parts}


def _place(parts: Mapping[str, Any], start: str, pattern: Pattern, unit: Mapping[str, Any]) -> None:
    node = parts[start]
    *way, last = pattern
    for part in way:
        node = node["properties"][part] if part != EACH else node.get("items", node.get("additionalProperties"))
        node = _resolved(node, parts)
    if last == EACH:
        node["additionalProperties"] = dict(unit)
    else:
        kept = {key: node["properties"][last][key] for key in ("description",) if key in node["properties"][last]}
        node["properties"][last] = {**unit, **kept}


def _resolved(node: Any, parts: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    return parts[str(node["$ref"]).rsplit("/", 1)[1]] if "$ref" in node else node
