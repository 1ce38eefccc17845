"""`glideslope checkpoint`: a signed checkpoint of the ledger, with what witnesses said of it."""

import json
from pathlib import Path
from urllib.parse import urlencode

import click

from glideslope.domain.errors import Invalid
from glideslope.engine.views import CheckpointView
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, at, read, talks


@click.command("checkpoint")
@click.option("--size", type=click.IntRange(min=0), metavar="N", help="Over the first N entries; else the newest.")
@click.option(
    "--cosigned", type=click.IntRange(min=1), metavar="K", help="The newest that K witnesses of the server have seen."
)
@click.option(
    "--request",
    "older",
    type=click.IntRange(min=0),
    metavar="N",
    help="Print what a witness that saw N entries last is sent (C2SP add-checkpoint).",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where to write it, if not to the terminal.")
@talks
def command(
    session: Session, *, size: int | None, cosigned: int | None, older: int | None, output: Path | None
) -> None:
    """Print a signed checkpoint of the ledger: keep it, publish it, or have it cosigned by a witness.

    Whoever keeps one can show later that nothing before it was changed: glideslope verify --earlier FILE.
    """
    query = {name: value for name, value in (("size", size), ("cosigned", cosigned)) if value is not None}
    view = read(session.get(_path("ledger", "checkpoint", **query)), CheckpointView, exact=True)
    text = view.note
    if older is not None:
        request = session.get(_path("ledger", "checkpoint", "request", size=view.size, older=older))
        text = request.decode("utf-8", "replace")
    if output is not None:
        write(output, text)
    if session.as_json:
        seen = [{"witness": each.witness, "at": each.at} for each in view.cosigned]
        file = None if output is None else str(output)
        content = {"origin": view.origin, "size": view.size, "root": view.root, "text": text, "file": file}
        say(json.dumps({**content, "cosigned": seen, "witnesses": view.witnesses}))
    elif output is None:
        say(text, nl=False)
    else:
        say(f"Wrote {output}: {told(view)}")


def told(view: CheckpointView) -> str:
    """Say in a sentence who has seen a checkpoint."""
    who = "witness has" if view.witnesses == 1 else "witnesses have"
    return (
        f"the checkpoint over {view.size:,} entries, which {len(view.cosigned)} of {view.witnesses} known {who} seen."
    )


def write(path: Path, text: str) -> None:
    """Write a file. Raises Invalid."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Invalid(f"{str(path)!r} cannot be written: {error.strerror}.") from None


def _path(*parts: str, **query: int) -> str:
    return at(*parts) + (f"?{urlencode(query)}" if query else "")
