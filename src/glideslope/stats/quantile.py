"""Tests about one quantile: who exceeds more often the threshold that was the incumbent's quantile at first.

The bins are those of the whole distribution; what lies beyond the cut is bad. The candidate's values are divided by its
tolerance before they are binned, so "worse" means: beyond the threshold by more than the margin.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from glideslope.stats.betting import label_bets, priors
from glideslope.stats.label import RATIOS, EventHarm
from glideslope.stats.reals import written
from glideslope.stats.wealth import Bets

_LEAST = Fraction(1, 25)
"""However much the margin tolerates, an equal candidate is taken to exceed the tolerated threshold this often, in parts."""


@dataclass(frozen=True, slots=True)
class QuantileHarm:
    """Harm at a quantile. Null: the candidate's value divided by its tolerance exceeds the threshold no more often.

    `level` is the quantile (0.99), so the incumbent usually exceeds it in 1 - level; being wrong costs power only. Bins
    from `cut` on lie beyond the threshold.
    """

    level: float
    cut: int
    size: int

    def __post_init__(self) -> None:
        _check(self.level, cut=self.cut, size=self.size)

    @property
    def bins(self) -> int:
        return self.size

    def bets(self, pi: Fraction) -> Bets:
        return _spread(EventHarm(_beyond(self.level)), cut=self.cut, size=self.size, pi=pi)


@dataclass(frozen=True, slots=True)
class QuantilePass:
    """Proof at a quantile, on tables with the arms swapped. Null: the candidate, so tolerated, exceeds it as often or more.

    `tolerated` is how often an equal candidate, divided by its tolerance, would exceed the threshold.
    """

    level: float
    tolerated: float
    cut: int
    size: int

    def __post_init__(self) -> None:
        _check(self.level, cut=self.cut, size=self.size)
        if not 0 <= written(self.tolerated) <= 1 - written(self.level):
            raise ValueError(
                f"what is tolerated must be exceeded less often than {_beyond(self.level)}, got {self.tolerated}"
            )

    @property
    def bins(self) -> int:
        return self.size

    def bets(self, pi: Fraction) -> Bets:
        usual = written(_beyond(self.level))
        base = max(written(self.tolerated), usual * _LEAST)
        equal = max(usual / base, written(RATIOS[0]))
        # Half on a candidate that is truly equal, the rest on others that differ more or less.
        ratios = (round(float(equal), 6), *RATIOS[:-1])
        test = EventHarm(round(float(base), 9), ratios=ratios, prior=(0.5, *(0.1,) * (len(ratios) - 1)))
        return _spread(test, cut=self.cut, size=self.size, pi=pi)


def _beyond(level: float) -> float:
    return float(1 - written(level))


def _check(level: float, *, cut: int, size: int) -> None:
    if not 0 < written(level) < 1:
        raise ValueError(f"a quantile must lie between 0 and 1, got {level!r}")
    if not 0 < cut < size:
        raise ValueError(f"the threshold must divide the {size} bins, got {cut}")


def _spread(test: EventHarm, *, cut: int, size: int, pi: Fraction) -> Bets:
    likelihoods: Sequence[Sequence[Fraction]] = [
        (good,) * cut + (bad,) * (size - cut) for good, bad in test.likelihoods()
    ]
    return label_bets(pi=pi, prior=priors(test.prior, size=len(test.ratios)), likelihoods=likelihoods)
