"""What each comparison of answers shows: its estimate, its interval, and how much evidence stands against its limit. Pure."""

from collections.abc import Callable, Sequence
from typing import Final

from glideslope.domain.decision import Finding, Question, Verdict
from glideslope.domain.ids import WHOLE, SliceName
from glideslope.domain.pairs import RATIO_EDGES, PairKind, pair_values
from glideslope.domain.plan import Plan
from glideslope.engine.display import DISPLAY_ALPHA
from glideslope.engine.views import PairView
from glideslope.stats.counts import Tally
from glideslope.stats.interval import paired_interval

MOST_SLICES: Final = 20
"""Slices shown of each comparison, those with the most evidence against the limit, or else the largest estimates."""


def pair_views(
    plan: Plan, counts: Callable[[PairKind, SliceName], tuple[int, ...]], findings: Sequence[Finding]
) -> tuple[PairView, ...]:
    """Return each comparison on the whole and on its worst slices; what was never compared is left out."""
    found: list[PairView] = []
    for kind in PairKind:
        tally = counts(kind, WHOLE)
        if any(tally):
            found.append(_view(plan, kind, WHOLE, tally, findings))
            found += _worst(plan, kind, counts, findings)
    return tuple(found)


def _worst(
    plan: Plan,
    kind: PairKind,
    counts: Callable[[PairKind, SliceName], tuple[int, ...]],
    findings: Sequence[Finding],
) -> Sequence[PairView]:
    tallies = {slice_: tally for slice_ in plan.slices if any(tally := counts(kind, slice_))}
    against = {f.slice: f.wealth - f.line for f in _of(findings, kind, Question.HARM)}

    def badness(slice_: SliceName) -> tuple[float, float]:
        tally = tallies[slice_]
        mean = sum(v * n for v, n in zip(pair_values(kind), tally, strict=True)) / sum(tally)
        return (-against.get(slice_, 0.0), -abs(mean))

    worst = sorted(tallies, key=badness)[:MOST_SLICES]
    return [_view(plan, kind, slice_, tallies[slice_], findings) for slice_ in worst]


def _view(
    plan: Plan, kind: PairKind, slice_: SliceName, counts: tuple[int, ...], findings: Sequence[Finding]
) -> PairView:
    limit = next((limit for limit in plan.rules.limits if limit.kind is kind), None)
    interval = paired_interval(Tally(counts), values=pair_values(kind), alpha=DISPLAY_ALPHA)
    harm = [f for f in _of(findings, kind, Question.HARM) if f.slice == slice_]
    proof = [f for f in _of(findings, kind, Question.PROOF) if f.slice == slice_]
    worst = max(harm, key=lambda f: f.wealth - f.line, default=None)
    word = "shown" if limit is None else "watching"
    if any(f.verdict is Verdict.FAIL for f in harm):
        word = "harm"
    elif proof and all(f.verdict is Verdict.PASS for f in proof):
        word = "proven"
    return PairView(
        kind=kind.value,
        slice=slice_,
        count=sum(counts),
        low=interval.low,
        estimate=interval.estimate,
        high=interval.high,
        times=_median(counts) if kind is PairKind.SLOWER else None,
        limit=None if limit is None else 0.5 if kind is PairKind.SLOWER else limit.limit,
        harm_wealth=worst.wealth if worst else 0.0,
        harm_line=worst.line if worst else 0.0,
        word=word,
    )


def _of(findings: Sequence[Finding], kind: PairKind, question: Question) -> Sequence[Finding]:
    return [f for f in findings if f.subject == kind.value and f.question is question]


def _median(counts: tuple[int, ...]) -> float:
    """Return the upper edge of the bin that holds the median ratio; the candidate's tolerance is in it already."""
    left = sum(counts) / 2
    for edge, count in zip((*RATIO_EDGES, RATIO_EDGES[-1]), counts, strict=True):
        left -= count
        if left <= 0:
            return round(edge, 4)
    return RATIO_EDGES[-1]
