"""Where a character of a YAML text stands in the file: texts are quoted, folded and escaped, and an error must point at what was typed."""

import re
from typing import Final

_FOLD: Final = re.compile(r"[ ]*\n\s*")
_ESCAPE: Final = re.compile(r"\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|\n\s*|.)", re.DOTALL)
_WIDE: Final = ("x", "u", "U")
_SHORT: Final = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "\t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b",
    " ": " ", '"': '"', "/": "/", "\\": "\\", "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip
"""YAML 1.1, section 5.6."""


def places(raw: str, value: str) -> tuple[int, ...] | None:
    """Return for each character of a scalar's value, and for its end, its index in the scalar as written.

    `raw` is the scalar from its first character to behind its last one, quotes included. None when the two cannot be matched: then only the
    whole can be pointed at.
    """
    match raw[:1]:
        case "'":
            found = _quoted(raw, single=True)
        case '"':
            found = _quoted(raw, single=False)
        case "|" | ">":
            return _block(raw, value)
        case _:
            found = _plain(raw, 0, len(raw.rstrip()))
    text = "".join(character for character, _ in found)
    if text != value:
        return None
    indices = tuple(index for _, index in found)
    return (*indices, indices[-1] + 1 if indices else 1)


def _plain(raw: str, start: int, end: int) -> list[tuple[str, int]]:
    found, at = [], start
    while at < end:
        fold = _FOLD.match(raw, at, end)
        if fold:
            found += _folded(fold)
            at = fold.end()
        else:
            found.append((raw[at], at))
            at += 1
    return found


def _folded(fold: re.Match[str]) -> list[tuple[str, int]]:
    """One line's end is read as a space; of several, one is left out."""
    breaks = fold.group().count("\n")
    return [(" ", fold.start())] if breaks == 1 else [("\n", fold.start())] * (breaks - 1)


def _quoted(raw: str, *, single: bool) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    at, end = 1, len(raw) - 1
    while at < end:
        fold = _FOLD.match(raw, at, end)
        escape = None if single else _ESCAPE.match(raw, at, end)
        if fold:
            found += _folded(fold)
            at = fold.end()
        elif escape:
            found += [(character, at) for character in _unescaped(escape.group())]
            at = escape.end()
        else:
            found.append((raw[at], at))
            at += 2 if single and raw.startswith("''", at) else 1
    return found


def _unescaped(written: str) -> str:
    kind = written[1]
    if kind in _WIDE and len(written) > 2:
        code = int.from_bytes(bytes.fromhex(written[2:]))
        return chr(code) if code <= 0x10FFFF else ""
    return "" if kind == "\n" else _SHORT.get(kind, kind)


def _block(raw: str, value: str) -> tuple[int, ...] | None:
    """Find each line of the value in the lines of the block; what was folded is a space."""
    at = raw.find("\n") + 1
    found: list[int] = []
    for word in re.split(r"(\s+)", value):
        if word.isspace() or not word:
            found += [at] * len(word)
            continue
        at = raw.find(word, at)
        if at < 0:
            return None
        found += range(at, at + len(word))
        at += len(word)
    return (*found, found[-1] + 1 if found else at)
