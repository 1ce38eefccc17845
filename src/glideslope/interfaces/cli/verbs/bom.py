"""`glideslope bom`: a version's bill of materials."""

import json
from pathlib import Path

import click

from glideslope.engine.facts import FactsView
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, at, read, talks
from glideslope.interfaces.document.bom import VERSIONS, bom


@click.command("bom")
@click.argument("model")
@click.argument("version")
@click.option(
    "--format",
    "format_",
    type=click.Choice([f"cyclonedx-{each}" for each in VERSIONS]),
    default="cyclonedx-1.6",
    show_default=True,
    help="Which format to write.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where to write it, if not to the terminal.")
@talks
def command(session: Session, *, model: str, version: str, format_: str, output: Path | None) -> None:
    """Print the bill of materials of VERSION of MODEL: data, packages and figures, from its recorded facts."""
    view = read(session.get(at("models", model, "versions", version, "facts")), FactsView, exact=True)
    written = bom(view, version=format_.removeprefix("cyclonedx-"))
    text = json.dumps(written, indent=None if session.as_json else 2, ensure_ascii=session.as_json)
    if output is None:
        say(text)
    else:
        output.write_text(text + "\n", encoding="utf-8")
        say(f"Wrote {output}: {len(written['components'])} parts of {model} {version}.")
