"""`glideslope slices`: the parts of a rollout's data, worst first, and what a search of undeclared ones found."""

import click

from glideslope.engine.views import SlicesView
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, at, read, rollout_of, say_bytes, talks
from glideslope.interfaces.cli.words import guardrail_rows, number, pair_rows, table


@click.command("slices")
@click.argument("rollout")
@talks
def command(session: Session, *, rollout: str) -> None:
    """Show each part of the data of ROLLOUT (an id or a model), those with the most evidence of harm first.

    Below it what a search of slices that nobody declared found. The search is advisory: it moves no traffic.
    """
    answer = session.get(at("rollouts", rollout_of(session, rollout), "slices"))
    if session.as_json:
        say_bytes(answer)
        return
    say("\n".join(lines(read(answer, SlicesView))))


def lines(view: SlicesView) -> list[str]:
    """Say what each slice shows, and what may be concluded from all of them together."""
    found = ["Declared slices, worst first:"]
    if view.declared:
        found += table(guardrail_rows(view.declared))
    if view.pairs:
        found += table(pair_rows(view.pairs))
    if not (view.declared or view.pairs):
        found.append("  nothing was counted in any yet")
    found.append(
        f"  alpha {view.alpha:g} is shared by {view.tests:,} parts, so the chance of ever calling any of them harm wrongly is at "
        "most that. Each interval holds with 95 % by itself."
    )
    found += ["", "Slices that nobody declared (advisory, moves no traffic):"]
    if not (view.search_size or view.searched):
        return [*found, "  nothing to search: the plan slices by no field, or judges nothing by outcomes"]
    rows = [["metric", "slice", "from", "evidence", "corrected p", "subjects", ""]]
    rows += [
        [
            each.metric,
            each.slice,
            "pairs" if each.paired else "arms",
            number(each.wealth),
            number(each.p),
            f"{each.candidate_count:,}/{each.incumbent_count:,}",
            "LOOK HERE" if each.found else "",
        ]
        for each in view.searched
    ]
    found += table(rows) if view.searched else ["  nothing was counted yet"]
    found.append(
        f"  p is corrected for all {view.search_size:,} tests that the search could come to; at most {view.search_alpha:g} of "
        "sound rollouts ever show one."
    )
    if view.left_out:
        found.append(f"  {view.left_out:,} outcomes were left out: too many combinations of values")
    return found
