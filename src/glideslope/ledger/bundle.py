"""The one file an auditor gets: the checkpoints, then every entry on a line of its own behind its leaf hash.

::

    glideslope-ledger/1
    checkpoint 5
    <the 5 lines of a signed note>
    entries
    <44 characters of base64> <the entry's canonical JSON>
"""

import re
from binascii import b2a_base64
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from glideslope.ledger import entry, merkle, note
from glideslope.ledger.entry import Entry
from glideslope.ledger.errors import BundleError, LedgerError

HEADER = b"glideslope-ledger/1\n"
ENTRIES = b"entries\n"
HASH_LENGTH = 44
LONGEST_LINE = 16 * 1024 * 1024
"""Bytes; a bundle from anybody is read in bounded memory."""
LONGEST_HEAD = 64 * 1024 * 1024
"""Bytes of all checkpoints together, some 380,000 of them."""
_CHECKPOINT = re.compile(rb"checkpoint ([1-9][0-9]{0,3})\n")


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """The bytes of one checkpoint's note, and the line of the bundle on which it starts."""

    signed: bytes
    line: int


@dataclass(frozen=True, slots=True)
class Head:
    """What stands before the entries; ``first_line`` is the line of the first entry."""

    checkpoints: tuple[SignedCheckpoint, ...]
    first_line: int


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle read, not verified: believe nothing of it before `verify.verify` has been over the same lines."""

    checkpoints: tuple[bytes, ...]
    entries: tuple[Entry, ...]


def format(*, checkpoints: Iterable[bytes], entries: Iterable[bytes]) -> Iterator[bytes]:  # noqa: A001 - read as bundle.format, beside bundle.parse
    """Write a bundle line by line from signed checkpoints by ascending size, and the canonical bytes of all entries.

    The last checkpoint should cover all the entries; the same arguments give the same bytes. Raises NoteError for a
    checkpoint that is not a signed note.
    """
    yield HEADER
    for signed in checkpoints:
        note.parse(signed)
        lines = signed.splitlines(keepends=True)
        yield b"checkpoint %d\n" % len(lines)
        yield from lines
    yield ENTRIES
    for data in entries:
        yield entry_line(data)


def entry_line(data: bytes) -> bytes:
    """Write the line of the entry with these canonical bytes."""
    return b2a_base64(merkle.leaf_hash(data), newline=False) + b" " + data + b"\n"


def lines(read_line: Callable[[int], bytes]) -> Iterator[bytes]:
    """Yield the lines of a file by its `readline`, each with its newline, in bounded memory.

    Raises BundleError at a line of more than LONGEST_LINE bytes.
    """
    at = 0
    while line := read_line(LONGEST_LINE + 1):
        at += 1
        if len(line) > LONGEST_LINE:
            raise BundleError(f"it is longer than {LONGEST_LINE:,} bytes", line=at)
        yield line


def read_head(lines: Iterator[bytes]) -> Head:
    """Take the header and the checkpoints off *lines*, leaving the entries.

    Raises BundleError at the first line that is out of place.
    """
    if next(lines, b"") != HEADER:
        raise BundleError(f"a bundle starts with {HEADER.decode().strip()!r}", line=1)
    at = 1
    length = 0
    checkpoints: list[SignedCheckpoint] = []
    for raw in lines:
        at += 1
        if raw == ENTRIES:
            return Head(tuple(checkpoints), at + 1)
        opening = _CHECKPOINT.fullmatch(raw)
        if opening is None:
            raise BundleError("expected 'checkpoint N' or 'entries'", line=at)
        count = int(opening[1])
        note_lines: list[bytes] = []
        for line in islice(lines, count):
            note_lines.append(line)
            length += len(line)
            if length > LONGEST_HEAD:
                raise BundleError(f"the checkpoints are longer than {LONGEST_HEAD:,} bytes", line=at + len(note_lines))
        checkpoints.append(SignedCheckpoint(b"".join(note_lines), at + 1))
        at += len(note_lines)
        if len(note_lines) < count:
            raise BundleError("the bundle ends inside a checkpoint", line=at)
    raise BundleError("the bundle ends before its entries", line=at)


def parse(lines: Iterable[bytes]) -> Bundle:
    """Read a whole bundle whose lines are intact and match their leaf hashes; each line includes its newline.

    Raises BundleError with the line number for anything else. This is reading, not verifying: no signature, root or
    version is checked.
    """
    stream = iter(lines)
    head = read_head(stream)
    entries: list[Entry] = []
    for number, raw in enumerate(stream, start=head.first_line):
        data = raw[HASH_LENGTH + 1 : -1]
        if entry_line(data) != raw:
            raise BundleError("the line is not a leaf hash, a space, the entry it covers, and a newline", line=number)
        try:
            entries.append(entry.decode(data))
        except LedgerError as error:
            raise BundleError(str(error), line=number) from None
    return Bundle(tuple(found.signed for found in head.checkpoints), tuple(entries))
