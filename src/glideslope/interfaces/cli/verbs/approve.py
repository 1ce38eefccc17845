"""`glideslope approve`: a yes or no, bound to the digest of the plan that was looked at."""

import click

from glideslope.engine.views import RolloutView
from glideslope.interfaces.cli.lanes import lane_lines
from glideslope.interfaces.cli.reviewing import asked_lines, proposal_lines, rule_lines, standing_lines
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


@click.command("approve")
@click.argument("rollout")
@message_option
@click.option("--deny", is_flag=True, help="Say no.")
@click.option("--digest", metavar="SHA256", help="The plan that you looked at; without it, the one shown now.")
@dry_run_option
@talks
def command(session: Session, *, rollout: str, message: str, deny: bool, digest: str | None, dry_run: bool) -> None:
    """Approve ROLLOUT (an id, or a model with one in progress), or deny it. Whoever proposed it does not count."""
    found = rollout_of(session, rollout)
    view = read(session.get(at("rollouts", found)), RolloutView)
    if not session.as_json:
        say(
            f"{view.id}: {view.model} {view.incumbent} -> {view.candidate}, proposed by {view.proposed_by}: {view.why.strip()}"
        )
        say(f"plan {view.plan_digest}")
        lane = lane_lines(view.governed.lane if view.governed else None)
        for line in (*proposal_lines(view), *standing_lines(view), *lane, *rule_lines(view), *asked_lines(view)):
            say(line)
        if deny:
            say(_outcome_of_a_no(view))
    content: dict[str, object] = {
        "plan_digest": digest or view.plan_digest,
        "why": message,
        "granted": not deny,
        "seen": view.version,
    }
    if view.governed is not None and view.governed.change:
        content["change"] = view.governed.change
    answer = session.order(at("rollouts", found, "approvals"), content, dry_run=dry_run)
    if answer is None:
        return
    if session.as_json:
        say_bytes(answer)
        return
    after = read(answer, RolloutView)
    if after.governed is not None:
        needs = ", ".join(n.function if n.count == 1 else f"{n.count} of {n.function}" for n in after.governed.missing)
        say(
            f"Recorded: {'denied' if deny else 'approved'}. Still needed: {needs or 'nobody'}; {after.id} is {after.phase}."
        )
        say(f"Next: glideslope watch {after.id}")
        return
    say(
        f"Recorded: {'denied' if deny else 'approved'}. {len(after.approved_by)} of {after.approvals_needed} approvals are given; "
        f"{after.id} is {after.phase}."
    )
    say(f"Next: glideslope watch {after.id}")


def _outcome_of_a_no(view: RolloutView) -> str:
    if view.phase == "proposed":
        return (
            "A no ends this proposal for good; it can only be tried again, as a new attempt. To ask for more instead:  "
            f'glideslope ask {view.id} -m "what is missing"'
        )
    return "A no under way withdraws the exposure within a lease where your approval was needed."
