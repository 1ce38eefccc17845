"""From a tree of plain values to a msgspec value; what does not fit is refused at its place in the file, in a reader's words."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from difflib import get_close_matches
from typing import Any, Final, TypeVar

import msgspec
from msgspec import inspect

from glideslope.interfaces.document.text import DocumentInvalid
from glideslope.interfaces.document.tree import Path, Tree, dotted

T = TypeVar("T")

MOST_NAMED: Final = 12
"""Choices that are all named where one of them was probably meant."""

_WHERE: Final = re.compile(r" - at `(?:key in )?\$(.*)`$")
_PART: Final = re.compile(r"\.([^.\[]+)|\[(\d+)\]|(\[\.\.\.\])")
_FIELD: Final = re.compile(r"Object (missing required|contains unknown) field `(.+)`")
_EXPECTED: Final = re.compile(r"Expected `([^`]+)`(?:, got `([^`]+)`| (.+))?")
_INVALID: Final = re.compile(r"Invalid (?:enum )?value (.+)")
_TYPES: Final = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list, like [a, b]",
    "object": "keys and values",
}


def converted(
    found: Tree, kind: type[T], *, prepared: Callable[[Any], Any] = lambda value: value, without: str = ""
) -> T:
    """Return the document as a value of a kind. `prepared` is done to it first, key `without` is left out.

    Raises the refusal of the tree's source.
    """
    document = prepared({key: value for key, value in found.value.items() if key != without})
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise _refusal(str(error), found, kind, document) from None


def place(found: Tree, where: str) -> Path:
    """Return the path of a dotted place, as far as the file has it."""
    path: Path = ()
    for part in where.split("."):
        step: Path = (*path, int(part) if part.isdigit() and isinstance(found.at(path), list) else part)
        if step not in found.values:
            break
        path = step
    return path


def _refusal(message: str, found: Tree, kind: type, document: object) -> DocumentInvalid:
    at = _WHERE.search(message)
    said = message[: at.start()] if at else message
    path = _path(at[1] if at else "", document, kind, message)
    name = f"`{path[-1]}`" if path and isinstance(path[-1], str) else "this entry"
    if field := _FIELD.fullmatch(said):
        inside = (*path, field[2])
        if field[1] == "missing required":
            return found.source.refusal(f"`{field[2]}` is missing", found.span(path, key=True), where=dotted(inside))
        allowed = tuple(dict.fromkeys(_keys(path, kind, document)))
        close = get_close_matches(field[2], allowed, n=1, cutoff=0.5)
        return found.source.refusal(
            f"unknown key `{field[2]}`",
            found.span(inside, key=True),
            where=dotted(inside),
            suggestion=f"`{close[0]}`" if close else "",
            allowed=allowed,
        )
    choices = tuple(dict.fromkeys(_choices(path, kind, document)))
    given = found.at(path)
    suggestion = ""
    if _INVALID.fullmatch(said) and choices:
        close = get_close_matches(str(given), choices, n=1, cutoff=0.5)
        suggestion = f"`{close[0]}`" if close else ""
        there = f"; there are {', '.join(choices)}" if len(choices) <= MOST_NAMED or not close else ""
        sentence = f"{name} cannot be {_shown(given)}{there}"
    elif expected := _EXPECTED.match(said):
        sentence = _expected(expected, name, given, tuple(dict.fromkeys(_described(path, kind, document))))
    else:
        sentence = said
    return found.source.refusal(sentence, found.span(path), where=dotted(path), suggestion=suggestion)


def _expected(expected: "re.Match[str]", name: str, given: object, described: Sequence[str]) -> str:
    condition = expected[3] or ""
    if condition.startswith("of length >= 1") and given in ("", [], {}):
        return f"{name} needs at least one entry" if given != "" else f"{name} is empty"
    wanted = " or ".join(described) if described else " or ".join(_TYPES.get(t, t) for t in expected[1].split(" | "))
    more = "" if described or not condition else f" {condition.replace('>=', 'at least').replace('<=', 'at most')}"
    return f"{name} must be {wanted}{more}, not {_shown(given)}"


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


def _path(written: str, document: object, kind: type, message: str) -> Path:
    """Read the place as msgspec writes it. Keys of a mapping it does not name, so each is tried alone."""
    path: Path = ()
    for match in _PART.finditer(written):
        if match[3] is None:
            path = (*path, match[1] if match[1] is not None else int(match[2]))
            continue
        holder = _at(document, path)
        keys = list(holder) if isinstance(holder, dict) else []
        guilty = next((key for key in keys if _fails_alone(document, path, key, kind, message)), None)
        if guilty is None:
            return path
        path = (*path, guilty)
    return path


def _fails_alone(document: object, path: Path, key: str, kind: type, message: str) -> bool:
    alone = deepcopy(document)
    holder = _at(alone, path)
    for other in [other for other in holder if other != key]:
        del holder[other]
    try:
        msgspec.convert(alone, kind)
    except msgspec.ValidationError as error:
        return str(error) == message
    return False


def _at(document: Any, path: Path) -> Any:  # noqa: ANN401 - JSON
    for part in path:
        document = document[part]
    return document


def _nodes(path: Path, kind: type, document: object) -> Iterator[inspect.Type]:
    """Yield what may stand at a place."""
    nodes: list[inspect.Type] = list(_flat(inspect.type_info(kind), document))
    for depth, part in enumerate(path):
        value = _value(document, path[: depth + 1])
        nodes = [after for node in nodes for after in _step(node, part, value)]
    yield from nodes


def _value(document: object, path: Path) -> object:
    try:
        return _at(document, path)
    except (KeyError, IndexError, TypeError):
        return None


def _step(node: inspect.Type, part: str | int, value: object) -> Iterator[inspect.Type]:
    match node:
        case inspect.StructType(fields=fields):
            yield from (each for f in fields if f.encode_name == part for each in _flat(f.type, value))
        case (
            inspect.DictType(value_type=inner)
            | inspect.VarTupleType(item_type=inner)
            | inspect.ListType(item_type=inner)
        ):
            yield from _flat(inner, value)
        case _:
            return


def _flat(node: inspect.Type, value: object) -> Iterator[inspect.Type]:
    """Yield the branches of a union; of tagged ones the one that the value names, if it names one."""
    match node:
        case inspect.UnionType(types=types):
            tagged = [t for t in types if isinstance(t, inspect.StructType) and t.tag_field]
            named = value.get(tagged[0].tag_field) if tagged and isinstance(value, Mapping) else None
            chosen = [t for t in tagged if t.tag == named]
            yield from (each for t in (chosen or types) for each in _flat(t, value))
        case inspect.Metadata(type=inner, extra_json_schema=extra) if not (extra and "description" in extra):
            yield from _flat(inner, value)
        case _:
            yield node


def _keys(path: Path, kind: type, document: object) -> Iterator[str]:
    for node in _nodes(path, kind, document):
        if isinstance(node, inspect.StructType):
            yield from ([node.tag_field] if node.tag_field else [])
            yield from (field.encode_name for field in node.fields)


def _choices(path: Path, kind: type, document: object) -> Iterator[str]:
    for node in _nodes(path, kind, document):
        match node:
            case inspect.EnumType(cls=cls):
                yield from (str(member.value) for member in cls)
            case inspect.LiteralType(values=values):
                yield from map(str, values)
            case _:
                continue
    for node in _nodes(path[:-1], kind, document) if path else ():
        if isinstance(node, inspect.StructType) and node.tag_field == path[-1]:
            yield str(node.tag)


def _described(path: Path, kind: type, document: object) -> Iterator[str]:
    for node in _nodes(path, kind, document):
        if isinstance(node, inspect.Metadata) and node.extra_json_schema:
            said = str(node.extra_json_schema["description"])
            yield f"{said[0].lower()}{said[1:].rstrip('.')}"
