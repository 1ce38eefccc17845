"""`glideslope ask`: the third answer beside yes and no."""

import click

from glideslope.engine.views import RolloutView
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import (
    Session,
    at,
    dry_run_option,
    message_option,
    read,
    rollout_of,
    say_bytes,
    talks,
)


@click.command("ask")
@click.argument("rollout")
@message_option
@dry_run_option
@talks
def command(session: Session, *, rollout: str, message: str, dry_run: bool) -> None:
    """Ask whoever proposed ROLLOUT (an id or a model) for more. It moves nothing: your approval is missing as before."""
    found = rollout_of(session, rollout)
    answer = session.order(at("rollouts", found, "questions"), {"why": message}, dry_run=dry_run)
    if answer is None:
        return
    if session.as_json:
        say_bytes(answer)
        return
    view = read(answer, RolloutView)
    asked = view.asked[-1].question if view.asked else 0
    say(f"Asked {view.proposed_by}, as entry {asked} of {view.id}. It moves nothing; what you did not approve waits.")
    say(f"They reply with: glideslope reply {view.id} {asked} -m WHY")
