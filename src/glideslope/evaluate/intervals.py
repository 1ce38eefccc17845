"""Intervals for shares, quantiles and bootstrap samples. Two-sided; each side may err half of what the confidence leaves."""

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

FEWEST_GROUPS: Final = 10
"""With fewer, how groups differ is not known well enough for any interval; the answer is then that there is none."""

_NORMAL: Final = NormalDist()


def share(hits: int, count: int, *, confidence: float) -> tuple[float, float]:
    """Return the exact interval of a share (Clopper and Pearson 1934), for independent trials; (0, 1) of none."""
    if count == 0:
        return 0.0, 1.0
    side = (1.0 - confidence) / 2
    low = 0.0 if hits == 0 else _solve(lambda p: 1.0 - binomial_cdf(hits - 1, count, p) < side)
    high = 1.0 if hits == count else _solve(lambda p: binomial_cdf(hits, count, p) >= side)
    return low, high


def quantile_ranks(count: int, level: float, *, confidence: float) -> tuple[int | None, int | None]:
    """Return between which order statistics (from 0) a quantile lies, without any assumption on the distribution.

    None where the sample is too small for a bound on that side (David and Nagaraja, Order Statistics, 7.1).
    """
    side = (1.0 - confidence) / 2
    # The r-th of n (from 0) exceeds the quantile with the chance that at most r of them lie below it.
    low = _last(lambda r: binomial_cdf(r, count, level) <= side, count)
    above = _last(lambda r: 1.0 - binomial_cdf(r, count, level) > side, count)
    high = 0 if above is None else above + 1
    return low, high if high < count else None


def binomial_cdf(hits: int, count: int, p: float) -> float:
    """Return the chance of at most so many hits."""
    if hits < 0:
        return 0.0
    if hits >= count or p <= 0.0:
        return 1.0
    if p >= 1.0:
        return 0.0
    return _beta(count - hits, hits + 1, 1.0 - p)


def expanded(confidence: float, groups: int) -> tuple[float, float]:
    """Return the levels of the percentiles to read off a bootstrap of means (Hesterberg 2015, the expanded percentile interval).

    Wider than the plain ones by Student's t instead of the normal and by what resampling few groups understates.
    """
    side = (1.0 - confidence) / 2
    reach = math.sqrt(groups / (groups - 1)) * student(1.0 - side, groups - 1)
    low = _NORMAL.cdf(-reach)
    return low, 1.0 - low


def student(level: float, freedom: int) -> float:
    """Return a quantile of Student's t by the expansion of Abramowitz and Stegun 26.7.5; to 0.2 % from 9 degrees of freedom on."""
    z = _NORMAL.inv_cdf(level)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return sum((term / freedom**k for k, term in enumerate(terms)), 0.0)


def percentiles(samples: Floats, *, confidence: float, groups: int) -> tuple[float, float] | None:
    """Return the interval that bootstrap samples span; None for too few groups, or where a sample is undefined."""
    if groups < FEWEST_GROUPS or not np.isfinite(samples).all():
        return None
    low, high = np.quantile(samples, expanded(confidence, groups))
    return float(low), float(high)


def portions(groups: int, replicates: int, *, cells: int = 2_000_000) -> list[tuple[int, int]]:
    """Return in which portions replicates are made, so that the weights of one fit into memory."""
    size = max(1, min(replicates, cells // max(1, groups)))
    return [(start, min(start + size, replicates)) for start in range(0, replicates, size)]


def weights(groups: int, samples: int, *, rng: np.random.Generator) -> Floats:
    """Return how often each group is drawn when as many are drawn with replacement; shape (samples, groups)."""
    drawn = rng.integers(0, groups, (samples, groups)) + groups * np.arange(samples)[:, None]
    return np.bincount(drawn.ravel(), minlength=samples * groups).reshape(samples, groups).astype(np.float64)


def _solve(is_below: Callable[[float], bool]) -> float:
    """Return where a condition on [0, 1], true up to some point, ends."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if is_below(middle) else (low, middle)
    return (low + high) / 2


def _last(holds: Callable[[int], bool], count: int) -> int | None:
    """Return the last number from 0 for which a condition, true up to some number, holds."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if holds(middle) else (low, middle)
    return low - 1 if low else None


def _beta(a: float, b: float, x: float) -> float:
    """Return the regularised incomplete beta function by its continued fraction (Lentz's method)."""
    if x > (a + 1) / (a + b + 2):
        return 1.0 - _beta(b, a, 1.0 - x)
    tiny = 1e-300
    front = (
        math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a
        if x > 0.0
        else 0.0
    )
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1)
    d = 1.0 / (d if abs(d) > tiny else tiny)
    value = d
    for m in range(1, 20_000):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 + numerator * d
            d = 1.0 / (d if abs(d) > tiny else tiny)
            c = 1.0 + numerator / c
            c = c if abs(c) > tiny else tiny
            value *= d * c
        if abs(d * c - 1.0) < 1e-14:
            break
    return front * value
