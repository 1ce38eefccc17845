"""An entry has exactly six fields, checked when it is made and when it is read."""

from types import MappingProxyType
from typing import Any

import pytest

from glideslope.ledger import canonical, entry
from glideslope.ledger.entry import Entry
from glideslope.ledger.errors import CanonicalError, EntryError

FIELDS: dict[str, Any] = {
    "stream": "rollout/flights-7",
    "version": 3,
    "at": "2026-01-31T09:00:00.000Z",
    "kind": "step-entered",
    "body": {"step": "s3", "share": 0.25, "name": "Zürich"},
}


def test_an_entry_is_written_as_canonical_json() -> None:
    data = entry.encode(Entry(**FIELDS))

    assert data == canonical.encode({**FIELDS, "format": 1})


def test_an_entry_is_read_back_as_it_was() -> None:
    made = Entry(**FIELDS)

    assert entry.decode(entry.encode(made)) == made


def test_a_body_may_be_a_read_only_mapping() -> None:
    frozen = Entry(**{**FIELDS, "body": MappingProxyType(FIELDS["body"])})

    assert entry.encode(frozen) == entry.encode(Entry(**FIELDS))


@pytest.mark.parametrize(
    "change",
    [
        {"stream": ""},
        {"stream": "two words"},
        {"stream": 'a"b'},
        {"stream": "a\\b"},
        {"stream": "zürich"},
        {"stream": "a" * 201},
        {"stream": "a\n"},
        {"stream": None},
        {"version": 0},
        {"version": -1},
        {"version": 1.5},
        {"version": True},
        {"at": "2026-01-31T09:00:00Z"},
        {"at": "2026-01-31T09:00:00.000+00:00"},
        {"at": "2026-01-31T09:00:00.000000Z"},
        {"at": "2026-02-30T09:00:00.000Z"},
        {"at": "2026-01-31T24:00:00.000Z"},
        {"at": "2026-01-31 09:00:00.000Z"},
        {"at": "\u0662026-01-31T09:00:00.000Z"},
        {"kind": "Step-Entered"},
        {"kind": "step entered"},
        {"kind": "step-"},
        {"kind": ""},
        {"kind": "a" * 101},
        {"body": [1]},
        {"body": None},
    ],
    ids=str,
)
def test_an_entry_out_of_bounds_is_refused_when_made_and_when_read(change: dict[str, object]) -> None:
    with pytest.raises(EntryError):
        Entry(**{**FIELDS, **change})
    with pytest.raises(EntryError):
        entry.decode(canonical.encode({**FIELDS, "format": 1, **change}))


@pytest.mark.parametrize("version", [1.0, 2**53], ids=str)
def test_a_version_that_would_be_written_as_another_number_is_refused(version: object) -> None:
    with pytest.raises(EntryError):
        Entry(**{**FIELDS, "version": version})


@pytest.mark.parametrize("change", [{"format": 2}, {"format": 1.5}, {"format": "1"}, {"format": True}, {"extra": 1}])
def test_an_entry_of_an_unknown_format_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(EntryError):
        entry.decode(canonical.encode({**FIELDS, "format": 1, **change}))


def test_a_missing_field_is_named() -> None:
    with pytest.raises(EntryError, match="missing \\['format', 'kind'\\]"):
        entry.decode(canonical.encode({name: FIELDS[name] for name in ("at", "body", "stream", "version")}))


def test_json_that_is_no_object_is_not_an_entry() -> None:
    with pytest.raises(EntryError):
        entry.decode(b"[]")


def test_a_body_that_json_cannot_hold_is_refused_when_encoded() -> None:
    with pytest.raises(CanonicalError):
        entry.encode(Entry(**{**FIELDS, "body": {"p": float("nan")}}))
