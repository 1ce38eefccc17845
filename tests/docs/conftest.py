"""The pages a reader sees: every Markdown file that belongs to the checkout."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def pages() -> list[Path]:
    """Markdown in the root, in `docs/`, and in the folders that explain themselves."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "changelog.d").glob("*.md")]
    assert found, "no page found: these tests would pass on nothing"
    return sorted(found)
