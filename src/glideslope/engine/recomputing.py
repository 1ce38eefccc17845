"""What `recompute` shows: the second count beside the first, cohorts by age, and what scores let expect. It decides nothing."""

from collections.abc import Sequence
from typing import Final

import msgspec

from glideslope.domain.events import rfc3339
from glideslope.domain.ids import WHOLE, MetricName, SliceName, StepName
from glideslope.domain.logged import read_slices
from glideslope.domain.metric import BUILT_IN, OUTCOME_SEEN, Loss, Metric, slices_of
from glideslope.domain.plan import Plan
from glideslope.domain.recomputation import sentence
from glideslope.domain.rollout import Rollout
from glideslope.domain.traffic import Arm
from glideslope.engine.log_desk import LogDesk
from glideslope.engine.observer import Observer
from glideslope.engine.prediction_log import Cohort, Ripeness
from glideslope.engine.scopes import Scope
from glideslope.engine.views import (
    ContradictionView,
    ForeseenView,
    MaturityView,
    RecomputationView,
    SliceMaturityView,
)

FORESEEN: Final = {Loss.WRONG: "wrong", Loss.LOG: "log_loss", Loss.BRIER: "brier"}
"""Which of a cohort's sums foresees which loss."""


async def recomputation_view(rollout: Rollout, desk: LogDesk, observer: Observer) -> RecomputationView:
    """Recompute a rollout and show it. Raises LogAbsent, LogUnavailable, StoreUnavailable."""
    compared = await desk.recompute(rollout)
    cohorts = await desk.log.cohorts(rollout.plan.model, rollout.id)
    ripe = await desk.log.ripeness(rollout.plan.model, rollout.id) if rollout.plan.dimensions else ()
    waiting, contradicted, late, contradictions = desk.waiting(rollout.id)
    result = compared.result
    return RecomputationView(
        rollout=rollout.id,
        agrees=result.agrees,
        asked_for=rollout.plan.recompute is not msgspec.UNSET,
        cells=result.cells,
        differing=result.differing,
        differences=result.differences,
        sentences=tuple(map(sentence, result.differences)),
        missing=result.missing,
        unmatched=compared.unmatched,
        uncovered=result.uncovered,
        unconfirmed=result.unconfirmed or (),
        waiting=waiting,
        contradicted=contradicted,
        late=late,
        contradictions=tuple(
            ContradictionView(prediction=c.prediction, statements=c.statements, counted=c.counted, late=c.late)
            for c in contradictions
        ),
        maturity=tuple(
            MaturityView(step=c.step, arm=c.arm.value, hour=rfc3339(c.hour), subjects=c.subjects, labelled=c.labelled)
            for c in cohorts
        ),
        by_slice=by_slice(rollout.plan, ripe),
        foreseen=foreseen(rollout.plan, cohorts, observer.scope(rollout.id)),
    )


def by_slice(plan: Plan, ripe: Sequence[Ripeness]) -> tuple[SliceMaturityView, ...]:
    """Add up what has come per slice, crosses too; a slice that nobody was in is left out."""
    found: dict[tuple[SliceName, StepName, Arm], list[int]] = {}
    for each in ripe:
        fields = read_slices(each.slices)
        places = [
            d.values.index(fields[d.field]) if fields.get(d.field) in d.values else len(d.values)
            for d in plan.dimensions
        ]
        for name in slices_of(plan.dimensions, plan.crosses or (), places):
            sums = found.setdefault((name, each.step, each.arm), [0, 0])
            sums[0] += each.subjects
            sums[1] += each.labelled
    views = [
        SliceMaturityView(slice=name, step=step, arm=arm.value, subjects=subjects, labelled=labelled)
        for (name, step, arm), (subjects, labelled) in found.items()
    ]
    return tuple(sorted(views, key=lambda v: (v.labelled / v.subjects, v.slice, v.step, v.arm)))


def foreseen(plan: Plan, cohorts: Sequence[Cohort], scope: Scope) -> tuple[ForeseenView, ...]:
    """Return per step, arm and loss what the scores let expect, beside the mean of the outcomes that are known."""
    metrics = [m for m in BUILT_IN.values() if m.loss is not None]
    guarded = {g.metric.name for g in plan.guardrails}
    found = []
    for step, arm in sorted({(c.step, c.arm) for c in cohorts}):
        mine = [c for c in cohorts if (c.step, c.arm) == (step, arm)]
        scored = sum(c.scored for c in mine)
        for metric in metrics:
            if metric.loss is None or not scored:
                continue
            bins = scope.bins(step, metric.name, WHOLE, arm, size=metric.bins) if metric.name in guarded else ()
            found.append(
                ForeseenView(
                    metric=metric.name,
                    step=step,
                    arm=arm.value,
                    foreseen=sum(getattr(c, FORESEEN[metric.loss]) for c in mine) / scored,
                    scored=scored,
                    truth=_mean(metric, bins),
                    labelled=scope.bins(step, MetricName(OUTCOME_SEEN), WHOLE, arm, size=1)[0],
                )
            )
    return tuple(found)


def _mean(metric: Metric, bins: Sequence[int]) -> float | None:
    total = sum(bins)
    return float(sum(v * n for v, n in zip(metric.values, bins, strict=True))) / total if total else None
