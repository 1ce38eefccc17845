"""`glideslope judge`: a person looked at what the machine cannot judge, and lets it go on as it is."""

import click

from glideslope.domain.errors import NotFound
from glideslope.engine.inbox_views import Asking, InboxView, ItemView
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


@click.command("judge")
@click.argument("rollout")
@message_option
@dry_run_option
@talks
def command(session: Session, *, rollout: str, message: str, dry_run: bool) -> None:
    """Let ROLLOUT (an id or a model) go on as it is, though its evidence is inconclusive or conflicting.

    To stop it instead: `glideslope halt`, `glideslope rollback`. Of a halted one: `glideslope resume`.
    """
    found = rollout_of(session, rollout)
    item = _asked(session, found)
    if not session.as_json:
        say(item.sentence)
    content = {"about": list(item.grounds), "why": message}
    answer = session.order(at("rollouts", found, "judgements"), content, dry_run=dry_run)
    if answer is None:
        return
    if session.as_json:
        say_bytes(answer)
        return
    view = read(answer, RolloutView)
    say(
        f"Recorded. {view.id} is {view.phase} and goes on as it is: {', '.join(item.grounds)} is not asked again in {view.step}."
    )
    say(f"Next: glideslope watch {view.id}")


def _asked(session: Session, rollout: str) -> ItemView:
    items = read(session.get(at("inbox") + "?everybody=true"), InboxView).items
    found = next((each for each in items if each.asks == Asking.JUDGEMENT and each.of == rollout), None)
    if found is None:
        raise NotFound(
            what="judgement that is asked for about", name=rollout, next_command="glideslope inbox --everybody"
        )
    return found
