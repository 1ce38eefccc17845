"""`glideslope channel`: where people and programs are told, how each channel stands, and what was tried."""

import json
from pathlib import Path

import click
import msgspec

from glideslope.engine.telling.views import ChannelsView, DeliveryView, ReplayedView, TriedView
from glideslope.interfaces.cli.contents import file_bytes
from glideslope.interfaces.cli.context import state_folder
from glideslope.interfaces.cli.exits import Exit
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, at, dry_run_option, json_option, read, say_bytes, talks
from glideslope.interfaces.cli.words import table
from glideslope.interfaces.document import channels, text

FILE = "channels.yaml"


@click.group("channel", no_args_is_help=True)
def command() -> None:
    """Show where people and programs are told; try a channel, or tell it again."""


@command.command("ls")
@talks
@click.pass_context
def ls(ctx: click.Context, session: Session) -> None:
    """List channels and how each stands. Ends with 3 when one fails or the file is wrong."""
    answer = session.get(at("channels"))
    found = read(answer, ChannelsView)
    if session.as_json:
        say_bytes(answer)
    else:
        _tell(found)
    if found.trouble or any(each.state in ("failing", "behind") for each in found.channels):
        ctx.exit(Exit.REFUSED)


def _tell(found: ChannelsView) -> None:
    if found.trouble:
        say(f"WRONG  {found.trouble}")
    if not found.channels:
        say(
            f"Nobody is told of anything. Write {found.file} into the state folder; `glideslope channel schema` says how."
        )
        return
    body = [
        [each.name, each.kind, each.where, each.mode, each.state, each.delivered_at[:19] or "never", str(each.parked)]
        for each in found.channels
    ]
    say("\n".join(table([["CHANNEL", "KIND", "WHERE", "WHEN", "STATE", "DELIVERED", "WAITING"], *body], indent="")))
    for each in found.channels:
        if each.state in ("failing", "behind"):
            say(f"{each.name}: {each.sentence}")


@command.command("deliveries")
@click.argument("name", default="")
@click.option("-n", "limit", type=click.IntRange(1, 200), default=20, show_default=True, help="At most so many.")
@click.option("--below", type=click.IntRange(min=0), metavar="NUMBER", help="Older than this attempt.")
@talks
def deliveries(session: Session, *, name: str, limit: int, below: int | None) -> None:
    """List the newest attempts to deliver, of the channel NAME or of all."""
    more = "" if below is None else f"&below={below}"
    path = f"{at('deliveries')}?channel={name}&limit={limit}{more}"
    answer = session.get(path)
    if session.as_json:
        say_bytes(answer)
        return
    found = read(answer, tuple[DeliveryView, ...])
    if not found:
        say("Nothing was tried yet.")
        return
    body = [
        [
            str(each.number),
            each.at[:19],
            each.channel,
            each.ended,
            f"{each.tries}.",
            f"{each.took} ms",
            "-" if each.entry is None else str(each.entry),
            each.title,
            each.detail,
        ]
        for each in found
    ]
    heads = ["NO.", "AT", "CHANNEL", "ENDED", "TRY", "TOOK", "ENTRY", "WHAT", "DETAIL"]
    say("\n".join(table([heads, *body], indent="")))


@command.command("test")
@click.argument("name")
@talks
@click.pass_context
def test(ctx: click.Context, session: Session, *, name: str) -> None:
    """Send a sample through the channel NAME, and say what came of it. Ends with 1 when it was not delivered."""
    answer = session.post(at("channels", name, "test"), {})
    tried = read(answer, TriedView)
    if session.as_json:
        say_bytes(answer)
    elif tried.delivered:
        say(f"Delivered in {tried.took} ms: {tried.detail}.")
    else:
        say(f"Not delivered after {tried.took} ms: {tried.detail}.")
    if not tried.delivered:
        ctx.exit(Exit.FAILED)


@command.command("replay")
@click.argument("name")
@click.option("--from", "start", type=click.IntRange(min=0), required=True, metavar="ENTRY", help="A ledger entry.")
@dry_run_option
@talks
def replay(session: Session, *, name: str, start: int, dry_run: bool) -> None:
    """Tell the channel NAME again of everything from an entry on that is for it; each message has the id that it had."""
    answer = session.order(at("channels", name, "replay"), {"start": start}, dry_run=dry_run)
    if answer is None:
        return
    found = read(answer, ReplayedView)
    if session.as_json:
        say_bytes(answer)
    else:
        say(f"{found.channel} is told again from entry {found.start} on; {found.entries} entries are looked at.")


@command.command("check")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@json_option
def check(file: Path | None, *, as_json: bool) -> None:
    """Read a channels' FILE and say what is wrong with it, without a server; else the one of the state folder."""
    path = file or (state_folder(Path.cwd()) or Path(".glideslope")) / FILE
    source = text.decode(file_bytes(path, what="channels"), file=str(path))
    found = channels.read(source.text, file=str(path))
    if as_json:
        say(json.dumps({"channels": sorted(found.to), "links": msgspec.to_builtins(found).get("links", "")}))
    else:
        count = len(found.to)
        say(
            f"{path} is well-formed: {count} channel{'s' if count != 1 else ''}{': ' if count else '.'}{', '.join(found.to)}"
        )


@command.command("schema")
@json_option
def schema(*, as_json: bool) -> None:
    """Print the JSON Schema (2020-12) of the channels' file, with which editors complete and check it."""
    say(json.dumps(channels.schema(), indent=None if as_json else 2))
