"""What each guardrail shows: both arms' values, the interval of their difference, how much evidence there is. Pure."""

import math
from collections.abc import Iterable, Sequence

from glideslope.domain.decision import Finding, Question, Verdict
from glideslope.domain.evidence import Evidence
from glideslope.domain.gate import harm_findings, is_paired, proof_findings, tables_of, tally_of
from glideslope.domain.ids import WHOLE, SliceName
from glideslope.domain.metric import Kind, Metric, Origin, differences
from glideslope.domain.plan import Guardrail, MarginKind, Plan, StageKind, Step
from glideslope.engine.views import GuardrailView
from glideslope.stats.counts import Table
from glideslope.stats.interval import Interval, difference_interval, paired_interval, ratio_interval

DISPLAY_ALPHA = 0.05
"""Intervals that people see hold with 95 %, at all times at once."""


MOST_SLICES = 50
"""Slices shown of each guardrail: an interval costs a millisecond and more, and nobody reads a thousand."""


def guardrail_views(plan: Plan, evidence: Evidence, step: Step) -> tuple[GuardrailView, ...]:
    """Return every guardrail, on the whole and on each slice that has outcomes."""
    harm = harm_findings(plan, evidence)
    proof = proof_findings(plan, evidence, step)
    shadow = step.stage is StageKind.SHADOW
    found = []
    for g in plan.guardrails:
        slices = _shown(plan.slices, harm, g) if g.metric.origin is not Origin.GATEWAY else ()
        for slice_ in (WHOLE, *slices):
            view = _paired(plan, evidence, g, slice_, step) if shadow else _compared(plan, evidence, g, slice_, step)
            if view is None:
                continue
            found.append(_with_findings(view, harm, proof))
    return tuple(found)


def _shown(slices: Sequence[SliceName], harm: Sequence[Finding], g: Guardrail) -> Sequence[SliceName]:
    """Return the slices to show, in their order: where there are too many, those with the most evidence of harm."""
    if len(slices) <= MOST_SLICES:
        return slices
    against = {f.slice: f.wealth for f in harm if f.subject == g.metric.name and f.candidate}
    worst = set(sorted(slices, key=lambda slice_: -against.get(slice_, -math.inf))[:MOST_SLICES])
    return [slice_ for slice_ in slices if slice_ in worst]


def _compared(plan: Plan, evidence: Evidence, g: Guardrail, slice_: SliceName, step: Step) -> GuardrailView | None:
    tables = tables_of(plan, evidence, g, slice_) or ()
    if not tables and slice_ != WHOLE:
        return None
    relative = g.margin.kind is MarginKind.RELATIVE
    return _view(
        g,
        slice_,
        kind="ratio" if relative else "difference",
        incumbent=_mean(g.metric, [t.incumbent for t in tables], tolerance=0.0),
        candidate=_mean(g.metric, [t.candidate for t in tables], tolerance=g.margin.size),
        interval=_interval(g, tables),
        margin=1 + g.margin.size * step.loosen if relative else g.margin.size * step.loosen,
    )


def _paired(plan: Plan, evidence: Evidence, g: Guardrail, slice_: SliceName, step: Step) -> GuardrailView | None:
    del plan
    if not is_paired(g.metric):
        return None
    tally = tally_of(evidence, g, slice_)
    if tally is None or (not sum(tally.counts) and slice_ != WHOLE):
        return None
    interval = paired_interval(tally, values=differences(g.metric), alpha=DISPLAY_ALPHA) if sum(tally.counts) else None
    return _view(
        g,
        slice_,
        kind="paired",
        incumbent=None,
        candidate=None,
        interval=interval,
        margin=g.margin.size * step.loosen,
    )


def _interval(g: Guardrail, tables: Sequence[Table]) -> Interval | None:
    if not tables:
        return None
    match g.metric.kind:
        case Kind.EVENT if g.margin.kind is MarginKind.RELATIVE:
            return ratio_interval(tables, alpha=DISPLAY_ALPHA)
        case Kind.EVENT | Kind.SCORE:
            return difference_interval(tables, values=g.metric.values, centre=g.base_rate, alpha=DISPLAY_ALPHA)
        case Kind.LATENCY:
            return None


def _view(
    g: Guardrail,
    slice_: SliceName,
    *,
    kind: str,
    incumbent: float | None,
    candidate: float | None,
    interval: Interval | None,
    margin: float,
) -> GuardrailView:
    estimate = interval.estimate if interval else None
    if g.metric.kind is Kind.LATENCY and incumbent and candidate is not None:
        estimate = candidate / incumbent
    return GuardrailView(
        metric=g.metric.name,
        slice=slice_,
        kind=kind,
        incumbent=incumbent,
        candidate=candidate,
        low=interval.low if interval else None,
        estimate=estimate,
        high=interval.high if interval else None,
        margin=margin,
        harm_wealth=0.0,
        harm_line=0.0,
        proof_wealth=0.0,
        proof_line=0.0,
        word="no evidence",
        candidate_count=interval.candidate_count if interval else 0,
        incumbent_count=interval.incumbent_count if interval else 0,
    )


def _with_findings(view: GuardrailView, harm: Iterable[Finding], proof: Iterable[Finding]) -> GuardrailView:
    mine = [f for f in (*harm, *proof) if f.subject == view.metric and f.slice == view.slice]
    worst = max((f for f in mine if f.question is Question.HARM), key=lambda f: f.wealth - f.line, default=None)
    proven = next((f for f in mine if f.question is Question.PROOF), None)
    counts = [f for f in (worst, proven) if f is not None]
    word = "no evidence"
    if worst is not None and worst.verdict is Verdict.FAIL:
        word = "harm"
    elif proven is not None and proven.verdict is Verdict.PASS:
        word = "proven"
    elif any(f.candidate for f in counts):
        word = "watching"
    return GuardrailView(
        metric=view.metric,
        slice=view.slice,
        kind=view.kind,
        incumbent=view.incumbent,
        candidate=view.candidate,
        low=view.low,
        estimate=view.estimate,
        high=view.high,
        margin=view.margin,
        harm_wealth=worst.wealth if worst else 0.0,
        harm_line=worst.line if worst else 0.0,
        proof_wealth=proven.wealth if proven else 0.0,
        proof_line=proven.line if proven else 0.0,
        word=word,
        candidate_count=max([view.candidate_count, *(f.candidate for f in counts)]),
        incumbent_count=max([view.incumbent_count, *(f.incumbent for f in counts)]),
    )


def _mean(metric: Metric, rows: Sequence[Sequence[int]], *, tolerance: float) -> float | None:
    """Return the mean of events and scores; for latency the median in milliseconds, the candidate's tolerance undone."""
    counts: list[int] = [sum(column) for column in zip(*rows, strict=True)] if rows else []
    total = sum(counts)
    if not total:
        return None
    if metric.kind is not Kind.LATENCY:
        return float(sum(v * n for v, n in zip(metric.values, counts, strict=True))) / total
    left = total / 2
    for edge, count in zip((*metric.edges, metric.edges[-1]), counts, strict=True):
        left -= count
        if left <= 0:
            return edge * (1 + tolerance)
    return metric.edges[-1] * (1 + tolerance)
