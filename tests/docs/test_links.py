"""A link between two of our pages leads somewhere."""

import re
from pathlib import Path

import pytest

LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)(?: \"[^\"]*\")?\)|!\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def prose(text: str) -> str:
    """Return *text* without code, in which brackets mean other things."""
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", text))


def anchors(text: str) -> set[str]:
    """Return the names under which the headings of a page can be reached."""
    headings = re.findall(r"^#+ (.+?)\s*#*$", FENCE.sub("", text), flags=re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


def broken(page: Path, text: str) -> list[str]:
    """Return each relative link of *page* that leads to no file, or to no heading of it."""
    wrong = []
    for groups in LINK.findall(prose(text)):
        link = groups[0] or groups[1]
        if ELSEWHERE.match(link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            wrong.append(link)
    return wrong


def test_every_link_between_pages_leads_somewhere(pages: list[Path], root: Path) -> None:
    found = {str(page.relative_to(root)): broken(page, page.read_text(encoding="utf-8")) for page in pages}

    assert {page: links for page, links in found.items() if links} == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[a](there.md)", []),
        ("[a](gone.md)", ["gone.md"]),
        ("[a](there.md#the-end-of-it)", []),
        ("[a](there.md#nowhere)", ["there.md#nowhere"]),
        ("# Here\n[a](#here) [b](#not)", ["#not"]),
        ("![a](gone.png)", ["gone.png"]),
        ("[a](https://example.org/gone)", []),
        ("`[a](gone.md)`\n```\n[a](gone.md)\n```\n", []),
    ],
)
def test_the_check_tells_good_links_from_broken_ones(tmp_path: Path, text: str, expected: list[str]) -> None:
    (tmp_path / "there.md").write_text("# There\n\n## The end, of `it`\n", encoding="utf-8")
    page = tmp_path / "here.md"
    page.write_text(text, encoding="utf-8")

    assert broken(page, text) == expected
