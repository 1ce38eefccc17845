"""`glideslope announce`: the page of a change for the people affected, as one file."""

import json
from pathlib import Path

import click

from glideslope.engine.announcing import AnnouncementView
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, at, read, rollout_of, talks
from glideslope.interfaces.document.announcing import announcement
from glideslope.interfaces.document.paper import markdown, page


@click.command("announce")
@click.argument("rollout")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="Where to write it, as one page of HTML that needs nothing else.",
)
@click.option("--as-of", type=click.IntRange(min=0), metavar="ENTRY", help="As it stood right after this ledger entry.")
@talks
def command(session: Session, *, rollout: str, out: Path | None, as_of: int | None) -> None:
    """Write what is said of ROLLOUT (an id or a model) to the people affected; without --out print it as Markdown."""
    path = at("rollouts", rollout_of(session, rollout), "announcement") + ("" if as_of is None else f"?as_of={as_of}")
    paper = announcement(read(session.get(path), AnnouncementView, exact=True))
    text = markdown(paper) if out is None else page(paper)
    if out is not None:
        out.write_text(text, encoding="utf-8")
    if session.as_json:
        say(json.dumps({"title": paper.title, "file": None if out is None else str(out), "text": text}))
    elif out is None:
        say(text, nl=False)
    else:
        say(f"Wrote {out}.")
