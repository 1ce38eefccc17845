"""`glideslope demo`: real flights, real models, real traffic."""

from pathlib import Path

import click

from glideslope.interfaces.cli.context import Outside
from glideslope.interfaces.cli.session import json_option


@click.command("demo")
@click.option(
    "--keep", type=click.Path(path_type=Path), metavar="DIR", help="Keep the state there, to explore it afterwards."
)
@json_option
@click.pass_context
def command(ctx: click.Context, *, keep: Path | None, as_json: bool) -> None:
    """Govern a sound update and a harmful one on every flight out of New York in 2013."""
    outside = ctx.find_object(Outside)
    assert outside is not None  # noqa: S101 - a mistake of ours
    ctx.exit(outside.demo(as_json=as_json, keep=keep))
