"""`glideslope apply`: plans once more, shows the digest, and proposes exactly that."""

from pathlib import Path

import click

from glideslope.engine.views import PlanView, RolloutView
from glideslope.interfaces.cli.lanes import lane_lines
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, dry_run_option, read, say_bytes, talks
from glideslope.interfaces.cli.verbs.files import PLAN, plan_text


@click.command("apply")
@click.argument("file", type=click.Path(path_type=Path), default=PLAN)
@click.option("--digest", metavar="SHA256", help="The plan that you saw; refused when FILE now gives another.")
@dry_run_option
@talks
def command(session: Session, *, file: Path, digest: str | None, dry_run: bool) -> None:
    """Propose the rollout written in FILE. Its `why` stands in the ledger as the reason."""
    written = plan_text(file)
    view = read(session.post("/v1/plan", written), PlanView)
    if not session.as_json:
        say(f"{view.plan.model}: {view.plan.incumbent} -> {view.plan.candidate}")
        say(f"plan {digest or view.digest}")
        for line in lane_lines(view.lane):
            say(line)
        for block in view.blocks:
            say(f"  forbidden {block}")
        for warning in view.warnings:
            say(f"warning {warning.code}: {warning.sentence}", err=True)
    answer = session.order("/v1/rollouts", {**written, "plan_digest": digest or view.digest}, dry_run=dry_run)
    if answer is None:
        return
    if session.as_json:
        say_bytes(answer)
        return
    rollout = read(answer, RolloutView)
    if rollout.phase == "proposed" and rollout.approvals_needed:
        people = "person" if rollout.approvals_needed == 1 else "people"
        say(
            f"{rollout.id} is proposed and waits for {rollout.approvals_needed} {people} other than {rollout.proposed_by}."
        )
        say(f'Next: somebody else runs  glideslope approve {rollout.id} -m "..."')
    elif rollout.phase == "proposed" and rollout.governed is not None and rollout.governed.missing:
        say(f"{rollout.id} is proposed. {rollout.next}")
        say(f'Next: who may approve runs  glideslope approve {rollout.id} -m "..."')
    else:
        say(f"{rollout.id} is {rollout.phase}. {rollout.next}")
        say(f"Next: glideslope watch {rollout.id}")
