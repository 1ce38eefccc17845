"""`glideslope reply`: what a reviewer asked for."""

import click

from glideslope.domain.errors import NotFound
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


@click.command("reply")
@click.argument("rollout")
@click.argument("question", type=click.IntRange(min=1), required=False)
@message_option
@dry_run_option
@talks
def command(session: Session, *, rollout: str, question: int | None, message: str, dry_run: bool) -> None:
    """Reply to what was asked for about ROLLOUT (an id or a model); without QUESTION, to the oldest that waits."""
    found = rollout_of(session, rollout)
    if question is None:
        view = read(session.get(at("rollouts", found)), RolloutView)
        question = next((more.question for more in view.asked if not more.replied_by), None)
        if question is None:
            raise NotFound(what="question without a reply about", name=found, next_command=f"glideslope show {found}")
    answer = session.order(
        at("rollouts", found, "questions", str(question), "reply"), {"why": message}, dry_run=dry_run
    )
    if answer is None:
        return
    if session.as_json:
        say_bytes(answer)
        return
    after = read(answer, RolloutView)
    left = [more for more in after.asked if not more.replied_by]
    say(
        f"Replied. {len(left)} more wait{'s' if len(left) == 1 else ''} for a reply."
        if left
        else "Replied. Nothing else is asked."
    )
    if left:
        say(f"Next: glideslope reply {after.id} {left[0].question} -m WHY   ({left[0].by} asks: {left[0].why})")
