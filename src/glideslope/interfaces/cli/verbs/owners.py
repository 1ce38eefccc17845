"""`glideslope owners`: the owner of any thing, and all that somebody owns, in one look-up."""

from urllib.parse import urlencode

import click

from glideslope.engine.governing_views import OwnedView
from glideslope.engine.orphans import OrphanView
from glideslope.interfaces.cli.exits import Exit
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, at, read, say_bytes, talks
from glideslope.interfaces.cli.words import table


@click.command("owners")
@click.argument("name", default="")
@click.option("--kind", default="", metavar="KIND", help="Things of this kind alone: model, dataset, policy, ...")
@click.option("--of", "owner", default="", metavar="WHO", help="All that this person or team owns.")
@click.option("--orphans", is_flag=True, help="What the record names and nobody owns who can be reached.")
@talks
@click.pass_context
def command(ctx: click.Context, session: Session, *, name: str, kind: str, owner: str, orphans: bool) -> None:
    """Show who owns NAME, or everything. Ends with 3 when a thing that was asked for has no owner, or there are orphans."""
    if orphans:
        if name or kind or owner:
            raise click.UsageError("--orphans is about all things; leave NAME, --kind and --of out.")
        _say_orphans(ctx, session)
        return
    asked = {"owner": owner, "kind": kind, "name": name}
    query = urlencode({key: value for key, value in asked.items() if value})
    answer = session.get(at("owned") + (f"?{query}" if query else ""))
    found = read(answer, tuple[OwnedView, ...])
    if session.as_json:
        say_bytes(answer)
    elif found:
        body = [[o.kind, o.name, o.owner, o.reach] for o in found]
        say("\n".join(table([["KIND", "NAME", "OWNER", "REACHED AT"], *body], indent="")))
    else:
        say(f"Nobody owns {name}." if name else "Nothing has an owner yet.")
    if name and not found:
        ctx.exit(Exit.REFUSED)


def _say_orphans(ctx: click.Context, session: Session) -> None:
    answer = session.get(at("orphans"))
    found = read(answer, tuple[OrphanView, ...])
    if session.as_json:
        say_bytes(answer)
    elif found:
        body = [[o.kind, o.name, f"{o.owner}, not reachable" if o.owner else "nobody", o.named_by] for o in found]
        say("\n".join(table([["KIND", "NAME", "OWNER", "NAMED, SINCE"], *body], indent="")))
    else:
        say("Everything that the record names has an owner who can be reached.")
    if found:
        ctx.exit(Exit.REFUSED)
