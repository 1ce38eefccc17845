"""`glideslope break-glass`: one asks, another agrees, a third looks at it afterwards."""

import click

from glideslope.domain.governing.glass import Emergency
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


@click.group("break-glass", no_args_is_help=True)
def command() -> None:
    """Pass approvals, policy and freezes in an emergency: two people, a reason, a while, and a review that is owed. Proofs stay proofs."""


@command.command("ask")
@click.argument("rollout")
@click.option("--emergency", type=click.Choice([e.value for e in Emergency]), required=True, help="What it is.")
@click.option("--minutes", type=click.IntRange(1, 1440), default=60, show_default=True, help="For how long.")
@message_option
@dry_run_option
@talks
def ask(session: Session, *, rollout: str, emergency: str, minutes: int, message: str, dry_run: bool) -> None:
    """Ask to break the glass for ROLLOUT; nothing is passed before a second person agrees."""
    found = rollout_of(session, rollout)
    content = {"emergency": emergency, "minutes": minutes, "why": message}
    _tell(session, session.order(at("rollouts", found, "glass"), content, dry_run=dry_run))


@command.command("agree")
@click.argument("rollout")
@message_option
@dry_run_option
@talks
def agree(session: Session, *, rollout: str, message: str, dry_run: bool) -> None:
    """Agree with whoever asked: from now on it is broken."""
    found = rollout_of(session, rollout)
    _tell(session, session.order(at("rollouts", found, "glass", "agree"), {"why": message}, dry_run=dry_run))


@command.command("review")
@click.argument("rollout")
@click.option("--justified/--not-justified", default=None, required=True, help="What you think of it.")
@message_option
@dry_run_option
@talks
def review(session: Session, *, rollout: str, justified: bool, message: str, dry_run: bool) -> None:
    """Say afterwards whether it was justified. Until then no other change of the model begins."""
    found = rollout_of(session, rollout)
    content = {"justified": justified, "why": message}
    _tell(session, session.order(at("rollouts", found, "glass", "review"), content, dry_run=dry_run))


def _tell(session: Session, answer: bytes | None) -> None:
    if answer is None:
        return
    if session.as_json:
        say_bytes(answer)
        return
    view = read(answer, RolloutView)
    if view.governed is not None:
        say(f"{view.id}: {view.governed.glass}.")
    say(f"Next: glideslope show {view.id}")
