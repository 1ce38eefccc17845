"""A stranger who has read only the format's page can check a ledger: this one knows nothing of our code."""

import json
from base64 import b64decode
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

GOLDEN = Path(__file__).parents[2] / "golden" / "ledger" / "v1"


def tree(leaves: list[bytes]) -> bytes:
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256().digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + tree(leaves[:split]) + tree(leaves[split:])).digest()


def check(path: Path, *, vkeys: list[str]) -> list[dict[str, object]]:
    """Return the entries of a bundle after checking every hash, every root and every checkpoint's signatures."""
    lines = path.read_bytes().decode().split("\n")
    assert lines.pop() == ""
    assert lines.pop(0) == "glideslope-ledger/1"
    notes = []
    while (line := lines.pop(0)) != "entries":
        count = int(line.removeprefix("checkpoint "))
        notes.append(lines[:count])
        del lines[:count]
    leaves = [sha256(b"\x00" + line[45:].encode()).digest() for line in lines]
    assert [b64decode(line[:44]) for line in lines] == leaves
    for note in notes:
        empty = note.index("")
        text, signatures = "\n".join(note[:empty]) + "\n", note[empty + 1 :]
        _, size, root = note[:3]
        assert b64decode(root) == tree(leaves[: int(size)])
        for signature in signatures:
            signed = b64decode(signature.split(" ")[2])
            vkey = next(key for key in vkeys if key.split("+")[1] == signed[:4].hex())
            key = Ed25519PublicKey.from_public_bytes(b64decode(vkey.split("+", 2)[2])[1:])
            key.verify(signed[4:], text.encode())
    return [json.loads(line[45:]) for line in lines]


VKEYS = (GOLDEN / "keys.txt").read_text().split()


def test_a_stranger_can_check_the_first_bundle() -> None:
    entries = check(GOLDEN / "bundle.txt", vkeys=VKEYS)

    assert [entry["stream"] for entry in entries].count("rollout/flights-1") == 3


def test_a_stranger_sees_an_edit(tmp_path: Path) -> None:
    edited = tmp_path / "edited.txt"
    edited.write_bytes((GOLDEN / "bundle.txt").read_bytes().replace(b'"candidate":"v3"', b'"candidate":"v4"'))

    with pytest.raises(AssertionError):
        check(edited, vkeys=VKEYS)


def test_a_stranger_sees_a_forged_checkpoint(tmp_path: Path) -> None:
    forged = tmp_path / "forged.txt"
    forged.write_bytes((GOLDEN / "bundle.txt").read_bytes().replace(b"nd1nB4wC", b"nd1nB4wD"))

    with pytest.raises(InvalidSignature):
        check(forged, vkeys=VKEYS)
