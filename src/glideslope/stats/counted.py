"""Counts per subject (retries, warnings) in ordered bins: the label bet, with alternatives made for counts.

No distribution of the counts is assumed. A test that takes them for Poisson is invalid as soon as some subjects have
more of them than others, which is what retries do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise

from glideslope.stats.betting import equal, label_bets, monotone
from glideslope.stats.reals import written
from glideslope.stats.wealth import Bets

ODDS = (1.2, 1.5, 2.0, 3.5, 8.0, 25.0)
"""The odds of exceeding any number are multiplied."""

TAILS = (0.005, 0.015, 0.05, 0.15)
"""This share of the subjects lands in the last bin, or evenly in the upper half of the bins."""

REFERENCE = 1_000_000
"""Subjects of a reference that is made up from a mean alone."""


@dataclass(frozen=True, slots=True)
class CountHarm:
    """Harm on counts, in ordered bins. Null: the candidate's count is stochastically never larger.

    `reference` is the incumbent's histogram over the same bins; a wrong one costs power, never the guarantee.
    """

    reference: tuple[int, ...]

    def __post_init__(self) -> None:
        counts = self.reference
        if len(counts) < 2 or any(type(count) is not int or count < 0 for count in counts) or not sum(counts):
            raise ValueError(f"a reference must be two or more counts, not all zero, got {counts}")

    @property
    def bins(self) -> int:
        return len(self.reference)

    def likelihoods(self) -> list[tuple[Fraction, ...]]:
        """Return the likelihood ratios per alternative and bin, never decreasing."""
        # Half a count more in each bin: an empty bin of the reference must not make one subject decisive.
        smooth = [Fraction(2 * count + 1, 2 * sum(self.reference) + self.bins) for count in self.reference]
        below = tuple(accumulate(smooth))[:-1]
        moved = [[p / (p + written(odds) * (1 - p)) for p in below] for odds in ODDS]
        half = self.bins // 2
        for share in map(written, TAILS):
            moved.append([(1 - share) * p for p in below])
            upper = [Fraction(max(0, k + 1 - half), self.bins - half) for k in range(self.bins - 1)]
            moved.append([(1 - share) * p + share * up for p, up in zip(below, upper, strict=True)])
        return [monotone(smooth, cumulated=row) for row in moved]

    def bets(self, pi: Fraction) -> Bets:
        rows = self.likelihoods()
        return label_bets(pi=pi, prior=equal(len(rows)), likelihoods=rows)


def usual_counts(mean: float, *, edges: Sequence[float]) -> tuple[int, ...]:
    """Return a reference for a mean alone: geometric, the widest usual shape; *edges* are the bins' largest counts."""
    if not written(mean) > 0:
        raise ValueError(f"a usual mean must lie above 0, got {mean!r}")
    more = written(mean) / (1 + written(mean))
    beyond = [Fraction(1), *(more ** (int(edge) + 1) for edge in edges), Fraction(0)]
    return tuple(round((high - low) * REFERENCE) for high, low in pairwise(beyond))
