"""What a model's earlier traffic and rollouts teach: read from the counters that are kept of them, and said from where."""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from glideslope.domain.alphas import is_paired
from glideslope.domain.experience import DELAY, DELAY_EDGES, HOURS, TRAFFIC, WATCHED, Experience, Lesson
from glideslope.domain.freeze import Baseline
from glideslope.domain.ids import WHOLE, MetricName, RolloutId
from glideslope.domain.metric import (
    EXPOSURE,
    NO_STEP,
    OUTCOME_SEEN,
    Kind,
    Metric,
    baseline_scope,
    differences,
    pair_metric,
)
from glideslope.domain.pairs import PairKind, answers_metric, pair_values
from glideslope.domain.plan import Plan
from glideslope.domain.rollout import Rollout
from glideslope.domain.traffic import Arm
from glideslope.engine.record import Model, Record
from glideslope.engine.scopes import Scope

ENOUGH: Final = 50
"""Of what is counted, below which an earlier rollout teaches nothing."""

Scopes = Callable[[RolloutId], Scope]


def experience(model: Model, record: Record, scopes: Scopes) -> Experience:
    """Return what is known of a model's week, and what its newest telling rollouts showed."""
    traffic = scopes(baseline_scope(model.name))
    past = [r for r in reversed(record.rollouts()) if r.plan.model == model.name]
    delays, exposed, arrived, late = _delays(past, scopes)
    pairs, paired = _pairs(past, scopes)
    requests = traffic.bins(NO_STEP, TRAFFIC, WHOLE, Arm.INCUMBENT, size=HOURS)
    return Experience(
        requests=requests,
        watched=traffic.bins(NO_STEP, WATCHED, WHOLE, Arm.INCUMBENT, size=HOURS),
        delays=delays,
        exposed=exposed,
        arrived=arrived,
        pairs=pairs,
        lessons=(
            *((Lesson(about="hours of the week", source="traffic", count=sum(requests)),) if any(requests) else ()),
            *late,
            *paired,
        ),
    )


def taught(baseline: Baseline, plan: Plan, model: Model, record: Record, scopes: Scopes) -> Baseline:
    """Add how the values of the plan's metrics spread in earlier rollouts, where ordinary traffic does not tell.

    Of the newest rollout that counted a metric by the same definition, the arm that serves now; else its incumbent.
    """
    past = [r for r in reversed(record.rollouts()) if r.plan.model == model.name]
    found: dict[MetricName, tuple[int, ...]] = {}
    lessons: list[Lesson] = []
    for metric in plan.counted:
        if metric.name in baseline.histograms:
            continue
        for rollout in past:
            bins = _bins(rollout, metric, model, scopes(rollout.id))
            if sum(bins) >= ENOUGH:
                found[metric.name] = bins
                lessons.append(Lesson(about=metric.name, source=rollout.id, count=sum(bins)))
                break
    if not found:
        return baseline
    known = baseline.experience
    return msgspec.structs.replace(
        baseline,
        histograms={**baseline.histograms, **found},
        experience=msgspec.structs.replace(known, lessons=(*known.lessons, *lessons)),
    )


def _bins(rollout: Rollout, metric: Metric, model: Model, scope: Scope) -> tuple[int, ...]:
    if metric not in rollout.plan.counted:
        return ()
    serves = Arm.CANDIDATE if rollout.plan.candidate == model.incumbent else Arm.INCUMBENT
    # A candidate's latencies were divided by their tolerance when they were counted.
    arm = Arm.INCUMBENT if metric.kind is Kind.LATENCY else serves
    coins = [s.name for s in rollout.plan.steps if s.has_coin]
    return _added([scope.bins(step, metric.name, WHOLE, arm, size=metric.bins) for step in coins])


def _delays(past: Iterable[Rollout], scopes: Scopes) -> tuple[tuple[int, ...], int, int, tuple[Lesson, ...]]:
    size = len(DELAY_EDGES) + 1
    for rollout in past:
        scope = scopes(rollout.id)
        steps = [s.name for s in rollout.plan.steps if s.candidate]
        found = _added([scope.bins(step, DELAY, WHOLE, arm, size=size) for step in steps for arm in Arm])
        if sum(found) >= ENOUGH:
            exposed, arrived = (
                sum(scope.bins(step, metric, WHOLE, arm, size=1)[0] for step in steps for arm in Arm)
                for metric in (EXPOSURE, OUTCOME_SEEN)
            )
            return found, exposed, arrived, (Lesson(about="outcome delays", source=rollout.id, count=sum(found)),)
    return (), 0, 0, ()


def _pairs(past: Iterable[Rollout], scopes: Scopes) -> tuple[dict[MetricName, tuple[int, ...]], tuple[Lesson, ...]]:
    found: dict[MetricName, tuple[int, ...]] = {}
    lessons: list[Lesson] = []
    for rollout in past:
        scope = scopes(rollout.id)
        steps = [s.name for s in rollout.plan.steps if s.mirror]
        for g in rollout.plan.guardrails if steps else ():
            if not is_paired(g.metric) or g.metric.name in found:
                continue
            name, size = pair_metric(g.metric.name), len(differences(g.metric))
            counted = _added([scope.bins(step, name, WHOLE, Arm.CANDIDATE, size=size) for step in steps])
            if sum(counted) >= ENOUGH:
                found[g.metric.name] = counted
                lessons.append(Lesson(about=f"pairs of {g.metric.name}", source=rollout.id, count=sum(counted)))
        for kind in PairKind if steps else ():
            name, size = answers_metric(kind), len(pair_values(kind))
            counted = _added([scope.bins(step, name, WHOLE, Arm.CANDIDATE, size=size) for step in steps])
            if name not in found and sum(counted) >= ENOUGH:
                found[name] = counted
                lessons.append(Lesson(about=f"pairs: {kind.value}", source=rollout.id, count=sum(counted)))
    return found, tuple(lessons)


def _added(rows: list[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(map(sum, zip(*rows, strict=True)))
