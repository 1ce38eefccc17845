"""`facts.yaml`: what people and pipelines state about how a version was made, with a position for everything wrong, and its schema."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from difflib import get_close_matches
from enum import StrEnum
from types import UnionType
from typing import Any, Final, NoReturn, get_args, get_type_hints

import msgspec

from glideslope.domain.errors import FactsInvalid
from glideslope.domain.events import rfc3339
from glideslope.domain.governing.facts import FORMAT, Facts, check_facts
from glideslope.domain.ids import ModelName, VersionName
from glideslope.interfaces.document import tree
from glideslope.interfaces.document.text import DocumentInvalid, Source
from glideslope.interfaces.document.tree import Path, Tree, Value, dotted

LARGEST: Final = 4 << 20
"""Characters: some thousand fields with what lies upstream of them."""

_INSTANTS: Final = frozenset({"fresh_at", "since", "tested_at", "measured_at", "checked_at", "validated_at"})
_PLACE: Final = re.compile(r"(.*?)(?: - at `(?:key in )?\$(.*)`)?", re.DOTALL)
_PART: Final = re.compile(r"\.([^.\[]+)|\[(\d+)\]|\[\.\.\.\]")


class FactsRefused(FactsInvalid, DocumentInvalid):
    """What is wrong with facts, at its place in a file."""


@dataclass(frozen=True, slots=True)
class FactsDocument:
    """Facts that remember where each of their parts is written."""

    facts: Facts
    tree: Tree

    @contextmanager
    def located(self) -> Iterator[None]:
        """Give what is refused about the facts its place in the file."""
        try:
            yield
        except FactsInvalid as error:
            if isinstance(error, FactsRefused):
                raise
            raise _placed(self.tree, error) from error


def read(text: str, *, file: str, model: ModelName, version: VersionName) -> FactsDocument:
    """Read facts about a version as written; the file may name it, and must then name this one. Raises FactsRefused."""
    found = tree.read(Source(text=text, file=file, what="facts file", error=FactsRefused), largest=LARGEST)
    written = dict(found.value)
    if written.pop("facts", None) != FORMAT or isinstance(found.value.get("facts"), bool):
        _refuse(found, ("facts",), f"this reads facts of format {FORMAT}; say `facts: {FORMAT}`")
    for key, named in (("model", model), ("version", version)):
        if written.setdefault(key, named) != named:
            _refuse(found, (key,), f"these facts are to be recorded about {model} {version}", suggestion=f'"{named}"')
    _known(found, (), written, Facts)
    value = _instants(found, (), {"format": FORMAT, **written})
    try:
        facts = msgspec.convert(value, type=Facts)
    except msgspec.ValidationError as error:
        _point(found, str(error))
    document = FactsDocument(facts=facts, tree=found)
    with document.located():
        check_facts(facts)
    return document


def _placed(found: Tree, error: FactsInvalid) -> FactsRefused:
    path: Path = ()
    for part in error.where.split(".") if error.where else ():
        longer = (*path, int(part) if part.isdecimal() and isinstance(found.at(path), list) else part)
        if longer not in found.values:
            break
        path = longer
    refusal = found.source.refusal(error.sentence, found.span(path), where=error.where)
    assert isinstance(refusal, FactsRefused)  # noqa: S101 - the source was given it
    return refusal


def _refuse(found: Tree, path: Path, sentence: str, *, key: bool = False, **more: Any) -> NoReturn:  # noqa: ANN401 - the refusal's
    raise found.source.refusal(sentence, found.span(path, key=key), where=dotted(path), **more)


def _known(found: Tree, path: Path, written: Value, kind: Any) -> None:  # noqa: ANN401 - a type
    """Refuse a key that is not known, with what may have been meant."""
    if kind is None:
        return
    if isinstance(written, list):
        for number, each in enumerate(written):
            _known(found, (*path, number), each, kind)
    if not isinstance(written, dict):
        return
    hints = get_type_hints(kind)
    allowed = tuple(name for name in kind.__struct_fields__ if name != "format")
    for key, value in written.items():
        if key not in allowed:
            close = get_close_matches(key, allowed, n=1, cutoff=0.5)
            _refuse(
                found,
                (*path, key),
                f"`{key}` is not known here",
                key=True,
                suggestion=f"`{close[0]}`" if close else "",
                allowed=allowed,
            )
        _known(found, (*path, key), value, _struct_in(hints[key]))


def _struct_in(hint: Any) -> Any:  # noqa: ANN401 - types
    """Return the kind of statement that a field holds, alone or in a list; None for plain values."""
    if isinstance(hint, UnionType) or get_args(hint):
        return next((kind for each in get_args(hint) if (kind := _struct_in(each)) is not None), None)
    return hint if isinstance(hint, type) and issubclass(hint, msgspec.Struct) else None


def _instants(found: Tree, path: Path, value: Value) -> Any:  # noqa: ANN401 - JSON
    match value:
        case dict() if path != ("configuration",):
            return {key: _instants(found, (*path, key), each) for key, each in value.items()}
        case list():
            return [_instants(found, (*path, number), each) for number, each in enumerate(value)]
        case _ if path and path[-1] in _INSTANTS:
            return _instant(found, path, value)
        case _:
            return value


def _instant(found: Tree, path: Path, value: Value) -> int:
    try:
        text = value if isinstance(value, str) else ""
        moment = datetime.fromisoformat(text) if len(text) > len("2026-01-31") else None
        if moment is None:
            moment = datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
        if moment.tzinfo is None:
            _refuse(found, path, "a time says its zone", suggestion=f"{text}Z")
        return round(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        _refuse(found, path, f"{value!r} is no time like 2026-01-31 or 2026-01-31T09:00:00Z")


def _point(found: Tree, message: str) -> NoReturn:
    """Turn what msgspec says into a refusal at its place."""
    matched = _PLACE.fullmatch(message)
    sentence, place = (matched.group(1), matched.group(2) or "") if matched else (message, "")
    path: Path = ()
    for name, number in _PART.findall(place):
        path = (*path, int(number) if number else name or "")
    sentence = sentence[:1].lower() + sentence[1:]
    if sentence.startswith("invalid enum value"):
        allowed = _choices(path)
        close = get_close_matches(str(found.at(path)), allowed, n=1, cutoff=0.4)
        _refuse(found, path, f"this is one of {', '.join(allowed)}", suggestion=f"`{close[0]}`" if close else "")
    if sentence.startswith("expected `str`, got") and found.at(path) is not None:
        sentence += "; text that looks like a number or a word of YAML is quoted"
    _refuse(found, path, sentence)


def _choices(path: Path) -> tuple[str, ...]:
    kind: Any = Facts
    for part in path:
        if isinstance(part, str):
            hint = get_type_hints(kind)[part]
            chosen = next((e for e in (hint, *get_args(hint)) if isinstance(e, type) and issubclass(e, StrEnum)), None)
            if chosen is not None:
                return tuple(chosen)
            kind = _struct_in(hint)
    return ()


def show(facts: Facts) -> str:
    """Write facts so that they read back the same."""
    plain = msgspec.to_builtins(facts)
    del plain["format"]
    return "\n".join([f"facts: {FORMAT}", *_lines(_with_times(plain), indent="")]) + "\n"


def _with_times(value: Any, *, at: str = "", top: bool = True) -> Any:  # noqa: ANN401 - JSON
    match value:
        case dict():
            return {
                key: each if top and key == "configuration" else _with_times(each, at=key, top=False)
                for key, each in value.items()
            }
        case list() | tuple():
            return [_with_times(each, top=False) for each in value]
        case int() if at in _INSTANTS:
            return rfc3339(value)
        case _:
            return value


def _lines(value: Mapping[str, Any], *, indent: str) -> Iterator[str]:
    for key, each in value.items():
        name = key if key.isidentifier() else _text(key)
        match each:
            case dict() if each:
                yield f"{indent}{name}:"
                yield from _lines(each, indent=f"{indent}  ")
            case list() if each and isinstance(each[0], dict):
                yield f"{indent}{name}:"
                for member in each:
                    first, *rest = _lines(member, indent=f"{indent}    ")
                    yield f"{indent}  - {first.lstrip()}"
                    yield from rest
            case _:
                yield f"{indent}{name}: {_text(each)}"


def _text(value: Any) -> str:  # noqa: ANN401 - JSON
    # JSON's quoted text is YAML's too, and so are its lists; quoted, no word is read as a number or as true.
    if isinstance(value, float):
        written = repr(value)
        return written if tree.is_number(written) else f"{value:.17e}"
    return json.dumps(value, ensure_ascii=False)


def schema() -> Mapping[str, Any]:
    """Return the JSON Schema (2020-12) of facts.yaml."""
    found = msgspec.json.schema(Facts)
    kinds = found["$defs"]
    top = kinds.pop("Facts")
    for kind in (*kinds.values(), top):
        for name, each in kind.get("properties", {}).items():
            if name in _INSTANTS:
                each.pop("anyOf", None)
                each.update(type="string", description="A date, or a time with its zone (RFC 3339).")
    top["properties"].pop("format")
    top["properties"] = {"facts": {"const": FORMAT, "description": "The format of this file."}, **top["properties"]}
    top["required"] = ["facts"]
    top["additionalProperties"] = False
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **top, "title": "facts.yaml", "$defs": kinds}
