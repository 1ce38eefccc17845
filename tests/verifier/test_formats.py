"""The program's own cryptography and JSON, held against published vectors and other implementations."""

import gzip
import hashlib
import json
import random
import struct
from base64 import b64decode
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from glideslope.ledger import canonical, merkle
from glideslope.testing.memory import MemorySigner

RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        hashlib.sha512(b"abc").hexdigest(),
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
]
"""RFC 8032, section 7.1: tests 1, 2, 3 and SHA(abc)."""

GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
).encode()
"""The vector of golang.org/x/mod/sumdb/note, whose format is C2SP's."""


@pytest.mark.parametrize(("seed", "public", "message", "signature"), RFC_8032)
def test_the_vectors_of_rfc_8032_verify_and_no_neighbour_of_them(
    program: ModuleType, seed: str, public: str, message: str, signature: str
) -> None:
    key, text, signed = bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature)
    assert Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed)).public_key().public_bytes_raw() == key

    assert program.verify_ed25519(key, text, signed)
    assert not program.verify_ed25519(key, text + b"\0", signed)
    for bit in range(0, 512, 17):
        wrong = bytearray(signed)
        wrong[bit // 8] ^= 1 << bit % 8
        assert not program.verify_ed25519(key, text, bytes(wrong))
    for bit in range(0, 256, 17):
        wrong = bytearray(key)
        wrong[bit // 8] ^= 1 << bit % 8
        assert not program.verify_ed25519(bytes(wrong), text, signed)


def test_a_signature_has_one_spelling(program: ModuleType) -> None:
    """S + L verifies by the equation alone; RFC 8032 refuses it."""
    key, text, signed = (bytes.fromhex(part) for part in RFC_8032[2][1:])
    s = int.from_bytes(signed[32:], "little") + program.ORDER

    assert not program.verify_ed25519(key, text, signed[:32] + s.to_bytes(32, "little"))
    assert not program.verify_ed25519(key, text, signed[:-1])
    assert not program.verify_ed25519(key[:-1], text, signed)


@settings(max_examples=40)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200), st.integers(0, 767))
def test_it_judges_signatures_as_openssl_does(program: ModuleType, seed: bytes, message: bytes, bit: int) -> None:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = private.public_key().public_bytes_raw(), bytearray(private.sign(message))
    assert program.verify_ed25519(public, message, bytes(signature))
    if bit < 512:
        signature[bit // 8] ^= 1 << bit % 8
    else:
        public = bytes(b ^ (1 << bit % 8 if k == (bit - 512) // 8 else 0) for k, b in enumerate(public))

    assert program.verify_ed25519(public, message, bytes(signature)) == openssl(public, message, bytes(signature))


def openssl(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def test_the_published_vector_of_signed_notes_opens(program: ModuleType) -> None:
    key = program.read_key(GO_KEY, 1)

    assert program.read_note(GO_NOTE).signed_by(key)
    for at in range(len(GO_NOTE)):
        wrong = GO_NOTE[:at] + bytes([GO_NOTE[at] ^ 1]) + GO_NOTE[at + 1 :]
        try:
            assert not program.read_note(wrong).signed_by(key)
        except program.Bad:
            continue


SCALARS = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=20)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    SCALARS | FLOATS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_canonical_json_is_what_the_product_writes(program: ModuleType, value: Any) -> None:
    written = canonical.encode(value)

    assert program.canonical(program.read_json(written)).encode() == written


@given(st.integers(0, 2**64 - 1))
def test_every_double_is_written_as_ecmascript_does(program: ModuleType, bits: int) -> None:
    (value,) = struct.unpack("<d", struct.pack("<Q", bits))
    if value == value and abs(value) != float("inf"):  # noqa: PLR0124 - not a NaN
        assert program._number(value) == canonical.number(value)


@settings(max_examples=30)
@given(VALUES, st.data())
def test_no_other_spelling_is_read(program: ModuleType, value: Any, data: Any) -> None:
    written = canonical.encode(value)
    other = json.dumps(value, indent=data.draw(st.sampled_from([None, 1]))).encode()
    if other != written:
        with pytest.raises(program.Bad):
            program.read_json(other)


def test_roots_and_proofs_are_those_of_rfc_6962(program: ModuleType) -> None:
    leaves = [program.leaf_hash(bytes([k])) for k in range(70)]
    tree = merkle.Tree(leaves)
    chance = random.Random(3)
    for size in range(1, 71):
        assert program.root_of(leaves[:size]) == tree.root(size=size)
        index, older = chance.randrange(size), chance.randrange(1, size + 1)
        root, proof = tree.root(size=size), tree.inclusion_proof(index, size=size)
        assert program.included(leaves[index], index, size, proof, root)
        assert not program.included(leaves[index], (index + 1) % (size + 1), size, proof, root) or size == 1
        steps = tree.consistency_proof(older, size=size)
        assert program.consistent(older, tree.root(size=older), size, root, steps)
        assert not program.consistent(older, b"\0" * 32, size, root, steps)
        if steps:
            assert not program.consistent(older, tree.root(size=older), size, root, steps[:-1])


def test_base64_has_one_spelling(program: ModuleType) -> None:
    assert program.base64_of("AA==") == b64decode("AA==")
    with pytest.raises(program.Bad):
        program.base64_of("AB==")


def test_a_pack_of_the_first_format_is_read_as_ever(program: ModuleType, root: Path) -> None:
    """What it calls the change digest is the plan's; the change's own was in it all the same."""
    data = gzip.decompress((root / "tests/golden/pack/v1.pack.zip.gz").read_bytes())
    found = program.verify(data, program.read_key(MemorySigner().verifier.vkey, 1))

    assert found.findings == []
    assert (found.manifest["format"], "plan_digest" in found.manifest) == ("glideslope-pack/1", False)
    assert any("the plan's digest" in line and found.manifest["change_digest"] in line for line in found.proven)
