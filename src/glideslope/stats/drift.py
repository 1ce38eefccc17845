"""How far two histograms are apart, how unlikely that is by chance, and which of many features have drifted.

A PSI of 0.1 means nothing without the number of rows: with 50 rows and no drift at all it is exceeded most of the time, with a
million rows it hides what everybody would want to know. So size and significance are two numbers here. See
docs/explanation/drift.md for the assumptions and limits. All of it is advisory.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import ceil, exp, floor, inf, lgamma, log, sqrt
from typing import Final, TypeVar

from glideslope.stats.chi2 import normal_tail, tail
from glideslope.stats.counts import Tally
from glideslope.stats.guard import RateGuard
from glideslope.stats.wealth import log_wealth

K = TypeVar("K")

TOLERATED: Final = 0.1
"""The population PSI that is no drift worth a flag."""
FEWEST: Final = 5.0
"""Rows expected in a bin below which it is joined with its neighbour: the chi-square would not be one."""


def _shares(counts: Sequence[int]) -> list[float]:
    # Half a row more in each bin: an empty one would make every distance infinite.
    total = sum(counts) + len(counts) / 2
    return [(count + 0.5) / total for count in counts]


def effective(reference: int, live: int) -> float:
    """Return 1 / (1/m + 1/n): how many rows a comparison of m with n is worth. 0.0 if either is 0."""
    return reference * live / (reference + live) if reference and live else 0.0


def psi(reference: Sequence[int], live: Sequence[int]) -> float:
    """Return the population stability index: the sum of (q - p) ln(q / p), also called Jeffreys' divergence. In nats, >= 0.

    Raises `ValueError` on other numbers of bins.
    """
    return sum((q - p) * log(q / p) for p, q in zip(_shares(reference), _shares(live), strict=True))


def corrected_psi(reference: Sequence[int], live: Sequence[int]) -> float:
    """Return the PSI without what chance alone adds, about (B - 1)(1/m + 1/n) (Yurdakul 2018), and never below 0."""
    n = effective(sum(reference), sum(live))
    bins = sum(1 for p, q in zip(reference, live, strict=True) if p or q)
    return max(0.0, psi(reference, live) - (bins - 1) / n) if n else 0.0


def jensen_shannon(reference: Sequence[int], live: Sequence[int]) -> float:
    """Return the Jensen-Shannon distance, the square root of the divergence to the base of 2: 0 the same, 1 apart."""
    m, n = sum(reference), sum(live)
    if not m or not n:
        return 0.0
    found = 0.0
    for a, b in zip(reference, live, strict=True):
        p, q = a / m, b / n
        middle = (p + q) / 2
        found += (p * log(p / middle) if p else 0.0) + (q * log(q / middle) if q else 0.0)
    return sqrt(max(0.0, found / 2 / log(2)))


def wasserstein(
    reference: Sequence[int], live: Sequence[int], edges: Sequence[float], *, low: float, high: float
) -> float:
    """Return how far mass must be moved, as a part of the range `high - low`: 0 the same, 1 from one end to the other.

    Bins lie between `low`, the inner `edges` and `high`; within a bin mass is spread evenly. Raises `ValueError` unless these increase.
    """
    points = [low, *edges, high]
    if len(points) != len(reference) + 1 or any(not a <= b for a, b in pairwise(points)):
        raise ValueError(f"{len(reference)} bins need {len(reference) - 1} increasing inner edges, got {edges}")
    m, n = sum(reference), sum(live)
    if not m or not n or not high > low:
        return 0.0
    moved = at = 0.0
    for a, b, left, right in zip(reference, live, points[:-1], points[1:], strict=True):
        then = at + a / m - b / n
        width = right - left
        if at * then >= 0:
            moved += width * abs(at + then) / 2
        else:  # the difference of the distributions crosses zero within the bin
            moved += width * (at * at + then * then) / 2 / (abs(at) + abs(then))
        at = then
    return moved / (high - low)


def _joined(reference: Sequence[int], live: Sequence[int]) -> tuple[list[int], list[int]]:
    """Join neighbouring bins until each is expected to hold FEWEST rows of both."""
    m, n = sum(reference), sum(live)
    pooled = m + n
    left: list[int] = []
    right: list[int] = []
    a = b = 0
    for p, q in zip(reference, live, strict=True):
        a, b = a + p, b + q
        if (a + b) * min(m, n) >= FEWEST * pooled:
            left.append(a)
            right.append(b)
            a = b = 0
    if a or b:
        if left:
            left[-1] += a
            right[-1] += b
        else:
            left, right = [a], [b]
    return left, right


def p_value(reference: Sequence[int], live: Sequence[int], *, tolerated: float = TOLERATED) -> float:
    """Return how likely so large a PSI is if the population's is at most `tolerated`; 1.0 where nothing can be told.

    With e = 1 / (1/m + 1/n), e times the PSI is about noncentral chi-square with B - 1 degrees of freedom and noncentrality
    e times `tolerated`: the population resemblance statistic of Potgieter et al. The reference and the live rows are
    independent draws, looked at once.
    """
    left, right = _joined(reference, live)
    n = effective(sum(left), sum(right))
    if len(left) < 2 or not n:
        return 1.0
    return tail(n * psi(left, right), degrees=len(left) - 1, noncentrality=n * tolerated)


def holm(p_values: Mapping[K, float]) -> dict[K, float]:
    """Return adjusted p-values (Holm 1979): flagging those at or below alpha errs on any of them with chance alpha at most."""
    ranked = sorted(p_values.items(), key=lambda item: item[1])
    adjusted: dict[K, float] = {}
    highest = 0.0
    for k, (key, p) in enumerate(ranked):
        highest = max(highest, min(1.0, (len(ranked) - k) * p))
        adjusted[key] = highest
    return adjusted


@dataclass(frozen=True, slots=True)
class Band:
    """Within what a bin's share is no news: what the reference leaves open, widened by the tolerance."""

    low: float
    high: float


def bands(reference: Sequence[int], *, tolerance: float = 1.25, alpha: float = 0.001) -> tuple[Band, ...]:
    """Return per bin a band that holds the reference's true share, all of them together, with probability 1 - alpha, widened.

    Each share may differ from the reference's by a factor of `tolerance` either way. The intervals are Clopper & Pearson's (1934),
    alpha shared by bins and sides, so they hold for any number of rows. Raises `ValueError` for a tolerance below 1.
    """
    if not tolerance >= 1.0:
        raise ValueError(f"a tolerance is a factor at or above 1, got {tolerance}")
    total = sum(reference)
    each = alpha / (2 * len(reference))
    return tuple(
        Band(
            # Rounded outwards: six places are plenty, and each band is turned into exact bets.
            low=floor(_clopper_pearson(count, total, alpha=each, upper=False) / tolerance * 1e6) / 1e6,
            high=min(1.0, ceil(_clopper_pearson(count, total, alpha=each, upper=True) * tolerance * 1e6) / 1e6),
        )
        for count in reference
    )


@lru_cache(maxsize=65536)
def _clopper_pearson(count: int, total: int, *, alpha: float, upper: bool) -> float:
    if upper and count >= total:
        return 1.0
    if not upper and count == 0:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        # Above the upper limit, so few are too unlikely; below the lower one, so many are.
        chance = _at_most(count, total, middle) if upper else 1.0 - _at_most(count - 1, total, middle)
        if (chance > alpha) == upper:
            low = middle
        else:
            high = middle
    return high if upper else low


def _at_most(count: int, total: int, p: float) -> float:
    """Return P(X <= count) for X binomial: the regularised incomplete beta function I_{1-p}(total - count, count + 1)."""
    return 1.0 - incomplete_beta(p, count + 1, total - count) if 0.0 < p < 1.0 else float(p <= 0.0)


def incomplete_beta(x: float, a: float, b: float) -> float:
    """Return I_x(a, b), regularised, by Lentz's continued fraction (DLMF 8.17.22)."""
    if x <= 0.0 or x >= 1.0:
        return float(x >= 1.0)
    if x > (a + 1) / (a + b + 2):
        return 1.0 - incomplete_beta(1.0 - x, b, a)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(1.0 - x)) / a
    c, d = 1.0, 1.0 / (1.0 - (a + b) * x / (a + 1) or 1e-300)
    h = d
    for m in range(1, 10_000):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 / (1.0 + step * d or 1e-300)
            c = 1.0 + step / c or 1e-300
            h *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return min(1.0, front * h)


RATIOS: Final = (1.3, 2.0, 5.0)


def watched(known: Sequence[Band], live: Sequence[int]) -> float:
    """Return the logarithm of the wealth against "each bin's share, given the past, lies within its band". Look as often as you like.

    Per bin and side a `RateGuard` bets that the share is above its band, or the rest above its own; their mean is an e-process
    since all see the same rows in the same order. So it ever reaches 1/alpha with probability alpha at most.
    """
    total = sum(live)
    if not total:
        return 0.0
    logs: list[float] = []
    for band, count in zip(known, live, strict=True):
        for limit, bad in ((band.high, count), (1.0 - band.low, total - count)):
            # A bin that must never be met (limit 0) cannot be bet on by ratios, and a limit of 1 forbids nothing.
            if 0.0 < limit < 1.0:
                logs.append(log_wealth(_guard(limit), Tally((total - bad, bad))))
            else:
                logs.append(0.0)
    top = max(logs)
    return top + log(sum(exp(max(each - top, -700.0)) for each in logs)) - log(len(logs))


@lru_cache(maxsize=4096)
def _guard(limit: float) -> RateGuard:
    return RateGuard(limit, ratios=RATIOS)


def difference(candidate: tuple[int, int], incumbent: tuple[int, int]) -> float:
    """Return the two-sided p-value of two rates, each (bad, all), by the pooled normal approximation; for people only."""
    (a, m), (b, n) = candidate, incumbent
    if not m or not n:
        return 1.0
    rate = (a + b) / (m + n)
    spread = sqrt(rate * (1 - rate) * (1 / m + 1 / n))
    return min(1.0, 2 * normal_tail(abs(a / m - b / n) / spread)) if spread > 0 else 1.0


def unlikely(log_wealth: float) -> float:
    """Return the anytime p-value of a wealth, at most 1."""
    return exp(-log_wealth) if 0.0 < log_wealth < inf else 1.0
