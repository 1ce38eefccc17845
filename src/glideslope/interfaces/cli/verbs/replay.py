"""`glideslope replay`: one decision made again from what the ledger holds."""

import click

from glideslope.engine.views import ReplayView
from glideslope.interfaces.cli.exits import Exit
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, at, read, say_bytes, talks


@click.command("replay")
@click.argument("rollout")
@click.argument("version", type=click.IntRange(min=1))
@talks
@click.pass_context
def command(ctx: click.Context, session: Session, *, rollout: str, version: int) -> None:
    """Make the decision number VERSION of ROLLOUT again from the record (`show` lists the numbers)."""
    answer = session.get(at("rollouts", rollout, "decisions", str(version), "replay"))
    view = read(answer, ReplayView)
    if session.as_json:
        say_bytes(answer)
    else:
        say(f"recorded    {view.recorded}")
        say(f"recomputed  {view.recomputed}")
        say("The same, to the byte." if view.same else "NOT the same: the record or the rules were changed.")
    if not view.same:
        ctx.exit(Exit.NOT_VERIFIED)
