"""A version is known by what it holds, the same here and to everybody who signs models."""

from hashlib import sha256

import pytest

from glideslope.domain.errors import ArtifactInvalid
from glideslope.domain.identity import file_digest, root_digest

FILES = {
    "a/b": "slash",
    "a-b": "dash",
    "a.b": "dot",
    "deep/er/z": "x",
    "ä": "ä",
    "Z": "Z",
    ".hidden": "h",
    "w.bin": "w",
}


def hashed(files: dict[str, str]) -> dict[str, bytes]:
    return {name: sha256(f"{text}\n".encode()).digest() for name, text in files.items()}


def test_the_digest_is_the_one_that_model_signing_writes() -> None:
    """Recorded from model-signing 1.1.1: the subject of its statement over a folder with these files."""
    assert root_digest(hashed(FILES)) == "sha256:8d54b169dda140c98d332baf51f5977d268063c2f78f27f5660abd2d01720956"


def test_the_order_in_which_files_are_found_does_not_matter() -> None:
    backwards = dict(reversed(hashed(FILES).items()))

    assert root_digest(backwards) == root_digest(hashed(FILES))


def test_no_files_are_no_version() -> None:
    with pytest.raises(ArtifactInvalid, match="no files"):
        root_digest({})


@pytest.mark.parametrize("name", ["", "/a", "a/", "a//b", ".", "./a", "..", "a/../b"])
def test_a_name_that_is_no_relative_path_in_normal_form_is_refused(name: str) -> None:
    """Two spellings of one place would be two identities of one content."""
    with pytest.raises(ArtifactInvalid, match="normal form"):
        root_digest({name: bytes(32)})


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_digest_of_another_size_is_refused(size: int) -> None:
    """Joined without lengths, digests of mixed sizes could be cut differently."""
    with pytest.raises(ArtifactInvalid, match="SHA-256"):
        root_digest({"a": bytes(size)})


def test_a_file_is_hashed_the_same_however_it_is_read() -> None:
    assert file_digest([b"we", b"", b"ights"]) == file_digest([b"weights"]) == sha256(b"weights").digest()
