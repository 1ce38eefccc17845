"""YAML as plain values with a place for each: only what a plan needs, so that no text means two things.

Refused: aliases, anchors, tags, several documents, keys written twice, keys without a value, tabs as indentation. Plain scalars are
`true` and `false`, decimal numbers, and else text: `NO` is a country and `010` is not eight.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import yaml

from glideslope.interfaces.document.text import LARGEST, Source, Span
from glideslope.interfaces.document.within import places

DEEPEST: Final = 12

Path = tuple[str | int, ...]
Value = bool | int | float | str | list["Value"] | dict[str, "Value"]

_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(
    r"[-+]?(?:0|[1-9][0-9]{0,17})?\.[0-9]{1,30}(?:[eE][-+]?[0-9]{1,3})?|[-+]?[0-9]{1,18}[eE][-+]?[0-9]{1,3}"
)
_NULL = {"", "~", "null", "Null", "NULL"}
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


@dataclass(frozen=True, slots=True)
class Tree:
    """The values, and the span of each value and of each key by its path."""

    source: Source
    value: dict[str, Value] = field(default_factory=dict)
    values: dict[Path, Span] = field(default_factory=dict)
    keys: dict[Path, Span] = field(default_factory=dict)
    written: dict[Path, tuple[int, int]] = field(default_factory=dict)
    """Of each text where in the file it begins and ends."""

    def span_within(self, path: Path, offset: int, width: int) -> Span:
        """Return where a part of a text is written, counted in its characters from 0; the whole, where that cannot be told."""
        extent, value = self.written.get(path), self.at(path)
        if extent is None or not isinstance(value, str):
            return self.span(path)
        found = places(self.source.text[slice(*extent)], value)
        if found is None:
            return self.span(path)
        first = found[min(offset, len(found) - 1)]
        last = found[min(offset + width, len(found) - 1)]
        start = self.source.span_at(extent[0] + first)
        end = self.source.span_at(extent[0] + last)
        return Span(start.line, start.column, end.column - start.column if end.line == start.line else 1)

    def at(self, path: Path) -> Value | None:
        """Return the value at a path, or None."""
        found: Value | None = self.value
        for part in path:
            match found:
                case dict() if isinstance(part, str):
                    found = found.get(part)
                case list() if isinstance(part, int) and part < len(found):
                    found = found[part]
                case _:
                    return None
        return found

    def span(self, path: Path, *, key: bool = False) -> Span:
        """Return where a value (or its key) is written; of what is not written, where its nearest container begins."""
        while path:
            if key and path in self.keys:
                return self.keys[path]
            if path in self.values:
                return self.values[path]
            path = path[:-1]
        return self.values[()]


def read(source: Source, *, largest: int = LARGEST, what: str = "") -> Tree:
    """Read a document of at most so many characters. Raises DocumentInvalid."""
    if len(source.text) > largest:
        raise source.refusal(
            f"{what or _one(source)} of {len(source.text):,} characters is longer than {largest:,}", Span(1, 1)
        )
    for number, line in enumerate(source.lines, start=1):
        indentation = line[: len(line) - len(line.lstrip(" \t"))]
        if "\t" in indentation and line.strip():
            raise source.refusal(
                "a tab is used as indentation", Span(number, indentation.index("\t") + 1), suggestion="spaces"
            )
    try:
        return _Reader(source).read()
    except yaml.reader.ReaderError as error:
        # Its `character` is a number for text that was decoded already.
        shown = f"U+{error.character:04X}" if isinstance(error.character, int) else repr(error.character)
        raise source.refusal(f"the character {shown} cannot be printed", source.span_at(error.position)) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        span = Span(mark.line + 1, mark.column + 1) if mark is not None else Span(1, 1)
        raise source.refusal(f"this is not YAML: {error.problem or error.context}", span) from None


class _Reader:
    """Walks the events of one document."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._tree = Tree(source)
        self._events: Iterator[yaml.Event] = yaml.parse(source.text, Loader=yaml.SafeLoader)

    def read(self) -> Tree:
        self._next()  # the stream's start
        if isinstance(self._next(), yaml.StreamEndEvent):
            raise self._source.refusal("the file is empty", Span(1, 1))
        root = self._next()
        value = self._value(root, ())
        self._next()  # the document's end
        after = self._next()
        if not isinstance(after, yaml.StreamEndEvent):
            raise self._source.refusal(
                f"a second document begins here; a file holds one {self._source.what}", _span(after)
            )
        if not isinstance(value, dict):
            raise self._source.refusal(
                f"{_one(self._source)} is a list of keys and values, like `model: late-arrival`", _span(root)
            )
        self._tree.value.update(value)
        return self._tree

    def _next(self) -> yaml.Event:
        event = next(self._events)
        if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            word = "an alias" if isinstance(event, yaml.AliasEvent) else "an anchor"
            raise self._source.refusal(f"{word} is not read here; write the value out", _span(event))
        if isinstance(event, (yaml.ScalarEvent, yaml.CollectionStartEvent)) and event.tag is not None:
            raise self._source.refusal("a tag is not read here; leave it out", _span(event))
        return event

    def _value(self, event: yaml.Event, path: Path) -> Value:
        if len(path) > DEEPEST:
            raise self._source.refusal(f"this is nested more than {DEEPEST} deep", _span(event))
        self._tree.values[path] = _span(event)
        match event:
            case yaml.ScalarEvent():
                return self._scalar(event, path)
            case yaml.SequenceStartEvent():
                return self._sequence(path)
            case yaml.MappingStartEvent():
                return self._mapping(path)
            case _:
                raise self._source.refusal("a value is expected here", _span(event))

    def _scalar(self, event: yaml.ScalarEvent, path: Path) -> Value:
        text = event.value
        if event.start_mark is not None and event.end_mark is not None:
            self._tree.written[path] = (event.start_mark.index, event.end_mark.index)
        if event.style is not None:
            return text
        if text in _NULL:
            if not path:
                raise self._source.refusal("the file is empty", _span(event))
            raise self._source.refusal(
                f"`{path[-1]}` has no value" if isinstance(path[-1], str) else "this entry has no value",
                self._tree.span(path, key=True),
                where=dotted(path),
            )
        if text in _BOOL:
            return _BOOL[text]
        if _INT.fullmatch(text):
            return int(text)
        return float(text) if _FLOAT.fullmatch(text) else text

    def _sequence(self, path: Path) -> list[Value]:
        found: list[Value] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            found.append(self._value(event, (*path, len(found))))
        return found

    def _mapping(self, path: Path) -> dict[str, Value]:
        found: dict[str, Value] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent) or not event.value:
                raise self._source.refusal("a key is a word", _span(event))
            key = event.value
            here = (*path, key)
            if key in found:
                first = self._tree.keys[here].line
                raise self._source.refusal(
                    f"`{key}` is written twice, first on line {first}", _span(event), where=dotted(here)
                )
            self._tree.keys[here] = _span(event)
            found[key] = self._value(self._next(), here)
        return found


def _one(source: Source) -> str:
    return f"{'an' if source.what[0] in 'aeiou' else 'a'} {source.what}"


def is_number(text: str) -> bool:
    """Tell whether a plain scalar is read as a number."""
    return bool(_INT.fullmatch(text) or _FLOAT.fullmatch(text))


def dotted(path: Path) -> str:
    """Write a path as people do: `guardrails.0.margin`."""
    return ".".join(str(part) for part in path)


def _span(event: yaml.Event) -> Span:
    start, end = event.start_mark, event.end_mark
    if start is None or end is None:
        return Span(1, 1)
    width = end.column - start.column if end.line == start.line else 1
    return Span(line=start.line + 1, column=start.column + 1, width=max(1, width))
