"""`glideslope evaluate`: measures a candidate offline, in its own serving process, beside the incumbent."""

from pathlib import Path

import click

from glideslope.interfaces.cli.context import Outside
from glideslope.interfaces.cli.session import json_option

EVALUATION = "evaluation.yaml"


@click.command("evaluate")
@click.argument("file", type=click.Path(path_type=Path), default=EVALUATION)
@click.option(
    "--work",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where parts and reports are kept; else FILE's name with .work.",
)
@click.option("--again", is_flag=True, help="Forget what was measured before and begin anew.")
@click.option(
    "--write-split",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Only write train.jsonl and test.jsonl, to train on.",
)
@json_option
@click.pass_context
def command(
    ctx: click.Context, *, file: Path, work: Path | None, again: bool, write_split: Path | None, as_json: bool
) -> None:
    """Measure what FILE declares, and say whether all of it is met.

    Exits with 0 when it is, with 1 when not, with 130 after Ctrl-C. Killed half way it goes on where it was when it is called again.
    """
    outside = ctx.find_object(Outside)
    assert outside is not None  # noqa: S101 - a mistake of ours
    ctx.exit(outside.evaluate(file, work=work, again=again, write_split=write_split, as_json=as_json))
