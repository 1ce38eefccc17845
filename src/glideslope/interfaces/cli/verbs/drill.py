"""`glideslope drill`: practise going back. The machine plays and measures it, or a person tells of an exercise."""

from datetime import UTC, datetime
from typing import Final

import click

from glideslope.domain.errors import Invalid, Unavailable
from glideslope.domain.governing.drill import DrillKind
from glideslope.engine.drilling import DrillView
from glideslope.engine.views import FleetView
from glideslope.interfaces.cli.durations import Seconds
from glideslope.interfaces.cli.exits import Exit
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import (
    Session,
    at,
    dry_run_option,
    message_option,
    read,
    say_bytes,
    talks,
)
from glideslope.interfaces.cli.words import table

LOOKS: Final = 120
"""How often is asked whether a drill is over; a drill ends by itself within half of that."""
PAUSE: Final = 0.5
UNDER_WAY: Final = "under way"


@click.group("drill", no_args_is_help=True)
def command() -> None:
    """Practise going back: the incumbent takes a candidate's place for a hundredth of the traffic, and is withdrawn."""


@command.command("run")
@click.argument("model")
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in DrillKind]),
    default=DrillKind.ROLLBACK.value,
    show_default=True,
    help="Withdraw it by order, or let its lease lapse as if every server were dead.",
)
@message_option
@dry_run_option
@talks
@click.pass_context
def run(ctx: click.Context, session: Session, *, model: str, kind: str, message: str, dry_run: bool) -> None:
    """Play a drill of MODEL and wait for what it measured. Ends with 3 when it failed. Nobody meets another version."""
    answer = session.order(at("models", model, "drills"), {"drill": kind, "why": message}, dry_run=dry_run)
    if answer is None:
        return
    for _ in range(LOOKS):
        answer = session.get(at("models", model, "drills"))
        found = read(answer, tuple[DrillView, ...])
        if found and not any(drill.state == UNDER_WAY for drill in found):
            break
        session.outside.sleep(PAUSE)
    else:
        raise Unavailable(
            f"The drill of {model} is under way still: nobody governs here, or it cannot be recorded.",
            next_command="glideslope doctor",
        )
    last = next(drill for drill in found if not drill.told)
    if session.as_json:
        say_bytes(answer)
    else:
        say(f"{model}: {_told(last)}")
    if last.state != "passed":
        ctx.exit(Exit.REFUSED)


@command.command("tell")
@click.argument("model")
@click.option("--kind", default=DrillKind.ROLLBACK.value, show_default=True, help="What was practised.")
@click.option("--on", "held", required=True, metavar="WHEN", help="When: 2026-11-20, or 2026-11-20T09:00:00+01:00.")
@click.option("--passed/--failed", default=None, required=True, help="Whether it worked.")
@click.option("--restored-in", type=Seconds(), help="How long it took until all traffic was back, like 4s.")
@message_option
@dry_run_option
@talks
def tell(
    session: Session,
    *,
    model: str,
    kind: str,
    held: str,
    passed: bool,
    restored_in: float | None,
    message: str,
    dry_run: bool,
) -> None:
    """Tell of an exercise that the machine did not measure. It is marked as told, by you; a policy may not accept that."""
    content: dict[str, object] = {"drill": kind, "held_at": _moment(held), "passed": passed, "why": message}
    if restored_in is not None:
        content["restored_in"] = round(restored_in * 1000)
    answer = session.order(at("models", model, "drills", "told"), content, dry_run=dry_run)
    if answer is None:
        return
    if session.as_json:
        say_bytes(answer)
    else:
        say(f"{model}: {_told(next(drill for drill in read(answer, tuple[DrillView, ...]) if drill.told))}")


@command.command("ls")
@click.argument("model", default="")
@talks
def ls(session: Session, *, model: str) -> None:
    """List the drills of MODEL, or of every model, newest first."""
    models = [model] if model else [m.name for m in read(session.get(at("fleet")), FleetView).models]
    found = [d for each in models for d in read(session.get(at("models", each, "drills")), tuple[DrillView, ...])]
    if session.as_json:
        session.say_json([{name: getattr(d, name) for name in d.__struct_fields__} for d in found])
        return
    if not found:
        say("No drill was held.")
        say("Next: glideslope drill run MODEL -m WHY")
        return
    body = [
        [d.model, d.kind, d.at[:16], _by(d), d.state, _milliseconds(d.restored_in), _lost(d), d.why]
        for d in sorted(found, key=lambda d: d.at, reverse=True)
    ]
    say("\n".join(table([["MODEL", "KIND", "HELD", "BY", "STATE", "BACK AFTER", "LOST", "WHY"], *body], indent="")))


def _told(drill: DrillView) -> str:
    if drill.told:
        return (
            f"a {drill.kind} drill of {drill.at[:10]} {drill.state}, told by {drill.by}; the machine measured nothing."
        )
    if drill.state != "passed":
        return f"the {drill.kind} drill failed: {drill.why}."
    granted = f"in force after {_milliseconds(drill.granted_in)}, " if drill.granted_in is not None else ""
    since = "the last renewal" if drill.kind == DrillKind.LAPSE.value else "the order"
    back = f"zero exposure confirmed {_milliseconds(drill.restored_in)} after {since}"
    return f"the {drill.kind} drill passed: {granted}{back}{_moved(drill)}."


def _moved(drill: DrillView) -> str:
    return "" if drill.served is None else f", {_lost(drill)} requests lost"


def _lost(drill: DrillView) -> str:
    return "-" if drill.served is None or drill.failed is None else f"{drill.failed:,} of {drill.served:,}"


def _by(drill: DrillView) -> str:
    return f"told by {drill.by}" if drill.told else f"measured, for {drill.by}"


def _milliseconds(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:,.0f} ms"


def _moment(written: str) -> int:
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        raise Invalid(f"{written!r} is not a time: write 2026-11-20, or 2026-11-20T09:00:00+01:00.") from None
    if moment.tzinfo is None and "T" in written:
        raise Invalid(f"{written!r} says no offset: write 2026-11-20T09:00:00+01:00.")
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
