"""A document of sections, tables and the ledger entries that they rest on, written as Markdown or as one page of HTML.

Nothing in a text is taken as markup, in either. The page needs nothing else: no script, no font, no picture from elsewhere; its
Content-Security-Policy allows its own style by hash and nothing more.
"""

import base64
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --ground: #ffffff; --panel: #f6f8fa;
  --fail: #b3261e; --link: #0b5cad; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9da7b1; --line: #3d444d; --ground: #0d1117; --panel: #161b22;
  --fail: #ff7b72; --link: #6cb6ff; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground); margin: 0 auto; padding: 1.5rem;
  max-width: 60rem; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; } p { margin: .4rem 0; max-width: 46rem; }
a { color: var(--link); } .soft { color: var(--soft); }
.lacks { color: var(--fail); border-left: .3rem solid; padding: .5rem .8rem; background: var(--panel); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
th { color: var(--soft); font-weight: 600; overflow-wrap: normal; } ul { margin: .2rem 0 .2rem 1.1rem; padding: 0; }
:target { background: var(--panel); outline: 2px solid var(--link); }
@media print { a { color: inherit; text-decoration: none; } }
"""

_MARKS: Final = re.compile(r"([\\`*_{}\[\]<>|#~&!$])")


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph, and the ledger entry that it rests on."""

    text: str
    entry: int | None = None


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    items: Sequence[Text]


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the last column links each row to its ledger entry, where one is named."""

    heading: Sequence[str]
    rows: Sequence[tuple[Sequence[str], int | None]]


@dataclass(frozen=True, slots=True)
class Lacks:
    """What should stand here and does not."""

    what: Sequence[str]


Block = Text | Items | Table | Lacks


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands under it."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Entry:
    """A ledger entry that the document names."""

    entry: int
    at: str
    by: str
    what: str


@dataclass(frozen=True, slots=True)
class Paper:
    """A document."""

    title: str
    subtitle: str
    sections: Sequence[Section]
    records: Sequence[Entry]

    @property
    def all_sections(self) -> Sequence[Section]:
        """Return the sections with the one that lists the records."""
        if not self.records:
            return self.sections
        known = {each.entry: each for each in self.records}
        rows = [((str(e.entry), e.at, e.by, e.what), None) for e in sorted(known.values(), key=lambda e: e.entry)]
        return (*self.sections, Section("Records", [Table(("entry", "at", "by", "what"), rows)]))


def markdown(paper: Paper) -> str:
    """Write the document as Markdown (GitHub's, for the tables)."""
    lines = [f"# {_marked(paper.title)}", "", _marked(paper.subtitle), ""]
    for section in paper.all_sections:
        lines += [f"## {_marked(section.title)}", ""]
        for block in section.blocks:
            lines += [*_markdown(block), ""]
    return "\n".join(lines).rstrip() + "\n"


def _markdown(block: Block) -> Iterator[str]:
    match block:
        case Text(text=text, entry=entry):
            yield _marked(text) + _noted(entry)
        case Items(items=items):
            for item in items:
                yield f"- {_marked(item.text)}{_noted(item.entry)}"
        case Lacks(what=what):
            yield "**Missing:**"
            yield ""
            for each in what:
                yield f"- {_marked(each)}"
        case Table(heading=heading, rows=rows):
            linked = any(entry is not None for _, entry in rows)
            head = [*heading, *(["record"] if linked else [])]
            yield f"| {' | '.join(map(_marked, head))} |"
            yield f"|{'---|' * len(head)}"
            for cells, entry in rows:
                note = [] if not linked else ["-" if entry is None else f"entry {entry}"]
                yield f"| {' | '.join([*map(_marked, cells), *note])} |"


def _marked(text: str) -> str:
    return _MARKS.sub(r"\\\1", _visible(text).replace("\n", " "))


def _noted(entry: int | None) -> str:
    return "" if entry is None else f" (ledger entry {entry})"


def page(paper: Paper) -> str:
    """Write the document as one page."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    anchored = frozenset(each.entry for each in paper.records)
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{digest}'\">",
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{_escaped(paper.title)}</title><style>{STYLE}</style></head><body><main>",
            f'<h1>{_escaped(paper.title)}</h1><p class="soft">{_escaped(paper.subtitle)}</p>',
            *(line for section in paper.all_sections for line in _section(section, anchored)),
            "</main></body></html>",
            "",
        ]
    )


def _section(section: Section, anchored: frozenset[int]) -> Iterator[str]:
    yield f"<section><h2>{_escaped(section.title)}</h2>"
    for block in section.blocks:
        match block:
            case Text(text=text, entry=entry):
                yield f"<p>{_escaped(text)}{_linked(entry, anchored)}</p>"
            case Items(items=items):
                inner = "".join(f"<li>{_escaped(i.text)}{_linked(i.entry, anchored)}</li>" for i in items)
                yield f"<ul>{inner}</ul>"
            case Lacks(what=what):
                inner = "".join(f"<li>{_escaped(each)}</li>" for each in what)
                yield f'<div class="lacks"><strong>Missing</strong><ul>{inner}</ul></div>'
            case Table():
                yield _table(block, anchored, names_entries=section.title == "Records")
    yield "</section>"


def _table(table: Table, anchored: frozenset[int], *, names_entries: bool) -> str:
    linked = any(entry is not None for _, entry in table.rows)
    heading = [*table.heading, *(["record"] if linked else [])]
    head = "".join(f'<th scope="col">{_escaped(each)}</th>' for each in heading)
    body = ""
    for cells, entry in table.rows:
        name = f' id="entry-{_escaped(cells[0])}"' if names_entries else ""
        link = f"<td>{_linked(entry, anchored)}</td>" if linked else ""
        body += f"<tr{name}>" + "".join(f"<td>{_escaped(each)}</td>" for each in cells) + f"{link}</tr>"
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _linked(entry: int | None, anchored: frozenset[int]) -> str:
    if entry is None:
        return ""
    return f' <a href="#entry-{entry}">entry {entry}</a>' if entry in anchored else f" entry {entry}"


def _escaped(text: str) -> str:
    return escape(_visible(text))


def _visible(text: str) -> str:
    r"""Write what cannot be printed as `\u001b`, so that no mark turns a line around."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\u{ord(c):04x}" for c in text)
