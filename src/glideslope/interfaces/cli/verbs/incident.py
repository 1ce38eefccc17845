"""`glideslope incident`: what a breach measured, what people make of it, and what they do about it."""

from typing import Any

import click

from glideslope.engine.governing_views import IncidentView
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
from glideslope.interfaces.cli.words import table


@click.group("incident", no_args_is_help=True)
def command() -> None:
    """Work through what went wrong: the gap, hypotheses, ranked remedies with owners and days; then close it."""


@command.command("ls")
@talks
def ls(session: Session) -> None:
    """List incidents, newest first."""
    answer = session.get(at("incidents"))
    if session.as_json:
        say_bytes(answer)
        return
    found = read(answer, tuple[IncidentView, ...])
    if not found:
        say("No rollout was rolled back for cause since an organisation is in force.")
        return
    body = [[v.rollout, v.model, v.candidate, v.opened_at[:16], _state(v)] for v in found]
    say("\n".join(table([["ROLLOUT", "MODEL", "CANDIDATE", "OPENED", "STATE"], *body], indent="")))


@command.command("show")
@click.argument("rollout")
@talks
def show(session: Session, *, rollout: str) -> None:
    """Show the incident of ROLLOUT (an id or a model)."""
    answer = session.get(at("incidents", rollout_of(session, rollout)))
    if session.as_json:
        say_bytes(answer)
    else:
        _tell(read(answer, IncidentView))


@command.command("note")
@click.argument("rollout")
@click.option("--gap", help="What should have been otherwise.")
@click.option("--hypothesis", "hypotheses", multiple=True, help="Why it may have happened; repeatable, replaces.")
@click.option(
    "--remedy",
    "remedies",
    multiple=True,
    metavar="'DAY OWNER WHAT'",
    help="What is done, by whom until when, like '2026-12-24 flights a test on December'; repeatable, the first matters most, replaces.",
)
@click.option("--done", type=int, multiple=True, metavar="N", help="The N-th remedy is done.")
@message_option
@dry_run_option
@talks
def note(
    session: Session,
    *,
    rollout: str,
    gap: str | None,
    hypotheses: tuple[str, ...],
    remedies: tuple[str, ...],
    done: tuple[int, ...],
    message: str,
    dry_run: bool,
) -> None:
    """Say what you make of the incident of ROLLOUT."""
    found = rollout_of(session, rollout)
    content: dict[str, Any] = {"why": message}
    if gap is not None:
        content["gap"] = gap
    if hypotheses:
        content["hypotheses"] = list(hypotheses)
    if remedies or done:
        held = read(session.get(at("incidents", found)), IncidentView, exact=True)
        listed = [_remedy(each) for each in remedies] or [
            {"what": r.what, "owner": r.owner, "due": r.due, "done": r.done} for r in held.remedies
        ]
        for number in done:
            if not 1 <= number <= len(listed):
                raise click.UsageError(f"There is no remedy {number}; there are {len(listed)}.")
            listed[number - 1]["done"] = True
        content["remedies"] = listed
    answer = session.order(at("incidents", found, "notes"), content, dry_run=dry_run)
    if answer is not None:
        _said(session, answer)


@command.command("close")
@click.argument("rollout")
@message_option
@dry_run_option
@talks
def close(session: Session, *, rollout: str, message: str, dry_run: bool) -> None:
    """Close the incident of ROLLOUT; refused while anything is lacking."""
    found = rollout_of(session, rollout)
    answer = session.order(at("incidents", found, "close"), {"why": message}, dry_run=dry_run)
    if answer is not None:
        _said(session, answer)


def _remedy(written: str) -> dict[str, Any]:
    parts = written.split(maxsplit=2)
    if len(parts) != 3:
        raise click.UsageError(f"--remedy takes 'DAY OWNER WHAT', like '2026-12-24 flights a test', not {written!r}.")
    return {"due": parts[0], "owner": parts[1], "what": parts[2], "done": False}


def _state(view: IncidentView) -> str:
    return f"closed by {view.closed_by}" if view.closed_by else f"open, lacks {len(view.lacking)}"


def _said(session: Session, answer: bytes) -> None:
    if session.as_json:
        say_bytes(answer)
    else:
        _tell(read(answer, IncidentView))


def _tell(view: IncidentView) -> None:
    say(f"{view.rollout}: {view.model} {view.incumbent} -> {view.candidate}, {_state(view)}")
    say(f"  opened     {view.opened_at}, {view.lasted_seconds:,.0f} s after it was proposed")
    say(f"  met        {view.exposed:,} subjects")
    for sentence in view.sentences:
        say(f"  measured   {sentence}")
    for b in view.breaches:
        say(
            f"             {b.metric} on {b.slice}: {b.wealth:.2f} of {b.line:.2f} nats, n {b.candidate:,} and {b.incumbent:,}"
        )
    say(f"  gap        {view.gap or '-'}")
    for hypothesis in view.hypotheses:
        say(f"  hypothesis {hypothesis}")
    for number, r in enumerate(view.remedies, start=1):
        say(f"  remedy {number}   [{'x' if r.done else ' '}] {r.what} ({r.owner}, until {r.due})")
    for each in view.lacking:
        say(f"  lacks      {each}")
