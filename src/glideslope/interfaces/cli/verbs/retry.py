"""`glideslope retry`: a new attempt, linked to the one that was rolled back."""

from pathlib import Path

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
from glideslope.interfaces.cli.verbs.files import PLAN, plan_text


@click.command("retry")
@click.argument("rollout")
@message_option
@click.option("-f", "--file", type=click.Path(path_type=Path), default=PLAN, show_default=True, help="What to try.")
@dry_run_option
@talks
def command(session: Session, *, rollout: str, message: str, file: Path, dry_run: bool) -> None:
    """Try the rolled-back ROLLOUT (an id or a model) again, as a new attempt linked to it."""
    content = {"why": message, **plan_text(file)}
    answer = session.order(at("rollouts", rollout_of(session, rollout), "retry"), content, dry_run=dry_run)
    if answer is None:
        return
    if session.as_json:
        say_bytes(answer)
        return
    view = read(answer, RolloutView)
    say(f"{view.id} is {view.phase}, a new attempt after {view.attempt_of}.")
    say(f"Next: glideslope watch {view.id}")
