"""`glideslope status`: how a rollout stands, in one line and an exit status; waits for its end when asked."""

from typing import Final

import click

from glideslope.domain.errors import Unavailable
from glideslope.engine.views import FleetView, RolloutView
from glideslope.interfaces.cli.durations import Seconds
from glideslope.interfaces.cli.exits import ApiRefused, Exit, exit_of_phase, is_passing
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, at, read, rollout_of, say_bytes, talks
from glideslope.interfaces.cli.words import headline, maturity_words, worst_slice
from glideslope.interfaces.cli.worth import worth_lines

PAUSE: Final = 0.5
"""Seconds between two looks."""


@click.command("status")
@click.argument("rollout", required=False)
@click.option("--wait", is_flag=True, help="Wait until it has ended or is halted.")
@click.option("--timeout", type=Seconds(), default="1h", show_default=True, help="How long to wait at most.")
@talks
@click.pass_context
def command(ctx: click.Context, session: Session, *, rollout: str | None, wait: bool, timeout: float) -> None:
    """Tell how ROLLOUT (an id or a model) stands; without it, how the server does.

    Exit status: 0 under way or promoted, 5 rolled back, 6 halted, 7 the wait timed out, 8 approvals are missing.
    """
    if rollout is None:
        _server(session)
        return
    found = rollout_of(session, rollout)
    deadline = session.outside.monotonic() + timeout
    answer = session.get(at("rollouts", found))
    view = read(answer, RolloutView)
    timed_out = False
    while wait and not (view.ended or view.phase == "halted"):
        if session.outside.monotonic() >= deadline:
            timed_out = True
            break
        session.outside.sleep(PAUSE)
        try:
            answer = session.get(at("rollouts", found))
        except (Unavailable, ApiRefused) as error:
            if is_passing(error):
                continue  # a server that is being restarted is what waiting is for
            raise
        view = read(answer, RolloutView)
    if session.as_json:
        say_bytes(answer)
    else:
        say(headline(view))
        for sentence in view.sentences:
            say(f"  {sentence}")
        for line in worth_lines(view):
            say(line)
        if worst := worst_slice(view.guardrails):
            say(f"  Worst slice: {worst}")
        for step in view.steps:
            if step.state == "now" and (words := maturity_words(step)):
                say(f"  {words[0].upper()}{words[1:]}.")
        if not view.ended:
            say(f"  Next: {view.next}")
    if timed_out:
        ctx.exit(Exit.TIMED_OUT)
    pending = view.phase == "proposed" and (
        len(view.approved_by) < view.approvals_needed or bool(view.governed is not None and view.governed.missing)
    )
    ctx.exit(exit_of_phase(view.phase, pending=pending))


def _server(session: Session) -> None:
    answer = session.get("/v1/fleet")
    if session.as_json:
        say_bytes(answer)
        return
    fleet = read(answer, FleetView)
    say(
        f"The server answers; gateway {fleet.gateway}; {len(fleet.models)} models; {fleet.entries:,} entries in the ledger."
    )
    for view in fleet.rollouts:
        if not view.ended:
            say(headline(view))
