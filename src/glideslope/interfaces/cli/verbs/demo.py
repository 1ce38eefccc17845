"""`glideslope demo`: real flights, real models, real traffic."""

from pathlib import Path

import click

from glideslope.interfaces.cli.context import Outside
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import json_option


@click.command("demo")
@click.option(
    "--keep", type=click.Path(path_type=Path), metavar="DIR", help="Keep the state there, to explore it afterwards."
)
@click.option("--browse", is_flag=True, help="Then show its record as pages, with a tour, until Ctrl-C.")
@json_option
@click.pass_context
def command(ctx: click.Context, *, keep: Path | None, browse: bool, as_json: bool) -> None:
    """Govern a sound update and a harmful one on every flight out of New York in 2013."""
    outside = ctx.find_object(Outside)
    assert outside is not None  # noqa: S101 - a mistake of ours

    def ready(url: str, token: str) -> None:
        opened = outside.browse(url)
        say(
            f"{url}\nIt signs you in once.{' A browser was asked to open it.' if opened else ''} Later: paste {token}",
            err=as_json,
        )
        say("Ctrl-C ends it.", err=as_json)

    ctx.exit(outside.demo(as_json=as_json, keep=keep, browse=ready if browse else None))
