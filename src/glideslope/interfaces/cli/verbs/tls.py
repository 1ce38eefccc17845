"""`glideslope tls`: a private CA and certificates in the state folder, for who has none from elsewhere."""

import json
from pathlib import Path

import click

from glideslope.interfaces.cli.context import STATE_FOLDER, Outside, state_folder
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import json_option


@click.group("tls", no_args_is_help=True)
def command() -> None:
    """Make the certificate that `glideslope up --tls` shows."""


@command.command("create")
@click.argument("names", nargs=-1)
@click.option("--state", type=click.Path(path_type=Path), help="The state folder, if not the one of this folder.")
@json_option
@click.pass_obj
def create(outside: Outside, *, names: tuple[str, ...], state: Path | None, as_json: bool) -> None:
    """Make a certificate for NAMES (host names, addresses) and this machine's own; without NAMES, for those of before.

    What runs takes it into use within seconds, and drops no connection. The CA is made once and stays.
    """
    folder = state or state_folder(Path.cwd()) or Path(STATE_FOLDER)
    made = outside.create_certificate(folder, names)
    if as_json:
        say(json.dumps({"names": made.names, "ca": str(made.ca), "until": made.until}))
    else:
        say(f"For {', '.join(made.names)}, until {made.until}.\nWhoever calls must trust {made.ca}.")
