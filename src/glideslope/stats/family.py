"""One alpha for a family of tests: weights that sum to one, so that watching more never alarms more.

A union bound on each test's own running maximum: it needs no independence and no common order of events, unlike
averages of e-values across metrics (Choe & Ramdas 2024) or e-BH on maxima (Tavyrikov, Goeman & de Heide 2025).
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import nextafter
from typing import TypeVar

from glideslope.stats.reals import written

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Allotment:
    """The part of alpha that one test may spend; `slice` is None for the aggregate."""

    guardrail: str
    slice: str | None
    alpha: float


def equal_weights(guardrails: Sequence[str]) -> dict[str, Fraction]:
    """Return the same weight for each guardrail."""
    return {guardrail: Fraction(1, len(guardrails)) for guardrail in guardrails}


def allot(
    alpha: float, *, weights: Mapping[str, float | Fraction], slices: Mapping[str, Sequence[str]] | None = None
) -> tuple[Allotment, ...]:
    """Return each test's alpha: a guardrail without slices has its weight, one with slices keeps half for the aggregate.

    The alphas never add up to more than *alpha*, exactly. Raises `ValueError` unless alpha lies in (0, 1), the weights
    are positive and sum to one as written, and slices belong to guardrails and are not named twice.
    """
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha is {alpha!r}; expected a number between 0 and 1")
    exact = {name: weight if isinstance(weight, Fraction) else written(weight) for name, weight in weights.items()}
    if not exact or min(exact.values()) <= 0 or sum(exact.values()) != 1:
        raise ValueError(f"weights must be positive and sum to one, got {dict(weights)}")
    named = slices or {}
    if stray := set(named) - set(exact):
        raise ValueError(f"slices of unknown guardrails: {sorted(stray)}")
    allotments: list[Allotment] = []
    for name, weight in exact.items():
        parts = tuple(named.get(name, ()))
        if len(set(parts)) != len(parts):
            raise ValueError(f"a slice of {name} is named twice: {parts}")
        own = weight / 2 if parts else weight
        allotments.append(Allotment(name, None, _down(written(alpha) * own)))
        allotments.extend(Allotment(name, part, _down(written(alpha) * own / len(parts))) for part in parts)
    return tuple(allotments)


def _down(exact: Fraction) -> float:
    nearest = float(exact)
    # As written, since that is how `crossed` reads it: 0.0015 stays 0.0015.
    return nearest if written(nearest) <= exact else nextafter(nearest, 0.0)


def holm(p_values: Mapping[K, float], *, alpha: float) -> frozenset[K]:
    """Return which nulls Holm's method rejects, given anytime p-values of running maxima and equal weights."""
    rejected: set[K] = set()
    for rank, (key, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"the p-value of {key!r} is {p!r}; expected a number from 0 to 1")
        if p * (len(p_values) - rank) > alpha:
            break
        rejected.add(key)
    return frozenset(rejected)
