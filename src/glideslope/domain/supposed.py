"""How both arms would answer if something were so: the candidate is as good as the incumbent, or bad in a declared way.

The incumbent answers as it did. A bad candidate's values are the least visible change that has the declared size: its
histogram tilted exponentially, which of all distributions with that mean lies nearest (Csiszar 1975); latencies are scaled.
"""

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Final

import msgspec

from glideslope.domain.alphas import is_paired
from glideslope.domain.experience import Experience
from glideslope.domain.freeze import Baseline
from glideslope.domain.ids import MetricName
from glideslope.domain.metric import BUILT_IN, Kind, Metric, differences
from glideslope.domain.orders import blurred, shifted, usual_joint
from glideslope.domain.plan import DeclaredHarm, Guardrail, Margin, MarginKind, Plan
from glideslope.domain.tilting import tilt, tilted

BEYOND: Final = 2.0
"""A harm that nobody declared is this many margins: as far beyond the margin as the margin is from nothing."""

TYPICAL_LATENCY: Final = (50.0, 0.6)
"""Median in milliseconds, and standard deviation of the logarithm, of a latency that nobody measured yet."""


class Arms(msgspec.Struct, frozen=True, kw_only=True):
    """Per bin, how likely an outcome of each arm falls into it."""

    candidate: tuple[float, ...]
    incumbent: tuple[float, ...]


class Supposed(msgspec.Struct, frozen=True, kw_only=True):
    """One state of the world."""

    harm: DeclaredHarm | None
    """None when the candidate is as good as the incumbent."""
    arms: Mapping[MetricName, Arms]
    pairs: Mapping[MetricName, tuple[float, ...]]
    """Of what a shadow compares: per bin, how likely the candidate's loss differs so from the incumbent's."""
    strata: Mapping[MetricName, Arms] = {}
    """Of what is judged by strata, the same per stratum and bin, last those of subjects in none."""

    @property
    def name(self) -> str:
        """Return `healthy`, or the harm as it was declared."""
        return "healthy" if self.harm is None else harm_name(self.harm)

    def judged(self, metric: MetricName) -> Arms:
        """Return the arms in the bins that the metric's tests have: those of the strata side by side, if it has any."""
        return self.strata.get(metric) or self.arms[metric]


def harm_name(harm: DeclaredHarm) -> str:
    """Write a harm: `errors x2`, `latency +20%`, `log_loss +0.1`."""
    size = harm.size
    if size.kind is MarginKind.ABSOLUTE:
        return f"{harm.metric} +{size.size:.4g}"
    return f"{harm.metric} x{1 + size.size:.4g}" if size.size >= 1 else f"{harm.metric} +{size.size * 100:.4g}%"


def foreseen(plan: Plan) -> Plan:
    """Return the plan as it is foreseen: nobody knows how answers will differ, nor whether a recomputation will agree.

    Without a required guardrail nothing can be foreseen. Raises ValueError.
    """
    if not any(g.required for g in plan.guardrails):
        raise ValueError("no guardrail is required")
    return msgspec.structs.replace(plan, recompute=msgspec.UNSET, pairs=msgspec.UNSET)


def harms_of(plan: Plan) -> tuple[DeclaredHarm, ...]:
    """Return the plan's declared harms, or for want of any, one of each guardrail that can be foreseen."""
    if plan.harms:
        return plan.harms
    return tuple(
        DeclaredHarm(metric=g.metric.name, size=msgspec.structs.replace(g.margin, size=BEYOND * g.margin.size))
        for g in plan.guardrails
        if g.spends_alpha or g.metric.kind is Kind.CALIBRATION
    )


def suppose(plan: Plan, baseline: Baseline, harm: DeclaredHarm | None) -> Supposed:
    """Return how the arms answer. Raises ValueError for a harm that no candidate can do: a rate above all, say."""
    arms = {}
    for g in plan.guardrails:
        incumbent = usual(g, baseline)
        size = harm if harm is not None and harm.metric in (g.metric.name, g.metric.measured) else None
        arms[g.metric.name] = Arms(candidate=_worse(g, incumbent, size), incumbent=incumbent)
    strata = {
        g.metric.name: _by_strata(g, arms[g.metric.name])
        for g in plan.guardrails
        if g.metric.name in arms and g.strata is not msgspec.UNSET
    }
    pairs = {
        g.metric.name: _pairs(g.metric, arms[g.metric.name], baseline.experience)
        for g in plan.guardrails
        if g.metric.name in arms and is_paired(g.metric)
    }
    return Supposed(harm=harm, arms=arms, pairs=pairs, strata=strata)


def usual(g: Guardrail, baseline: Baseline) -> tuple[float, ...]:
    """Return the incumbent's distribution: as counted, else of a typical shape around the plan's base rate."""
    metric = g.metric
    counted = counted_of(metric, baseline) or g.reference
    if metric.kind is Kind.EVENT:
        return (1.0 - g.base_rate, g.base_rate)
    if len(counted) == metric.bins and sum(counted) > 1:
        total = sum(counted)
        return tuple(count / total for count in counted)
    if metric.kind is Kind.LATENCY:
        return _lognormal(metric.edges)
    if metric.is_joint:
        return usual_joint(metric.edges)
    return tilted((1.0,) * metric.bins, values=metric.values, mean=metric.sign * g.base_rate)


def _worse(g: Guardrail, incumbent: tuple[float, ...], harm: DeclaredHarm | None) -> tuple[float, ...]:
    metric = g.metric
    if metric.kind is Kind.LATENCY:
        factor = 1.0 if harm is None else 1.0 + harm.size.size
        return scaled(incumbent, edges=metric.edges, by=factor / (1.0 + g.margin.size))
    if harm is None:
        return incumbent
    if metric.is_joint:
        return _worse_jointly(g, incumbent, harm.size)
    mean = math.fsum(p * v for p, v in zip(incumbent, metric.values, strict=True))
    by = harm.size.size * (abs(mean) if harm.size.kind is MarginKind.RELATIVE else 1.0)
    return tilted(incumbent, values=metric.values, mean=mean + by)


def counted_of(metric: Metric, baseline: Baseline) -> tuple[int, ...]:
    """Return what was counted of the incumbent in a metric's bins, by whatever metric with the same; nothing if none was."""
    known = baseline.histograms
    counted = known.get(metric.name) or known.get(metric.measured) or ()
    if not counted and metric.is_joint:
        same = (other.name for other in BUILT_IN.values() if other.is_joint and other.edges == metric.edges)
        counted = next((known[name] for name in same if known.get(name)), ())
    return counted


def _worse_jointly(g: Guardrail, incumbent: tuple[float, ...], size: Margin) -> tuple[float, ...]:
    if size.kind is not MarginKind.ABSOLUTE:
        raise ValueError("it is said as a difference, like 0.05")
    if g.metric.kind is Kind.CALIBRATION:
        return shifted(incumbent, by=size.size)
    return blurred(g.metric.kind, incumbent, by=size.size)


def _by_strata(g: Guardrail, arms: Arms) -> Arms:
    """Spread the arms over strata: how full each is nobody knows, so as evenly as the usual rates allow for their mean.

    A harm then multiplies the odds alike in all of them. If no mixture of the strata has the guardrail's mean, all subjects
    are taken to be in none, which promises too little rather than too much.
    """
    usual = () if g.strata is msgspec.UNSET else g.strata.usual
    values = g.metric.values
    mean = math.fsum(p * v for p, v in zip(arms.incumbent, values, strict=True))
    nothing = (0.0,) * len(values)
    try:
        parts = tilted((1.0,) * len(usual), values=usual, mean=mean)
        incumbent = tuple(
            part * p
            for part, rate in zip(parts, usual, strict=True)
            for p in tilted(arms.incumbent, values=values, mean=rate)
        )
        worse = math.fsum(p * v for p, v in zip(arms.candidate, values, strict=True))
        every = values * len(usual)
        candidate = incumbent if worse == mean else tilted(incumbent, values=every, mean=worse)
    except ValueError:
        none = nothing * len(usual)
        return Arms(candidate=none + arms.candidate, incumbent=none + arms.incumbent)
    return Arms(candidate=candidate + nothing, incumbent=incumbent + nothing)


def scaled(weights: Sequence[float], *, edges: Sequence[float], by: float) -> tuple[float, ...]:
    """Return the distribution over the same bins of values that are multiplied: spread evenly within each bin.

    What lies beyond the last edge is taken to lie within a factor of two of it.
    """
    whole = (*edges, 2.0 * edges[-1])
    below = list(accumulate(weights))
    total = below[-1]

    def share(x: float) -> float:
        at = bisect_left(whole, x)
        if at >= len(whole):
            return 1.0
        low, before = (whole[at - 1], below[at - 1]) if at else (0.0, 0.0)
        return (before + (below[at] - before) * (x - low) / (whole[at] - low)) / total

    cut = [share(edge / by) for edge in edges]
    return tuple(max(0.0, high - low) for low, high in zip((0.0, *cut), (*cut, 1.0), strict=True))


def _lognormal(edges: Sequence[float]) -> tuple[float, ...]:
    median, spread = TYPICAL_LATENCY
    cut = [0.5 * math.erfc(-math.log(edge / median) / spread / math.sqrt(2.0)) for edge in edges]
    return tuple(max(0.0, high - low) for low, high in zip((0.0, *cut), (*cut, 1.0), strict=True))


def _pairs(metric: Metric, arms: Arms, experience: Experience) -> tuple[float, ...]:
    """Return how pairs differ: as they did in an earlier shadow, else as if the arms erred independently.

    The latter is the most that models of these losses are likely to differ, so it promises too little rather than too much.
    """
    values = differences(metric)
    drop = math.fsum((c - i) * v for c, i, v in zip(arms.candidate, arms.incumbent, metric.values, strict=True))
    counted = experience.pairs.get(metric.name, ())
    if len(counted) == len(values) and sum(counted) > 1:
        even = tuple(
            (n + counted[values.index(-v)]) / 2 if v else float(n) for n, v in zip(counted, values, strict=True)
        )
        return tilted(even, values=values, mean=drop) if drop else tilt(even, values=values, by=0.0)
    found = [0.0] * len(values)
    if metric.kind is Kind.EVENT:
        c, i = arms.candidate[1], arms.incumbent[1]
        return ((1 - c) * (1 - i), c * (1 - i), i * (1 - c), c * i)
    unit = values[-1] - values[-2]
    middle = len(values) // 2
    for c, own in zip(arms.candidate, metric.values, strict=True):
        for i, other in zip(arms.incumbent, metric.values, strict=True):
            found[middle + round((own - other) / unit)] += c * i
    return tuple(found)
