"""`glideslope signals`: what was not as usual, outside the criteria. Advisory: it moves no traffic."""

import click

from glideslope.engine.views import SignalsView
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, at, read, say_bytes, talks


@click.command("signals")
@click.argument("model")
@talks
def command(session: Session, *, model: str) -> None:
    """Show the flags of MODEL, newest first: what was seen, what was expected, and how unlikely that is."""
    answer = session.get(at("models", model, "signals"))
    if session.as_json:
        say_bytes(answer)
        return
    view = read(answer, SignalsView)
    learning = f", {view.learning} of them still learning what is usual" if view.learning else ""
    say(f"{view.model}  {view.series} series watched{learning}   advisory, moves no traffic")
    for flag in view.flags:
        during = f"  during {flag.rollout}" if flag.rollout else ""
        say(f"{flag.first}  {flag.sentence}{during}")
        seen = "" if flag.last == flag.first else f", last seen {flag.last}"
        say(f"    evidence {flag.evidence:,.0f} of {flag.line:,.0f}, against {flag.baseline}{seen}  ({flag.id})")
    if not view.flags:
        say("Nothing was flagged.")
    say(f"At most {view.budget_per_week:g} false flags a week are accepted, over all series together.")
