"""`glideslope cosign`: hands in what a witness signed, to be served with the checkpoint and put into packs."""

import json
from pathlib import Path

import click

from glideslope.domain.errors import Invalid
from glideslope.engine.views import CheckpointView
from glideslope.interfaces.cli.contents import file_bytes
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, at, dry_run_option, read, talks
from glideslope.interfaces.cli.verbs.checkpoint import told
from glideslope.ledger import checkpoint, note
from glideslope.ledger.errors import LedgerError


@click.command("cosign")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--size",
    type=click.IntRange(min=0),
    metavar="N",
    help="Of the checkpoint over N entries, when FILE is lines alone.",
)
@dry_run_option
@talks
def command(session: Session, *, file: Path, size: int | None, dry_run: bool) -> None:
    """Hand in FILE: a checkpoint that a witness cosigned, or the lines that it answered with (and --size).

    Only witnesses that the server knows count, and each line is checked before it is taken in. A checkpoint's own signature is not
    sent again.
    """
    text = _text(file)
    if size is None:
        size, lines = _taken_apart(text, file)
    else:
        lines = text
    sent = session.order(at("ledger", "checkpoint", "cosignatures"), {"size": size, "lines": lines}, dry_run=dry_run)
    if sent is None:
        return
    view = read(sent, CheckpointView)
    if session.as_json:
        seen = [{"witness": each.witness, "at": each.at} for each in view.cosigned]
        say(json.dumps({"size": view.size, "cosigned": seen, "witnesses": view.witnesses}))
    else:
        say(f"Taken in: {told(view)}")


def _text(file: Path) -> str:
    try:
        return file_bytes(file, what="cosignature").decode()
    except UnicodeDecodeError:
        raise Invalid(f"{str(file)!r} is not UTF-8, so no witness wrote it.") from None


def _taken_apart(text: str, file: Path) -> tuple[int, str]:
    """Return the size of a cosigned checkpoint, and its lines but those of the ledger itself. Raises Invalid."""
    try:
        found = note.parse(text.encode())
        covered = checkpoint.parse(found.text)
    except LedgerError as error:
        why = f"{error}. With --size N it may be the lines of a witness alone"
        raise Invalid(f"{str(file)!r} is not a signed checkpoint: {why}.") from None
    listed = text.rpartition("\n\n")[2].splitlines(keepends=True)
    kept = [line for line, each in zip(listed, found.signatures, strict=True) if each.name != covered.origin]
    if not kept:
        raise Invalid(f"Nobody but the ledger itself has signed {str(file)!r}.")
    return covered.size, "".join(kept)
