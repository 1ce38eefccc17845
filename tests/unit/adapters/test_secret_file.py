"""Secrets are written whole, once, and for their owner only."""

import os
from pathlib import Path

import pytest

from glideslope.adapters.secret_file import create_secret, read_secret, write_secret
from glideslope.domain.errors import StoreUnavailable


def test_the_first_to_create_wins_and_the_others_learn_it(tmp_path: Path) -> None:
    path = tmp_path / "key"

    assert [create_secret(path, content) for content in (b"first", b"second")] == [True, False]
    assert read_secret(path) == b"first"
    assert [file.name for file in tmp_path.iterdir()] == ["key"]


def test_replacing_leaves_one_file_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    write_secret(path, b"old")
    write_secret(path, b"new")

    assert read_secret(path) == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["tokens.json"]


def test_what_is_not_there_is_none(tmp_path: Path) -> None:
    assert read_secret(tmp_path / "nothing") is None


def test_a_folder_is_no_secret(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        read_secret(tmp_path)


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    for act in (write_secret, create_secret):
        with pytest.raises(StoreUnavailable):
            act(tmp_path / "nowhere" / "key", b"secret")


def test_a_pipe_is_no_secret_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "key", 0o600)

    with pytest.raises(StoreUnavailable, match="not a regular file"):
        read_secret(tmp_path / "key")


def test_a_file_without_end_is_not_read_into_memory(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.touch(0o600)
    os.truncate(path, 1 << 40)

    with pytest.raises(StoreUnavailable, match="longer than"):
        read_secret(path)
