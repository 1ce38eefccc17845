"""What we depend on is weighed, locked by hash, and installable from anywhere."""

import re
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

LOCKS = ("core", "server", "demo", "dev", "uv")
PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)(?: ; (.+?))? \\$", re.MULTILINE)

Table = dict[str, Any]
Pins = dict[str, set[tuple[str, str, str]]]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def name_of(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match, requirement
    return canonical(match[0])


@pytest.fixture(scope="module")
def project(root: Path) -> Table:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def pins(root: Path) -> Pins:
    """For each lock, its set of (name, version, marker)."""
    texts = {lock: (root / "requirements" / f"{lock}.txt").read_text(encoding="utf-8") for lock in LOCKS}
    return {
        lock: {(canonical(name), version, marker) for name, version, marker in PIN.findall(text)}
        for lock, text in texts.items()
    }


def declared(project: Table, lock: str) -> set[str]:
    """Return the names that pyproject.toml asks for directly and *lock* has to hold."""
    extras = project["project"]["optional-dependencies"]
    groups = project["dependency-groups"]
    parts = {
        "core": [],
        "server": [extras["server"]],
        "demo": [extras["server"], extras["envoy"], extras["demo"], groups["build"]],
        "dev": [extras["server"], extras["envoy"], extras["demo"], groups["build"], groups["dev"]],
    }[lock]
    listed = [*project["project"]["dependencies"], *(entry for part in parts for entry in part)]
    return {name_of(entry) for entry in listed if isinstance(entry, str)} - {"glideslope"}


def test_every_runtime_dependency_says_why_it_is_here_and_how_big_it_is(root: Path) -> None:
    """In pyproject.toml each line of a runtime dependency ends in a comment that starts with its megabytes."""
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    core = re.search(r"^dependencies = \[\n(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    extras = re.search(r"^\[project\.optional-dependencies\]\n(.*?)^\[", text, re.MULTILINE | re.DOTALL)
    assert core
    assert extras
    entries = [line.strip() for line in (core[1] + extras[1]).splitlines() if line.strip().startswith('"')]
    assert entries

    unweighed = [
        line
        for line in entries
        if not line.startswith('"glideslope[') and not re.search(r"#\s+[\d.]+ MB\b.*: .+", line)
    ]

    assert unweighed == []


@pytest.mark.parametrize("lock", ["core", "server", "demo", "dev"])
def test_a_lock_holds_everything_we_ask_for(project: Table, pins: Pins, lock: str) -> None:
    """A dependency added to pyproject.toml without `make lock` is found here, not by the next person's installation."""
    missing = declared(project, lock) - {name for name, _, _ in pins[lock]}

    assert missing == set()


def test_smaller_locks_are_parts_of_larger_ones(pins: Pins) -> None:
    """One environment can serve the demo and the tests: a larger list asks for the same versions, wherever a smaller does."""
    for smaller, larger in pairwise(("core", "server", "demo", "dev")):
        everywhere = {(name, version) for name, version, marker in pins[larger] if not marker}
        assert {pin for pin in pins[smaller] - pins[larger] if pin[:2] not in everywhere} == set()


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_carries_hashes(root: Path, pins: Pins, lock: str) -> None:
    text = (root / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    entries = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]

    assert len(pins[lock]) == len(entries)
    blocks = re.split(r"^(?=\S)", text, flags=re.MULTILINE)
    assert [block.split()[0] for block in blocks if "==" in block and "--hash=sha256:" not in block] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_place(root: Path, lock: str) -> None:
    """No index, no mirror, no file: packages come from wherever the machine at hand gets them, checked by hash."""
    lines = (root / "requirements" / f"{lock}.txt").read_text(encoding="utf-8").splitlines()

    named = [line for line in lines if "://" in line or "file:" in line or line.startswith(("-", "/"))]

    assert named == []
