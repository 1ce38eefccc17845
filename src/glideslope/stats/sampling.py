"""Counts drawn at random: how many of so many, exactly distributed, in time that does not grow with the number.

Chance is an argument: anything with the `random()` of `random.Random`. The same chance gives the same counts on machines
whose `log` and `lgamma` agree; nothing here is ever recorded, so nothing depends on it.
"""

from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import exp, fabs, floor, fsum, lgamma, log, log2, sqrt
from typing import Protocol

_FEW = 10.0
"""Expected counts below which inversion is faster than rejection."""


class Chance(Protocol):
    """A source of chance."""

    def random(self) -> float:
        """Return a number from 0 up to 1, not 1 itself."""
        ...


class Fixed:
    """The same numbers each time, that look like chance (splitmix64; Steele, Lea & Flood 2014): for figures that must not vary."""

    def __init__(self, seed: int) -> None:
        self._state = seed

    def random(self) -> float:
        """Return the next number from 0 up to 1, not 1 itself."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _WORD
        z = self._state
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & _WORD
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & _WORD
        return ((z ^ z >> 31) >> 11) / 9007199254740992.0


_WORD = (1 << 64) - 1


def binomial(n: int, *, p: float, chance: Chance) -> int:
    """Return how many of n happen, each with probability p.

    Geometric gaps for few (Devroye 1986, X.4.3), transformed rejection for many (Hoermann 1993, BTRS). Raises `ValueError`.
    """
    if n < 0 or not 0.0 <= p <= 1.0:
        raise ValueError(f"a binomial needs n at or above 0 and p from 0 to 1, got {n!r} and {p!r}")
    if n == 0 or p == 0.0:
        return 0
    if p == 1.0:
        return n
    if p > 0.5:
        return n - binomial(n, p=1.0 - p, chance=chance)
    return _sparse(n, p=p, chance=chance) if n * p < _FEW else _dense(n, p=p, chance=chance)


def _sparse(n: int, *, p: float, chance: Chance) -> int:
    kept = log2(1.0 - p)
    if not kept:
        return 0
    found = position = 0
    while True:
        position += floor(log2(1.0 - chance.random()) / kept) + 1
        if position > n:
            return found
        found += 1


def _dense(n: int, *, p: float, chance: Chance) -> int:
    deviation = sqrt(n * p * (1.0 - p))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * p
    centre = n * p + 0.5
    likely = 0.92 - 4.2 / b
    while True:
        u = chance.random() - 0.5
        edge = 0.5 - fabs(u)
        if edge <= 0.0:
            continue
        k = floor((2.0 * a / edge + b) * u + centre)
        if not 0 <= k <= n:
            continue
        v = chance.random()
        if edge >= 0.07 and v <= likely:
            return k
        mode = floor((n + 1) * p)
        height = lgamma(mode + 1) + lgamma(n - mode + 1)
        v *= (2.83 + 5.1 / b) * deviation / (a / (edge * edge) + b)
        if v <= 0.0 or log(v) <= height - lgamma(k + 1) - lgamma(n - k + 1) + (k - mode) * log(p / (1.0 - p)):
            return k


def poisson(mean: float, *, chance: Chance) -> int:
    """Return how many arrive where *mean* are expected: inversion for few, PTRS for many (Hoermann 1993).

    Raises `ValueError` for a mean below 0.
    """
    if not mean >= 0.0:
        raise ValueError(f"a mean count must lie at or above 0, got {mean!r}")
    if mean < _FEW:
        left, found = exp(-mean), 0
        u = chance.random()
        while u > left and found < 1_000:
            found += 1
            u *= chance.random()
        return found
    b = 0.931 + 2.53 * sqrt(mean)
    a = -0.059 + 0.02483 * b
    likely = 0.9277 - 3.6224 / (b - 2.0)
    scale = log(1.1239 + 1.1328 / (b - 3.4))
    while True:
        u = chance.random() - 0.5
        v = chance.random()
        edge = 0.5 - fabs(u)
        if edge <= 0.0:
            continue
        k = floor((2.0 * a / edge + b) * u + mean + 0.43)
        if edge >= 0.07 and v <= likely:
            return k
        if k < 0 or (edge < 0.013 and v > edge):
            continue
        if v <= 0.0 or log(v) + scale - log(a / (edge * edge) + b) <= -mean + k * log(mean) - lgamma(k + 1):
            return k


@dataclass(frozen=True, slots=True)
class Dice:
    """A distribution over bins, made ready to be drawn from."""

    probabilities: tuple[float, ...]
    below: tuple[float, ...]
    """Cumulated."""
    chain: tuple[tuple[int, float], ...]
    """Bins by falling probability, each with its part of what is left."""

    @classmethod
    def of(cls, weights: Sequence[float]) -> "Dice":
        """Normalise weights. Raises `ValueError` for a negative one and for none above 0."""
        total = fsum(weights)
        if not total > 0.0 or min(weights) < 0.0:
            raise ValueError(f"weights must be at or above 0 and not all 0, got {tuple(weights)}")
        probabilities = tuple(weight / total for weight in weights)
        order = sorted((k for k, p in enumerate(probabilities) if p > 0.0), key=lambda k: -probabilities[k])
        left, chain = 1.0, []
        for k in order:
            chain.append((k, min(1.0, probabilities[k] / left) if k != order[-1] else 1.0))
            left = max(left - probabilities[k], 1e-300)
        return cls(probabilities=probabilities, below=tuple(accumulate(probabilities)), chain=tuple(chain))

    def throw(self, n: int, *, into: list[int], chance: Chance) -> None:
        """Add n outcomes to the bins of *into*."""
        if n < len(self.chain):
            last = self.chain[-1][0]
            for _ in range(n):
                k = bisect(self.below, chance.random())
                into[k if k < len(into) else last] += 1
            return
        for k, part in self.chain:
            found = binomial(n, p=part, chance=chance)
            into[k] += found
            n -= found
            if not n:
                return
