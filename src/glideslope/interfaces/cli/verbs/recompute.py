"""`glideslope recompute`: a rollout counted again from the prediction log, and held against its counters."""

from collections.abc import Iterator
from typing import Final

import click

from glideslope.engine.views import ForeseenView, RecomputationView
from glideslope.interfaces.cli.exits import Exit
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, at, read, rollout_of, say_bytes, talks
from glideslope.interfaces.cli.words import number, table

MOST_SLICES: Final = 10
"""Slices whose maturity is shown, the least mature first."""


@click.command("recompute")
@click.argument("rollout")
@talks
@click.pass_context
def command(ctx: click.Context, session: Session, *, rollout: str) -> None:
    """Count ROLLOUT (an id or a model) again from the prediction log.

    Shows where the counters disagree, which outcomes contradict each other, how mature the predictions of each hour and of each
    slice are, and what scores alone let expect (advisory). Exit status: 0 they agree, 9 they do not.
    """
    answer = session.get(at("rollouts", rollout_of(session, rollout), "recomputation"))
    view = read(answer, RecomputationView)
    if session.as_json:
        say_bytes(answer)
    else:
        say("\n".join(lines(view)))
    if not view.agrees:
        ctx.exit(Exit.NOT_VERIFIED)


def lines(view: RecomputationView) -> Iterator[str]:
    """Say what came of it, the disagreements first."""
    if view.agrees:
        yield f"{view.rollout}: the counters and the prediction log agree on all {view.cells:,} cells, to the last count."
    else:
        yield f"{view.rollout}: NOT confirmed. {view.differing:,} of {view.cells:,} cells differ, {view.missing:,} rows are missing."
    yield from (f"  {sentence}" for sentence in view.sentences)
    if view.differing > len(view.sentences):
        yield f"  and {view.differing - len(view.sentences):,} more"
    if not view.cells:
        yield "  Nothing has been counted yet."
    if view.uncovered:
        yield f"  Cannot be recomputed: {', '.join(view.uncovered)}."
    if view.unconfirmed:
        yield f"  Not confirmed, since a shadow's answers are not logged: {', '.join(view.unconfirmed)}."
    if view.unmatched:
        yield f"  {view.unmatched:,} outcomes came with receipts of predictions that were not logged."
    if view.waiting:
        yield f"  {view.waiting:,} outcomes wait for predictions that are not known."
    if view.contradicted:
        yield f"  Of {view.contradicted:,} predictions different outcomes were told; {view.late:,} were corrected too late to count:"
        for each in view.contradictions:
            counts = "true" if each.counted else "false"
            late = ", corrected too late" if each.late else ""
            yield f"    {each.prediction}: {each.statements} statements, {counts} counts{late}"
    if view.maturity:
        rows = [["hour", "step", "arm", "subjects", "with outcome", "share"]]
        rows += [
            [m.hour, m.step, m.arm, f"{m.subjects:,}", f"{m.labelled:,}", f"{m.labelled / m.subjects:.0%}"]
            for m in view.maturity
        ]
        yield ""
        yield from table(rows)
    if view.by_slice:
        rows = [["slice", "step", "arm", "subjects", "with outcome", "share"]]
        rows += [
            [m.slice, m.step, m.arm, f"{m.subjects:,}", f"{m.labelled:,}", f"{m.labelled / m.subjects:.0%}"]
            for m in view.by_slice[:MOST_SLICES]
        ]
        yield ""
        yield from table(rows)
        if len(view.by_slice) > MOST_SLICES:
            yield f"  and {len(view.by_slice) - MOST_SLICES:,} that are more mature; all with --json"
    if view.foreseen:
        yield ""
        yield "  ADVISORY: what the scores alone let expect, if they are calibrated. No decision uses it."
        rows = [["loss", "step", "arm", "expected", "of", "truth so far", "of"]]
        rows += [_foreseen(each) for each in view.foreseen]
        yield from table(rows)


def _foreseen(each: ForeseenView) -> list[str]:
    truth = "unknown" if each.truth is None else number(each.truth)
    return [each.metric, each.step, each.arm, number(each.foreseen), f"{each.scored:,}", truth, f"{each.labelled:,}"]
