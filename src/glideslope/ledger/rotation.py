"""Replacing the ledger's key: an entry that the old key signs to hand over and the new key signs to accept."""

from collections.abc import Mapping
from dataclasses import dataclass

from glideslope.ledger import note
from glideslope.ledger.errors import NoteError, RotationError

KIND = "key-rotated"
STREAM = "ledger"
_TAG = "glideslope-ledger/key-rotated/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """From this entry on, ``new`` signs the ledger's checkpoints; ``version`` is the entry's in stream ``ledger``.

    Raises RotationError unless both keys have one name, the ledger's origin, and differ.
    """

    version: int
    old: note.Verifier
    new: note.Verifier

    def __post_init__(self) -> None:
        if self.old.name != self.new.name:
            raise RotationError(f"a ledger keeps its name: {self.old.name} cannot become {self.new.name}")
        if self.old == self.new:
            raise RotationError("the new key is the old key")


def body(*, version: int, old: note.Signs, new: note.Signs) -> dict[str, object]:
    """Return the body of the entry of kind ``key-rotated`` with this *version* in stream ``ledger``.

    The version is signed too, so that the handing over cannot be replayed at another place.
    """
    rotation = Rotation(version=version, old=old.verifier, new=new.verifier)
    return {"note": note.sign(_text(rotation), old, new).decode()}


def read(body: Mapping[str, object], *, version: int) -> Rotation:
    """Read the body of an entry with this *version* and check both signatures.

    Whether the old key was in force is for the reader of the whole ledger to tell. Raises RotationError.
    """
    signed = body.get("note")
    if body.keys() != {"note"} or type(signed) is not str:
        raise RotationError(f"a key rotation holds a signed note, not {sorted(body)}")
    try:
        unverified = note.parse(signed.encode("utf-8", "surrogatepass"))
        lines = unverified.text.split("\n")
        if len(lines) != 6 or lines[0] != _TAG:
            raise RotationError("the note is not that of a key rotation")
        rotation = Rotation(version=version, old=note.Verifier.parse(lines[3]), new=note.Verifier.parse(lines[4]))
        if unverified.text != _text(rotation):
            raise RotationError(f"the note was signed for {lines[1]} and version {lines[2]}, not for this entry")
        signed_by = unverified.verify([rotation.old, rotation.new])
    except NoteError as error:
        raise RotationError(str(error)) from None
    for key in (rotation.old, rotation.new):
        if key not in signed_by:
            raise RotationError(f"{key.vkey} did not sign")
    return rotation


def _text(rotation: Rotation) -> str:
    return f"{_TAG}\n{rotation.old.name}\n{rotation.version}\n{rotation.old.vkey}\n{rotation.new.vkey}\n"
