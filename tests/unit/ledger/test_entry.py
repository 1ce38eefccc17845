"""An entry has exactly six fields, checked when it is made and when it is read."""

from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def seen(data: bytes, decode: Any) -> Any:
    """What comes of bytes: an entry with its types, or the refusal's words."""
    try:
        found = decode(data)
    except (CanonicalError, EntryError) as error:
        return type(error), str(error)
    return repr(found)


BODIES: tuple[dict[str, Any], ...] = (
    FIELDS["body"],
    {},
    {"wealth": -0.00123, "n": 2**53 - 1, "e": 1e-7, "big": 1e21, "deep": [[{}]], "of": "sha256:" + "3e" * 32},
    {"text": '},"format":1,"kind":"x","stream":"y","version":1}', "quote": '"\\'},
)
CHARACTERS = st.sampled_from(b'0123456789.-+eE"{}[],: \\/aZ\x00\x7f\xc3\xff')


@given(st.sampled_from(BODIES), st.data())
def test_the_shortcut_reads_and_refuses_as_the_long_way_does(body: dict[str, Any], data: Any) -> None:
    whole = bytearray(entry.encode(Entry(**{**FIELDS, "body": body})))
    assert seen(bytes(whole), entry.decode) == seen(bytes(whole), entry._decoded)
    at = data.draw(st.integers(0, len(whole)))
    until = data.draw(st.sampled_from([at, at, at + 1, at + 1, at + 7]))
    whole[at:until] = bytes(data.draw(st.lists(CHARACTERS, max_size=3)))

    assert seen(bytes(whole), entry.decode) == seen(bytes(whole), entry._decoded)


@pytest.mark.parametrize("depth", [61, 62, 63, 64, 65])
def test_the_shortcut_is_as_deep_as_the_long_way(depth: int) -> None:
    head, _, tail = entry.encode(Entry(**{**FIELDS, "body": {"x": 0}})).partition(b"0}")
    data = head + b"[" * depth + b"]" * depth + b"}" + tail

    assert seen(data, entry.decode) == seen(data, entry._decoded)
    assert isinstance(seen(data, entry.decode), str) == (depth + 2 <= canonical.DEEPEST_NESTING)


@pytest.mark.parametrize(
    "number",
    ["1.0", "-0", "-0.0", "0.0", "1e3", "1E-7", "1e-7", "1e+21", "1e21", "0.10", "1e400", str(2**53), "01", "+1"],
)
def test_a_number_in_another_spelling_is_no_entry(number: str) -> None:
    data = entry.encode(Entry(**{**FIELDS, "body": {"x": 0}})).replace(b'"x":0', b'"x":' + number.encode())
    held = number in {"1e-7", "1e+21", str(2**53)}

    assert isinstance(seen(data, entry.decode), str) == held
    assert seen(data, entry.decode) == seen(data, entry._decoded)
