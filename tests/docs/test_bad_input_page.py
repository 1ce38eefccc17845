"""Each kind of bad input on the page names what holds us to it."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "bad-input.md"
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("|")
][2:]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_a_row_says_what_becomes_of_it_and_names_tests_that_are_there(row: list[str]) -> None:
    what, becomes, tests = row
    named = re.findall(r"`(tests/[\w/]+\.py)`", tests)

    assert what
    assert len(becomes.split()) > 2
    assert named
    for each in named:
        assert (PAGE.parents[2] / each).is_file(), each
