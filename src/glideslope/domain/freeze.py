"""From a draft to a plan: every constant that the tests will use is fixed here, once, from registered facts and recent traffic."""

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from hashlib import sha256
from itertools import pairwise
from typing import Final

import msgspec

from glideslope.domain.alphas import harm_alphas
from glideslope.domain.defining import defined
from glideslope.domain.draft import MATURITY, MATURITY_OF_MEANS, Draft, GuardrailDraft, StageDraft, StrataDraft
from glideslope.domain.errors import PlanInvalid
from glideslope.domain.events import Registered
from glideslope.domain.experience import Experience
from glideslope.domain.gate import check_tests
from glideslope.domain.governing.governed import Governed
from glideslope.domain.ids import Digest, MetricName, StepName
from glideslope.domain.metric import (
    BUILT_IN,
    SPENDS_NO_ALPHA,
    Dimension,
    Kind,
    Metric,
    Origin,
)
from glideslope.domain.own_metrics import own_metric
from glideslope.domain.plan import Guardrail, HarmNull, MarginKind, Plan, StageKind, Step, check_plan
from glideslope.domain.plugin import NO_PLUGINS, Plugins
from glideslope.domain.recomputation import KEPT, is_covered
from glideslope.domain.stakes import Strata, stakes_of
from glideslope.domain.traffic import FULL
from glideslope.domain.value import VALUE, value_model
from glideslope.ledger import canonical
from glideslope.stats.counted import PRIOR as COUNT_PRIOR
from glideslope.stats.counted import usual_counts
from glideslope.stats.scaled import usual_values

UNKNOWN_RATE: Final = 0.05
"""Taken for a rate that nobody measured yet: a wrong base rate costs power, never validity."""

UNKNOWN_COUNT: Final = 0.1
"""The same for a mean count."""

TRUST: Final = 0.75
"""Staked by proofs of means on what is fastest for the incumbent's usual histogram: the best of three parts tried on four shapes."""

LOOSEST: Final = 4.0
"""A first, small step need only exclude harm of this many margins."""


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """The incumbent's recent traffic: histograms per metric, and subjects per second over the time watched."""

    histograms: Mapping[MetricName, tuple[int, ...]] = {}
    subjects_per_second: float = 0.0
    outcomes_per_second: float = 0.0
    seconds: float = 0.0
    experience: Experience = Experience()
    """What earlier traffic and rollouts taught."""


def freeze(
    draft: Draft,
    *,
    incumbent: Registered,
    candidate: Registered,
    baseline: Baseline,
    plugins: Plugins = NO_PLUGINS,
    governed: Governed | msgspec.UnsetType = msgspec.UNSET,
) -> Plan:
    """Resolve a draft. Raises PlanInvalid, SplitInvalid."""
    steps = _steps(draft)
    metrics = BUILT_IN | defined(draft, own=own_metric, plugins=plugins)
    _check_own(draft)
    shadowed = any(s.stage is StageKind.SHADOW for s in steps)
    guardrails = tuple(
        _paired(_guardrail(g, metrics, baseline, draft.slices), shadowed=shadowed) for g in draft.guardrails
    )
    plan = Plan(
        model=draft.model,
        incumbent=incumbent.version,
        incumbent_digest=incumbent.digest,
        candidate=candidate.version,
        candidate_digest=candidate.digest,
        owner=draft.owner,
        why=draft.why,
        alpha=draft.alpha,
        alpha_pass=draft.alpha_pass,
        guardrails=guardrails,
        dimensions=draft.slices,
        steps=steps,
        criteria=draft.offline if any(s.stage is StageKind.OFFLINE for s in steps) else (),
        evaluations=candidate.evaluations,
        approvals=draft.approvals,
        stale_after=draft.stale_after,
        outcomes_stale_after=draft.outcomes_stale_after,
        maturity=_maturity(guardrails) if draft.maturity is None else draft.maturity,
        lease=draft.lease,
        recompute=draft.recompute or msgspec.UNSET,
        recount=KEPT if draft.recompute else msgspec.UNSET,
        logged=draft.logged or msgspec.UNSET,
        proposal=draft.proposal or msgspec.UNSET,
        harms=draft.harms or msgspec.UNSET,
        shown=_shown(draft, metrics),
        budgets=draft.harm_budget or msgspec.UNSET,
        value=msgspec.UNSET if draft.value is None else value_model(draft.value),
        crosses=draft.cross or msgspec.UNSET,
        pairs=draft.pairs or msgspec.UNSET,
        governed=governed,
    )
    check_plan(plan)
    _check_recompute(plan)
    plan = staked(plan)
    check_tests(plan)
    return plan


def staked(plan: Plan) -> Plan:
    """Choose what is bet on each event's harm; it takes the whole plan to know the first coin and the alphas."""
    coin = next((s.split.weights() for s in plan.steps if s.has_coin), None)
    return msgspec.structs.replace(
        plan,
        guardrails=tuple(
            msgspec.structs.replace(
                g,
                stakes=stakes_of(
                    g.base_rate,
                    coin=coin,
                    alphas=harm_alphas(plan, g),
                    stratified=g.strata is not msgspec.UNSET,
                ),
            )
            if g.metric.kind is Kind.EVENT and g.harm is HarmNull.WORSE
            else g
            for g in plan.guardrails
        ),
    )


def _check_recompute(plan: Plan) -> None:
    """Refuse a plan that could never advance: one that asks to recompute what cannot be. Raises PlanInvalid."""
    if plan.recompute is not msgspec.UNSET:
        for metric in plan.counted:
            if not is_covered(metric):
                raise PlanInvalid(
                    f"{metric.name} cannot be recomputed from the prediction log, so nothing would ever advance.",
                    where="recompute",
                )
        for g in plan.guardrails:
            if g.strata is not msgspec.UNSET:
                # The log keeps each outcome's slice; a stratum is that of a subject's first.
                raise PlanInvalid(
                    f"{g.metric.name} is judged by strata, and those cannot be recomputed from the prediction log yet.",
                    where="recompute",
                )


def plan_digest(plan: Plan) -> Digest:
    """Return SHA-256 over the plan's canonical bytes (RFC 8785): what approvals bind to."""
    return Digest("sha256:" + sha256(canonical.encode(msgspec.to_builtins(plan))).hexdigest())


def _check_own(draft: Draft) -> None:
    """Refuse what would be counted in vain or under two definitions. Raises PlanInvalid."""
    names = [own.name for own in draft.metrics]
    for own in draft.metrics:
        if names.count(own.name) > 1:
            raise PlanInvalid(f"{own.name} is defined twice.", where=f"metrics.{own.name}")
        if own.name not in {*(g.metric for g in draft.guardrails), *(b.metric for b in draft.harm_budget)}:
            raise PlanInvalid(
                f"{own.name} is defined, but no guardrail judges it, so nobody would count it.",
                where=f"metrics.{own.name}",
            )


def _shown(draft: Draft, metrics: Mapping[MetricName, Metric]) -> tuple[Metric, ...] | msgspec.UnsetType:
    """Return what is counted although no guardrail judges it: the value, and what a harm budget is in. Raises PlanInvalid."""
    judged = {g.metric for g in draft.guardrails}
    wanted = dict.fromkeys([*(b.metric for b in draft.harm_budget), *([VALUE] if VALUE in metrics else [])])
    for name in wanted:
        if name not in metrics:
            known = ", ".join(sorted(metrics))
            raise PlanInvalid(f"There is no metric {name!r}; there are {known}.", where=f"harm_budget.{name}")
    return tuple(metrics[name] for name in wanted if name not in judged) or msgspec.UNSET


def _guardrail(
    draft: GuardrailDraft, metrics: Mapping[MetricName, Metric], baseline: Baseline, dimensions: Sequence[Dimension]
) -> Guardrail:
    metric = metrics.get(draft.metric)
    if metric is None:
        known = ", ".join(sorted(metrics))
        raise PlanInvalid(
            f"There is no metric {draft.metric!r}; there are {known}.", where=f"guardrails.{draft.metric}"
        )
    histogram = baseline.histograms.get(metric.name, ())
    if draft.quantile is not None:
        return _quantile(draft, metric, histogram)
    base_rate = draft.base_rate if draft.base_rate is not None else _base_rate(metric, histogram)
    reference = _reference(metric, histogram, base_rate=base_rate, is_known=draft.base_rate is not None)
    harm = draft.harm or _usual_harm(metric)
    return Guardrail(
        metric=metric,
        margin=draft.margin,
        harm=harm,
        weight=draft.weight,
        base_rate=base_rate,
        reference=reference,
        limit=draft.limit,
        # What spends no alpha proves nothing either.
        required=draft.required and metric.kind not in SPENDS_NO_ALPHA,
        strata=msgspec.UNSET if draft.strata is None else _strata(draft.strata, metric, dimensions),
        trust=TRUST if reference and metric.kind in (Kind.MEAN, Kind.COUNT, Kind.SCORE) else msgspec.UNSET,
        prior=COUNT_PRIOR if metric.kind is Kind.COUNT and harm is HarmNull.WORSE else msgspec.UNSET,
    )


def _maturity(guardrails: Sequence[Guardrail]) -> float:
    """Return which share of the outcomes a proof needs unless the draft says it."""
    means = (
        g.required and g.metric.origin is Origin.OUTCOME and g.metric.kind in (Kind.MEAN, Kind.SCORE)
        for g in guardrails
    )
    return MATURITY_OF_MEANS if any(means) else MATURITY


def _paired(g: Guardrail, *, shadowed: bool) -> Guardrail:
    """Let a shadow's answers be compared by a formula, where the difference of two values can be told from the margin."""
    metric = g.metric
    if not shadowed or metric.formula is msgspec.UNSET or metric.origin is not Origin.OUTCOME:
        return g
    if metric.kind is not Kind.EVENT and g.margin.kind is not MarginKind.ABSOLUTE:
        return g
    return msgspec.structs.replace(g, metric=msgspec.structs.replace(metric, paired=True))


def _usual_harm(metric: Metric) -> HarmNull:
    return HarmNull.WORSE if metric.kind in (Kind.EVENT, Kind.COUNT) else HarmNull.BEYOND_MARGIN


def _reference(
    metric: Metric, histogram: tuple[int, ...], *, base_rate: float, is_known: bool = False
) -> tuple[int, ...]:
    """Return how the incumbent's values spread: as they did in earlier traffic or rollouts, else as the mean alone tells.

    `is_known` tells whether somebody said what the mean is.
    """
    counted = len(histogram) == metric.bins and any(histogram)
    match metric.kind:
        case Kind.LATENCY:
            return histogram
        case Kind.MEAN | Kind.SCORE | Kind.COUNT if counted:
            return histogram
        case Kind.MEAN if is_known:
            return usual_values(metric.sign * base_rate, values=metric.values)
        case Kind.COUNT if base_rate > 0:
            return usual_counts(base_rate, edges=metric.edges)
        case _:
            return ()


def _quantile(draft: GuardrailDraft, metric: Metric, histogram: tuple[int, ...]) -> Guardrail:
    """Resolve a guardrail on one quantile: a metric of its own, whose bins have an edge where the incumbent's quantile is."""
    where = f"guardrails.{draft.metric}"
    level = draft.quantile or 0.0
    if metric.kind is not Kind.LATENCY:
        raise PlanInvalid(f"{metric.name} is not a latency, so it has no quantile.", where=where)
    word = f"p{level * 100:.6g}"
    found = draft.base_rate if draft.base_rate is not None else _quantile_of(metric, histogram, level=level)
    if found is None or not (math.isfinite(found) and found > 0):
        raise PlanInvalid(
            f"Nobody has seen the incumbent's {word} of {metric.name} yet: let traffic run, or say it as base_rate.",
            where=where,
        )
    threshold = float(f"{found:.6g}")
    edges = tuple(sorted({*metric.edges, threshold}))
    return Guardrail(
        metric=Metric(
            name=MetricName(f"{metric.name}_{word.replace('.', '_')}"),
            kind=Kind.LATENCY,
            origin=metric.origin,
            edges=edges,
            of=metric.name,
        ),
        margin=draft.margin,
        harm=draft.harm or HarmNull.BEYOND_MARGIN,
        weight=draft.weight,
        base_rate=round(1 - level, 6),
        reference=_divided(histogram, metric.edges, threshold=threshold)
        if len(edges) > len(metric.edges)
        else histogram,
        limit=draft.limit,
        required=draft.required,
        quantile=level,
        threshold=threshold,
    )


def _quantile_of(metric: Metric, histogram: tuple[int, ...], *, level: float) -> float | None:
    """Return the value that this part of a histogram lies below, straight within its bin; None beyond the last edge."""
    left = level * sum(histogram)
    for count, (low, high) in zip(histogram, pairwise((0.0, *metric.edges)), strict=False):
        if count and left <= count:
            return low + (high - low) * left / count
        left -= count
    return None


def _divided(histogram: tuple[int, ...], edges: tuple[float, ...], *, threshold: float) -> tuple[int, ...]:
    """Return a histogram with one more edge, its bin divided in proportion."""
    at = bisect_left(edges, threshold)
    if not histogram:
        return ()
    low = edges[at - 1] if at else 0.0
    below = round(histogram[at] * (threshold - low) / (edges[at] - low)) if at < len(edges) else 0
    return (*histogram[:at], below, histogram[at] - below, *histogram[at + 1 :])


def _strata(draft: StrataDraft, metric: Metric, dimensions: Sequence[Dimension]) -> Strata:
    """Put the usual rates in the order of the dimension's values. Raises PlanInvalid."""
    values = next((d.values for d in dimensions if d.field == draft.by), ())
    usual = dict(draft.usual)
    if not values or set(usual) != set(values):
        wanted = f"its values are {', '.join(values)}" if values else "no such field is under slices"
        raise PlanInvalid(
            f"{metric.name}: strata by {draft.by} need a usual rate for each of its values; {wanted}.",
            where=f"guardrails.{metric.name}",
        )
    return Strata(draft.by, tuple(usual[value] for value in values), whole=True)


def _base_rate(metric: Metric, histogram: tuple[int, ...]) -> float:
    """Return the incumbent's mean; with half an event added, since none seen is not none possible."""
    count = sum(histogram)
    match metric.kind:
        case Kind.EVENT:
            return round((histogram[1] + 0.5) / (count + 1), 6) if count else UNKNOWN_RATE
        case Kind.SCORE:
            if not count:
                return metric.values[len(metric.values) // 4]
            return round(math.fsum(v * n for v, n in zip(metric.values, histogram, strict=True)) / count, 6)
        case Kind.MEAN | Kind.COUNT if mean := _mean(metric, histogram):
            return mean
        case Kind.COUNT:
            return UNKNOWN_COUNT
        case Kind.MEAN:
            return metric.edges[len(metric.edges) // 4]
        case Kind.LATENCY | Kind.UNBOUNDED | Kind.CALIBRATION | Kind.AUC | Kind.AVERAGE_PRECISION:
            return 0.0


def _mean(metric: Metric, histogram: tuple[int, ...]) -> float:
    """Return what was counted on average; 0.0 where nothing was, or nothing but zeros: no margin could be a part of that."""
    if len(histogram) != metric.bins or not any(histogram):
        return 0.0
    total = math.fsum(v * n for v, n in zip(metric.values, histogram, strict=True))
    return round(metric.sign * total / sum(histogram), 6)


def _steps(draft: Draft) -> tuple[Step, ...]:
    legs = [(stage, share) for stage in draft.stages for share in _shares(stage)]
    exposed = [share for stage, share in legs if stage.stage is StageKind.CANARY]
    after = dict(pairwise(exposed))
    steps = []
    for k, (stage, share) in enumerate(legs):
        canary = stage.stage is StageKind.CANARY
        # As much control as can be had without tossing anybody's coin twice: the next step's newcomers.
        control = min(after.get(share, FULL) - share, FULL - share) if canary else 0
        steps.append(
            Step(
                name=StepName(f"s{k + 1}"),
                stage=stage.stage,
                candidate=share,
                control=control,
                mirror=stage.mirror if stage.stage is StageKind.SHADOW else 0,
                minimum=stage.minimum,
                maximum=stage.maximum,
                at_maximum=stage.at_maximum,
                loosen=_loosen(stage.stage, exposed, share),
            ),
        )
    return tuple(steps)


def _shares(stage: StageDraft) -> tuple[int, ...]:
    match stage.stage:
        case StageKind.CANARY:
            return stage.shares
        case StageKind.FULL | StageKind.BAKE:
            return (FULL,)
        case StageKind.OFFLINE | StageKind.SHADOW:
            return (0,)


def _loosen(stage: StageKind, exposed: list[int], share: int) -> float:
    """Return 1 for the last canary step, and up to LOOSEST for what comes before it, in proportion to what is to come."""
    match stage:
        case StageKind.SHADOW:
            return LOOSEST
        case StageKind.CANARY:
            return max(1.0, min(LOOSEST, exposed[-1] / share))
        case StageKind.OFFLINE | StageKind.FULL | StageKind.BAKE:
            return 1.0
