"""Where valid input comes from: the files of every format ever released."""

import json
from pathlib import Path
from typing import Any

import pytest

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="session")
def golden_bundle() -> bytes:
    return (GOLDEN / "ledger" / "v1" / "bundle.txt").read_bytes()


@pytest.fixture(scope="session")
def golden_vkeys() -> list[str]:
    lines = (GOLDEN / "ledger" / "v1" / "keys.txt").read_text().split()
    return [line for line in lines if line.count("+") >= 2]


@pytest.fixture(scope="session")
def golden_notes() -> list[bytes]:
    return [path.read_bytes() for path in sorted((GOLDEN / "ledger" / "v1").glob("*.note"))]


@pytest.fixture(scope="session")
def golden_entries() -> list[bytes]:
    """Of the ledger's own tests, and of a whole life of rollouts."""
    paths = [*(GOLDEN / "ledger" / "v1").glob("entry-*.json"), *(GOLDEN / "domain" / "v1").glob("*.json")]
    return [path.read_bytes().rstrip(b"\n") for path in sorted(paths)]


@pytest.fixture(scope="session")
def golden_life() -> list[dict[str, Any]]:
    return [json.loads(path.read_bytes()) for path in sorted((GOLDEN / "domain" / "v1").glob("*.json"))]
