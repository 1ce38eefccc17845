"""Files that people hand to the command line: whatever they hold, a value or a refusal with its place, in bounded memory."""

import json
import os
import resource
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

ENDLESS = Path("/dev/zero")


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))


@pytest.mark.parametrize(
    "arguments",
    [
        ("plan", "/dev/zero"),
        ("outcomes", "/dev/zero", "--dry-run"),
        ("outcomes", "/dev/zero", "--format", "csv", "--dry-run"),
        (
            "register",
            "m",
            "v1",
            "--url",
            "http://h",
            "--digest",
            "sha256:" + "0" * 64,
            "--evaluation",
            "/dev/zero",
            "-m",
            "x",
        ),
        ("verify", "ledger.bundle", "--key", "k+1+x", "--earlier", "/dev/zero"),
        ("plan", "big.yaml"),
        ("outcomes", "big.yaml", "--dry-run"),
    ],
)
def test_a_file_without_end_is_refused_in_bounded_memory(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "ledger.bundle").write_bytes(b"glideslope-ledger/1\nentries\n")
    with (tmp_path / "big.yaml").open("wb") as big:
        big.truncate(1 << 33)

    ended = subprocess.run(
        [sys.executable, "-m", "glideslope", *arguments],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60, preexec_fn=limited, env={**os.environ, "GLIDESLOPE_SERVER": "http://127.0.0.1:9"},
    )  # fmt: skip

    assert (ended.returncode, "error[" in ended.stderr) == (2, True), ended.stderr
    assert "Traceback" not in ended.stderr
    assert "MemoryError" not in ended.stderr


def test_outcomes_are_read_from_a_pipe(desk: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "truth")
    content = json.dumps({"prediction": "abcd", "happened": True}) + "\n"
    writing = threading.Thread(target=(tmp_path / "truth").write_text, args=(content,))
    writing.start()

    ended = desk.run("outcomes", "truth", "--dry-run")
    writing.join()

    assert (ended.exit_code, "1 outcomes can be read" in ended.output) == (0, True)
