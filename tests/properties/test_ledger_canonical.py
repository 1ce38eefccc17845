"""For every value there is one canonical spelling, which another implementation of RFC 8785 writes too."""

import json
import math
from collections.abc import Callable

import pytest
import rfc8785
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from glideslope.ledger import canonical
from glideslope.ledger.canonical import LARGEST_INTEGER
from glideslope.ledger.errors import CanonicalError

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-LARGEST_INTEGER, LARGEST_INTEGER) | FLOATS | TEXT,
    lambda children: st.lists(children, max_size=5) | st.dictionaries(TEXT, children, max_size=5),
    max_leaves=30,
)


@given(VALUES)
def test_what_is_written_is_read_back_and_written_the_same(value: object) -> None:
    data = canonical.encode(value)

    assert canonical.decode(data) == value
    assert canonical.encode(canonical.decode(data)) == data


@given(VALUES)
def test_another_implementation_writes_the_same_bytes(value: object) -> None:
    assert canonical.encode(value) == rfc8785.dumps(value)  # type: ignore[arg-type]  # JSON by construction


@given(FLOATS)
def test_every_double_is_read_back_bit_for_bit(value: float) -> None:
    decoded = canonical.decode(canonical.encode(value))

    assert isinstance(decoded, int | float)
    assert float(decoded) == value
    assert math.copysign(1, float(decoded)) == math.copysign(1, value) or value == 0


@given(VALUES, st.data())
def test_no_other_bytes_are_read_as_the_same_value(value: object, data: st.DataObject) -> None:
    canonical_bytes = canonical.encode(value)
    changed = bytearray(canonical_bytes)
    position = data.draw(st.integers(0, len(changed) - 1))
    changed[position] = data.draw(st.integers(0, 255))
    assume(bytes(changed) != canonical_bytes)

    try:
        other = canonical.decode(bytes(changed))
    except CanonicalError:
        return
    assert canonical.encode(other) == bytes(changed)


@given(VALUES, st.sampled_from([None, 1]), st.booleans())
def test_a_looser_spelling_is_refused(value: object, indent: int | None, ascii_only: bool) -> None:
    loose = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    assume(loose != canonical.encode(value))

    try:
        canonical.decode(loose)
    except CanonicalError:
        return
    raise AssertionError(loose)


@given(st.binary(max_size=60))
def test_bytes_are_read_or_refused_and_nothing_else_happens(data: bytes) -> None:
    try:
        value = canonical.decode(data)
    except CanonicalError:
        return

    assert canonical.encode(value) == data


@settings(max_examples=300)
@given(
    VALUES,
    st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from(list(b'0123456789eE.+-,:{}[]" \\u'))), max_size=2),
    st.booleans(),
)
def test_reading_quickly_is_reading_carefully(value: object, edits: list[tuple[int, int]], insert: bool) -> None:
    """Where C reads and writes for us, exactly the same bytes are taken, as exactly the same value."""
    data = bytearray(canonical.encode(value))
    for at, byte in edits:
        place = at % len(data)
        data[place : place + (0 if insert else 1)] = bytes([byte])
    assert _said(canonical.decode, bytes(data)) == _said(canonical._decode_carefully, bytes(data))


def _said(read: Callable[[bytes], object], data: bytes) -> str:
    try:
        return repr(read(data))
    except CanonicalError:
        return "refused"


SPELLINGS = (
    *(
        b"[1.0]",
        b"[1e5]",
        b"[1E5]",
        b"[0.0]",
        b"[-0]",
        b"[-0.0]",
        b"[1e21]",
        b"[100.0]",
        b"[1.50]",
        b"[NaN]",
        b"[Infinity]",
    ),
    *(
        b"[9007199254740993]",
        b"[123456789012345678901234567890]",
        b'{"b":1,"a":1}',
        b'{"a":1,"a":1}',
        b'["\\/"]',
        b"[1] ",
    ),
    *(b'["\\u0041"]', b"[1,]", b"[" * 65 + b"]" * 65, b'{"a":' * 65 + b"1" + b"}" * 65),
)


@pytest.mark.parametrize("data", SPELLINGS, ids=str)
def test_what_c_would_let_pass_is_refused(data: bytes) -> None:
    with pytest.raises(CanonicalError):
        canonical.decode(data)
