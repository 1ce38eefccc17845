"""Assigning whole columns of subjects for batch scoring: the gateway's coin (XXH64) in numpy, which the caller brings.

What the salt alone decides of the hash is computed once for a column and not per subject.
Source: the XXH64 specification, github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md.
"""

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from glideslope.sdk.assign import Assigner

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_Words: TypeAlias = Any
"""64-bit words: an int that is the same for all subjects, or an array of uint64 with one for each.

Any, because numpy's annotations forget the width of words that meet a Python number.
"""

UNMEASURED: Final = 0
CONTROL: Final = 1
CANDIDATE: Final = 2

_P1: Final = 0x9E3779B185EBCA87
_P2: Final = 0xC2B2AE3D27D4EB4F
_P3: Final = 0x165667B19E3779F9
_P4: Final = 0x85EBCA77C2B2AE63
_P5: Final = 0x27D4EB2F165667C5
_MASK: Final = (1 << 64) - 1
_CHUNK: Final = 16_384
"""Subjects at a time: many enough to outweigh numpy's cost per step, few enough to stay in the cache."""


def assign_column(assigner: Assigner, subjects: "NDArray[np.bytes_]") -> "NDArray[np.uint8]":
    """Return CANDIDATE, CONTROL or UNMEASURED for each subject, equal to `assigner.assign`; the lease is looked at once.

    `subjects` is a one-dimensional array of UTF-8 bytes (dtype `S`), so none may end in a zero byte. Columns whose subjects
    have one length are fastest. Raises ModuleNotFoundError without numpy, TypeError for another type of array.
    """
    import numpy as np

    if subjects.dtype.kind != "S" or subjects.ndim != 1:
        raise TypeError(f"a column of subjects is a one-dimensional array of bytes, not of {subjects.dtype}")
    found = np.zeros(len(subjects), dtype=np.uint8)
    prefix, candidate, measured = assigner.coin()
    if not measured:
        return found
    salt = prefix.encode()
    lengths = np.strings.str_len(subjects)
    # Counting tells which lengths there are faster than sorting, which `unique` does.
    counts = np.bincount(lengths)
    for length in np.flatnonzero(counts).tolist():
        if not length:
            continue
        places = None if counts[length] == len(subjects) else np.flatnonzero(lengths == length)
        count = len(subjects) if places is None else len(places)
        for start in range(0, count, _CHUNK):
            part: slice | NDArray[np.intp]
            part = slice(start, start + _CHUNK) if places is None else places[start : start + _CHUNK]
            numbers = _xxh64(salt, subjects[part], length) & np.uint64(0xFFFF)
            found[part] = (numbers < measured).view(np.uint8) + (numbers < candidate).view(np.uint8)
    return found


def _xxh64(salt: bytes, subjects: "NDArray[np.bytes_]", length: int) -> "NDArray[np.uint64]":
    """Hash `salt + subject` for subjects of one length, seed 0."""
    import numpy as np

    total = len(salt) + length
    text = np.zeros((len(subjects), -(-total // 8) * 8), dtype=np.uint8)
    text[:, len(salt) : total] = np.ascontiguousarray(subjects).view(np.uint8).reshape(len(subjects), -1)[:, :length]
    first = len(salt) // 8 * 8
    if first < len(salt):
        text[:, first : len(salt)] = np.frombuffer(salt[first:], dtype=np.uint8)
    words = text.view("<u8")

    def word(at: int) -> _Words:
        return int.from_bytes(salt[at : at + 8], "little") if at + 8 <= len(salt) else words[:, at // 8]

    at = 0
    hashed: _Words
    if total >= 32:
        lanes: list[_Words] = [(_P1 + _P2) & _MASK, _P2, 0, -_P1 & _MASK]
        while total - at >= 32:
            lanes = [_round(lane, word(at + 8 * place)) for place, lane in enumerate(lanes)]
            at += 32
        hashed = 0
        for lane, turn in zip(lanes, (1, 7, 12, 18), strict=True):
            hashed = _add(hashed, _turn(_copy(lane), turn))
        for lane in lanes:
            hashed = _add(_multiply(_xor(hashed, _round(0, lane)), _P1), _P4)
    else:
        hashed = _P5
    hashed = _add(hashed, total)
    while total - at >= 8:
        hashed = _add(_multiply(_turn(_xor(hashed, _round(0, word(at))), 27), _P1), _P4)
        at += 8
    if total - at >= 4:
        half = word(at) & 0xFFFFFFFF
        hashed = _add(_multiply(_turn(_xor(hashed, _multiply(half, _P1)), 23), _P2), _P3)
        at += 4
    while at < total:
        byte = salt[at] if at < len(salt) else text[:, at].astype(np.uint64)
        hashed = _multiply(_turn(_xor(hashed, _multiply(byte, _P5)), 11), _P1)
        at += 1
    for shift, prime in ((33, _P2), (29, _P3)):
        hashed = _multiply(_xor(hashed, hashed >> shift), prime)
    return np.asarray(_xor(hashed, hashed >> 32), dtype=np.uint64)


# Arrays that these make are changed in place by the next step, so that all of them stay in the nearest cache; words and lanes,
# which are read again, are copied first. What is one number for all stays Python's: numpy would warn where it overflows.
def _round(lane: _Words, word: _Words) -> _Words:
    mixed = (word * _P2) & _MASK if isinstance(word, int) else word * _P2
    mixed = _add(mixed, lane)
    return _multiply(_turn(mixed, 31), _P1)


def _add(a: _Words, b: _Words) -> _Words:
    if isinstance(a, int):
        return (a + b) & _MASK if isinstance(b, int) else b + a
    a += b
    return a


def _multiply(a: _Words, by: int) -> _Words:
    if isinstance(a, int):
        return (a * by) & _MASK
    a *= by
    return a


def _xor(a: _Words, b: _Words) -> _Words:
    if isinstance(a, int):
        return a ^ b
    a ^= b
    return a


def _turn(a: _Words, by: int) -> _Words:
    if isinstance(a, int):
        return ((a << by) | (a >> (64 - by))) & _MASK
    carried = a >> (64 - by)
    a <<= by
    a |= carried
    return a


def _copy(a: _Words) -> _Words:
    return a if isinstance(a, int) else a.copy()
