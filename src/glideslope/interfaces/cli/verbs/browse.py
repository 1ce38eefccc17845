"""`glideslope browse`: the pages of the dashboard over a copy of a record, without its server."""

import gzip
import tempfile
from pathlib import Path

import click

from glideslope.interfaces.cli.context import Outside
from glideslope.interfaces.cli.exits import Exit
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.shipped import RECORDED_KEY, RECORDED_RUN, shipped, shipped_bytes
from glideslope.interfaces.cli.verbs.verify import examine, tell, trusted


@click.command("browse")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--key", metavar="VKEY", help="The ledger's public key, or a file that holds it, as you wrote it down.")
@click.option("--port", type=click.IntRange(0, 65_535), default=0, show_default=True, help="Of the pages; 0 takes any.")
@click.pass_context
def command(ctx: click.Context, /, *, file: Path | None, key: str | None, port: int) -> None:
    """Show the record in FILE (a ledger's bundle) as pages, until Ctrl-C; without FILE, a recorded run of the demo.

    It is verified first, and not shown if anything in it is not as signed or not as decided. Nothing can be changed on these pages.
    """
    outside = ctx.find_object(Outside)
    assert outside is not None  # noqa: S101 - a mistake of ours
    if file is not None and key is None:
        raise click.UsageError("Say which key you trust: --key, as `glideslope verify` printed it.")
    with tempfile.TemporaryDirectory() as folder:
        if file is None:
            file, key = Path(folder) / "ledger.bundle", shipped(RECORDED_KEY)
            file.write_bytes(gzip.decompress(shipped_bytes(RECORDED_RUN)))
            say(
                "A recorded run of `glideslope demo`: every flight out of New York in 2013, one change promoted, one withdrawn."
            )
        verifier = trusted(key or "")
        found = examine(file, key=verifier, earlier=[])
        tell(found)
        if not found.sound:
            say("It is not shown: what is not as signed could say anything.", err=True)
            ctx.exit(Exit.NOT_VERIFIED)
        lines = file.read_bytes().splitlines(keepends=True)

    def ready(url: str, token: str) -> None:
        opened = outside.browse(url)
        say(f"{url}\nIt signs you in once.{' A browser was asked to open it.' if opened else ''} Later: paste {token}")
        say("Ctrl-C ends it; nothing is kept.")

    outside.start().browse(lines=lines, key=verifier.vkey, port=port, ready=ready)
