"""Whether what is said to happen with probability p happens in p of the cases: a guard, and an estimate to show.

Counts are per bin of the probability and what happened: bin 2k for "did not", 2k + 1 for "did", in the k-th bin.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from glideslope.stats.betting import check_margin, equal
from glideslope.stats.reals import written
from glideslope.stats.wealth import Bets

SHIFTS = (Fraction(3, 2), Fraction(2), Fraction(4), Fraction(10))
"""The odds of what is said are off by this factor everywhere, up or down."""

REGIONS = 8
"""Parts of the scale in which alone the odds may be off, by LOCAL, up or down."""

LOCAL = Fraction(3)


@dataclass(frozen=True, slots=True)
class CalibrationGuard:
    """One-sample test on one arm's tally. Null: given the past and the probability said, the chance is within *tolerance*.

    `edges` are the upper edges of the probability's bins, the last one 1. In a bin from a to b the chance is at most
    b + tolerance and at least a - tolerance, whatever the probabilities in it: so the test is valid for any mix of them
    and conservative by up to the bin's width. Each alternative says what the chance may really be in each bin, and bets by
    the likelihood ratio against the nearest chance that is tolerated; where it lies inside it bets nothing. (Arnold, Henzi
    & Ziegel 2023 for the problem; the bets are the two-sided products of one-sided ones, one side per bin.)
    """

    edges: tuple[float, ...]
    tolerance: float

    def __post_init__(self) -> None:
        check_margin(self.tolerance, positive=True)
        exact = [Fraction(0), *map(written, self.edges)]
        if len(exact) < 3 or exact[-1] != 1 or any(a >= b for a, b in pairwise(exact)):
            raise ValueError(f"the bins of a probability end in ascending edges up to 1, got {self.edges}")
        if all(row == (Fraction(1),) * self.bins for row in self._rows()):
            raise ValueError(f"no candidate could break a tolerance of {self.tolerance}")

    @property
    def bins(self) -> int:
        return 2 * len(self.edges)

    def bets(self) -> Bets:
        rows = self._rows()
        return Bets.of(prior=equal(len(rows)), factors=rows)

    def _rows(self) -> list[tuple[Fraction, ...]]:
        bins = list(pairwise((Fraction(0), *map(written, self.edges))))
        said = [(low + high) / 2 for low, high in bins]
        factors = (*SHIFTS, *(1 / shift for shift in SHIFTS))
        regions = [(region, factor) for region in range(REGIONS) for factor in (LOCAL, 1 / LOCAL)]
        alternatives = [
            *([_odds(p, times=factor) for p in said] for factor in factors),
            [(p + Fraction(1, 2)) / 2 for p in said],  # too sure of itself
            [p * p / (p * p + (1 - p) * (1 - p)) for p in said],  # not sure enough
            *(
                [_odds(p, times=factor) if int(p * REGIONS) == region else p for p in said]
                for region, factor in regions
            ),
        ]
        return [self._row(bins, chances) for chances in alternatives]

    def _row(self, bins: Sequence[tuple[Fraction, Fraction]], chances: Sequence[Fraction]) -> tuple[Fraction, ...]:
        tolerance = written(self.tolerance)
        factors: list[Fraction] = []
        for (low, high), chance in zip(bins, chances, strict=True):
            most, least = high + tolerance, low - tolerance
            nearest = most if chance > most else least if chance < least else None
            if nearest is None:
                factors += [Fraction(1), Fraction(1)]
            else:
                factors += [(1 - chance) / (1 - nearest), chance / nearest]
        return tuple(factors)


def _odds(p: Fraction, *, times: Fraction) -> Fraction:
    return p * times / (p * times + 1 - p)


def squared_error(counts: Sequence[int], *, edges: Sequence[float]) -> float | None:
    """Return the squared calibration error without its upward bias; None unless some bin holds two predictions.

    Sum over bins of share x ((middle - rate)^2 - rate (1 - rate) / (n - 1)), so a calibrated model shows about 0 and half
    of them less than 0 (Kumar, Liang & Ma 2019). The bin's middle stands for its mean probability, which is off by at most
    half a bin's width.
    """
    total, told = 0, 0.0
    lows = (0.0, *edges)
    for k, high in enumerate(edges):
        not_, did = counts[2 * k], counts[2 * k + 1]
        n = not_ + did
        if n < 2:
            continue
        rate, middle = did / n, (lows[k] + high) / 2
        told += n * ((middle - rate) ** 2 - rate * (1 - rate) / (n - 1))
        total += n
    return told / total if total else None
