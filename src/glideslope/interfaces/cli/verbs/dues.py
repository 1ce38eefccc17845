"""`glideslope dues`: reviews and drills that come round, with when each is due."""

import click

from glideslope.engine.dues import DueView
from glideslope.interfaces.cli.exits import Exit
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, at, read, say_bytes, talks
from glideslope.interfaces.cli.words import table


@click.command("dues")
@click.option("--overdue", is_flag=True, help="Only what is overdue.")
@talks
@click.pass_context
def command(ctx: click.Context, session: Session, *, overdue: bool) -> None:
    """List reviews and drills by the day they are due. Ends with 3 when something is overdue."""
    answer = session.get(at("dues"))
    found = read(answer, tuple[DueView, ...])
    late = [due for due in found if due.overdue]
    shown = late if overdue else list(found)
    if session.as_json:
        say_bytes(answer)
    elif shown:
        body = [
            [
                due.of,
                due.what,
                due.name or "none in force",
                due.last[:10] or "never",
                due.by or "-",
                _due(due),
                due.next_command,
            ]
            for due in shown
        ]
        say("\n".join(table([["OF", "WHAT", "NAME", "LAST", "BY", "DUE", "NEXT"], *body], indent="")))
    else:
        say("Nothing is overdue." if found else "The organisation asks for no reviews and no drills.")
    if late:
        ctx.exit(Exit.REFUSED)


def _due(due: DueView) -> str:
    return f"OVERDUE {due.due[:10]}".rstrip() if due.overdue else due.due[:10]
