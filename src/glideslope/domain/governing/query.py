"""What can be looked for in the record: an entry's fields and words, and the question that a person types.

    author:ana metric:log_loss after:2026-01-01 "evening flights" calibrat*

Words and fields are read the same way on both sides, here and nowhere else, so that every index gives the same answers.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from glideslope.domain.errors import Invalid
from glideslope.domain.events import instant
from glideslope.ledger.entry import Entry

FIELDS: Final = (
    "author", "dataset", "decision", "digest", "feature", "holdout", "kind", "licence", "maker", "metric", "model",
    "owner", "reason", "rollout", "slice", "step", "stream", "tag", "version",
)  # fmt: skip
"""What can stand before a colon, besides `after` and `before`."""

LONGEST_VALUE: Final = 80
"""Characters of a field's value that count; more than any name has."""
MOST_WORDS: Final = 20_000
"""Words of one entry that are indexed."""
MOST_TERMS: Final = 20
"""Parts of a question."""
LONGEST_QUESTION: Final = 1_000

_OF_KEY: Final[Mapping[str, str]] = {
    "actor": "author", "attempt_of": "rollout", "by": "author", "candidate": "version", "dataset": "dataset",
    "holdout": "holdout", "incumbent": "version", "licence": "licence", "licences": "licence", "metric": "metric",
    "model": "model", "owner": "owner", "reasons": "reason", "rollout": "rollout", "slice": "slice", "step": "step",
    "subject": "metric", "tags": "tag", "version": "version",
    "code_by": "maker", "data_by": "maker", "evaluated_by": "maker", "trained_by": "maker",
}  # fmt: skip
"""Which field a member of an entry's body speaks of, wherever in the body it stands."""
_NAMED: Final[Mapping[str, str]] = {"datasets": "dataset", "features": "feature"}
"""Lists of things with a name."""
_WORD: Final = re.compile(r"[^\W_]+")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_TERM: Final = re.compile(r'(?:([a-z]+):)?(?:"([^"]*)"|(\S+))')


@dataclass(frozen=True, slots=True)
class Document:
    """One entry as an index takes it: its ledger position, its time in milliseconds, its fields, and its words in order."""

    position: int
    at: int
    fields: frozenset[tuple[str, str]]
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FieldTerm:
    """A field with this value, or with one that starts so."""

    name: str
    value: str
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class WordTerm:
    """These words one after another, of which the last may only start so."""

    words: tuple[str, ...]
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """All of it must hold. `after` is inclusive, `before` exclusive, in milliseconds."""

    fields: tuple[FieldTerm, ...] = ()
    words: tuple[WordTerm, ...] = ()
    after: int | None = None
    before: int | None = None


def words(text: str) -> list[str]:
    """Return the words of a text: runs of letters and digits, without case and accents."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return _WORD.findall(plain.casefold())


def field_value(text: str) -> str:
    """Return a field's value as it is compared: without case, and cut."""
    return text.casefold()[:LONGEST_VALUE]


def document(entry: Entry, position: int) -> Document:
    """Return what an index keeps of an entry."""
    fields = {("kind", entry.kind), ("stream", field_value(entry.stream))}
    if entry.stream.startswith("r-"):
        fields.add(("rollout", field_value(entry.stream)))
    if entry.stream.startswith("model."):
        fields.add(("model", field_value(entry.stream.removeprefix("model."))))
    texts: dict[str, None] = {}
    for key, value in _leaves(entry.body):
        if key == "decision" and isinstance(value, str):
            fields.add(("decision", field_value(value)))
        elif (name := _OF_KEY.get(key) or (key if key in FIELDS else None)) is not None and value:
            fields.add((name, field_value(value)))
        if _DIGEST.fullmatch(value):
            fields.add(("digest", value))
        else:
            texts.setdefault(value)
    found = [word for text in texts for word in words(text)]
    return Document(position, instant(entry.at), frozenset(fields), tuple(found[:MOST_WORDS]))


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401 - JSON
    """Yield each string with the name under which it stands; numbers say nothing without what they count."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            if name == "name" and key in ("metric", *_NAMED):
                yield _NAMED.get(key, key), str(inner)
            elif key == "decision" and name == "type":
                yield "decision", str(inner)
            else:
                yield from _leaves(inner, str(name))
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _leaves(inner, key)


def read(text: str) -> Question:
    """Read a question as a person types it. Raises Invalid for a field that is not known, and for nothing at all."""
    if len(text) > LONGEST_QUESTION:
        raise Invalid(f"The question is longer than {LONGEST_QUESTION:,} characters.")
    fields: list[FieldTerm] = []
    wanted: list[WordTerm] = []
    times: dict[str, int] = {}
    for name, quoted, plain in _TERM.findall(text):
        value, prefix = quoted or plain, not quoted and plain.endswith("*")
        value = value.removesuffix("*") if prefix else value
        if name in ("after", "before"):
            times[name] = _instant(value)
        elif name in FIELDS and value:
            fields.append(FieldTerm(name, field_value(value), prefix))
        elif name and name not in FIELDS:
            known = ", ".join((*FIELDS, "after", "before"))
            raise Invalid(f"There is no field {name!r} to search. The fields are: {known}.")
        elif plain.endswith(":") and plain[:-1] in (*FIELDS, "after", "before"):
            raise Invalid(f"Say what {plain[:-1]} shall be: {plain}VALUE, without a space between.")
        elif found := tuple(words(value)):
            wanted.append(WordTerm(found, prefix))
    if not (fields or wanted or times) or len(fields) + len(wanted) > MOST_TERMS:
        raise Invalid(
            f'Say what to look for, in 1 to {MOST_TERMS} parts: words, "a phrase", author:NAME.',
            next_command="glideslope search 'author:ana metric:log_loss evening'",
        )
    return Question(tuple(fields), tuple(wanted), times.get("after"), times.get("before"))


def _instant(text: str) -> int:
    for end in ("", "-01", "-01-01", "T00:00:00.000Z"):
        try:
            return instant(text if not end else f"{text}{end}" if end.startswith("T") else f"{text}{end}T00:00:00.000Z")
        except Invalid:
            continue
    raise Invalid(f"{text!r} is not a time: write 2026, 2026-01, 2026-01-31 or 2026-01-31T09:00:00.000Z.")


def holds(question: Question, found: Document) -> bool:
    """Tell whether a document answers a question: what every index must agree with."""
    if question.after is not None and found.at < question.after:
        return False
    if question.before is not None and found.at >= question.before:
        return False
    return all(_has_field(term, found) for term in question.fields) and all(_says(t, found) for t in question.words)


def _has_field(term: FieldTerm, found: Document) -> bool:
    if term.prefix:
        return any(name == term.name and value.startswith(term.value) for name, value in found.fields)
    return (term.name, term.value) in found.fields


def _says(term: WordTerm, found: Document) -> bool:
    n = len(term.words)
    *head, last = term.words
    return any(
        list(found.words[k : k + n - 1]) == head
        and (found.words[k + n - 1].startswith(last) if term.prefix else found.words[k + n - 1] == last)
        for k in range(len(found.words) - n + 1)
    )
