"""The key in a file keeps the port's promises, and keeps itself to its owner."""

from pathlib import Path

import pytest

from glideslope.adapters.signers.file_key import FileKeySigner
from glideslope.domain.errors import StoreCorrupt, StoreUnavailable
from glideslope.ledger.note import Verifier
from glideslope.testing.contracts.signer import SignerContract

NAME = "example.com/ledger"


def seed(size: int) -> bytes:
    return bytes(range(size))


def no_chance(_size: int) -> bytes:
    raise AssertionError("the key was there; no chance was needed")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return tmp_path / "key"


class TestFileKeySigner(SignerContract):
    @pytest.fixture
    def signer(self, key: Path) -> FileKeySigner:
        return FileKeySigner(key, name=NAME, random_bytes=seed)

    @pytest.fixture
    def verifier(self, key: Path) -> Verifier:
        return FileKeySigner(key, name=NAME, random_bytes=seed).verifier


def test_the_key_is_made_once_and_stays(key: Path) -> None:
    first = FileKeySigner(key, name=NAME, random_bytes=seed)
    second = FileKeySigner(key, name=NAME, random_bytes=no_chance)

    assert first.sign(b"text\n") == second.sign(b"text\n")


def test_only_the_owner_may_read_it(key: Path) -> None:
    FileKeySigner(key, name=NAME, random_bytes=seed)

    assert key.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in key.parent.iterdir()] == ["key"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610, 0o777])
def test_a_key_that_others_have_rights_on_is_refused(key: Path, mode: int) -> None:
    FileKeySigner(key, name=NAME, random_bytes=seed)
    key.chmod(mode)

    with pytest.raises(StoreUnavailable, match="rights") as refused:
        FileKeySigner(key, name=NAME, random_bytes=seed)

    assert refused.value.next_command == f"chmod 600 {key}"


@pytest.mark.parametrize(
    "content", [b"", b"PRIVATE+KEY+", b"\xff\xfe", b"PRIVATE+KEY+example.com/ledger+00000000+AAAA\n"]
)
def test_what_is_no_key_is_refused_and_left_alone(key: Path, content: bytes) -> None:
    key.touch(mode=0o600)
    key.write_bytes(content)

    with pytest.raises(StoreCorrupt):
        FileKeySigner(key, name=NAME, random_bytes=seed)

    assert key.read_bytes() == content


def test_a_damaged_key_is_refused_without_repeating_it(key: Path) -> None:
    FileKeySigner(key, name=NAME, random_bytes=seed)
    content = key.read_text()
    key.write_text(content.replace(content[-6], "A" if content[-6] != "A" else "B"))

    with pytest.raises(StoreCorrupt) as refused:
        FileKeySigner(key, name=NAME, random_bytes=seed)

    assert content[-20:-7] not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_the_key_of_another_ledger_is_refused(key: Path) -> None:
    FileKeySigner(key, name=NAME, random_bytes=seed)

    with pytest.raises(StoreCorrupt, match="not of"):
        FileKeySigner(key, name="example.com/other", random_bytes=seed)


def test_the_file_is_read_for_ever(key: Path) -> None:
    """The line that a released version once wrote, in the private-key form of Go's sumdb/note."""
    key.touch(mode=0o600)
    key.write_text("PRIVATE+KEY+example.com/ledger+93727de6+AQABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n")

    assert FileKeySigner(key, name=NAME, random_bytes=no_chance).verifier.name == NAME
