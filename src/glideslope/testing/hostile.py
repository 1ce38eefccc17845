"""Input from somebody who means harm: valid bytes and values, changed a little. Chance is an argument.

What is nearly right gets further into a parser than noise does.
"""

from random import Random
from typing import Any, Final

NUMBERS: Final[tuple[Any, ...]] = (
    *(0, 1, -1, 2, 255, 256, 65_536, 2**31, 2**53 - 1, 2**53, -(2**53), 2**63, 2**64, 10**30),
    *(0.0, -0.0, 0.5, 1e-320, 1e308, -1e308, 5e-324, 0.1 + 0.2),
)
TEXTS: Final = (
    *("", " ", "\x00", "\n", "\r\n", "\x1b[2J", "\u202e", "\u200b", "\ufeff", "é", "\U0001f6e9", "../../etc/passwd", "/", "\\"),
    *("all", "candidate", "incumbent", "s1", "s999", "true", "null", "NaN", "1e999", "sha256:" + "0" * 64, "x" * 300),
)  # fmt: skip
PIECES: Final = (
    *(b"", b"\x00", b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xef\xbb\xbf", b"\r", b"\n", b"\n\n", b" ", b"\t"),
    *(b'"', b"\\", b"\\ud800", b"{", b"}", b"[", b"]", b",", b":", b"-", b"---\n", b"&a ", b"*a", b"!!python/object ", b"<<: "),
    *(b"0", b"-0", b"01", b"1e999", b"1E400", b"NaN", b"Infinity", b"9" * 400, b"0." + b"0" * 400 + b"1", b"[" * 200, b'{"a":' * 200),
    *(b"\xe2\x80\x94 ", b"=", b"+", b"/", b"null", b"true", b'"a":1,"a":2', b"%00", b"%2e%2e%2f"),
)  # fmt: skip


def changed(valid: bytes, chance: Random, *, times: int = 3) -> bytes:
    """Return valid bytes with up to so many changes: flipped, cut, doubled, moved, or with a piece of trouble put in."""
    data = bytearray(valid)
    for _ in range(chance.randint(1, times)):
        start = chance.randint(0, len(data))
        end = min(len(data), start + chance.choice((1, 1, 2, 8, 64, 512)))
        match chance.randrange(7):
            case 0 if data:
                data[min(start, len(data) - 1)] ^= 1 << chance.randrange(8)
            case 1:
                del data[start:end]
            case 2:
                data[start:start] = data[start:end]
            case 3:
                piece = bytes(data[start:end])
                del data[start:end]
                place = chance.randint(0, len(data))
                data[place:place] = piece
            case 4:
                del data[start:]
            case _:
                data[start : chance.choice((start, end))] = chance.choice(PIECES)
    return bytes(data)


def another(valid: Any, chance: Random, *, times: int = 3) -> Any:  # noqa: ANN401 - JSON
    """Return a JSON value that differs from a valid one in up to so many places."""
    found = _copied(valid)
    for _ in range(chance.randint(1, times)):
        places = list(_places(found))
        if not places:
            return _other(found, chance)
        container, key = chance.choice(places)
        if isinstance(container, dict) and chance.random() < 0.1:
            del container[key]
        else:
            container[key] = _other(container[key], chance)
    return found


def _copied(value: Any) -> Any:  # noqa: ANN401 - as above
    match value:
        case dict():
            return {key: _copied(member) for key, member in value.items()}
        case list() | tuple():
            return [_copied(member) for member in value]
        case _:
            return value


def _places(value: Any) -> Any:  # noqa: ANN401 - as above
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        yield value, key
        yield from _places(member)


def _other(value: Any, chance: Random) -> Any:  # noqa: ANN401 - as above
    if chance.random() < 0.15:
        return chance.choice((None, True, 0, 0.5, "", [], {}, [[]], "x"))
    match value:
        case bool():
            return not value
        case int():
            return chance.choice((*NUMBERS[:14], value + 1, value - 1, -value, 2 * value))
        case float():
            return chance.choice((*NUMBERS, -value, 2 * value, value + 1e-9))
        case str():
            return chance.choice((*TEXTS, value + "x", value[:-1], value * 2))
        case list() if value:
            return chance.choice(([], value[1:], [*value, chance.choice(value)], value * chance.choice((2, 40))))
        case dict() if value:
            return {**value, chance.choice(TEXTS): chance.choice((1, "x", None))}
        case _:
            return chance.choice((0, "x", [0], {"x": 0}))
