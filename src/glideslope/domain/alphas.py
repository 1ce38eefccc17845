"""Which test may spend how much of alpha: guardrails and limits on pairs share it by weight, each over its whole and its slices."""

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

from glideslope.domain.ids import WHOLE, MetricName, SliceName
from glideslope.domain.metric import Metric, Origin
from glideslope.domain.pairs import PairLimit
from glideslope.domain.plan import Guardrail, Plan, StageKind
from glideslope.domain.tables import judged_slices
from glideslope.stats import family


def alpha_of(plan: Plan, g: Guardrail) -> float:
    """Return what one test of harm on the whole of the data may spend."""
    alpha = next(alpha for slice_, alpha in alphas_of(plan, g) if slice_ == WHOLE)
    shadowed = any(s.stage is StageKind.SHADOW for s in plan.steps)
    return alpha / 2 if shadowed and is_paired(g.metric) else alpha


def is_paired(metric: Metric) -> bool:
    """Tell whether the shadow's answers can be judged by this metric: it needs an outcome of the same request."""
    return metric.origin is Origin.OUTCOME and (metric.loss is not None or metric.paired is True)


@lru_cache(maxsize=1024)
def alphas_of(plan: Plan, g: Guardrail) -> tuple[tuple[SliceName, float], ...]:
    _, *slices = judged_slices(plan, g)
    return _allotted(plan, g.metric.name, slices)


@lru_cache(maxsize=1024)
def pair_alphas(plan: Plan, limit: PairLimit) -> tuple[tuple[SliceName, float], ...]:
    """Return what a limit on pairs may spend of alpha, on the whole and on each slice."""
    return _allotted(plan, limit.kind.value, plan.slices)


def _allotted(plan: Plan, name: str, slices: Sequence[SliceName]) -> tuple[tuple[SliceName, float], ...]:
    shares = {other.metric.name: other.weight for other in plan.guardrails if other.spends_alpha}
    shares |= {MetricName(limit.kind.value): limit.weight for limit in plan.rules.limits}
    allotted = family.allot(
        plan.alpha,
        weights={other: Fraction(share, sum(shares.values())) for other, share in shares.items()},
        slices={name: slices} if slices else None,
    )
    return tuple(
        (WHOLE if part.slice is None else SliceName(part.slice), part.alpha)
        for part in allotted
        if part.guardrail == name
    )


def is_shadowed(plan: Plan, g: Guardrail) -> bool:
    return is_paired(g.metric) and any(s.stage is StageKind.SHADOW for s in plan.steps)


@lru_cache(maxsize=1024)
def harm_alphas(plan: Plan, g: Guardrail) -> tuple[float, ...]:
    """Return with which alpha harm is asked, of the whole and of each slice."""
    # Two chances to be wrong about one guardrail share its alpha.
    return tuple(alpha / 2 if is_shadowed(plan, g) else alpha for _, alpha in alphas_of(plan, g))
