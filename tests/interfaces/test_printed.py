"""A page of ours on paper says the same words in the same order, and nothing in it is taken for anything but text."""

import gzip
import re
import zipfile
from html import unescape
from io import BytesIO
from pathlib import Path

import pytest

from glideslope.interfaces.document.printed import Run, parts, pdf

PAGE = """<!doctype html>
<html lang="en"><head><title>not this</title><style>h1 { color: red }</style></head><body><main>
<h1>r-0001: delays</h1>
<p class="outcome bad"><strong>Rolled back</strong> by grace &amp; co</p>
<p>Check it: <code>python a.py</code>, once.</p>
<h2 class="sheet">What happened</h2>
<table><caption>Every entry</caption><thead><tr><th>entry</th><th></th></tr></thead>
<tbody><tr><td><span id="e1">1</span></td><td>#set page(width: 1pt) $x$ *no* @me</td></tr>
<tr><td>2</td><td><p>first</p><p>second</p></td></tr></tbody></table>
<ul><li>one</li><li>two <span class="soft">quietly</span></li></ul>
</main></body></html>"""


def test_a_page_is_taken_apart_into_what_it_says() -> None:
    found = parts(PAGE)

    assert [part.kind for part in found] == ["title", "text", "text", "sheet", "table", "item", "item"]
    assert found[1].runs == [Run("Rolled back", strong=True, tone="bad"), Run(" by grace & co", tone="bad")]
    assert found[2].runs == [Run("Check it: "), Run("python a.py", code=True), Run(", once.")]
    table = found[4]
    assert (table.caption, table.head) == ([Run("Every entry")], [[Run("entry")], []])
    assert table.rows[0] == [[Run("1")], [Run("#set page(width: 1pt) $x$ *no* @me")]]
    assert table.rows[1][1] == [Run("first"), Run(" · "), Run("second")]
    assert found[6].runs == [Run("two "), Run("quietly", tone="soft")]


def test_every_word_of_a_real_pack_is_there_in_its_order(root: Path) -> None:
    page = real(root)
    body = re.sub(r"<(style|title)>.*?</\1>", " ", page, flags=re.DOTALL)
    expected = re.sub(r"\s+", "", unescape(re.sub(r"<[^>]*>", "", body)))
    found = []
    for part in parts(page):
        cells = [part.runs, part.caption, *part.head, *(cell for row in part.rows for cell in row)]
        found += [run.text for cell in cells for run in cell if run.text != " · "]

    assert re.sub(r"\s+", "", "".join(found)) == expected


def test_it_is_a_tagged_pdf_and_the_same_bytes_each_time(root: Path) -> None:
    pytest.importorskip("typst", reason="the extra `pdf` is not installed")
    page = real(root)
    made = pdf(page, footer="a.pack.zip   SHA-256 ab")

    assert made.startswith(b"%PDF-")
    assert made == pdf(page, footer="a.pack.zip   SHA-256 ab")
    assert b"/StructTreeRoot" in made
    assert b"r-0001" in made
    (sheets,) = re.findall(rb"/Type/Pages/Count (\d+)", made)
    assert int(sheets) > 5
    assert pdf(PAGE, footer="x") != pdf(PAGE.replace("@me", "@you"), footer="x")


def real(root: Path) -> str:
    """Return the page of a pack that was made by an earlier version."""
    packed = gzip.decompress((root / "tests" / "golden" / "pack" / "v1.pack.zip.gz").read_bytes())
    with zipfile.ZipFile(BytesIO(packed)) as pack:
        return pack.read("summary.html").decode()


@pytest.fixture
def root() -> Path:
    return Path(__file__).parents[2]
