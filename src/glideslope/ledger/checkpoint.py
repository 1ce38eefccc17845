"""A signed statement of what the ledger held at one size, in the C2SP tlog-checkpoint format."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from glideslope.ledger import merkle, note
from glideslope.ledger.errors import CheckpointError, NoteError

_SIZE = re.compile(r"0|[1-9][0-9]{0,17}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The root over the first ``size`` entries of the ledger named ``origin``.

    Raises CheckpointError for what the format cannot say.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if any(not line or "\n" in line for line in (self.origin, *self.extensions)):
            raise CheckpointError("the origin and every extension is one line that is not empty")
        if _SIZE.fullmatch(str(self.size)) is None:
            raise CheckpointError(f"{self.size} is not the size of a ledger")
        if len(self.root) != merkle.HASH_SIZE:
            raise CheckpointError(f"a root has {merkle.HASH_SIZE} bytes, not {len(self.root)}")


def format(checkpoint: Checkpoint) -> str:  # noqa: A001 - read as checkpoint.format, beside checkpoint.parse
    """Write the text that is signed."""
    lines = (checkpoint.origin, str(checkpoint.size), note.encode_base64(checkpoint.root), *checkpoint.extensions)
    return "".join(f"{line}\n" for line in lines)


def parse(text: str) -> Checkpoint:
    """Read the text of a note; raises CheckpointError when it is not a checkpoint's."""
    lines = text.split("\n")
    if len(lines) < 4 or lines.pop() or not all(lines):
        raise CheckpointError("a checkpoint has an origin, a size and a root, each on a line, and no empty lines")
    origin, size, root, *extensions = lines
    if _SIZE.fullmatch(size) is None:
        raise CheckpointError(f"{size!r} is not a size in decimal without leading zeros")
    try:
        decoded = note.decode_base64(root)
    except NoteError as error:
        raise CheckpointError(f"the root: {error}") from None
    return Checkpoint(origin=origin, size=int(size), root=decoded, extensions=tuple(extensions))


def sign(checkpoint: Checkpoint, *signers: note.Signs) -> bytes:
    """Write *checkpoint* as a signed note.

    Never sign one that is inconsistent with one signed before: that is what an auditor calls a rewritten history.
    Raises CheckpointError when a signer's name is not the origin.
    """
    for signer in signers:
        if signer.verifier.name != checkpoint.origin:
            raise CheckpointError(f"{signer.verifier.name} cannot sign a checkpoint of {checkpoint.origin}")
    return note.sign(format(checkpoint), *signers)


def verify(signed: bytes, *, verifiers: Iterable[note.Verifier]) -> Checkpoint:
    """Return the checkpoint in *signed* if one of *verifiers* signed it under its origin's name.

    Raises NoteError when none did or a known signature is wrong, CheckpointError when the text is no checkpoint.
    """
    unverified = note.parse(signed)
    found = parse(unverified.text)
    unverified.verify([verifier for verifier in verifiers if verifier.name == found.origin])
    return found
