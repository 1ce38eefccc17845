"""`glideslope plan`: what a rollout would do, and what each step can tell from recent traffic. Changes nothing."""

from pathlib import Path

import click

from glideslope.engine.views import ModelView, PlanView
from glideslope.interfaces.cli.exits import Exit
from glideslope.interfaces.cli.forecast import forecast_lines
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, at, read, say_bytes, talks
from glideslope.interfaces.cli.verbs.files import PLAN, envelope_text, plan_text


@click.command("plan")
@click.argument("file", type=click.Path(path_type=Path), default=PLAN)
@click.option("--show-defaults", is_flag=True, help="Print the plan with every default written out.")
@click.option(
    "--envelope", type=click.Path(path_type=Path), help="Say how this envelope, not in force yet, would classify it."
)
@click.option("--exit-code", is_flag=True, help="Exit with 10 when applying would change something, with 0 when not.")
@talks
@click.pass_context
def command(
    ctx: click.Context, session: Session, *, file: Path, show_defaults: bool, envelope: Path | None, exit_code: bool
) -> None:
    """Show what the rollout written in FILE would do. Nothing is changed."""
    written = plan_text(file)
    if show_defaults:
        text = session.post("/v1/plan/defaults", written).decode()
        if session.as_json:
            session.say_json({"text": text})
        else:
            say(text, nl=False)
        return
    answer = session.post("/v1/plan", written | envelope_text(envelope))
    if session.as_json:
        say_bytes(answer)
    view = read(answer, PlanView)
    if not session.as_json:
        say("\n".join(forecast_lines(view)))
        again = "" if str(file) == PLAN else f" {file}"
        say(f"Nothing has changed yet. Next: glideslope apply{again}")
    if exit_code and not _under_way(session, view):
        ctx.exit(Exit.CHANGES)


def _under_way(session: Session, view: PlanView) -> bool:
    """Tell whether exactly this plan is being carried out already."""
    rollout = read(session.get(at("models", view.plan.model)), ModelView).rollout
    if not rollout:
        return False
    found: dict[str, object] = read(session.get(at("rollouts", rollout)), dict)
    return found.get("plan_digest") == view.digest
