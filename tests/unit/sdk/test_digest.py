"""A model server can say which content it serves, in the words of the registry."""

import os
import subprocess
from pathlib import Path

import pytest

from glideslope.domain.errors import ArtifactInvalid, NotFound
from glideslope.domain.identity import file_digest, root_digest
from glideslope.sdk.digest import PIECE, folder_digest, walk_folder


def test_every_file_counts_under_its_posix_path(tmp_path: Path) -> None:
    (tmp_path / "sub" / "deeper").mkdir(parents=True)
    (tmp_path / "sub" / "deeper" / "vocab.txt").write_bytes(b"a\n")
    (tmp_path / ".hidden").write_bytes(b"")
    (tmp_path / "model.bin").write_bytes(b"w" * (2 * PIECE + 1))

    assert folder_digest(str(tmp_path)) == root_digest(
        {
            ".hidden": file_digest([]),
            "model.bin": file_digest([b"w" * (2 * PIECE + 1)]),
            "sub/deeper/vocab.txt": file_digest([b"a\n"]),
        }
    )


def test_folders_without_files_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"weights")
    before = folder_digest(tmp_path)
    (tmp_path / "empty").mkdir()

    assert folder_digest(tmp_path) == before


def test_a_folder_reached_through_a_link_is_the_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "model.bin").write_bytes(b"weights")
    (tmp_path / "current").symlink_to("real")

    assert folder_digest(tmp_path / "current") == folder_digest(tmp_path / "real")


def test_links_that_lead_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")

    with pytest.raises(ArtifactInvalid):
        folder_digest(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.bin").touch(mode=0o000)

    with pytest.raises(ArtifactInvalid, match=r"model\.bin"):
        folder_digest(tmp_path)


def test_a_folder_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        list(walk_folder(tmp_path / "nowhere"))


def test_a_folder_of_folders_without_end_is_refused(tmp_path: Path) -> None:
    """Deeper than a path can be written, let alone a walk recurse."""
    at = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1_500):
        os.mkdir("d", dir_fd=at)
        below = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)

    try:
        with pytest.raises(ArtifactInvalid, match="nested more than"):
            folder_digest(tmp_path)
    finally:
        # Python's own removal recurses: what is left here would end every later session's clean-up.
        subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)


def test_a_name_longer_than_any_path_is_refused() -> None:
    with pytest.raises(ArtifactInvalid, match="too long"):
        folder_digest("/tmp/" + "x" * 5_000)  # noqa: S108 - nothing is made there
