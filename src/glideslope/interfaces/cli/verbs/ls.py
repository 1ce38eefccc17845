"""`glideslope ls`: all models and rollouts at a glance."""

import click

from glideslope.engine.views import FleetView
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, read, say_bytes, talks
from glideslope.interfaces.cli.words import percent, table


@click.command("ls")
@talks
def command(session: Session) -> None:
    """List models and rollouts, newest first."""
    answer = session.get("/v1/fleet")
    if session.as_json:
        say_bytes(answer)
        return
    fleet = read(answer, FleetView)
    if not fleet.models:
        say("No models yet. Next: glideslope register MODEL VERSION --url URL --folder DIR --incumbent -m WHY")
        return
    rows = [["MODEL", "INCUMBENT", "VERSIONS", "REQUESTS/S", "ROLLOUT"]]
    for model in fleet.models:
        count = str(len(model.versions))
        rows.append(
            [model.name, model.incumbent or "-", count, f"{model.requests_per_second:.1f}", model.rollout or "-"]
        )
    say("\n".join(table(rows, indent="")))
    if fleet.rollouts:
        rows = [["ROLLOUT", "CHANGE", "PHASE", "STAGE", "SHARE", "SUBJECTS", "WHY NOW"]]
        for each in fleet.rollouts:
            why = each.sentences[0] if each.sentences else each.next
            change = f"{each.incumbent} -> {each.candidate}"
            rows.append(
                [
                    each.id,
                    change,
                    each.phase,
                    each.stage or "-",
                    percent(each.share),
                    f"{each.candidate_subjects:,}",
                    why,
                ]
            )
        say("\n" + "\n".join(table(rows, indent="")))
    if fleet.older:
        say(f"{fleet.older:,} older ones have ended. Next: glideslope search kind:rollout-proposed")
    say(f"\ngateway {fleet.gateway}; {fleet.entries:,} entries in the ledger")
    if fleet.overdue:
        say(f"OVERDUE: {fleet.overdue} of the reviews and drills that come round. Next: glideslope dues")
