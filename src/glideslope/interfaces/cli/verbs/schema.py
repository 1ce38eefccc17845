"""`glideslope schema`: the JSON Schema of `glideslope.yaml`, with which editors complete and check it."""

from pathlib import Path

import click

from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import json_option
from glideslope.interfaces.cli.shipped import SCHEMA_FILE, shipped


@click.command("schema")
@click.option("--write", is_flag=True, help=f"Write {SCHEMA_FILE} into this folder instead.")
@json_option
def command(*, write: bool, as_json: bool) -> None:
    """Print the JSON Schema (2020-12) of glideslope.yaml."""
    text = shipped(SCHEMA_FILE)
    if not write:
        say(text, nl=False)
        return
    Path(SCHEMA_FILE).write_text(text, encoding="utf-8")
    say(f'{{"written": "{SCHEMA_FILE}"}}' if as_json else f"Wrote {SCHEMA_FILE}.")
