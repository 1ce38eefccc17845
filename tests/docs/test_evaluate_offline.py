"""The page on evaluating offline can be followed: its commands are run in a copy of its folder, in order."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(root: Path) -> list[list[str]]:
    """Return the words of each command of the page, up to where a server of Glideslope is needed."""
    text = (root / "docs" / "how-to" / "evaluate-offline.md").read_text(encoding="utf-8")
    lines = [line.removeprefix("$ ") for block in CONSOLE.findall(text) for line in block.splitlines()]
    found = [shlex.split(line) for line in lines if not line.startswith("glideslope register")]
    assert len(found) == 4
    return [[sys.executable, *(words[1:] if words[0] == "python" else ["-m", *words])] for words in found]


def follow(folder: Path, root: Path) -> list[subprocess.CompletedProcess[str]]:
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    return [
        subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        for words in commands(root)
    ]


@pytest.fixture
def folder(root: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(root / "examples" / "offline", tmp_path / "offline"))


def without_load(text: str) -> str:
    """Leave out what takes a minute: the load, and what is judged under it. A busy machine is no fault of the servers."""
    text = text.replace("{answer: malignant}", "{answer: malignant, timeout: 60s}")
    text = re.sub(r"(folder: models/v\d)}", r"\1, patience: 10m}", text)
    return re.sub(r"^(load|cost|  latency_p95|  throughput|  cost): .*\n", "", text, flags=re.MULTILINE)


def test_the_page_can_be_followed_and_a_bad_version_is_told_from_a_good_one(folder: Path, root: Path) -> None:
    written = without_load((folder / "evaluation.yaml").read_text(encoding="utf-8"))
    (folder / "evaluation.yaml").write_text(written, encoding="utf-8")

    done = follow(folder, root)

    assert [each.returncode for each in done] == [0, 0, 0, 0], done[-1].stdout + done[-1].stderr
    assert "All is met." in done[-1].stdout
    bad = written.replace("serve.py, v2,", "serve.py, v2-bad,").replace("version: v2,", "version: v2-bad,")
    (folder / "bad.yaml").write_text(bad.replace("models/v2,", "models/v2-bad,"), encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-m", "glideslope", "evaluate", "bad.yaml"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(root / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads((folder / "bad.work" / "report.json").read_text(encoding="utf-8"))
    failed = {c["metric"] for c in report["quality"]["comparisons"] if "fail" in {b["verdict"] for b in c["bounds"]}}
    assert run.returncode == 1
    assert {"log_loss", "calibration_error"} <= failed
    assert "direction: worst_area +50" in {s["name"] for s in report["quality"]["scenarios"] if s["verdict"] == "fail"}


@pytest.mark.slow
def test_the_page_can_be_followed_with_its_load(folder: Path, root: Path) -> None:
    done = follow(folder, root)

    assert [each.returncode for each in done[:3]] == [0, 0, 0]
    report = json.loads((folder / "evaluation.work" / "report.json").read_text(encoding="utf-8"))
    # How quick this machine is today is not ours to promise; that it was measured is.
    assert {c["metric"] for c in report["service_comparisons"] if c["bounds"]} == {"latency_p95", "throughput", "cost"}
    assert all(level["candidate"]["cpu_per_thousand"]["value"] > 0 for level in report["service"])
