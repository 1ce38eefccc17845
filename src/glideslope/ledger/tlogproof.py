"""A proof that one entry is in the ledger, as a text that is checked offline: the C2SP tlog-proof format.

The format binds an index, an RFC 6962 inclusion proof and a checkpoint; the entry's bytes are handed over beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from glideslope.ledger import note
from glideslope.ledger.errors import LedgerError

HEADER = "c2sp.org/tlog-proof@v1"
MOST_HASHES = 63
"""Levels of a tree whose size has 18 digits or fewer."""


class ProofError(LedgerError):
    """A text is not a proof of inclusion."""

    code = "proof-invalid"


@dataclass(frozen=True, slots=True)
class TlogProof:
    """What a proof claims: that the leaf with this 0-based index is in the tree of this checkpoint."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes


def format(*, index: int, hashes: Sequence[bytes], checkpoint: bytes) -> bytes:  # noqa: A001 - read as tlogproof.format, beside tlogproof.parse
    """Write a proof; *checkpoint* is a signed note. Raises NoteError when it is none."""
    note.parse(checkpoint)
    lines = [HEADER, f"index {index}", *map(note.encode_base64, hashes)]
    return "".join(f"{line}\n" for line in lines).encode() + b"\n" + checkpoint


def parse(data: bytes) -> TlogProof:
    """Read a proof without believing it; raises ProofError, NoteError. Extra data is refused: we never write any."""
    head, blank, checkpoint = data.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise ProofError("the lines of a proof are ASCII") from None
    if not blank or len(lines) < 2 or lines[0] != HEADER or len(lines) > MOST_HASHES + 2:
        raise ProofError(f"a proof is {HEADER!r}, an index, hashes, an empty line and a checkpoint")
    digits = lines[1].removeprefix("index ")
    if f"index {digits}" != lines[1] or not digits.isdecimal() or len(digits) > 18 or str(int(digits)) != digits:
        raise ProofError(f"{lines[1]!r} is not an index")
    hashes = tuple(map(note.decode_base64, lines[2:]))
    note.parse(checkpoint)
    return TlogProof(int(digits), hashes, checkpoint)
