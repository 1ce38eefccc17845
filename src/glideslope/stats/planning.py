"""How many subjects a test needs before it can speak: the limit no test can beat, plus what ours cost on top.

All sizes are candidate subjects; the incumbent's follow from the coin. Limits are by Wald's identity: ln(1/alpha) over
the information that one candidate subject brings (with the incumbents tossed beside it). Means, not guarantees.
"""

from collections.abc import Callable, Sequence
from math import ceil, sqrt

from glideslope.stats.reals import ln
from glideslope.stats.score import BOLDEST

HARM_OVERHEAD = 1.25
"""Nats that the mixture over unknown effects costs on top of ln(1/alpha): measured, 18 settings at two alphas."""

PASS_OVERHEAD = 0.3
"""The same for proofs, where half of the prior lies on the truth one hopes for."""

MEAN_OVERHEAD = 1.25
"""The same for bets on means whose best size is unknown: all but `DifferencePass`, and `ScorePass` with a reference."""


def divergence(a: float, *, b: float) -> float:
    """Return the Kullback-Leibler divergence of two rates in nats, b strictly between 0 and 1."""
    kept = a * ln(a / b) if a > 0.0 else 0.0
    return kept + ((1.0 - a) * ln((1.0 - a) / (1.0 - b)) if a < 1.0 else 0.0)


def information(base: float, *, candidate_rate: float, pi: float) -> float:
    """Return nats per candidate subject against the null "equal rates", base unknown."""
    _check(base, candidate_rate, pi)
    mixed = pi * candidate_rate + (1.0 - pi) * base
    return _joint(base, candidate_rate=candidate_rate, pi=pi, null=(mixed, mixed))


def ratio_information(base: float, *, candidate_rate: float, ratio: float, pi: float) -> float:
    """Return nats per candidate subject against the nearest null with this ratio of the rates."""
    _check(base, candidate_rate, pi)
    if not ratio > 0.0:
        raise ValueError(f"a ratio must lie above 0, got {ratio!r}")

    def slope(rate: float) -> float:
        return pi * ratio * _slope(candidate_rate, at=ratio * rate) + (1.0 - pi) * _slope(base, at=rate)

    rate = _root(slope, low=0.0, high=min(1.0, 1.0 / ratio))
    return _joint(base, candidate_rate=candidate_rate, pi=pi, null=(ratio * rate, rate))


def errors_only_information(base: float, *, candidate_rate: float, ratio: float, pi: float) -> float:
    """Return what of `ratio_information` a test keeps that bets on bad outcomes alone, as `RatioPass` does."""
    _check(base, candidate_rate, pi)
    if not ratio > 0.0:
        raise ValueError(f"a ratio must lie above 0, got {ratio!r}")
    bad = pi * candidate_rate + (1.0 - pi) * base
    return bad / pi * divergence(pi * candidate_rate / bad, b=pi * ratio / (pi * ratio + 1.0 - pi))


def difference_information(base: float, *, candidate_rate: float, difference: float, pi: float) -> float:
    """Return nats per candidate subject against the nearest null with this difference of the rates."""
    _check(base, candidate_rate, pi)
    if not -1.0 < difference < 1.0:
        raise ValueError(f"a difference of rates must lie between -1 and 1, got {difference!r}")

    def slope(rate: float) -> float:
        return pi * _slope(candidate_rate, at=rate + difference) + (1.0 - pi) * _slope(base, at=rate)

    rate = _root(slope, low=max(0.0, -difference), high=min(1.0, 1.0 - difference))
    return _joint(base, candidate_rate=candidate_rate, pi=pi, null=(rate + difference, rate))


def bins_information(incumbent: Sequence[float], *, candidate: Sequence[float], pi: float) -> float:
    """Return nats per candidate subject against the null "one distribution of bins", given each arm's chances per bin."""
    _check(0.5, 0.5, pi)
    nats = 0.0
    for p_0, p_1 in zip(incumbent, candidate, strict=True):
        mixed = pi * p_1 + (1.0 - pi) * p_0
        nats += pi * p_1 * ln(p_1 / mixed) if p_1 > 0.0 else 0.0
        nats += (1.0 - pi) * p_0 * ln(p_0 / mixed) if p_0 > 0.0 else 0.0
    return nats / pi


def score_information(deviation: float, *, gap: float, pi: float) -> float:
    """Return nats per candidate subject for means *gap* apart from the null, losses with this standard deviation."""
    _check(0.5, 0.5, pi)
    if not deviation > 0.0:
        raise ValueError(f"a standard deviation must lie above 0, got {deviation!r}")
    return (1.0 - pi) * gap * gap / (2.0 * deviation * deviation)


def pair_information(*, candidate_bad: float, incumbent_bad: float) -> float:
    """Return nats per pair for the rates at which only the candidate, and only the incumbent, is bad."""
    both = candidate_bad + incumbent_bad
    return sum(rate * ln(2.0 * rate / both) for rate in (candidate_bad, incumbent_bad) if rate > 0.0)


def subjects(nats: float, *, alpha: float, overhead: float) -> int:
    """Return how many candidate subjects, on average, reach 1/alpha with this information each.

    Raises `ValueError` if there is no information: then no number is enough.
    """
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha is {alpha!r}; expected a number between 0 and 1")
    if not nats > 0.0:
        raise ValueError("no number of subjects can tell apart what does not differ")
    return max(1, ceil((ln(1.0 / alpha) + overhead) / nats))


def subjects_to_harm(base: float, *, ratio: float, pi: float, alpha: float) -> int:
    """Return mean candidate subjects until `EventHarm` catches a candidate *ratio* times as bad."""
    _above(ratio, what="ratio", bound=1.0)
    return subjects(information(base, candidate_rate=base * ratio, pi=pi), alpha=alpha, overhead=HARM_OVERHEAD)


def subjects_to_pass_ratio(base: float, *, margin: float, pi: float, alpha: float) -> int:
    """Return mean candidate subjects until `RatioPass` clears a candidate that is equal."""
    _above(margin, what="margin", bound=0.0)
    nats = errors_only_information(base, candidate_rate=base, ratio=1.0 + margin, pi=pi)
    return subjects(nats, alpha=alpha, overhead=PASS_OVERHEAD)


def subjects_to_harm_difference(base: float, *, difference: float, margin: float, pi: float, alpha: float) -> int:
    """Return mean candidate subjects until `DifferenceHarm` catches a rate that much above the base."""
    _above(difference, what="difference", bound=margin)
    nats = difference_information(base, candidate_rate=base + difference, difference=margin, pi=pi)
    return subjects(nats, alpha=alpha, overhead=MEAN_OVERHEAD)


def subjects_to_pass_difference(base: float, *, margin: float, pi: float, alpha: float) -> int:
    """Return mean candidate subjects until `DifferencePass` clears a candidate that is equal."""
    _above(margin, what="margin", bound=0.0)
    nats = difference_information(base, candidate_rate=base, difference=margin, pi=pi)
    return subjects(nats, alpha=alpha, overhead=PASS_OVERHEAD)


def subjects_to_harm_score(deviation: float, *, difference: float, margin: float, pi: float, alpha: float) -> int:
    """Return mean candidate subjects until `ScoreHarm` catches a mean loss that much higher."""
    _above(difference, what="difference", bound=margin)
    nats = score_information(deviation, gap=difference - margin, pi=pi)
    return subjects(nats, alpha=alpha, overhead=MEAN_OVERHEAD)


def subjects_to_pass_score(deviation: float, *, margin: float, pi: float, alpha: float) -> int:
    """Return mean candidate subjects until `ScorePass` clears an equal candidate; with a reference about a fifth fewer."""
    _above(margin, what="margin", bound=0.0)
    return subjects(score_information(deviation, gap=margin, pi=pi), alpha=alpha, overhead=MEAN_OVERHEAD)


def subjects_to_harm_bins(incumbent: Sequence[float], *, candidate: Sequence[float], pi: float, alpha: float) -> int:
    """Return mean candidate subjects until `CountHarm` catches a candidate with these chances per bin."""
    nats = bins_information(incumbent, candidate=candidate, pi=pi)
    return subjects(nats, alpha=alpha, overhead=HARM_OVERHEAD)


def subjects_to_pass_quantile(level: float, *, tolerated: float, pi: float, alpha: float) -> int:
    """Return mean candidate subjects until `QuantilePass` clears an equal candidate, exceeding what is tolerated so often."""
    nats = information(tolerated, candidate_rate=1.0 - level, pi=1.0 - pi) * (1.0 - pi) / pi
    return subjects(nats, alpha=alpha, overhead=PASS_OVERHEAD)


def order_deviation(size: int, *, pi: float) -> float:
    """Return the standard deviation of a block's difference of orders, *size* of each outcome in it, arms being equal.

    That of two rank sums (Mann & Whitney 1947), each arm having its part of the block; at least one of each.
    """
    parts = [max(1.0, size * pi), max(1.0, size * (1.0 - pi))]
    return sqrt(sum((2.0 * n + 1.0) / (12.0 * n * n) for n in parts))


def pairs_to_pass_score(deviation: float, *, margin: float, alpha: float) -> int:
    """Return mean pairs (or blocks) until `PairedScorePass` clears an equal candidate, differences deviating so much.

    Differences lie between -1 and 1, so no bet is bolder than `BOLDEST`: where they deviate little, that is what limits it.
    """
    _above(margin, what="margin", bound=0.0)
    spread = deviation * deviation
    bold = min(float(BOLDEST), margin / spread)
    return subjects(bold * margin - bold * bold * spread / 2.0, alpha=alpha, overhead=MEAN_OVERHEAD)


def orderable(size: int, *, pi: float) -> float:
    """Return the chance that both arms have some of each kind in a block with *size* of each."""
    return (1.0 - (1.0 - pi) ** size - pi**size) ** 2


def pairs_to_harm(*, candidate_bad: float, incumbent_bad: float, alpha: float) -> int:
    """Return mean pairs until `PairedHarm` catches a candidate alone in being bad this often."""
    _above(candidate_bad, what="candidate_bad", bound=incumbent_bad)
    nats = pair_information(candidate_bad=candidate_bad, incumbent_bad=incumbent_bad)
    return subjects(nats, alpha=alpha, overhead=HARM_OVERHEAD)


def smallest_ratio(base: float, *, subjects: int, pi: float, alpha: float) -> float | None:
    """Return the smallest ratio of rates caught, on average, within so many candidate subjects; None if none is."""
    _check(base, base, pi)
    if subjects < 1:
        raise ValueError(f"subjects must be at least 1, got {subjects!r}")
    low, high = 1.0, 1.0 / base
    if subjects_to_harm(base, ratio=high, pi=pi, alpha=alpha) > subjects:
        return None
    # Until no double lies between the two.
    while low < (middle := (low + high) / 2.0) < high:
        enough = information(base, candidate_rate=base * middle, pi=pi) > 0.0 and (
            subjects_to_harm(base, ratio=middle, pi=pi, alpha=alpha) <= subjects
        )
        low, high = (low, middle) if enough else (middle, high)
    return high


def _joint(base: float, *, candidate_rate: float, pi: float, null: tuple[float, float]) -> float:
    candidate_null, incumbent_null = null
    return divergence(candidate_rate, b=candidate_null) + (1.0 - pi) / pi * divergence(base, b=incumbent_null)


def _slope(rate: float, *, at: float) -> float:
    """Return the derivative of the divergence of *rate* from *at* with respect to *at*."""
    return (at - rate) / (at * (1.0 - at))


def _root(slope: Callable[[float], float], *, low: float, high: float) -> float:
    """Bisect an increasing function over an open interval."""
    while low < (middle := (low + high) / 2.0) < high:
        low, high = (middle, high) if slope(middle) < 0.0 else (low, middle)
    return middle


def _check(base: float, candidate_rate: float, pi: float) -> None:
    if not (0.0 < base < 1.0 and 0.0 < pi < 1.0 and 0.0 <= candidate_rate <= 1.0):
        raise ValueError(
            f"rates and shares must lie between 0 and 1, got base {base!r}, candidate {candidate_rate!r}, share {pi!r}"
        )


def _above(value: float, *, what: str, bound: float) -> None:
    if not value > bound:
        raise ValueError(f"{what} must lie above {bound}, got {value!r}")
