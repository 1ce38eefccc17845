"""One fact in the ledger, and its bytes for ever."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from glideslope.ledger import canonical
from glideslope.ledger.errors import CanonicalError, EntryError

FORMAT = 1

# Quote and backslash are left out, so that names stand in JSON, in URLs' logs and in shells as they are.
_STREAM = re.compile(r"[!#-\[\]-~]{1,200}")
_KIND = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_AT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
_LINE = re.compile(
    rb'\{"at":"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z)","body":(\{.*\}),"format":1,'
    rb'"kind":"([a-z][a-z0-9]*(?:-[a-z0-9]+)*)","stream":"([!#-\[\]-~]{1,200})","version":([1-9][0-9]{0,14})\}',
    re.DOTALL,
)
"""The canonical bytes of nearly every entry of this format: all but the body checked at once. Each part is as below."""
_FIELDS = frozenset({"at", "body", "format", "kind", "stream", "version"})
_LONGEST_KIND = 100
_set = object.__setattr__


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What happened, when, and as which fact of its stream.

    ``stream`` is 1 to 200 visible ASCII characters other than quote and backslash; ``version`` counts 1, 2, 3 within
    the stream; ``at`` is RFC 3339 in UTC with milliseconds (``2026-01-31T09:00:00.000Z``); ``kind`` is kebab-case;
    ``body`` is a JSON object.

    Raises EntryError for anything else. The body is checked when the entry is encoded.
    """

    stream: str
    version: int
    at: str
    kind: str
    body: Mapping[str, object]

    def __post_init__(self) -> None:
        if type(self.stream) is not str or _STREAM.fullmatch(self.stream) is None:
            raise EntryError(f'the stream {self.stream!r} is not 1 to 200 visible ASCII characters without " and \\')
        if type(self.version) is not int or not 1 <= self.version <= canonical.LARGEST_INTEGER:
            raise EntryError(f"the version {self.version!r} is not a whole number from 1")
        if type(self.kind) is not str or len(self.kind) > _LONGEST_KIND or _KIND.fullmatch(self.kind) is None:
            raise EntryError(f"the kind {self.kind!r} is not kebab-case of at most {_LONGEST_KIND} characters")
        if type(self.at) is not str or not _is_instant(self.at):
            raise EntryError(f"the time {self.at!r} is not like 2026-01-31T09:00:00.000Z")
        if not isinstance(self.body, Mapping):
            raise EntryError(f"the body is a {type(self.body).__name__}, not an object")


def encode(entry: Entry) -> bytes:
    """Write *entry* as the canonical bytes that its leaf hash covers.

    Raises CanonicalError when the body holds what JSON cannot.
    """
    body = canonical.encode(entry.body if type(entry.body) is dict else dict(entry.body))
    # The fields stand in canonical order, and none but the body can need an escape.
    return b'{"at":"%b","body":%b,"format":%d,"kind":"%b","stream":"%b","version":%d}' % (
        entry.at.encode(),
        body,
        FORMAT,
        entry.kind.encode(),
        entry.stream.encode(),
        entry.version,
    )


def decode(data: bytes) -> Entry:
    """Read an entry from its canonical bytes.

    Raises CanonicalError for bytes that are not canonical JSON, EntryError for JSON that is not an entry of a format
    this version knows.
    """
    plain = _LINE.fullmatch(data)
    found = None if plain is None else _plain(*plain.groups())
    return _decoded(data) if found is None else found


def _plain(at: bytes, body: bytes, kind: bytes, stream: bytes, version: bytes) -> Entry | None:
    """Return an entry whose parts but the body have their form; None when a longer look must say what is wrong."""
    if len(kind) > _LONGEST_KIND or body.count(b"[") + body.count(b"{") >= canonical.DEEPEST_NESTING:
        return None
    when = at.decode()
    try:
        datetime.fromisoformat(when)
        said = canonical.decode(body)
    except (ValueError, CanonicalError):
        return None
    found = object.__new__(Entry)
    _set(found, "stream", stream.decode())
    _set(found, "version", int(version))
    _set(found, "at", when)
    _set(found, "kind", kind.decode())
    _set(found, "body", said)
    return found


def _decoded(data: bytes) -> Entry:
    """Decode without a shortcut. Raises CanonicalError, EntryError."""
    fields = canonical.decode(data)
    if not isinstance(fields, dict):
        raise EntryError("an entry is a JSON object")
    if fields.keys() != _FIELDS:
        missing, unknown = sorted(_FIELDS - fields.keys()), sorted(fields.keys() - _FIELDS)
        raise EntryError(f"an entry has other fields: missing {missing}, unknown {unknown}")
    if type(fields["format"]) is not int or fields["format"] != FORMAT:
        raise EntryError(f"the entry has format {fields['format']!r}; this version reads {FORMAT}")
    # __post_init__ checks each of these, whatever was read.
    return Entry(
        stream=fields["stream"],  # type: ignore[arg-type]  # checked by Entry
        version=fields["version"],  # type: ignore[arg-type]  # checked by Entry
        at=fields["at"],  # type: ignore[arg-type]  # checked by Entry
        kind=fields["kind"],  # type: ignore[arg-type]  # checked by Entry
        body=fields["body"],  # type: ignore[arg-type]  # checked by Entry
    )


def _is_instant(text: str) -> bool:
    if _AT.fullmatch(text) is None:
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
