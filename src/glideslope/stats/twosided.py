"""Do two arms see the same? A bet on the arm from any difference, in either direction, where no bin is worse than another."""

from dataclasses import dataclass
from fractions import Fraction

from glideslope.stats.betting import equal
from glideslope.stats.wealth import Bets

_PLACE = (Fraction(1, 3), Fraction(3))
_CUT = (Fraction(1, 2), Fraction(4, 5), Fraction(5, 4), Fraction(2))


@dataclass(frozen=True, slots=True)
class PlacesDiffer:
    """Two-sample test on label bets. Null: given the past, a counted subject falls into each bin with equal chance in both arms.

    Under it the mean factor of *any* likelihood ratio is 1 (it is a function of the bin alone, so its mean is the same in both
    arms), so none need be monotone as in `BinsHarm`. Half of the prior bets on single bins, half on all beyond a cut.
    """

    bins: int

    def __post_init__(self) -> None:
        if self.bins < 2:
            raise ValueError(f"a difference needs two bins or more, got {self.bins}")

    def likelihoods(self) -> list[tuple[Fraction, ...]]:
        """Return the likelihood ratios per alternative and bin, candidate over incumbent."""
        one = Fraction(1)
        single = [tuple(r if k == b else one for k in range(self.bins)) for b in range(self.bins) for r in _PLACE]
        beyond = [tuple(r if k >= c else one for k in range(self.bins)) for c in range(1, self.bins) for r in _CUT]
        return [*single, *beyond]

    def bets(self, pi: Fraction) -> Bets:
        factors = []
        for ratios in self.likelihoods():
            mixed = [pi * ratio + 1 - pi for ratio in ratios]
            factors.append([r / m for r, m in zip(ratios, mixed, strict=True)] + [1 / m for m in mixed])
        singles, cuts = self.bins * len(_PLACE), (self.bins - 1) * len(_CUT)
        prior = [w / 2 for w in equal(singles)] + [w / 2 for w in equal(cuts)]
        return Bets.of(prior=prior, factors=factors)
