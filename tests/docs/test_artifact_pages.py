"""The pages on signing and remaking versions: what they print runs, and what they show is read."""

import os
import re
import subprocess
import sys
from pathlib import Path

from glideslope.interfaces.document import recipe


def blocks(root: Path, page: str, language: str) -> list[str]:
    text = (root / "docs" / "how-to" / page).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_the_page_on_signing_runs_as_it_is_written(root: Path, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights.bin").write_bytes(b"123")
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    said = ""
    for block in blocks(root, "sign-a-version.md", "console"):
        for line in block.splitlines():
            words = line.removeprefix("$ ").split()
            command = [sys.executable, "-m", "glideslope", *words[1:]] if words[0] == "glideslope" else words
            done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)
            assert done.returncode == 0, (line, done.stderr)
            said += done.stdout.decode()

    assert "Verified: 1 files, signed by key sha256:" in said


def test_the_recipe_on_the_page_is_one(root: Path) -> None:
    (written,) = blocks(root, "make-a-version-again.md", "yaml")

    assert recipe.read(written, file="recipe.yaml").seed == 2013
