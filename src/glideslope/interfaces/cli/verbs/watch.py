"""`glideslope watch`: a rollout as it happens. A terminal gets a living page, a pipe one plain line per happening."""

import importlib
import sys
from collections.abc import Callable

import click

from glideslope.engine.views import RolloutView
from glideslope.interfaces.cli.exits import Exit, exit_of_phase
from glideslope.interfaces.cli.following import changes, happenings
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, rollout_of, talks
from glideslope.interfaces.cli.words import headline, rail


@click.command("watch")
@click.argument("rollout")
@click.option("--plain", is_flag=True, help="One line per happening, also on a terminal.")
@talks
@click.pass_context
def command(ctx: click.Context, session: Session, *, rollout: str, plain: bool) -> None:
    """Follow ROLLOUT (an id, or a model with one in progress) until it ends. Ctrl-C ends the watching, not the rollout.

    With --json, one line of JSON per change. Exit status: 0 promoted, 5 rolled back, 130 Ctrl-C.
    """
    found = rollout_of(session, rollout)
    show: Callable[[Session, str], RolloutView | None] = _json if session.as_json else _plain
    if not session.as_json and not plain and sys.stdout.isatty():
        show = _screen() or _plain
    try:
        last = show(session, found)
    except KeyboardInterrupt:
        say(f'Stopped watching. {found} continues. Halt it with: glideslope halt {found} -m "..."', err=True)
        ctx.exit(Exit.INTERRUPTED)
    if last is not None:
        ctx.exit(exit_of_phase(last.phase, pending=False))


def _json(session: Session, rollout: str) -> RolloutView | None:
    last = None
    for change in changes(session, rollout):
        say(change.raw.decode())
        last = change.view
    return last


def _plain(session: Session, rollout: str) -> RolloutView | None:
    last: RolloutView | None = None
    told = 0
    for change in changes(session, rollout):
        view = change.view
        if last is None:
            say(headline(view))
            say(rail(view))
        if view.version > told:
            for each in happenings(session, rollout, after=told):
                say(f"{each.at}  {each.sentence}")
                told = max(told, each.version)
        last = view
    if last is not None:
        say(headline(last))
    return last


def _screen() -> Callable[[Session, str], RolloutView | None] | None:
    """Load the living page; None where rich is not installed (it comes with the server)."""
    try:
        found: Callable[[Session, str], RolloutView | None] = importlib.import_module(
            "glideslope.interfaces.cli.screen"
        ).show
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "rich":
            raise
        return None
    return found
