"""One value has one sequence of bytes, that of RFC 8785, and nothing else is read."""

import json
import struct
from enum import IntEnum, StrEnum

import pytest
import rfc8785

from glideslope.ledger import canonical
from glideslope.ledger.errors import CanonicalError


def double(bits: str) -> float:
    return float(struct.unpack(">d", bytes.fromhex(bits))[0])


# RFC 8785, appendix B.
NUMBERS = [
    ("0000000000000000", "0"),
    ("8000000000000000", "0"),
    ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("ffefffffffffffff", "-1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992"),
    ("c340000000000000", "-9007199254740992"),
    ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef4f", "999999999999999900000"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"),
    ("41b3de4355555554", "333333333.33333325"),
    ("41b3de4355555555", "333333333.3333333"),
    ("41b3de4355555556", "333333333.3333334"),
    ("41b3de4355555557", "333333333.33333343"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
    ("43143ff3c1cb0959", "1424953923781206.2"),
]


@pytest.mark.parametrize(("bits", "text"), NUMBERS)
def test_numbers_are_written_as_the_rfc_lists_them(bits: str, text: str) -> None:
    assert canonical.encode(double(bits)) == text.encode()


@pytest.mark.parametrize(("bits", "text"), NUMBERS)
def test_every_listed_number_is_read_back_as_the_same_double(bits: str, text: str) -> None:
    assert canonical.decode(text.encode()) == double(bits)


def test_the_example_of_section_3_2_2() -> None:
    value = json.loads(
        r"""{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}"""
    )

    assert (
        canonical.encode(value)
        == (
            '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
            '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
        ).encode()
    )


def test_keys_are_ordered_by_utf_16_code_units_as_in_section_3_2_3() -> None:
    value = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }

    decoded = canonical.decode(canonical.encode(value))

    assert isinstance(decoded, dict)
    assert list(decoded.values()) == [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (-1.5, "-1.5"),
        (1e16, "10000000000000000"),
        (1e-5, "0.00001"),
        (1e-7, "1e-7"),
        (123456789012345680000.0, "123456789012345680000"),
        (2**53 - 1, "9007199254740991"),
        ("\x00\x1f\x7f\u2028", '"\\u0000\\u001f\x7f\u2028"'),
        ("\b\t\n\f\r", '"\\b\\t\\n\\f\\r"'),
        ((1, [2]), "[1,[2]]"),
        ({}, "{}"),
        ({"b": 1, 'a"': 2}, '{"a\\"":2,"b":1}'),
    ],
)
def test_what_json_can_hold_has_one_spelling(value: object, text: str) -> None:
    assert canonical.encode(value) == text.encode()
    if value != {}:
        assert rfc8785.dumps(value) == text.encode()  # type: ignore[arg-type]  # its type lists what we try


class Colour(StrEnum):
    RED = "red"


class Size(IntEnum):
    SMALL = 1


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        float("-inf"),
        2**53,
        -(2**53),
        10**5000,
        {1: "a"},
        {None: "a"},
        {Colour.RED: "a"},
        "\ud800",
        "\ud83d\ude00",
        {"\udfff": 1},
        b"bytes",
        {1, 2},
        pytest.param(object(), id="an object"),
        Colour.RED,
        Size.SMALL,
        [[1, {"a": float("nan")}]],
    ],
    ids=lambda value: ascii(value)[:30] if not isinstance(value, int) else f"{hex(value)[:30]}",
)
def test_what_json_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(CanonicalError):
        canonical.encode(value)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"01", "not JSON"),
        (b'"\x01"', "not JSON"),
        (b" 1", "not canonical"),
        (b"1\n", "not canonical"),
        (b"1.0", "not canonical"),
        (b"-0", "not canonical"),
        (b"1e2", "not canonical"),
        (b"1E+23", "not canonical"),
        (b"9007199254740993", "not canonical"),
        (b'{"b":1,"a":2}', "not canonical"),
        (b'{"a": 1}', "not canonical"),
        (b'"\\u0041"', "not canonical"),
        (b'"\\/"', "not canonical"),
        (b'"\\u000A"', "not canonical"),
        (b'{"a":1,"a":1}', "twice"),
        (b'[{"a":1,"a":2}]', "twice"),
        (b"NaN", "not a JSON number"),
        (b"[-Infinity]", "not a JSON number"),
        (b'"\\ud800"', "surrogate"),
        (b"\xff", "not UTF-8"),
        (b"\xef\xbb\xbf1", "not JSON"),
        (b"1" * 5000, "not a JSON number"),
        (b"[" * 65 + b"]" * 65, "nesting"),
        (b"[" * 100_000 + b"]" * 100_000, "nesting"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_only_the_canonical_spelling_is_read(data: bytes, why: str) -> None:
    with pytest.raises(CanonicalError, match=why):
        canonical.decode(data)


def test_sixty_four_levels_are_the_deepest_nesting() -> None:
    data = b"[" * 64 + b"]" * 64

    assert canonical.encode(canonical.decode(data)) == data


def test_digits_beyond_an_exact_integer_are_read_as_the_double_they_stand_for() -> None:
    found = canonical.decode(b"[9007199254740991,9007199254740992,100000000000000000000]")

    assert found == [9007199254740991, 9007199254740992.0, 1e20]
    assert isinstance(found, list)
    assert [type(number) for number in found] == [int, float, float]
