"""A page of ours as sheets of paper: PDF, typeset by Typst (an extra, of 81 MB), with the same words in the same order.

The page is taken apart into blocks and runs of text; these are data to the template, so that nothing in them can be anything but
text. No clock has a part in it: the same page gives the same bytes.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from html.parser import HTMLParser
from importlib import resources
from typing import Final

TONES: Final = frozenset({"good", "bad", "open", "soft"})
_SILENT: Final = frozenset({"style", "title", "script"})
_BLOCKS: Final = {"h1": "title", "h2": "chapter", "h3": "section", "p": "text", "li": "item", "summary": "section"}
_WIDEST: Final = 40
"""Characters after which a column gets no wider."""


@dataclass(frozen=True, slots=True)
class Run:
    """Words that look alike."""

    text: str
    code: bool = False
    strong: bool = False
    tone: str = ""


@dataclass(slots=True)
class Part:
    """A heading, a paragraph, an item of a list, or a table."""

    kind: str
    runs: list[Run] = field(default_factory=list)
    caption: list[Run] = field(default_factory=list)
    head: list[list[Run]] = field(default_factory=list)
    rows: list[list[list[Run]]] = field(default_factory=list)
    widths: list[int] = field(default_factory=list)
    """Of the columns, as shares."""


class _Reader(HTMLParser):
    """Takes a page of ours apart. What stands in a tag that it does not know is text like any other."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[Part] = []
        self._into: list[Run] = []
        self._marks: list[tuple[str, str]] = []
        self._silent = 0
        self._table: Part | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = (dict(attrs).get("class") or "").split()
        table = self._table
        if tag in _SILENT:
            self._silent += 1
        elif tag == "table":
            self._table = self._open(Part("table"))
        elif table is not None and tag == "caption":
            self._into = table.caption
        elif table is not None and tag in {"thead", "tr"}:
            table.rows.append([])
        elif table is not None and tag in {"th", "td"}:
            self._into = []
            table.rows[-1].append(self._into)
        elif table is not None and tag in _BLOCKS and self._into:
            self._into.append(Run(" · "))
        elif table is None and tag in _BLOCKS:
            kind = "sheet" if tag == "h2" and "sheet" in said else _BLOCKS[tag]
            self._into = self._open(Part(kind)).runs
        if tag in {"p", "code", "strong", "span", "a"}:
            self._marks.append((tag, next((word for word in said if word in TONES), "")))

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent -= 1
        elif tag == "thead" and self._table is not None:
            self._table.head = self._table.rows.pop()
        elif tag == "table":
            self._table = None
        elif self._marks and self._marks[-1][0] == tag:
            self._marks.pop()

    def handle_data(self, data: str) -> None:
        words = " ".join(data.split())
        if self._silent or not words:
            if self._into and data == " ":
                self._into.append(Run(" "))
            return
        text = f"{' ' if data[0].isspace() else ''}{words}{' ' if data[-1].isspace() else ''}"
        tags = {tag for tag, _ in self._marks}
        tone = next((tone for _, tone in reversed(self._marks) if tone), "")
        self._into.append(Run(text, code="code" in tags, strong="strong" in tags, tone=tone))

    def _open(self, part: Part) -> Part:
        self.parts.append(part)
        return part


def parts(page: str) -> tuple[Part, ...]:
    """Take a page apart."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    for part in reader.parts:
        part.rows = [row for row in part.rows if row]
        part.widths = _widths(part)
    return tuple(part for part in reader.parts if part.kind == "table" or part.runs)


def pdf(page: str, *, footer: str) -> bytes:
    """Return a page as PDF, with a line at the foot of each sheet. Raises ModuleNotFoundError without the extra `pdf`."""
    import typst

    found = parts(page)
    title = next(("".join(run.text for run in part.runs) for part in found if part.kind == "title"), "")
    data: Mapping[str, object] = {"title": title, "footer": footer, "parts": [asdict(part) for part in found]}
    template = (resources.files("glideslope.interfaces.document") / "files" / "sheet.typ").read_bytes()
    made: bytes = typst.compile(template, format="pdf", sys_inputs={"page": json.dumps(data)})
    return made


def _widths(part: Part) -> list[int]:
    columns = max((len(row) for row in [part.head, *part.rows]), default=0)
    return [
        max(6, min(_WIDEST, max((_length(row[k]) for row in [part.head, *part.rows] if k < len(row)), default=0)))
        for k in range(columns)
    ]


def _length(cell: list[Run]) -> int:
    return sum(len(run.text) for run in cell)
