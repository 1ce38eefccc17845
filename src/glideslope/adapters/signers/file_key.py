"""Signs checkpoints with an Ed25519 key that lies in a file of this machine.

The file holds one line in the form that Go's `sumdb/note` writes private keys, so tools of the transparency-log world read it:
`PRIVATE+KEY+<name>+<key id>+<base64 of a type byte and the 32-byte seed>`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from glideslope.adapters.secret_file import create_secret, read_secret
from glideslope.domain.errors import StoreCorrupt, StoreUnavailable
from glideslope.ledger.errors import NoteError
from glideslope.ledger.note import ED25519, SEED_SIZE, Signer, Verifier, decode_base64, encode_base64, sign

_PREFIX: Final = "PRIVATE+KEY+"


class FileKeySigner:
    """Keeps the port Signer; its repr shows the public key only."""

    def __init__(self, path: Path, *, name: str, random_bytes: Callable[[int], bytes]) -> None:
        """Read the key, or make one from `random_bytes(32)` at the first start.

        Raises StoreUnavailable when others may read the file, StoreCorrupt when it holds no key of this name.
        """
        content = read_secret(path)
        if content is None:
            create_secret(path, _encoded(Signer(name, random_bytes(SEED_SIZE))))
            content = read_secret(path)
        if content is None:
            raise StoreUnavailable(f"{path} vanished while it was read")
        self._signer = _decoded(content, path=path)
        if self._signer.name != name:
            raise StoreCorrupt(path=str(path), why=f"it is the key of {self._signer.name}, not of {name}")
        self.name = name

    @property
    def verifier(self) -> Verifier:
        """The public key; its `vkey` is what an auditor needs to have from us in advance."""
        return self._signer.verifier

    def sign(self, text: bytes) -> bytes:
        """Return a C2SP signed note over the text. Raises NoteError for a text that cannot be a note's."""
        return sign(text.decode(), self._signer)

    def __repr__(self) -> str:
        return f"FileKeySigner({self.verifier.vkey})"


def _encoded(signer: Signer) -> bytes:
    material = encode_base64(ED25519 + signer.seed)
    return f"{_PREFIX}{signer.name}+{signer.verifier.key_id.hex()}+{material}\n".encode()


def _decoded(content: bytes, *, path: Path) -> Signer:
    """Read a key that is exactly what `_encoded` would write; the reason never repeats what was read."""
    try:
        name, _, material = content.decode().strip().removeprefix(_PREFIX).split("+", 2)
        signer = Signer(name, decode_base64(material).removeprefix(ED25519))
    except (ValueError, NoteError):
        # `from None`: the cause would carry the secret into a log.
        raise StoreCorrupt(path=str(path), why="it is not an Ed25519 private key") from None
    if _encoded(signer) != content:
        raise StoreCorrupt(path=str(path), why="its key id does not match its name and key")
    return signer
