"""`glideslope search`: finds entries of the record by words and fields, and saves them."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import click

from glideslope.domain.errors import Invalid
from glideslope.domain.governing import query
from glideslope.engine.views import SearchView
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, read, say_bytes, talks


@click.command("search", epilog=f"Fields: {', '.join(query.FIELDS)}, after, before.")
@click.argument("question", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True, help="How many to show.")
@click.option("--below", type=click.IntRange(min=0), metavar="ENTRY", help="Only entries before this one, for more.")
@click.option(
    "--export",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Save all that is found, an entry a line, in JSON.",
)
@talks
def command(session: Session, *, question: tuple[str, ...], limit: int, below: int | None, export: Path | None) -> None:
    """Find entries of the record that answer QUESTION, newest first.

    All parts must hold: words in any order, a phrase in quotes, begin* of a word, author:ana, metric:log_loss,
    kind:decided, after:2026-01, before:2026-02-01.
    """
    text = " ".join(question)
    query.read(text)
    if export is not None:
        _export(session, text, export)
        return
    answer = session.get(_path(text, limit=limit, below=below))
    if session.as_json:
        say_bytes(answer)
        return
    view = read(answer, SearchView)
    for each in view.found:
        say(f"{each.entry:>8}  {each.at}  {each.stream} #{each.version}  {each.kind}  {each.by}")
        say(f"          {each.sentence}")
    count = len(view.found)
    say(
        f"{count or 'Nothing'} found in {view.entries:,} entries."
        if view.next is None
        else f"The newest {count} are shown."
    )
    if view.next is not None:
        say(f"More: add --below {view.next}")
    if view.found and view.found[0].stream.startswith("r-"):
        say(f"Next: glideslope show {view.found[0].stream} --as-of {view.found[0].entry}")


def _path(text: str, *, limit: int, below: int | None, whole: bool = False) -> str:
    asked: dict[str, str | int] = {"q": text, "limit": limit}
    if below is not None:
        asked["below"] = below
    if whole:
        asked["whole"] = "true"
    return f"/v1/search?{urlencode(asked)}"


def _export(session: Session, text: str, path: Path) -> None:
    count = 0
    try:
        with path.open("wb") as saved:
            for line in _all(session, text):
                saved.write(line + b"\n")
                count += 1
    except OSError as error:
        raise Invalid(f"{str(path)!r} cannot be written: {error.strerror}.") from None
    if session.as_json:
        say(json.dumps({"file": str(path), "entries": count}))
    else:
        say(f"Wrote {count:,} entries to {path}, newest first: ledger position and entry on each line.")


def _all(session: Session, text: str) -> Iterator[bytes]:
    below: int | None = None
    while True:
        view = read(session.get(_path(text, limit=200, below=below, whole=True)), SearchView, exact=True)
        for each in view.found:
            yield f'{{"position":{each.entry},"entry":{each.whole}}}'.encode()
        if view.next is None:
            return
        below = view.next
