"""Tests on the ratio of means: is the candidate's mean loss so many times the incumbent's.

The null E L candidate <= factor x E L incumbent is linear, so betting on means serves: one bet multiplies the wealth by
1 + lam * z, where z is (1 - pi)(L - c) for the candidate and -pi(factor L - c) for the incumbent. Its mean is
pi(1 - pi)(E L candidate - factor E L incumbent) for every c, since c enters as c(pi - A), whose mean is 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import exp, fsum

from glideslope.stats.reals import written
from glideslope.stats.score import check_values, mean_bets, trusted
from glideslope.stats.wealth import Bets


@dataclass(frozen=True, slots=True)
class ScaledHarm:
    """Harm beyond a relative margin. Null: the candidate's mean loss never exceeds *factor* times the incumbent's.

    `values` is the loss of each bin, all of one sign: where more is better they are negative, and the factor is below 1.
    `centre` is the incumbent's usual mean loss: being wrong about it costs power, never the guarantee.
    """

    values: tuple[float, ...]
    centre: float
    factor: float

    def __post_init__(self) -> None:
        _check(self.values, centre=self.centre, factor=self.factor)

    def __hash__(self) -> int:
        # Looked up at every look: the rest would cost more than it tells apart.
        return hash((self.centre, self.factor))

    @property
    def bins(self) -> int:
        return len(self.values)

    def bets(self, pi: Fraction) -> Bets:
        return mean_bets(_moves(self.values, centre=self.centre, factor=self.factor, pi=pi, sign=1))


@dataclass(frozen=True, slots=True)
class ScaledPass:
    """Proof within a relative margin. Null: the candidate's mean loss is at least *factor* times the incumbent's.

    `reference`, if known, is the incumbent's usual histogram over the same bins: it sizes the bets. `trust` is the part of the
    wealth that rests on it, a half if nothing is said.
    """

    values: tuple[float, ...]
    centre: float
    factor: float
    reference: tuple[int, ...] = ()
    trust: float | None = None

    def __post_init__(self) -> None:
        trusted(self.trust)
        _check(self.values, centre=self.centre, factor=self.factor)
        if self.reference and (len(self.reference) != len(self.values) or min(self.reference) < 0):
            raise ValueError(f"a reference must hold a count per value, got {self.reference}")

    def __hash__(self) -> int:
        return hash((self.centre, self.factor))

    @property
    def bins(self) -> int:
        return len(self.values)

    def bets(self, pi: Fraction) -> Bets:
        total = sum(self.reference)
        usual = [Fraction(count, total) for count in self.reference] if total else []
        likely = [pi * p for p in usual] + [(1 - pi) * p for p in usual]
        moves = _moves(self.values, centre=self.centre, factor=self.factor, pi=pi, sign=-1)
        trust, boldest = trusted(self.trust)
        return mean_bets(moves, likely=likely, trust=trust, boldest=boldest)


REFERENCE = 1_000_000
"""Subjects of a histogram that is made up from a mean alone."""

_HALVINGS = 60


def usual_values(mean: float, *, values: Sequence[float]) -> tuple[int, ...]:
    """Return a histogram for a mean alone: exponential between the least and the largest value, the widest usual shape.

    Empty for a mean that no such histogram has. It sizes bets and proves nothing.
    """
    low, top = min(values), max(values)
    if not low < mean < top:
        return ()
    ends = [values[0], *((a + b) / 2 for a, b in pairwise(values)), values[-1]]
    widths = [abs(b - a) for a, b in pairwise(ends)]
    left, right = -500.0, 500.0
    found: list[float] = []
    for _ in range(_HALVINGS):
        slope = (left + right) / 2
        powers = [slope * (value - low) / (top - low) for value in values]
        highest = max(powers)
        weights = [width * exp(power - highest) for width, power in zip(widths, powers, strict=True)]
        total = fsum(weights)
        found = [weight / total for weight in weights]
        if fsum(p * value for p, value in zip(found, values, strict=True)) < mean:
            left = slope
        else:
            right = slope
    return tuple(round(REFERENCE * p) for p in found)


def _check(values: tuple[float, ...], *, centre: float, factor: float) -> None:
    exact = check_values(values)
    if min(exact) < 0 < max(exact):
        raise ValueError(f"a relative margin needs values of one sign, got {min(values)} to {max(values)}")
    if not min(exact) <= written(centre) <= max(exact):
        raise ValueError(f"the centre {centre} lies outside the values {min(values)} to {max(values)}")
    if written(factor) <= 0:
        raise ValueError(f"a factor must lie above 0, got {factor}")
    if written(centre) == 0:
        raise ValueError("of a usual mean of 0 there is no part or multiple")
    if not min(exact) < written(factor) * written(centre) < max(exact):
        raise ValueError(f"no candidate could break a factor of {factor} at a usual mean of {abs(centre)}")


def _moves(values: Sequence[float], *, centre: float, factor: float, pi: Fraction, sign: int) -> list[Fraction]:
    times, usual = written(factor), written(centre)
    # With this constant both arms' moves have one mean when the arms are equal, and so the least variance.
    constant = usual * (1 + pi * (times - 1))
    losses = [written(value) for value in values]
    candidate = [sign * (1 - pi) * (loss - constant) for loss in losses]
    incumbent = [-sign * pi * (times * loss - constant) for loss in losses]
    return candidate + incumbent
