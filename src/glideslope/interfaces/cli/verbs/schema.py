"""`glideslope schema`: the JSON Schemas of the files that people write, with which editors complete and check them, and of the report."""

from pathlib import Path
from typing import Final

import click

from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import json_option
from glideslope.interfaces.cli.shipped import (
    DOSSIER_SCHEMA_FILE,
    EVALUATION_SCHEMA_FILE,
    POLICY_SCHEMA_FILE,
    REPORT_SCHEMA_FILE,
    SCHEMA_FILE,
    shipped,
)

FILES: Final = {
    "plan": SCHEMA_FILE,
    "evaluation": EVALUATION_SCHEMA_FILE,
    "report": REPORT_SCHEMA_FILE,
    "policy": POLICY_SCHEMA_FILE,
    "dossier": DOSSIER_SCHEMA_FILE,
}


@click.command("schema")
@click.argument("of", type=click.Choice(list(FILES)), default="plan")
@click.option("--write", is_flag=True, help="Write it into this folder instead.")
@json_option
def command(*, of: str, write: bool, as_json: bool) -> None:
    """Print the JSON Schema (2020-12) of glideslope.yaml, of evaluation.yaml, of an evaluation's report, of a policy, or of a dossier."""
    name = FILES[of]
    text = shipped(name)
    if not write:
        say(text, nl=False)
        return
    Path(name).write_text(text, encoding="utf-8")
    say(f'{{"written": "{name}"}}' if as_json else f"Wrote {name}.")
