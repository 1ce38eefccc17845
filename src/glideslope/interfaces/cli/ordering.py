"""The three orders that need nothing but a reason: halt, resume, rollback."""

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
from glideslope.interfaces.cli.words import percent


def ordering(name: str, *, help_text: str) -> click.Command:
    """Return the command that posts to `/v1/rollouts/ID/NAME`."""

    @click.command(name, help=help_text)
    @click.argument("rollout")
    @message_option
    @dry_run_option
    @talks
    def command(session: Session, *, rollout: str, message: str, dry_run: bool) -> None:
        found = rollout_of(session, rollout)
        answer = session.order(at("rollouts", found, name), {"why": message}, dry_run=dry_run)
        if answer is None:
            return
        if session.as_json:
            say_bytes(answer)
            return
        view = read(answer, RolloutView)
        confirmed = "confirmed by the data plane" if view.confirmed else "not confirmed by the data plane yet"
        say(f"{view.id} is {view.phase}: the candidate has {percent(view.share)} of the traffic, {confirmed}.")
        under = view.governed
        if under is not None and under.withdrawn and under.missing and not view.ended:
            missing = ", ".join(f"{n.count} x {n.function}" for n in under.missing)
            say(
                f"{missing} is missing since an approval was taken back, so nobody is exposed any more, within a lease."
            )
        say(f"Next: glideslope watch {view.id}" if not view.ended else f"Next: glideslope show {view.id}")

    return command
