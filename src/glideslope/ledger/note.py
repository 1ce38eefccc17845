"""Text signed by one or more Ed25519 keys, in the C2SP signed-note format that transparency logs and witnesses speak."""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from glideslope.ledger.errors import NoteError

ED25519 = b"\x01"
SEED_SIZE = 32
MOST_SIGNATURES = 64
_KEY_SIZE = 32
_ID_SIZE = 4
_SIGNATURE_SIZE = 64
_DASH = "\u2014 "
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key and the name it signs under.

    Raises NoteError for a name that is empty or holds spaces, plus or control characters, and for a key that is not 32
    bytes.
    """

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        _check_name(self.name)
        if len(self.public_key) != _KEY_SIZE:
            raise NoteError(f"an Ed25519 public key has {_KEY_SIZE} bytes, not {len(self.public_key)}")

    @classmethod
    def parse(cls, vkey: str) -> "Verifier":
        """Read ``name+id+base64``; raises NoteError unless it is exactly what `vkey` would write."""
        parts = vkey.split("+", 2)
        if len(parts) != 3:
            raise NoteError(f"{vkey!r} is not a verifier key: name+id+base64")
        material = decode_base64(parts[2])
        if material[:1] != ED25519:
            raise NoteError(f"{vkey!r} is not an Ed25519 verifier key")
        found = cls(parts[0], material[1:])
        if found.vkey != vkey:
            raise NoteError(f"{vkey!r} is damaged: its id does not match its name and key")
        return found

    @property
    def key_id(self) -> bytes:
        """The four bytes that stand before a signature: SHA-256(name, newline, type, key)[:4]."""
        return sha256(self.name.encode() + b"\n" + ED25519 + self.public_key).digest()[:_ID_SIZE]

    @property
    def vkey(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(ED25519 + self.public_key)}"

    def verify(self, message: bytes, *, signature: bytes) -> bool:
        """Tell whether *signature* (64 bytes, RFC 8032) is this key's over *message*."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


class Signs(Protocol):
    """Whatever can sign for one key; `Signer` does it in memory, a key service may do it elsewhere."""

    @property
    def verifier(self) -> Verifier: ...

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of the Ed25519 signature over *message*."""
        ...


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key, as the 32 bytes of its RFC 8032 seed, and the name it signs under."""

    name: str
    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        _check_name(self.name)
        if len(self.seed) != SEED_SIZE:
            raise NoteError(f"an Ed25519 seed has {SEED_SIZE} bytes, not {len(self.seed)}")

    @property
    def verifier(self) -> Verifier:
        return Verifier(self.name, self._key().public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        return self._key().sign(message)

    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: who claims to have signed, not who did."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Unverified:
    """A note taken apart; its text means nothing until `Unverified.verify` has named its signers."""

    text: str
    signatures: tuple[Signature, ...]

    def verify(self, verifiers: Iterable[Verifier]) -> tuple[Verifier, ...]:
        """Return those of *verifiers* that signed, in the order of their lines.

        Signatures by other keys are ignored, as the specification requires. Raises NoteError when a known key's
        signature is wrong, or when no known key signed.
        """
        known = {(verifier.name, verifier.key_id): verifier for verifier in verifiers}
        message = self.text.encode()
        signed: list[Verifier] = []
        for line in self.signatures:
            verifier = known.get((line.name, line.key_id))
            if verifier is None or verifier in signed:
                continue
            if not verifier.verify(message, signature=line.signature):
                raise NoteError(f"the signature of {verifier.vkey} does not match the text")
            signed.append(verifier)
        if not signed:
            raise NoteError("no trusted key signed the note")
        return tuple(signed)


@dataclass(frozen=True, slots=True)
class Note:
    """A text and the trusted keys that signed it, at least one."""

    text: str
    signed_by: tuple[Verifier, ...]


def sign(text: str, *signers: Signs) -> bytes:
    """Write *text* as a note with one signature line per signer, in their order.

    Raises NoteError for a text that does not end in a newline or holds other control characters, and without signers.
    """
    _check_text(text)
    if not signers:
        raise NoteError("a note needs at least one signer")
    message = text.encode()
    lines: list[str] = []
    for signer in signers:
        verifier = signer.verifier
        lines.append(f"{_DASH}{verifier.name} {encode_base64(verifier.key_id + signer.sign(message))}\n")
    return f"{text}\n{''.join(lines)}".encode()


def parse(note: bytes) -> Unverified:
    """Take a note apart without believing it; raises NoteError when it is malformed."""
    try:
        whole = str(note, "utf-8")
    except UnicodeDecodeError as error:
        raise NoteError(f"the note is not UTF-8 at byte {error.start}") from None
    text, blank, tail = whole.rpartition("\n\n")
    text += "\n"
    if not blank or not tail.endswith("\n"):
        raise NoteError("a note is a text, an empty line and signature lines, each ended by a newline")
    _check_text(text)
    lines = tail[:-1].split("\n")
    if len(lines) > MOST_SIGNATURES:
        raise NoteError(f"the note has more than {MOST_SIGNATURES} signatures")
    return Unverified(text, tuple([_signature(line) for line in lines]))


def open_note(note: bytes, *, verifiers: Iterable[Verifier]) -> Note:
    """Return the text of *note* if one of *verifiers* signed it and none of their signatures is wrong.

    Raises NoteError otherwise.
    """
    unverified = parse(note)
    return Note(unverified.text, unverified.verify(verifiers))


def encode_base64(data: bytes) -> str:
    """Write standard base64 with padding (RFC 4648, section 4)."""
    return b64encode(data).decode()


def decode_base64(text: str) -> bytes:
    """Read standard base64; raises NoteError for any spelling but the one `encode_base64` writes."""
    try:
        data = b64decode(text, validate=True)
    except ValueError:
        raise NoteError(f"{text!r} is not base64") from None
    # Unused bits in the last character would let one signature be written in several ways.
    if encode_base64(data) != text:
        raise NoteError(f"{text!r} is not the canonical base64 of what it says")
    return data


def _signature(line: str) -> Signature:
    parts = line.removeprefix(_DASH).split(" ")
    if not line.startswith(_DASH) or len(parts) != 2:
        raise NoteError(f"{line!r} is not a signature line: an em dash, a key name and base64")
    _check_name(parts[0])
    material = decode_base64(parts[1])
    if len(material) <= _ID_SIZE:
        raise NoteError(f"the signature of {parts[0]} is too short")
    return Signature(parts[0], material[:_ID_SIZE], material[_ID_SIZE:])


def _check_name(name: str) -> None:
    if not name or "+" in name or not name.isprintable() or any(letter.isspace() for letter in name):
        raise NoteError(f"{name!r} is not a key name: not empty, without spaces, plus and control characters")


def _check_text(text: str) -> None:
    if not text.endswith("\n"):
        raise NoteError("the text of a note ends with a newline")
    if _CONTROL.search(text) is not None:
        raise NoteError("the text of a note holds no control characters but newlines")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NoteError("the text of a note is valid Unicode") from None
