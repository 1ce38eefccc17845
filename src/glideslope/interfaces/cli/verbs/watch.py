"""`glideslope watch`: a rollout, or the fleet, as it happens. A terminal gets a living page, a pipe one plain line per happening."""

import importlib
import sys
from collections.abc import Callable
from types import ModuleType

import click

from glideslope.engine.views import FleetView, RolloutView
from glideslope.interfaces.cli.drawing import asked_lines
from glideslope.interfaces.cli.exits import Exit, exit_of_phase
from glideslope.interfaces.cli.following import changes, fleets, happenings, waits
from glideslope.interfaces.cli.pages import address_of
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, rollout_of, talks
from glideslope.interfaces.cli.words import headline, rail


@click.command("watch")
@click.argument("rollout", default="")
@click.option("--plain", is_flag=True, help="One line per happening, also on a terminal.")
@talks
@click.pass_context
def command(ctx: click.Context, session: Session, *, rollout: str, plain: bool) -> None:
    """Follow ROLLOUT (an id, or a model with one in progress) until it ends; without it, the fleet. Ctrl-C ends the watching alone.

    With --json, one line of JSON per change. Exit status: 0 promoted, 5 rolled back, 130 Ctrl-C.
    """
    screen = None if session.as_json or plain or not sys.stdout.isatty() else _screen()
    found = rollout_of(session, rollout) if rollout else ""
    try:
        last = _fleet(session, screen) if not found else _one(session, found, screen)
    except KeyboardInterrupt:
        goes_on = f'{found} continues. Halt it with: glideslope halt {found} -m "..."' if found else "All goes on."
        say(f"Stopped watching. {goes_on}", err=True)
        ctx.exit(Exit.INTERRUPTED)
    if last is not None:
        ctx.exit(exit_of_phase(last.phase, pending=False))


def _one(session: Session, rollout: str, screen: ModuleType | None) -> RolloutView | None:
    if screen is not None:
        found: RolloutView | None = screen.show(session, rollout, browse=_browse(session, f"/rollouts/{rollout}"))
        return found
    return _json(session, rollout) if session.as_json else _plain(session, rollout)


def _fleet(session: Session, screen: ModuleType | None) -> RolloutView | None:
    if screen is not None:
        screen.show_fleet(session, browse=_browse(session, "/"))
        return None
    told: dict[str, str] = {}
    for each in fleets(session):
        if session.as_json:
            say(each.raw.decode())
            continue
        for line in _news(each.fleet, told):
            say(line)
        for item in each.inbox.items:
            if told.get(item.id) is None:
                told[item.id] = item.sentence
                say(f"? {item.about}: {asked_lines((item,))[0]}")
    return None


def _news(fleet: FleetView, told: dict[str, str]) -> list[str]:
    """Return a line for each rollout that stands otherwise than it was told; of those that had ended before nothing."""
    lines = []
    for view in reversed(fleet.rollouts):
        line = headline(view)
        if told.get(view.id) != line and (not view.ended or view.id in told):
            lines.append(f"{view.changed_at}  {line}")
            told[view.id] = line
    return lines


def _json(session: Session, rollout: str) -> RolloutView | None:
    last = None
    for change in changes(session, rollout):
        say(change.raw.decode())
        last = change.view
    return last


def _plain(session: Session, rollout: str) -> RolloutView | None:
    last: RolloutView | None = None
    told = 0
    asked: set[str] = set()
    for change in changes(session, rollout):
        view = change.view
        if last is None:
            say(headline(view))
            say(rail(view))
        if view.version > told:
            for each in happenings(session, rollout, after=told):
                say(f"{each.at}  {each.sentence}")
                told = max(told, each.version)
            for item in () if view.ended else waits(session, rollout):
                if item.id not in asked:
                    asked.add(item.id)
                    say(f"? {asked_lines((item,))[0]}")
        last = view
    if last is not None:
        say(headline(last))
    return last


def _browse(session: Session, path: str) -> Callable[[], object]:
    return lambda: session.outside.browse(address_of(session, path)[0])


def _screen() -> ModuleType | None:
    """Load the living pages; None where rich is not installed (it comes with the server)."""
    try:
        return importlib.import_module("glideslope.interfaces.cli.screen")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "rich":
            raise
        return None
