"""`glideslope features`: a model's live input against its data contract, feature by feature. Advisory."""

import click

from glideslope.engine.views import FeaturesView, FeatureView
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, at, read, say_bytes, talks
from glideslope.interfaces.cli.words import number, table


@click.command("features")
@click.argument("model")
@click.option(
    "--all", "everything", is_flag=True, help="Show every feature, not only those that drifted or break the contract."
)
@talks
def command(session: Session, *, model: str, everything: bool) -> None:
    """Show drift and data quality of MODEL's live input. Advisory: it moves no traffic."""
    answer = session.get(at("models", model, "features"))
    if session.as_json:
        say_bytes(answer)
        return
    view = read(answer, FeaturesView)
    finished = f"{view.rows:,} on {view.day}" if view.day else "no finished day yet"
    say(
        f"{view.model}  contract {view.contract}   rows: {view.rows_today:,} today, {finished}   advisory, moves no traffic"
    )
    if view.broken_today or view.surplus_today:
        say(
            f"Today {view.broken_today:,} rows break the contract, {view.surplus_today:,} have a field that it does not know."
        )
    shown = [f for f in view.features if everything or f.drifted or f.breaches]
    if shown:
        heading = [
            "FEATURE",
            "ROWS",
            "MISSING",
            "WRONG",
            "OUTSIDE",
            "PSI",
            "JS",
            "MOVED",
            "P (DAY)",
            "P (TODAY)",
            "DRIFTED",
        ]
        say("\n".join(table([heading, *map(_row, shown)], indent="")))
    for feature in shown:
        for line in _lines(feature):
            say(f"  {line}")
    differing = [each for each in view.arms if each.differs]
    for arms in differing:
        say(
            f"  {arms.name} differs between the arms (PSI {number(arms.psi)}, p {number(arms.anytime_p_value)}): "
            f"missing {arms.missing[0]:,}/{arms.missing[1]:,}, candidate/incumbent. Look for skew before trusting any comparison."
        )
    if not shown and not differing:
        say(f"None of {len(view.features)} features drifted or breaks the contract.")
    else:
        say(f"Chance of any flag without drift: {view.alpha:.0%} a day; tolerated PSI {view.tolerated_psi:g}.")


def _row(f: FeatureView) -> list[str]:
    outside = f.out_of_range + f.unseen
    figures = [number(each) for each in (f.psi, f.jensen_shannon, f.wasserstein, f.adjusted_p_value, f.anytime_p_value)]
    return [
        f.name,
        f"{f.rows:,}",
        f"{f.missing:,}",
        f"{f.wrong_type:,}",
        f"{outside:,}",
        *figures,
        f.said_by or "no",
    ]


def _lines(f: FeatureView) -> list[str]:
    found = [f"{f.name}: {breach}" for breach in f.breaches]
    if not f.drifted:
        return found
    for shift in f.shifts:
        scores = (
            f"; mean score {shift.score_here:.3f} there, {shift.score_elsewhere:.3f} elsewhere"
            if shift.score_here is not None and shift.score_elsewhere is not None
            else ""
        )
        found.append(f"{f.name} {shift.values}: {shift.reference:.1%} in the reference, {shift.live:.1%} now{scores}")
    if f.influenced:
        found.append(f"{f.name}: about {f.influenced:.1%} of predictions have values that came with the drift")
    return found
