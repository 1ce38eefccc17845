"""Signatures that the specification and its tool published are read for ever, and say the same; so is what they refuse."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from glideslope.domain.governing import oms, oms_keys
from glideslope.domain.governing.oms import SignatureInvalid, SignatureWrong

HERE = Path(__file__).parents[1] / "golden" / "oms"
VECTORS = HERE / "vectors"
KEYS = HERE / "keys"
AT = datetime(2026, 1, 1, tzinfo=UTC)
ROOT = "sha256:92745110b1ab4368471cbe31664e10174e954b113a3df333db860317b2c6dec4"


def signed(path: Path) -> oms.Signed:
    return oms.opened(path.read_bytes())


def test_a_vector_signed_by_a_key_holds() -> None:
    found = signed(VECTORS / "valid" / "key.bundle.json")

    assert oms_keys.check_key(found, key=(KEYS / "signing-key-pub.pem").read_bytes()) == f"key sha256:{found.hint}"
    assert oms.manifest(found.payload).root == ROOT


def test_a_vector_signed_by_a_certificate_holds_while_it_is_valid() -> None:
    found, trust = signed(VECTORS / "valid" / "certificate.bundle.json"), (KEYS / "ca-cert.pem").read_bytes()

    assert oms_keys.check_chain(found, trust=trust, at=AT) == "CN=intermediate-ca"
    assert oms.manifest(found.payload).resources
    with pytest.raises(SignatureWrong, match="valid 2025-05-02 to 2035-04-30 only"):
        oms_keys.check_chain(found, trust=trust, at=datetime(2036, 1, 1, tzinfo=UTC))


def test_a_keyless_vector_is_read_and_said_not_to_be_checked_here() -> None:
    found = signed(VECTORS / "valid" / "sigstore.bundle.json")

    assert oms.manifest(found.payload).name == "v1.1.0-sigstore"
    with pytest.raises(SignatureWrong, match="keyless"):
        oms_keys.check_chain(found, trust=(KEYS / "ca-cert.pem").read_bytes(), at=AT)


@pytest.mark.parametrize("path", sorted((VECTORS / "invalid").iterdir()), ids=lambda path: path.stem)
def test_each_vector_that_must_be_refused_is(path: Path) -> None:
    with pytest.raises(SignatureInvalid):
        signed(path)


def test_a_vector_of_another_predicate_is_refused_though_it_is_signed() -> None:
    found = signed(VECTORS / "invalid-payload" / "wrong-predicate.bundle.json")

    with pytest.raises(SignatureInvalid, match="predicate"):
        oms.manifest(found.payload)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(HERE / "tool" / "v1.1.0-elliptic-key", tmp_path / "model"))


def check(desk: object, folder: Path, *more: str) -> tuple[int, dict[str, object]]:
    key = str(KEYS / "signing-key-pub.pem")
    arguments = ("signature", "check", str(folder), "--signature", str(folder / "model.sig"), "--public-key", key)
    result = desk.run(*arguments, "--json", *more)  # type: ignore[attr-defined]  # a fixture
    return result.exit_code, json.loads(result.stdout)


def test_what_the_tool_signed_is_verified_with_its_files(desk: object, folder: Path) -> None:
    status, said = check(desk, folder)

    assert (status, said["signed_digest"]) == (0, ROOT)
    assert said["digest"] != ROOT, "the signature leaves a file out that belongs to the folder"


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda f: (f / "signme-1").write_bytes(b"other"), "changed since: signme-1"),
        (lambda f: (f / "signme-2").unlink(), "missing: signme-2"),
        (lambda f: (f / "more").write_bytes(b""), "not signed: more"),
        (lambda f: (f / "link").symlink_to("signme-1"), "links were not signed: link"),
    ],
)
def test_each_change_of_the_files_is_named(desk: object, folder: Path, harm: object, says: str) -> None:
    harm(folder)  # type: ignore[operator]  # a function of the table

    status, said = check(desk, folder)

    assert (status, said["verified"]) == (9, False)
    assert says in str(said["sentence"])


def test_a_changed_bundle_or_another_key_is_refused(desk: object, folder: Path) -> None:
    path = folder / "model.sig"
    bundle = json.loads(path.read_text())
    envelope = bundle["dsseEnvelope"]
    for harmed in (
        {**bundle, "mediaType": "x"},
        {**bundle, "dsseEnvelope": {**envelope, "payload": envelope["payload"].replace("A", "B", 1)}},
        {**bundle, "dsseEnvelope": {**envelope, "signatures": []}},
        {**bundle, "verificationMaterial": {"publicKey": {"hint": "00" * 32}, "tlogEntries": []}},
    ):
        path.write_text(json.dumps(harmed))
        assert check(desk, folder)[0] == 9
