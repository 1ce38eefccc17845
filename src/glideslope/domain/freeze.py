"""From a draft to a plan: every constant that the tests will use is fixed here, once, from registered facts and recent traffic."""

import math
from collections.abc import Mapping
from hashlib import sha256
from itertools import pairwise
from typing import Final

import msgspec

from glideslope.domain.draft import Draft, GuardrailDraft, StageDraft
from glideslope.domain.errors import PlanInvalid
from glideslope.domain.events import Registered
from glideslope.domain.gate import check_tests
from glideslope.domain.ids import Digest, MetricName, StepName
from glideslope.domain.metric import BUILT_IN, Kind, Metric
from glideslope.domain.plan import Guardrail, HarmNull, Plan, StageKind, Step, check_plan
from glideslope.domain.traffic import FULL
from glideslope.ledger import canonical

UNKNOWN_RATE: Final = 0.05
"""Taken for a rate that nobody measured yet: a wrong base rate costs power, never validity."""

LOOSEST: Final = 4.0
"""A first, small step need only exclude harm of this many margins."""


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """The incumbent's recent traffic: histograms per metric, and subjects per second over the time watched."""

    histograms: Mapping[MetricName, tuple[int, ...]] = {}
    subjects_per_second: float = 0.0
    outcomes_per_second: float = 0.0
    seconds: float = 0.0


def freeze(draft: Draft, *, incumbent: Registered, candidate: Registered, baseline: Baseline) -> Plan:
    """Resolve a draft. Raises PlanInvalid, SplitInvalid."""
    steps = _steps(draft)
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
        guardrails=tuple(_guardrail(g, baseline) for g in draft.guardrails),
        dimensions=draft.slices,
        steps=steps,
        criteria=draft.offline if any(s.stage is StageKind.OFFLINE for s in steps) else (),
        evaluations=candidate.evaluations,
        approvals=draft.approvals,
        stale_after=draft.stale_after,
        outcomes_stale_after=draft.outcomes_stale_after,
        maturity=draft.maturity,
        lease=draft.lease,
    )
    check_plan(plan)
    check_tests(plan)
    return plan


def plan_digest(plan: Plan) -> Digest:
    """Return SHA-256 over the plan's canonical bytes (RFC 8785): what approvals bind to."""
    return Digest("sha256:" + sha256(canonical.encode(msgspec.to_builtins(plan))).hexdigest())


def _guardrail(draft: GuardrailDraft, baseline: Baseline) -> Guardrail:
    metric = BUILT_IN.get(draft.metric)
    if metric is None:
        known = ", ".join(sorted(BUILT_IN))
        raise PlanInvalid(
            f"There is no metric {draft.metric!r}; there are {known}.", where=f"guardrails.{draft.metric}"
        )
    histogram = baseline.histograms.get(metric.name, ())
    return Guardrail(
        metric=metric,
        margin=draft.margin,
        harm=draft.harm or (HarmNull.WORSE if metric.kind is Kind.EVENT else HarmNull.BEYOND_MARGIN),
        weight=draft.weight,
        base_rate=draft.base_rate if draft.base_rate is not None else _base_rate(metric, histogram),
        reference=histogram if metric.kind is Kind.LATENCY else (),
        limit=draft.limit,
        required=draft.required,
    )


def _base_rate(metric: Metric, histogram: tuple[int, ...]) -> float:
    """Return the incumbent's mean; with half an event added, since none seen is not none possible."""
    count = sum(histogram)
    match metric.kind:
        case Kind.LATENCY:
            return 0.0
        case Kind.EVENT:
            return round((histogram[1] + 0.5) / (count + 1), 6) if count else UNKNOWN_RATE
        case Kind.SCORE:
            if not count:
                return metric.values[len(metric.values) // 4]
            return round(math.fsum(v * n for v, n in zip(metric.values, histogram, strict=True)) / count, 6)


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
