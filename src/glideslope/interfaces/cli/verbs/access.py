"""`glideslope access`: who may do what, looked up both ways."""

from urllib.parse import urlencode

import click

from glideslope.domain.governing.organisation import Right
from glideslope.engine.access import AccessView
from glideslope.interfaces.cli.exits import Exit
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, at, read, say_bytes, talks
from glideslope.interfaces.cli.words import table


@click.command("access")
@click.argument("who", default="")
@click.option("--right", type=click.Choice([right.value for right in Right]), help="Those who have this right.")
@click.option("--function", default="", metavar="FUNCTION", help="Those who may approve in this function now.")
@talks
@click.pass_context
def command(ctx: click.Context, session: Session, *, who: str, right: str | None, function: str) -> None:
    """Show what WHO may do, or who may do what. Ends with 3 when it is nobody."""
    asked = {"who": who, "right": right or "", "function": function}
    query = urlencode({key: value for key, value in asked.items() if value})
    answer = session.get(at("access") + (f"?{query}" if query else ""))
    found = read(answer, tuple[AccessView, ...])
    if session.as_json:
        say_bytes(answer)
    elif found:
        body = [[a.actor, a.team or "-", _listed(a.rights), _listed(a.functions), _listed(a.reviews_as)] for a in found]
        say("\n".join(table([["WHO", "TEAM", "RIGHTS", "FUNCTIONS", "APPROVES NOW AS"], *body], indent="")))
        for sentence in dict.fromkeys(sentence for a in found for sentence in a.delegations):
            say(sentence)
        if who:
            say(f"Owns: {_listed(found[0].owns)}")
    else:
        say(f"{who} is no person of the organisation." if who else "Nobody.")
    if not found:
        ctx.exit(Exit.REFUSED)


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(words) or "-"
