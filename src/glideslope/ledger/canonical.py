"""One value, one sequence of bytes: the JSON Canonicalization Scheme (RFC 8785), refusing what JSON cannot hold.

Decoding is strict: bytes are accepted only if encoding what they say gives the same bytes again.
"""

import json
import math
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias

import msgspec

from glideslope.ledger.errors import CanonicalError

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

LARGEST_INTEGER = 2**53 - 1
DEEPEST_NESTING = 64

_LONG_NUMBER = re.compile(r"[:,\[-][0-9]{16}")
"""Where an integer inside an object or array may be beyond 2**53 - 1; in a text now and then too, which costs time only."""
_DIGITS = bytes(ord("0") if chr(code).isdigit() and code < 0x80 else code for code in range(256))
_SIXTEEN = b"0" * 16
_NEEDS_ESCAPE = re.compile(r'[\x00-\x1f"\\]')
_ESCAPES = {chr(code): f"\\u{code:04x}" for code in range(0x20)} | {
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\f": "\\f",
    "\r": "\\r",
    '"': '\\"',
    "\\": "\\\\",
}


def encode(value: object) -> bytes:
    """Write *value* as canonical JSON in UTF-8 (RFC 8785).

    Accepts exactly None, bool, int, float, str, list, tuple (as an array) and dict; a subclass of one of these is
    refused, since it may compare or print as it likes.

    Raises CanonicalError for any other type, NaN, infinities, integers beyond 2**53 - 1 in magnitude, keys that are
    not strings, lone surrogates, and nesting deeper than 64.
    """
    try:
        return _text(value, depth=0).encode()
    except UnicodeEncodeError as error:
        raise CanonicalError(f"a string holds a lone surrogate (U+{ord(error.object[error.start]):04X})") from None


def decode(data: bytes) -> Json:
    """Read canonical JSON, refusing every other spelling of the same value.

    Integers within 2**53 - 1 come back as int, all other numbers as float.

    Raises CanonicalError for bytes that are not JSON, hold a key twice, or differ from the canonical encoding of what
    they say.
    """
    # Only a lexer: whatever it lets pass (duplicates, spaces, NaN) shows when the value is written again.
    if data[:1] in (b"{", b"[") and data.isascii() and not _may_hold_long(data):
        # Written by C where that is the same: of plain keys and of numbers that were looked at one by one.
        with suppress(msgspec.MsgspecError, ValueError, RecursionError):
            plain: Json = _PLAIN_READER.decode(data)
            if _PLAIN_WRITER.encode(plain) == data and _is_shallow(plain, data):
                return plain
    try:
        value: Json = json.loads(str(data, "utf-8"))
        if encode(value) == data:
            return value
    except (ValueError, RecursionError):
        pass
    return _decode_carefully(data)


def _may_hold_long(data: bytes) -> bool:
    """Tell whether a number in ASCII may be a long integer; the first look is much quicker than the second."""
    return _SIXTEEN in data.translate(_DIGITS) and _LONG_NUMBER.search(data.decode()) is not None


def _plain_float(text: str) -> float:
    value = float(text)
    written = repr(value)
    if written == text and written[-2:] != ".0" and "e" not in written:
        return value  # laid out alike, as nearly all are
    if number(value) != text:
        raise CanonicalError(f"{text} is another spelling of {value}")
    return value


_PLAIN_READER = msgspec.json.Decoder(float_hook=_plain_float)
_PLAIN_WRITER = msgspec.json.Encoder(order="sorted")


def _is_shallow(value: Json, data: bytes) -> bool:
    if data.count(b"[") + data.count(b"{") <= DEEPEST_NESTING:
        return True
    level: list[Any] = [value]
    for _ in range(DEEPEST_NESTING):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) is dict or type(inner) is list
        ]
        if not level:
            return True
    return False


def _decode_carefully(data: bytes) -> Json:
    """Decode again with the slow hooks: for integers only a float can hold, and to say what is wrong."""
    try:
        value: Json = json.loads(
            str(data, "utf-8"), object_pairs_hook=_object, parse_int=_integer, parse_constant=_refuse_constant
        )
    except CanonicalError:
        raise
    except RecursionError:
        raise CanonicalError(f"nesting is deeper than {DEEPEST_NESTING}") from None
    except UnicodeDecodeError as error:
        raise CanonicalError(f"not UTF-8 at byte {error.start}") from None
    except ValueError as error:
        raise CanonicalError(f"not JSON: {error}") from None
    written = encode(value)
    if written != data:
        at = next((i for i, (a, b) in enumerate(zip(written, data, strict=False)) if a != b), len(written))
        raise CanonicalError(f"not canonical: differs from the canonical form at byte {at}")
    return value


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for key, value in pairs:
        if key in found:
            raise CanonicalError(f"the key {key!r} occurs twice in one object")
        found[key] = value
    return found


def _integer(text: str) -> int | float:
    # RFC 8785 writes doubles below 1e21 without an exponent, so digits may stand for a double that no int may be.
    if len(text) <= 17 and abs(number := int(text)) <= LARGEST_INTEGER:
        return number
    return float(text)


def _refuse_constant(text: str) -> Json:
    raise CanonicalError(f"{text} is not a JSON number")


def _text(value: object, *, depth: int) -> str:
    # Exact types: True is an int, and an enumeration is a str, to isinstance.
    scalar = _SCALARS.get(type(value))
    if scalar is not None:
        return scalar(value)
    if depth >= DEEPEST_NESTING:
        raise CanonicalError(f"nesting is deeper than {DEEPEST_NESTING}")
    if type(value) is dict:
        return _object_text(value, depth=depth + 1)
    if type(value) is list or type(value) is tuple:
        return _array_text(value, depth=depth + 1)
    raise CanonicalError(f"a {type(value).__name__} is not a JSON value")


def _array_text(items: list[object] | tuple[object, ...], *, depth: int) -> str:
    scalars = _SCALARS
    written = [
        _text(item, depth=depth) if (scalar := scalars.get(type(item))) is None else scalar(item) for item in items
    ]
    return "[" + ",".join(written) + "]"


def _object_text(members: dict[str, object], *, depth: int) -> str:
    for key in members:
        if type(key) is not str:
            raise CanonicalError(f"the key {key!r} is a {type(key).__name__}, not a string")
    # One look at all keys together: they are nearly always plain.
    together = "".join(members)
    if not together.isascii():
        keys = sorted(members, key=_utf16)
    elif _NEEDS_ESCAPE.search(together) is None:
        scalars = _SCALARS
        written: list[str] = []
        for key in sorted(members):
            member = members[key]
            scalar = scalars.get(type(member))
            text = _text(member, depth=depth) if scalar is None else scalar(member)
            written.append(f'"{key}":{text}')
        return "{" + ",".join(written) + "}"
    else:
        keys = sorted(members)
    return "{" + ",".join([f"{_quote(key)}:{_text(members[key], depth=depth)}" for key in keys]) + "}"


def _utf16(key: str) -> bytes:
    """Give the order of RFC 8785, section 3.2.3: by UTF-16 code units, not by code points."""
    return key.encode("utf-16-be", "surrogatepass")


def _quote(text: str) -> str:
    if _NEEDS_ESCAPE.search(text) is None:
        return f'"{text}"'
    return '"' + _NEEDS_ESCAPE.sub(lambda found: _ESCAPES[found[0]], text) + '"'


def _integer_text(value: int) -> str:
    if -LARGEST_INTEGER <= value <= LARGEST_INTEGER:
        return str(value)
    # Python refuses to print integers of more than some thousand digits.
    shown = str(value) if value.bit_length() <= 128 else f"{hex(value)[:24]}..."
    raise CanonicalError(f"the integer {shown} is beyond 2**53 - 1; write it as a string")


def _constant(value: bool | None) -> str:
    return "null" if value is None else "true" if value else "false"


def number(value: float) -> str:
    """Write a double as ECMAScript does (ECMA-262, Number::toString, as RFC 8785 section 3.2.2.3 requires).

    Raises CanonicalError for NaN and the infinities.
    """
    if not math.isfinite(value):
        raise CanonicalError(f"{value} is not a JSON number")
    if value == 0:
        return "0"  # also for minus zero
    # Both Python and ECMAScript print the shortest digits that read back as the same double; only the layout differs.
    text = repr(value)
    if "e" not in text:
        return text.removesuffix(".0")
    mantissa, exponent = text.split("e")
    sign, mantissa = ("-", mantissa[1:]) if mantissa[0] == "-" else ("", mantissa)
    digits = mantissa.replace(".", "")
    point = int(exponent) + 1  # where the decimal point falls, counted from the first digit
    if len(digits) <= point <= 21:
        return sign + digits + "0" * (point - len(digits))
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{fraction}e{'+' if point > 0 else '-'}{abs(point - 1)}"


_SCALARS: dict[type, Callable[[Any], str]] = {
    str: _quote,
    int: _integer_text,
    float: number,
    bool: _constant,
    type(None): _constant,
}
