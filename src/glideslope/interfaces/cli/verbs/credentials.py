"""`glideslope credentials`: what a gateway on another host shows to this server."""

import json
from pathlib import Path

import click

from glideslope.interfaces.cli.context import Outside
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import json_option
from glideslope.interfaces.cli.verbs.token import existing, state_option


@click.group("credentials", no_args_is_help=True)
def command() -> None:
    """Make the credentials by which a gateway on another host and this server know each other."""


@command.command("create")
@click.argument("name")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write them into.")
@click.option(
    "--days", type=click.IntRange(1, 3650), default=365, show_default=True, help="How long they are good for."
)
@state_option
@json_option
@click.pass_obj
def create(outside: Outside, *, name: str, out: Path, days: int, state: Path | None, as_json: bool) -> None:
    """Make credentials for the gateway NAME, or new ones in place of its old. Bring the folder to its host; it holds a secret."""
    made = outside.credentials().create(existing(state), name=name, out=out, days=days)
    if as_json:
        say(json.dumps({"name": made.name, "folder": made.folder, "ends": made.ends}))
        return
    say(f"Credentials of {made.name}, good until {made.ends[:10]}, are in {made.folder}.")
