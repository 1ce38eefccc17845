"""What a witness signs: that at this time it saw this checkpoint, consistent with all it had seen (C2SP tlog-cosignature/v1).

A cosignature is one more signature line on the checkpoint's note, under a key of type 0x04: four bytes of key id, eight
of time, 64 of Ed25519 over the time and the text of the note.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from glideslope.ledger import note
from glideslope.ledger.errors import NoteError

ED25519_WITNESS = b"\x04"
LATEST = 2**53 - 1
_SIZE = 8 + 64


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness's public key and the name it signs under. Raises NoteError as `note.Verifier` does."""

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        note.Verifier(self.name, self.public_key)

    @classmethod
    def parse(cls, vkey: str) -> "Witness":
        """Read ``name+id+base64``; raises NoteError unless it is exactly what `vkey` would write."""
        parts = vkey.split("+", 2)
        material = note.decode_base64(parts[-1]) if len(parts) == 3 else b""
        if material[:1] != ED25519_WITNESS:
            raise NoteError(f"{vkey!r} is not the verifier key of an Ed25519 witness")
        found = cls(parts[0], material[1:])
        if found.vkey != vkey:
            raise NoteError(f"{vkey!r} is damaged: its id does not match its name and key")
        return found

    @property
    def key_id(self) -> bytes:
        """The four bytes before a cosignature: SHA-256(name, newline, type, key)[:4]."""
        return sha256(self.name.encode() + b"\n" + ED25519_WITNESS + self.public_key).digest()[:4]

    @property
    def vkey(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{note.encode_base64(ED25519_WITNESS + self.public_key)}"


@dataclass(frozen=True, slots=True)
class Cosignature:
    """Who saw the checkpoint, and when: seconds since 1970 by the witness's clock."""

    witness: Witness
    time: int


def message(text: str, *, time: int) -> bytes:
    """Return the bytes that a witness signs over the text of a checkpoint's note."""
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def line(signer: note.Signer, text: str, *, time: int) -> bytes:
    """Return the signature line with which the holder of *signer* cosigns *text* as a witness."""
    witness = Witness(signer.name, signer.verifier.public_key)
    material = witness.key_id + time.to_bytes(8, "big") + signer.sign(message(text, time=time))
    return f"\u2014 {witness.name} {note.encode_base64(material)}\n".encode()


def read(signed: bytes, witnesses: Iterable[Witness]) -> tuple[Cosignature, ...]:
    """Return the cosignatures of known witnesses on a note, in the order of their lines; those of others are ignored.

    Raises NoteError when the note is malformed or a known witness's cosignature is wrong.
    """
    found = note.parse(signed)
    known = {(each.name, each.key_id): each for each in witnesses}
    seen: list[Cosignature] = []
    for each in found.signatures:
        witness = known.get((each.name, each.key_id))
        if witness is None or any(one.witness == witness for one in seen):
            continue
        if len(each.signature) != _SIZE:
            raise NoteError(f"the cosignature of {witness.vkey} has {len(each.signature)} bytes, not {_SIZE}")
        time = int.from_bytes(each.signature[:8], "big")
        key = note.Verifier(witness.name, witness.public_key)
        if time > LATEST or not key.verify(message(found.text, time=time), signature=each.signature[8:]):
            raise NoteError(f"the cosignature of {witness.vkey} does not match the text")
        seen.append(Cosignature(witness, time))
    return tuple(seen)
