"""`glideslope card`: a version's model card, from what the ledger says."""

import json
from pathlib import Path

import click

from glideslope.domain.governing.card import missing
from glideslope.engine.version_record import VersionRecordView
from glideslope.interfaces.cli.contents import file_bytes
from glideslope.interfaces.cli.exits import Exit
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, at, read, talks
from glideslope.interfaces.document.hub import front_matter
from glideslope.interfaces.document.paper import markdown, page
from glideslope.interfaces.document.papers import card
from glideslope.interfaces.document.text import decode


@click.command("card")
@click.argument("model")
@click.argument("version")
@click.option("--with", "people", type=click.Path(path_type=Path), metavar="FILE", help="Markdown that people wrote.")
@click.option("--html", is_flag=True, help="Write one page of HTML instead of Markdown.")
@click.option("--check", is_flag=True, help="End with 3 when the card lacks something.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where to write it, if not to the terminal.")
@talks
@click.pass_context
def command(
    ctx: click.Context,
    session: Session,
    *,
    model: str,
    version: str,
    people: Path | None,
    html: bool,
    check: bool,
    output: Path | None,
) -> None:
    """Print the model card of VERSION of MODEL; as Markdown it begins with what the Hugging Face hub reads."""
    known = read(session.get(at("models", model, "versions", version)), VersionRecordView, exact=True)
    written = "" if people is None else decode(file_bytes(people, what="card"), file=str(people)).text
    paper = card(known, people=written, file=people.name if people else "")
    text = page(paper) if html else front_matter(known) + markdown(paper)
    lacks = ("facts: none are recorded",) if known.facts is None else missing(known.facts.facts)
    if output is not None:
        output.write_text(text, encoding="utf-8")
    if session.as_json:
        file = None if output is None else str(output)
        say(json.dumps({"model": model, "version": version, "missing": lacks, "file": file, "text": text}))
    elif output is None:
        say(text, nl=False)
    else:
        lacking = f"{len(lacks)} thing{'s' if len(lacks) != 1 else ''}" if lacks else "nothing"
        say(f"Wrote {output}: it lacks {lacking}.")
    if check and lacks:
        for each in lacks:
            say(f"missing: {each}", err=True)
        ctx.exit(Exit.REFUSED)
