"""Examples that say `python run` are run, and print what the page says."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUN = re.compile(r"^```python run\n(.*?)^```\n+(?:[^`\n].*\n+)*```text\n(.*?)^```", re.MULTILINE | re.DOTALL)


def examples() -> Iterator[tuple[str, str, str]]:
    for page in sorted((ROOT / "docs").rglob("*.md")):
        for code, printed in RUN.findall(page.read_text(encoding="utf-8")):
            yield page.stem, code, printed


@pytest.mark.parametrize(
    ("page", "code", "printed"), [*examples()], ids=lambda value: value if "\n" not in value else ""
)
def test_what_an_example_prints_is_on_the_page(
    page: str, code: str, printed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    exec(compile(code, f"{page}.md", "exec"), {"__name__": "__main__"})  # noqa: S102 - our own pages

    assert capsys.readouterr().out == printed


def test_there_are_examples() -> None:
    """Else the test above would pass on nothing."""
    assert list(examples())
