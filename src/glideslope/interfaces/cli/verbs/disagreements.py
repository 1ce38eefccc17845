"""`glideslope disagreements`: the requests that the arms answered most differently in the shadow stage."""

from urllib.parse import urlencode

import click

from glideslope.engine.views import DisagreementView
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, at, read, rollout_of, say_bytes, talks
from glideslope.interfaces.cli.words import number, table


@click.command("disagreements")
@click.argument("rollout")
@click.option("--slice", "slice_", default="all", show_default=True, help="Only there: FIELD=VALUE.")
@talks
def command(session: Session, *, rollout: str, slice_: str) -> None:
    """Show the requests that both arms of ROLLOUT (an id or a model) answered most differently, the worst first.

    A few per slice are kept, one per subject, in the server's memory: they are for people, and no decision rests on them.
    """
    path = at("rollouts", rollout_of(session, rollout), "disagreements")
    answer = session.get(f"{path}?{urlencode({'slice': slice_})}")
    if session.as_json:
        say_bytes(answer)
        return
    found = read(answer, tuple[DisagreementView, ...])
    if not found:
        say("No two answers that differ were kept: nothing was mirrored yet, or the server was restarted since.")
        return
    rows = [["request", "at", "difference", "candidate", "incumbent", "decided", "candidate ms", "incumbent ms"]]
    rows += [
        [
            each.request,
            each.at,
            number(each.difference),
            each.candidate,
            each.incumbent,
            "differently" if each.disagree else "alike",
            number(each.candidate_ms),
            number(each.incumbent_ms),
        ]
        for each in found
    ]
    heading, *lines = table(rows)
    say(heading)
    for each, line in zip(found, lines, strict=True):
        say(line)
        said = [*each.slices, *(f"{name}={value}" for name, value in each.attributes.items())]
        if each.other_features:
            said.append("from other features")
        if said:
            say(f"    {', '.join(dict.fromkeys(said))}")
