"""Before anything moves: what each step can tell from recent traffic, how long it takes, and how many it puts at risk."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Final, assert_never

import msgspec

from glideslope.domain.budget import Budget, Measure
from glideslope.domain.freeze import Baseline
from glideslope.domain.gate import tolerated
from glideslope.domain.governing.governed import Governed
from glideslope.domain.metric import Kind, Origin, block_size
from glideslope.domain.plan import Evaluation, Guardrail, HarmNull, MarginKind, Plan, Step
from glideslope.domain.traffic import FULL
from glideslope.stats import planning
from glideslope.stats.counted import CountHarm

WORSE: Final = 2.0
"""The bad candidate that a forecast imagines: twice the rate of an event, or a loss two margins higher."""

TYPICAL_DEVIATION: Final = 0.6
"""Standard deviation taken for a loss that nobody measured yet, in its own unit."""

TYPICAL_SPREAD: Final = 0.6
"""Standard deviation taken for the logarithm of a latency that nobody measured yet."""

BINNING: Final = 0.1
LATENCY_OVERHEAD: Final = 4.3
"""What bets on ordered bins cost beside a test of normal means: this much added to the variance of the logarithm, and these
nats on top of ln(1/alpha). Fitted to simulated proofs over spreads of 0.3 to 1, margins of 5 % to 25 % and two coins: within a third.
"""


TYPICAL_HAPPENING: Final = 0.2
"""Part of the outcomes that are the rarer of the two, for a ranking."""


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """One guardrail in one step with a coin."""

    step: Step
    guardrail: Guardrail
    subjects_to_proof: int | None
    """Candidate subjects until an equal candidate is proven, on average; None when no number is enough."""
    subjects_at_risk: int | None
    """Candidate subjects until a candidate of WORSE is caught, on average."""
    seconds_to_proof: float | None
    detects: float | None
    """Smallest ratio (event) or difference (score) that is caught within the step's maximum time; None without traffic."""


class Warned(msgspec.Struct, frozen=True, kw_only=True):
    """Something a person should know before applying."""

    code: str
    sentence: str


def forecast(plan: Plan, baseline: Baseline) -> tuple[Forecast, ...]:
    """Forecast every guardrail in every step with a coin."""
    return tuple(_forecast(plan, step, g, baseline) for step in plan.steps if step.has_coin for g in plan.guardrails)


def warnings(plan: Plan, baseline: Baseline) -> tuple[Warned, ...]:
    """Return what should make a person look twice."""
    found = [*_split_warnings(plan.evaluations)]
    if baseline.subjects_per_second <= 0:
        found.append(
            Warned(code="no-recent-traffic", sentence="There was no traffic in the last minute, so times are unknown."),
        )
    found.extend(
        Warned(
            code="rate-unknown",
            sentence=f"{g.metric.name} was never seen on the incumbent; its base rate is a guess, which costs power only.",
        )
        for g in plan.guardrails
        if g.metric.name not in baseline.histograms and not g.metric.is_joint
    )
    if plan.approvals == 0 and not (isinstance(plan.governed, Governed) and plan.governed.needs):
        found.append(
            Warned(code="no-approval", sentence="The plan asks for no approval: it starts when it is applied.")
        )
    return tuple(found)


def _split_warnings(evaluations: Sequence[Evaluation]) -> Iterable[Warned]:
    """Two holdouts that disagree about who is better: the likely truth is the less flattering."""
    for metric in dict.fromkeys(e.metric for e in evaluations):
        of = [e for e in evaluations if e.metric == metric]
        better = [e for e in of if _gain(e) > 0]
        worse = [e for e in of if _gain(e) < 0]
        if better and worse:
            b, w = better[0], worse[0]
            yield Warned(
                code="holdouts-disagree",
                sentence=(
                    f"{metric} is better on the holdout {b.holdout!r} ({b.candidate:.3f} against {b.incumbent:.3f}) and worse on "
                    f"{w.holdout!r} ({w.candidate:.3f} against {w.incumbent:.3f}, n {w.count:,}). The flattering one may share "
                    "days, users or rows with the training."
                ),
            )


def _gain(e: Evaluation) -> float:
    return e.incumbent - e.candidate if e.lower_is_better else e.candidate - e.incumbent


def _forecast(plan: Plan, step: Step, g: Guardrail, baseline: Baseline) -> Forecast:
    weights = step.split.weights()
    pi = weights.candidate / (weights.candidate + weights.control)
    proof = _attempt(lambda: _to_proof(plan, step, g, baseline, pi=pi))
    harm = _attempt(lambda: _to_harm(plan, step, g, baseline, pi=pi))
    rate = _rate(g, baseline) * step.candidate / FULL
    return Forecast(
        step=step,
        guardrail=g,
        subjects_to_proof=proof,
        subjects_at_risk=harm,
        seconds_to_proof=proof / rate if proof is not None and rate > 0 else None,
        detects=_detects(plan, step, g, baseline, pi=pi),
    )


def _to_proof(plan: Plan, step: Step, g: Guardrail, baseline: Baseline, *, pi: float) -> int:
    margin = g.margin.size * step.loosen
    alpha = plan.alpha_pass
    match g.metric.kind:
        case Kind.EVENT if g.margin.kind is MarginKind.RELATIVE:
            return planning.subjects_to_pass_ratio(_base(g), margin=margin, pi=pi, alpha=alpha)
        case Kind.EVENT:
            return planning.subjects_to_pass_difference(_base(g), margin=margin, pi=pi, alpha=alpha)
        case Kind.SCORE | Kind.MEAN | Kind.COUNT:
            size = _absolute(g) * step.loosen
            return planning.subjects_to_pass_score(_deviation(g, baseline), margin=size, pi=pi, alpha=alpha)
        case Kind.LATENCY if g.quantile is not msgspec.UNSET:
            return planning.subjects_to_pass_quantile(g.quantile, tolerated=tolerated(g), pi=pi, alpha=alpha)
        case Kind.LATENCY:
            return _to_tell_latency(g, baseline, pi=pi, alpha=alpha)
        case Kind.AUC | Kind.AVERAGE_PRECISION:
            return _to_tell_order(step, margin, pi=pi, alpha=alpha)
        case Kind.UNBOUNDED | Kind.CALIBRATION:
            raise ValueError(f"a {g.metric.kind.value} proves nothing")
        case _:
            assert_never(g.metric.kind)


def _to_harm(plan: Plan, step: Step, g: Guardrail, baseline: Baseline, *, pi: float) -> int:
    alpha = _alpha(plan, g)
    match g.metric.kind:
        case Kind.EVENT:
            ratio = min(WORSE, 0.999 / _base(g))
            return planning.subjects_to_harm(_base(g), ratio=ratio, pi=pi, alpha=alpha)
        case Kind.COUNT if g.harm is HarmNull.WORSE:
            usual, worse = CountHarm(g.reference, g.metric.values).more(odds=WORSE)
            return planning.subjects_to_harm_bins(usual, candidate=worse, pi=pi, alpha=alpha)
        case Kind.SCORE | Kind.MEAN | Kind.COUNT:
            size = _absolute(g)
            return planning.subjects_to_harm_score(
                _deviation(g, baseline), difference=WORSE * size, margin=size, pi=pi, alpha=alpha
            )
        case Kind.LATENCY if g.quantile is not msgspec.UNSET:
            return planning.subjects_to_harm(_base(g), ratio=min(WORSE, 0.999 / _base(g)), pi=pi, alpha=alpha)
        case Kind.LATENCY:
            return _to_tell_latency(g, baseline, pi=pi, alpha=alpha)
        case Kind.AUC | Kind.AVERAGE_PRECISION:
            return _to_tell_order(step, g.margin.size, pi=pi, alpha=alpha)
        case Kind.UNBOUNDED | Kind.CALIBRATION:
            raise ValueError(f"a {g.metric.kind.value} blames nobody")
        case _:
            assert_never(g.metric.kind)


def _detects(plan: Plan, step: Step, g: Guardrail, baseline: Baseline, *, pi: float) -> float | None:
    gets = int(_candidates(step, baseline))
    if gets < 1 or not g.spends_alpha:
        return None
    alpha = _alpha(plan, g)
    match g.metric.kind:
        case Kind.EVENT:
            return planning.smallest_ratio(_base(g), subjects=gets, pi=pi, alpha=alpha)
        case Kind.LATENCY if g.quantile is not msgspec.UNSET:
            return planning.smallest_ratio(_base(g), subjects=gets, pi=pi, alpha=alpha)
        case Kind.AUC | Kind.AVERAGE_PRECISION:
            blocks = gets / _candidates_in_a_block(step, pi=pi)
            deviation = planning.order_deviation(_block(step), pi=pi)
            return deviation * math.sqrt(2 * math.log(1 / alpha) / blocks)
        case _:
            latency = g.metric.kind is Kind.LATENCY
            deviation = math.sqrt(_spread(g, baseline)) if latency else _deviation(g, baseline)
            # score_information inverted: gap = deviation * sqrt(2 ln(1/alpha) / (n (1 - pi)))
            return deviation * math.sqrt(2 * math.log(1 / alpha) / (gets * (1 - pi)))


def _absolute(g: Guardrail) -> float:
    """Return the margin in the metric's own unit."""
    return g.margin.size * (abs(g.base_rate) if g.margin.kind is MarginKind.RELATIVE else 1.0)


def _to_tell_order(step: Step, margin: float, *, pi: float, alpha: float) -> int:
    deviation = planning.order_deviation(_block(step), pi=pi)
    return math.ceil(
        planning.pairs_to_pass_score(deviation, margin=margin, alpha=alpha) * _candidates_in_a_block(step, pi=pi)
    )


def _block(step: Step) -> int:
    weights = step.split.weights()
    return block_size(candidate=weights.candidate, control=weights.control)


def _candidates_in_a_block(step: Step, *, pi: float) -> float:
    """Return how many candidate subjects it takes for a block in which both arms can be ordered."""
    size = _block(step)
    return size / TYPICAL_HAPPENING * pi / planning.orderable(size, pi=pi)


def _alpha(plan: Plan, g: Guardrail) -> float:
    judged = [other for other in plan.guardrails if other.spends_alpha]
    total = sum(other.weight for other in judged) + sum(limit.weight for limit in plan.rules.limits)
    sliced = bool(plan.dimensions) and g.metric.origin is not Origin.GATEWAY
    return plan.alpha * g.weight / total * (0.5 if sliced else 1.0)


def _candidates(step: Step, baseline: Baseline) -> float:
    return baseline.subjects_per_second * step.candidate / FULL * step.maximum / 1000


def _rate(g: Guardrail, baseline: Baseline) -> float:
    return baseline.outcomes_per_second if g.metric.origin is Origin.OUTCOME else baseline.subjects_per_second


def _base(g: Guardrail) -> float:
    return min(0.499, max(1e-6, g.base_rate))


def _to_tell_latency(g: Guardrail, baseline: Baseline, *, pi: float, alpha: float) -> int:
    """Return the subjects that tell a shift by one margin: a proof's distance, and that of harm one margin beyond."""
    nats = planning.score_information(math.sqrt(_spread(g, baseline)), gap=math.log1p(g.margin.size), pi=pi)
    return planning.subjects(nats, alpha=alpha, overhead=LATENCY_OVERHEAD)


def _spread(g: Guardrail, baseline: Baseline) -> float:
    """Return the variance of the latency's logarithm, as far as bins can see it."""
    histogram = baseline.histograms.get(g.metric.name, ())
    count = sum(histogram)
    if count < 2:
        return TYPICAL_SPREAD**2 + BINNING
    logs = [math.log(edge) for edge in (*g.metric.edges, g.metric.edges[-1])]
    mean = sum(v * n for v, n in zip(logs, histogram, strict=True)) / count
    return sum(n * (v - mean) ** 2 for v, n in zip(logs, histogram, strict=True)) / count + BINNING


def _deviation(g: Guardrail, baseline: Baseline) -> float:
    # What a plan counts by itself may have any unit: a quarter of its range, as for a log loss.
    usual = TYPICAL_DEVIATION if g.metric.loss is not None else (max(g.metric.values) - min(0, *g.metric.values)) / 4
    histogram = baseline.histograms.get(g.metric.name, g.reference)
    count = sum(histogram)
    if count < 2:
        return usual
    mean = sum(v * n for v, n in zip(g.metric.values, histogram, strict=True)) / count
    variance = sum(n * (v - mean) ** 2 for v, n in zip(g.metric.values, histogram, strict=True)) / count
    return math.sqrt(variance) or usual


def _attempt(ask: Callable[[], int]) -> int | None:
    try:
        return ask()
    except ValueError:
        return None


LUCK: Final = 1.96
"""Standard deviations that a sum without drift has ever been above with one chance in twenty: by reflection, 2 (1 - Phi(1.96)) = 0.05."""


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """Candidate subjects until a harm budget is spent; None where nothing is known of the metric's rate."""

    budget: Budget
    when_equal: int | None
    """By one that is no worse: of a count on average, of an excess with one chance in twenty."""
    when_worse: int | None
    """By one with WORSE times the rate, on average."""


def outlooks(plan: Plan) -> tuple[Outlook, ...]:
    """Forecast each harm budget that is in an event whose rate the plan knows."""
    rates = {g.metric.name: _base(g) for g in plan.guardrails if g.metric.kind is Kind.EVENT}
    return tuple(_outlook(plan, budget, rates.get(budget.metric)) for budget in plan.budgets or ())


def _outlook(plan: Plan, budget: Budget, rate: float | None) -> Outlook:
    if rate is None:
        return Outlook(budget=budget, when_equal=None, when_worse=None)
    more = rate * (WORSE - 1)
    if budget.measure is Measure.COUNT:
        return Outlook(
            budget=budget, when_equal=math.ceil(budget.size / rate), when_worse=math.ceil(budget.size / (rate + more))
        )
    # The excess of an equal candidate is a sum without drift; its control's luck adds to its own.
    against = max((s.candidate / s.control for s in plan.steps if s.has_coin), default=1.0)
    spread = rate * (1 - rate) * (1 + against)
    return Outlook(
        budget=budget,
        when_equal=math.ceil((budget.size / LUCK) ** 2 / spread),
        when_worse=math.ceil(budget.size / more),
    )
