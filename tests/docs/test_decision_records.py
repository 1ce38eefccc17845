"""Every decision record can be read the same way: what was decided, why, and what else was possible."""

import re
from pathlib import Path

SECTIONS = ["Status", "Context", "Decision", "Alternatives", "Consequences"]
STATUS = re.compile(r"(Proposed|Accepted|Superseded by \[\d{4}\]\(\d{4}-[a-z0-9-]+\.md\)), \d{4}-\d{2}-\d{2}\.")
NAME = re.compile(r"(\d{4})-[a-z0-9]+(-[a-z0-9]+)*\.md")


def records(root: Path) -> list[Path]:
    found = sorted((root / "docs" / "project" / "adr").glob("*.md"))
    assert found, "no decision record found"
    return found


def sections(text: str) -> dict[str, str]:
    """Return the text under each second-level heading, in order."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)[1:]
    return {heading.strip(): body.strip() for heading, body in zip(parts[::2], parts[1::2], strict=True)}


def test_records_are_numbered_and_never_twice(root: Path) -> None:
    """Gaps are left where several were written at once: a number, once linked to, stays."""
    numbers = [match[1] if (match := NAME.fullmatch(path.name)) else path.name for path in records(root)]

    assert all(number.isdigit() for number in numbers), numbers
    assert len(set(numbers)) == len(numbers)


def test_the_title_carries_the_number_of_the_file(root: Path) -> None:
    first_lines = {path.name: path.read_text(encoding="utf-8").splitlines()[0] for path in records(root)}

    assert [name for name, line in first_lines.items() if not re.match(rf"# {name[:4]}\. \S", line)] == []


def test_every_record_has_its_five_parts_in_order_and_none_is_empty(root: Path) -> None:
    found = {path.name: sections(path.read_text(encoding="utf-8")) for path in records(root)}

    assert [name for name, parts in found.items() if list(parts) != SECTIONS] == []
    assert [name for name, parts in found.items() if not all(parts.values())] == []


def test_every_status_is_one_that_we_know_and_dated(root: Path) -> None:
    found = {path.name: sections(path.read_text(encoding="utf-8"))["Status"] for path in records(root)}

    assert [(name, status) for name, status in found.items() if not STATUS.fullmatch(status)] == []
