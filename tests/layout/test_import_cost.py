"""What an import costs, seen on a fresh interpreter. Who may import whom is import-linter's to check (`make lint`)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = "glideslope"
HEAVY = {
    "apsw",
    "envoy",
    "fastapi",
    "grpc",
    "httpx",
    "numpy",
    "pandas",
    "pydantic",
    "rich",
    "sklearn",
    "uvicorn",
    "yaml",
}


def loaded(*arguments: str, root: Path) -> set[str]:
    """Return the names of all modules that a fresh interpreter loads when started with *arguments*."""
    command = [sys.executable, "-X", "importtime", *arguments]
    run = subprocess.run(
        command,
        cwd=root,
        env={**os.environ, "PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    marker = "import time:"
    lines = [line for line in run.stderr.splitlines() if line.startswith(marker)]
    names = {line.rpartition("|")[2].strip() for line in lines}
    assert any(name.split(".")[0] == PACKAGE for name in names), run.stderr
    return names


def rooms(names: set[str]) -> set[str]:
    """Return the second parts of our own names: `glideslope.stats.counters` lies in the room `stats`."""
    return {parts[1] for name in names if (parts := name.split("."))[0] == PACKAGE and len(parts) > 1}


def test_the_sdk_brings_neither_engine_nor_server(root: Path) -> None:
    """`import glideslope.sdk` runs inside other people's services: it loads no engine, no adapter, and nothing heavy."""
    names = loaded("-c", "import glideslope.sdk", root=root)

    assert rooms(names) & {"engine", "adapters", "interfaces", "wiring", "demo", "settings", "testing"} == set()
    assert {name.split(".")[0] for name in names} & HEAVY == set()


def test_a_call_brings_the_engines_views_and_nothing_heavy(root: Path) -> None:
    """Who asks a server in types needs no more than the core is installed with (ADR 0016)."""
    calls = ", ".join(
        f"glideslope.sdk.calls.{file.stem}" for file in (root / "src/glideslope/sdk/calls").glob("*_calls.py")
    )
    names = loaded("-c", f"import {calls}", root=root)

    assert rooms(names) & {"adapters", "interfaces", "wiring", "demo", "settings", "testing"} == set()
    assert {name.split(".")[0] for name in names} & HEAVY == set()


@pytest.mark.parametrize("arguments", [["--help"], ["no-such-ledger"]], ids=["help", "a file that is not there"])
def test_verify_loads_only_what_an_auditor_must_trust(root: Path, arguments: list[str]) -> None:
    """`glideslope verify` loads stats, ledger and domain, its own part of the command line, and nothing heavy."""
    if not (root / "src" / PACKAGE / "__main__.py").exists():
        pytest.skip("no command line yet: src/glideslope/__main__.py does not exist")
    names = loaded("-m", PACKAGE, "verify", *arguments, root=root)

    beyond = rooms(names) - {"stats", "ledger", "domain", "interfaces", "__main__"}
    others = {name for name in names if name.startswith("glideslope.interfaces.")}
    assert beyond == set()
    assert {name for name in others if not name.startswith("glideslope.interfaces.cli")} == set()
    assert {name.split(".")[0] for name in names} & HEAVY == set()
