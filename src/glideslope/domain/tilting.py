"""The least visible change of a distribution that has a given mean: exponential tilting (Csiszar 1975)."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

_STEPS: Final = 80
"""Of a bisection: more than a double has digits."""


@lru_cache(maxsize=256)
def tilted(weights: tuple[float, ...], *, values: tuple[float, ...], mean: float) -> tuple[float, ...]:
    """Return the distribution nearest to *weights* that has this mean. Raises ValueError where no distribution has.

    Beyond what was ever counted, some of the worst bin is mixed in.
    """
    low, high = min(values), max(values)
    if not low < mean < high:
        raise ValueError(f"a mean of {mean:.4g} lies beyond what can be counted, {low:.4g} to {high:.4g}")
    total = math.fsum(weights)
    seen = [v for v, w in zip(values, weights, strict=True) if w > 0.0]
    if not min(seen) < mean < max(seen):
        old = math.fsum(w * v for w, v in zip(weights, values, strict=True)) / total
        end = high if mean >= max(seen) else low
        part = (mean - old) / (end - old)
        return tuple(
            (1.0 - part) * w / total + (part if v == end else 0.0) for w, v in zip(weights, values, strict=True)
        )
    scale = high - low
    left, right = -700.0, 700.0
    found: tuple[float, ...] = ()
    for _ in range(_STEPS):
        middle = (left + right) / 2
        found = tilt(weights, values=values, by=middle / scale)
        if math.fsum(p * v for p, v in zip(found, values, strict=True)) < mean:
            left = middle
        else:
            right = middle
    return found


def tilt(weights: Sequence[float], *, values: Sequence[float], by: float) -> tuple[float, ...]:
    powers = [by * v for v in values]
    top = max(p for p, w in zip(powers, weights, strict=True) if w > 0.0)
    raw = [w * math.exp(p - top) if w > 0.0 else 0.0 for p, w in zip(powers, weights, strict=True)]
    total = math.fsum(raw)
    return tuple(r / total for r in raw)
