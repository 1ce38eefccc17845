"""What each guardrail shows: both arms' values, the interval of their difference, how much evidence there is. Pure."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import assert_never

import msgspec

from glideslope.domain.alphas import is_paired
from glideslope.domain.decision import Finding, Question, Verdict
from glideslope.domain.events import rfc3339
from glideslope.domain.evidence import Evidence, Freshness
from glideslope.domain.gate import harm_findings, loosened, proof_findings
from glideslope.domain.ids import WHOLE, SliceName
from glideslope.domain.metric import RANKED, Kind, Origin, differences
from glideslope.domain.plan import Guardrail, MarginKind, Plan, StageKind, Step
from glideslope.domain.tables import tables_of, tally_of
from glideslope.domain.tallied import limit_findings
from glideslope.engine.views import GuardrailView, SourceView
from glideslope.stats.asymptotic import asymptotic_interval
from glideslope.stats.calibration import squared_error
from glideslope.stats.counts import Table, Tally
from glideslope.stats.interval import (
    Interval,
    difference_interval,
    mean_ratio_interval,
    paired_interval,
    quantile_interval,
    ratio_interval,
)
from glideslope.stats.ranking import auc_of_counts, average_precision_of_counts

DISPLAY_ALPHA = 0.05
"""Intervals that people see hold with 95 %, at all times at once."""


ADVISORY = "asymptotic, advisory"
"""The word for what holds in the limit only: it is shown, and moves no traffic."""

NOT_IN_SHADOW = "not in a shadow"
"""The word for what a shadow cannot compare: it is neither waited for there nor proven, and is judged from the canary on."""

MOST_SLICES = 50
"""Slices shown of each guardrail: an interval costs a millisecond and more, and nobody reads a thousand."""


def guardrail_views(plan: Plan, evidence: Evidence, step: Step) -> tuple[GuardrailView, ...]:
    """Return every guardrail, on the whole and on each slice that has outcomes."""
    harm = (*harm_findings(plan, evidence), *limit_findings(plan, evidence))
    proof = proof_findings(plan, evidence, step)
    shadow = step.stage is StageKind.SHADOW
    found = []
    for g in plan.guardrails:
        slices = _shown(plan.slices, harm, g) if g.metric.origin is not Origin.GATEWAY else ()
        for slice_ in (WHOLE, *slices):
            view = _paired(plan, evidence, g, slice_, step) if shadow else _compared(plan, evidence, g, slice_, step)
            if view is None:
                continue
            found.append(
                view
                if view.word in (ADVISORY, NOT_IN_SHADOW)
                else _with_findings(view, harm, proof, kind=g.metric.kind)
            )
    return tuple(found)


def whole_views(plan: Plan, evidence: Evidence, step: Step) -> tuple[GuardrailView, ...]:
    """Return every guardrail on the whole, without its tests: what was seen at a moment."""
    one = _paired if step.stage is StageKind.SHADOW else _compared
    found = (one(plan, evidence, g, WHOLE, step) for g in plan.guardrails)
    return tuple(view for view in found if view is not None)


def source_views(plan: Plan, freshness: Sequence[Freshness], *, at: int) -> tuple[SourceView, ...]:
    """Return how fresh each kind of source was at an instant (milliseconds since the epoch, UTC): those that are needed or were heard."""
    needed = {g.metric.origin.value for g in plan.guardrails}
    return tuple(
        SourceView(
            origin=each.origin,
            last=rfc3339((at - each.age) // 1000 * 1000) if each.age >= 0 else "",
            fresh=0 <= each.age <= (plan.outcomes_stale_after if each.origin == Origin.OUTCOME else plan.stale_after),
            dropped=each.dropped,
        )
        for each in freshness
        if each.origin in needed or each.age >= 0
    )


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
    arms = [t.incumbent for t in tables], [t.candidate for t in tables]
    return _view(
        g,
        slice_,
        kind="ratio" if g.margin.kind is MarginKind.RELATIVE else "difference",
        incumbent=_value(g, arms[0], tolerance=0.0),
        candidate=_value(g, arms[1], tolerance=g.margin.size),
        interval=_interval(g, tables, tally=tally_of(evidence, g, slice_) if g.metric.kind in RANKED else None),
        margin=_margin(g, step),
    )


def _margin(g: Guardrail, step: Step) -> float:
    """Return the ratio or difference beyond which it is worse; below it where more is better."""
    size = loosened(g, step.loosen) * (-1 if g.metric.kind in RANKED else g.metric.sign)
    return 1 + size if g.margin.kind is MarginKind.RELATIVE else size


def _paired(plan: Plan, evidence: Evidence, g: Guardrail, slice_: SliceName, step: Step) -> GuardrailView | None:
    del plan
    if not is_paired(g.metric):
        if slice_ != WHOLE:
            return None
        margin = _margin(g, step)
        unseen = _view(g, slice_, kind="paired", incumbent=None, candidate=None, interval=None, margin=margin)
        return msgspec.structs.replace(unseen, word=NOT_IN_SHADOW)
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


def _interval(g: Guardrail, tables: Sequence[Table], *, tally: Tally | None) -> Interval | None:
    if not tables:
        return None
    relative = g.margin.kind is MarginKind.RELATIVE
    values, centre = g.metric.values, g.metric.sign * g.base_rate
    match g.metric.kind:
        case Kind.EVENT if relative:
            return ratio_interval(tables, alpha=DISPLAY_ALPHA)
        case Kind.MEAN | Kind.COUNT if relative:
            return mean_ratio_interval(tables, values=values, centre=centre, alpha=DISPLAY_ALPHA)
        case Kind.EVENT | Kind.SCORE | Kind.MEAN | Kind.COUNT:
            found = difference_interval(tables, values=values, centre=centre, alpha=DISPLAY_ALPHA)
            return _mirrored(found) if g.metric.sign < 0 else found
        case Kind.UNBOUNDED:
            return asymptotic_interval(tables, values=g.metric.edges, alpha=DISPLAY_ALPHA)
        case Kind.AUC | Kind.AVERAGE_PRECISION:
            if tally is None or not sum(tally.counts):
                return None
            # By how much the candidate's order is worse, so its mirror image is by how much the value is higher.
            return _mirrored(paired_interval(tally, values=differences(g.metric), alpha=DISPLAY_ALPHA))
        case Kind.LATENCY if g.quantile is not msgspec.UNSET:
            return _quantiles(g, tables, level=g.quantile)
        case Kind.LATENCY | Kind.CALIBRATION:
            return None
        case _:
            assert_never(g.metric.kind)


def _quantiles(g: Guardrail, tables: Sequence[Table], *, level: float) -> Interval:
    """Return the ratio of the arms' quantiles: what their own intervals, each with half of alpha, leave open."""
    candidate, incumbent = (
        quantile_interval(tally.counts, edges=g.metric.edges, level=level, alpha=DISPLAY_ALPHA / 2)
        for tally in (Tally.of_candidate(tables), Tally.of_incumbent(tables))
    )
    scale = 1 + g.margin.size  # undoes the tolerance by which the candidate's were divided
    return Interval(
        low=scale * candidate.low / incumbent.high if candidate.low and incumbent.high else None,
        high=scale * candidate.high / incumbent.low if candidate.high and incumbent.low else None,
        estimate=scale * candidate.estimate / incumbent.estimate if candidate.estimate and incumbent.estimate else None,
        candidate_count=candidate.candidate_count,
        incumbent_count=incumbent.incumbent_count,
    )


def _mirrored(found: Interval) -> Interval:
    """Return the interval of the value, whose loss is its negative."""
    low, high, estimate = (None if end is None else -end for end in (found.high, found.low, found.estimate))
    return replace(found, low=low, high=high, estimate=estimate)


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
    if g.metric.kind is Kind.LATENCY and interval is None and incumbent and candidate is not None:
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
        word=ADVISORY if g.metric.kind is Kind.UNBOUNDED else "no evidence",
        candidate_count=interval.candidate_count if interval else 0,
        incumbent_count=interval.incumbent_count if interval else 0,
    )


def _with_findings(
    view: GuardrailView, harm: Iterable[Finding], proof: Iterable[Finding], *, kind: Kind
) -> GuardrailView:
    mine = [f for f in (*harm, *proof) if f.subject == view.metric and f.slice == view.slice]
    # A calibration blames nobody: what it asks is whether its limit is broken.
    asked = Question.LIMIT if kind is Kind.CALIBRATION else Question.HARM
    worst = max((f for f in mine if f.question is asked), key=lambda f: f.wealth - f.line, default=None)
    proven = next((f for f in mine if f.question is Question.PROOF), None)
    counts = [f for f in (worst, proven) if f is not None]
    word = "no evidence"
    if worst is not None and worst.verdict is Verdict.FAIL:
        word = "harm" if asked is Question.HARM else "beyond its limit"
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


def _value(g: Guardrail, rows: Sequence[Sequence[int]], *, tolerance: float) -> float | None:
    """Return what people read of one arm; of a latency, with the candidate's tolerance undone.

    The mean of events, scores, counts and means; the median or the guardrail's quantile in milliseconds; the area under the
    curve or the average precision; of a calibration the root of its squared error without bias, 0 where that is below 0.
    """
    counts: list[int] = [sum(column) for column in zip(*rows, strict=True)] if rows else []
    total, metric = sum(counts), g.metric
    if not total:
        return None
    match metric.kind:
        case Kind.EVENT | Kind.SCORE | Kind.COUNT | Kind.MEAN | Kind.UNBOUNDED:
            return metric.sign * float(sum(v * n for v, n in zip(metric.values, counts, strict=True))) / total
        case Kind.AUC:
            return auc_of_counts(counts)
        case Kind.AVERAGE_PRECISION:
            return average_precision_of_counts(counts)
        case Kind.CALIBRATION:
            squared = squared_error(counts, edges=metric.edges)
            return None if squared is None else math.sqrt(max(0.0, squared))
        case Kind.LATENCY:
            left = total * (0.5 if g.quantile is msgspec.UNSET else g.quantile)
            for edge, count in zip((*metric.edges, metric.edges[-1]), counts, strict=True):
                left -= count
                if left <= 0:
                    return edge * (1 + tolerance)
            return metric.edges[-1] * (1 + tolerance)
        case _:
            assert_never(metric.kind)
