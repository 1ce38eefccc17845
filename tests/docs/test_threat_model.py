"""The threat model names, for each thing that it says is stopped, a test that is there."""

import re
from pathlib import Path


def rows(root: Path) -> list[list[str]]:
    """Return the cells of each row that says what stops an attempt."""
    text = (root / "docs" / "explanation" / "threat-model.md").read_text(encoding="utf-8")
    tables = re.findall(r"^\| attempt .*\n\|[-|]+\n((?:\|.*\n)+)", text, flags=re.MULTILINE)
    return [[cell.strip() for cell in line.strip("|").split("|")] for table in tables for line in table.splitlines()]


def test_every_attempt_is_stopped_by_something_that_a_test_shows(root: Path) -> None:
    found = rows(root)
    named = {row[0]: re.findall(r"`([a-z0-9_/]+\.py)`", row[2]) for row in found}

    assert len(found) > 20
    assert [attempt for attempt, tests in named.items() if not tests] == []
    assert [test for tests in named.values() for test in tests if not (root / "tests" / test).is_file()] == []


def test_each_part_says_what_is_not_stopped(root: Path) -> None:
    text = (root / "docs" / "explanation" / "threat-model.md").read_text(encoding="utf-8")
    parts = [part for part in re.split(r"^## ", text, flags=re.MULTILINE) if "| attempt " in part]

    assert [part.splitlines()[0] for part in parts if "Not stopped: " not in part] == []
