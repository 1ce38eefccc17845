"""`glideslope inbox`: what waits for you, for somebody else, or for anybody."""

from urllib.parse import urlencode

import click

from glideslope.domain.errors import NotFound
from glideslope.engine.inbox_views import InboxView, ItemView
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, at, read, say_bytes, talks
from glideslope.interfaces.cli.words import table


@click.command("inbox")
@click.argument("who", default="")
@click.option("--everybody", is_flag=True, help="What waits for anybody.")
@talks
def command(session: Session, *, who: str, everybody: bool) -> None:
    """List what waits for you (or WHO), that which waits longest first: approvals, answers, judgements, halts, glass, incidents, dues."""
    if who and everybody:
        raise click.UsageError("Give WHO or --everybody, not both.")
    asked = {"everybody": "true"} if everybody else {"who": who} if who else {}
    answer = session.get(at("inbox") + (f"?{urlencode(asked)}" if asked else ""))
    found = read(answer, InboxView)
    if who and not found.known:
        raise NotFound(what="person of the organisation", name=who, next_command="glideslope access")
    if session.as_json:
        say_bytes(answer)
        return
    if found.items:
        say("\n".join(line for each in found.items for line in _lines(each)))
    else:
        say(f"Nothing waits for {found.who or 'anybody'}.")
    if found.others:
        say(f"{len(found.others)} wait{'s' if len(found.others) == 1 else ''} for others: glideslope inbox --everybody")


def _lines(each: ItemView) -> list[str]:
    needs = ", ".join(f"{need.count} x {need.function}" for need in each.needs)
    rows = [("since", each.since[:16] or "never done"), ("asked of", each.why_me or needs or "anybody who may act")]
    if each.why_me and needs:
        rows.append(("needs", needs))
    rows.append(("until", f"{each.until[:16]}  {each.then}") if each.until else ("waits", each.then))
    rows += [("answers", ", ".join(each.allowed)), ("look", each.command)]
    return [f"{each.asks}  {each.about}", f"  {each.sentence}", *table([list(row) for row in rows], indent="    "), ""]
