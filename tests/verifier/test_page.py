"""What the page for auditors shows of the verifier is what it says: its commands are run as they stand there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from glideslope.ledger import cosignature, note
from glideslope.testing.memory import MemorySigner

PAGE = "docs/how-to/check-a-change-a-year-later.md"
CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
OURS = "python "


def shown(text: str) -> list[tuple[str, list[str]]]:
    """Return the commands of a page that need Python alone, each with the lines that stand under it."""
    found: list[tuple[str, list[str]]] = []
    for block in CONSOLE.findall(text):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return [each for each in found if each[0].startswith(OURS)]


@pytest.fixture
def desk(made: Any, root: Path, tmp_path: Path) -> Path:
    """What an auditor has on the desk, under the names on the page."""
    shutil.copy(root / "verifier" / "glideslope_verify.py", tmp_path)
    (tmp_path / "r-0001.pack.zip").write_bytes(made.data)
    (tmp_path / "ledger.key").write_text(MemorySigner().verifier.vkey + "\n", "utf-8")
    sizes = sorted(made.checkpoints)
    (tmp_path / "kept.note").write_bytes(made.checkpoints[sizes[0]])
    signers = [note.Signer(f"witness.example/w{n}", bytes([n]) * 32) for n in (1, 2)]
    for signer, name in zip(signers, ("w1.key", "w2.key"), strict=True):
        (tmp_path / name).write_text(cosignature.Witness(signer.name, signer.verifier.public_key).vkey, "utf-8")
    newest = made.checkpoints[sizes[-1]]
    line = cosignature.line(signers[0], note.parse(newest).text, time=1_790_000_000)
    (tmp_path / "cosigned.note").write_bytes(newest + line)
    return tmp_path


def test_every_command_that_needs_python_alone_says_what_the_page_says(desk: Path, root: Path) -> None:
    commands = shown((root / PAGE).read_text("utf-8"))
    assert len(commands) == 5

    for command, lines in commands:
        asked = command.removeprefix(OURS)
        done = subprocess.run(
            ["bash", "-c", f'"{sys.executable}" {asked}'], cwd=desk, capture_output=True, text=True, check=False
        )
        assert done.stderr == "", command
        for line in lines:
            pattern = r"[\d,]+".join(re.escape(part) for part in line.split("..."))
            assert re.search(f"^{pattern}$", done.stdout, re.MULTILINE), (
                f"{command} does not say: {line}\n{done.stdout}"
            )

    assert (desk / "pack" / "summary.html").is_file()
    assert (desk / "pack" / "records" / "16-sign-offs.json").is_file()


def test_each_finding_in_its_table_exists(root: Path) -> None:
    text = (root / PAGE).read_text("utf-8")
    named = re.findall(r"^\| `([a-z-]+)` \|", text, re.MULTILINE)
    known = re.findall(r"^\| `([a-z-]+)` \|", (root / "docs/reference/pack-format.md").read_text("utf-8"), re.MULTILINE)

    assert len(named) == 6
    assert set(named) <= set(known)
