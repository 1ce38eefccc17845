"""Tests on pairs: both arms answered the same request, so only their disagreements speak. No coin, no exposed subject."""

from dataclasses import dataclass
from fractions import Fraction

from glideslope.stats.betting import check_margin, check_ratios, equal
from glideslope.stats.counts import Tally
from glideslope.stats.reals import written
from glideslope.stats.score import check_values, mean_bets
from glideslope.stats.wealth import Bets

RATIOS = (1.2, 1.5, 2.0, 3.5, 8.0, 25.0)
"""How many times as often the candidate may be the one that is wrong."""


def pairs(*, both_good: int, candidate_bad: int, incumbent_bad: int, both_bad: int) -> Tally:
    """Return the tally of pairs as the paired tests of binary events read it; `candidate_bad` means it alone."""
    return Tally((both_good, candidate_bad, incumbent_bad, both_bad))


@dataclass(frozen=True, slots=True)
class PairedHarm:
    """Sequential McNemar test on `pairs`. Null: the candidate's rate of bad never exceeds the incumbent's.

    Given that exactly one arm was bad, the candidate is it with probability q = ratio / (1 + ratio): bets 2q and 2(1-q).
    """

    ratios: tuple[float, ...] = RATIOS

    def __post_init__(self) -> None:
        check_ratios(self.ratios, above=1.0)

    @property
    def bins(self) -> int:
        return 4

    def bets(self) -> Bets:
        shares = [written(ratio) / (1 + written(ratio)) for ratio in self.ratios]
        return Bets.of(
            prior=equal(len(shares)), factors=[(Fraction(1), 2 * q, 2 * (1 - q), Fraction(1)) for q in shares]
        )


@dataclass(frozen=True, slots=True)
class PairedPass:
    """Proof on `pairs`. Null: the candidate's rate of bad is at least 1 + margin times the incumbent's.

    The null is linear: candidate bad - (1 + margin) incumbent bad has a mean at or above 0, so betting on means serves.
    """

    margin: float

    def __post_init__(self) -> None:
        check_margin(self.margin, positive=True)

    @property
    def bins(self) -> int:
        return 4

    def bets(self) -> Bets:
        null = 1 + written(self.margin)
        return mean_bets([Fraction(0), Fraction(-1), null, null - 1])


@dataclass(frozen=True, slots=True)
class PairedScoreHarm:
    """Harm on paired losses. Null: the mean difference, candidate minus incumbent, never exceeds the margin.

    `values` is the difference of each bin, in any bounded units.
    """

    values: tuple[float, ...]
    margin: float = 0.0

    def __post_init__(self) -> None:
        _check(self.values, margin=self.margin, positive=False)

    @property
    def bins(self) -> int:
        return len(self.values)

    def bets(self) -> Bets:
        return mean_bets([written(value) - written(self.margin) for value in self.values])


@dataclass(frozen=True, slots=True)
class PairedScorePass:
    """Proof on paired losses. Null: the mean difference, candidate minus incumbent, is at least the margin."""

    values: tuple[float, ...]
    margin: float

    def __post_init__(self) -> None:
        _check(self.values, margin=self.margin, positive=True)

    @property
    def bins(self) -> int:
        return len(self.values)

    def bets(self) -> Bets:
        return mean_bets([written(self.margin) - written(value) for value in self.values])


def _check(values: tuple[float, ...], *, margin: float, positive: bool) -> None:
    exact = check_values(values)
    check_margin(margin, positive=positive)
    if not min(exact) < written(margin) < max(exact):
        raise ValueError(f"the margin {margin} must lie inside the differences {values}")
