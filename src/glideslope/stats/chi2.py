"""The noncentral chi-square distribution, for tests that tolerate a stated amount of change. Standard library only.

With *k* degrees of freedom and noncentrality *l* it is a Poisson mixture, of mean l/2, of central chi-squares with k + 2j degrees
(Johnson, Kotz & Balakrishnan 1995, chapter 29). Terms are added outwards from the likeliest one, each from its neighbour by one
product, so that a million of noncentrality costs some thousand products. Advisory figures rest on it and no decision: the last
bits may differ between machines, as `math.lgamma` does.
"""

from math import erfc, exp, inf, isfinite, lgamma, log, sqrt
from typing import Final

_ENOUGH: Final = 1e-17
_MOST: Final = 200_000


def upper_gamma(a: float, x: float) -> float:
    """Return Q(a, x), the regularised upper incomplete gamma function, for a > 0 and x >= 0 (Gautschi 1979)."""
    if x <= 0.0:
        return 1.0
    front = exp(a * log(x) - x - lgamma(a))
    if x < a + 1.0:
        term = total = 1.0 / a
        n = a
        for _ in range(_MOST):
            n += 1.0
            term *= x / n
            total += term
            if term < total * _ENOUGH:
                break
        return max(0.0, 1.0 - front * total)
    # Lentz's continued fraction.
    b = x + 1.0 - a
    c, d = 1e300, 1.0 / b
    h = d
    for i in range(1, _MOST):
        an = -i * (i - a)
        b += 2.0
        d = 1.0 / (an * d + b or 1e-300)
        c = b + an / c or 1e-300
        step = c * d
        h *= step
        if abs(step - 1.0) < 1e-16:
            break
    return front * h


def tail(x: float, *, degrees: int, noncentrality: float = 0.0) -> float:
    """Return P(X > x). Raises `ValueError` for degrees below 1, or a noncentrality that is negative or not finite."""
    if degrees < 1 or not (isfinite(noncentrality) and noncentrality >= 0.0):
        raise ValueError(f"no chi-square has {degrees} degrees and noncentrality {noncentrality}")
    if not x > 0.0:
        return 1.0
    if x == inf:
        return 0.0
    half, y = degrees / 2, x / 2
    if noncentrality == 0.0:
        return min(1.0, upper_gamma(half, y))
    mean = noncentrality / 2
    start = int(mean)
    weight = exp(start * log(mean) - mean - lgamma(start + 1)) if mean > 0 else 1.0
    q = upper_gamma(half + start, y)
    # Q(a + 1, y) = Q(a, y) + step, with step = y**a e**-y / Gamma(a + 1).
    step = exp((half + start) * log(y) - y - lgamma(half + start + 1))
    total = weight * q
    up_weight, up_q, up_step = weight, q, step
    for j in range(start + 1, start + _MOST):
        up_weight *= mean / j
        up_q = min(1.0, up_q + up_step)
        up_step *= y / (half + j)
        total += up_weight * up_q
        if up_weight < _ENOUGH and j > mean:
            break
    down_weight, down_q, down_step = weight, q, step
    for j in range(start, 0, -1):
        down_weight *= j / mean
        down_step *= (half + j) / y
        down_q = max(0.0, down_q - down_step)
        total += down_weight * down_q
        if down_weight * down_q < total * _ENOUGH or down_weight < 1e-300:
            break
    return min(1.0, total)


def quantile(p: float, *, degrees: int, noncentrality: float = 0.0) -> float:
    """Return the x with P(X > x) = 1 - p, for 0 < p < 1, to twelve places of itself. Raises `ValueError` as `tail` does."""
    if not 0.0 < p < 1.0:
        raise ValueError(f"{p} is not between 0 and 1")
    mean = degrees + noncentrality
    width = sqrt(2 * (degrees + 2 * noncentrality))
    low, high = 0.0, mean + width
    while tail(high, degrees=degrees, noncentrality=noncentrality) > 1.0 - p:
        low, high = high, high + 2 * width
    while high - low > 1e-13 * high:
        middle = (low + high) / 2
        if tail(middle, degrees=degrees, noncentrality=noncentrality) > 1.0 - p:
            low = middle
        else:
            high = middle
    return high


def normal_tail(z: float) -> float:
    """Return P(Z > z) of a standard normal."""
    return 0.5 * erfc(z / sqrt(2.0))
