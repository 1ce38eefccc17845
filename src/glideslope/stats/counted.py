"""Counts per subject (retries, warnings) in ordered bins: the label bet, with alternatives made for counts.

No distribution of the counts is assumed. A test that takes them for Poisson is invalid as soon as some subjects have
more of them than others, which is what retries do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise

from glideslope.stats.betting import label_bets, monotone, priors
from glideslope.stats.reals import written
from glideslope.stats.wealth import Bets

TILTS = (1.1, 1.22, 1.4, 1.7)
"""Each half count more is this many times as likely, beside what is usual: what a larger mean of most distributions looks like."""

ODDS = (1.5, 3.5, 12.0)
"""The odds of exceeding any number are multiplied."""

TAILS = (0.005, 0.02, 0.1)
"""This share of the subjects lands in the last bin; and once as many as the largest evenly in the upper half of the bins."""

PRIOR = (0.14, 0.14, 0.14, 0.1, 0.07, 0.035, 0.015, 0.14, 0.14, 0.07, 0.01)
"""Of the unit of wealth, per alternative in this order: tuned on means 1.5 to 4 times as large and loops of 0.3 to 5 % of the subjects."""

_STEEPEST = 40
"""Half counts beyond which a tilt does not grow: the last bins are rare enough."""

REFERENCE = 1_000_000
"""Subjects of a reference that is made up from a mean alone."""


@dataclass(frozen=True, slots=True)
class CountHarm:
    """Harm on counts, in ordered bins. Null: the candidate's count is stochastically never larger.

    `reference` is the incumbent's histogram over the same bins, and `values` the count that each stands for, ascending from
    0; being wrong about either costs power, never the guarantee. Without a `prior` the tilts have two parts each and every other
    alternative one, as in plans of older releases.
    """

    reference: tuple[int, ...]
    values: tuple[float, ...]
    prior: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        counts = self.reference
        if len(counts) < 2 or any(type(count) is not int or count < 0 for count in counts) or not sum(counts):
            raise ValueError(f"a reference must be two or more counts, not all zero, got {counts}")
        if len(self.values) != len(counts) or min(self.values) < 0 or list(self.values) != sorted(self.values):
            raise ValueError(f"{len(counts)} bins stand for as many counts from 0 up, ascending, got {self.values}")
        priors(self.prior, size=len(PRIOR))

    def __hash__(self) -> int:
        # Looked up at every look: the rest would cost more than it tells apart.
        return hash(self.reference)

    @property
    def bins(self) -> int:
        return len(self.reference)

    def likelihoods(self) -> list[tuple[Fraction, ...]]:
        """Return the likelihood ratios per alternative and bin, never decreasing."""
        smooth = self._smooth()
        below = tuple(accumulate(smooth))[:-1]
        usual = sum(p * written(value) for p, value in zip(smooth, self.values, strict=True))
        halves = [min(_STEEPEST, int(2 * written(value) / max(Fraction(1), usual))) for value in self.values]
        moved = [_below([p * written(tilt) ** half for p, half in zip(smooth, halves, strict=True)]) for tilt in TILTS]
        moved += [[p / (p + written(odds) * (1 - p)) for p in below] for odds in ODDS]
        moved += [[(1 - written(share)) * p for p in below] for share in TAILS]
        half, share = self.bins // 2, written(TAILS[-1])
        upper = [Fraction(max(0, k + 1 - half), self.bins - half) for k in range(self.bins - 1)]
        moved.append([(1 - share) * p + share * up for p, up in zip(below, upper, strict=True)])
        return [monotone(smooth, cumulated=row) for row in moved]

    def more(self, *, odds: float) -> tuple[Sequence[float], Sequence[float]]:
        """Return the chances per bin as they are usually, and where the odds of exceeding any number are so many times as high."""
        smooth = self._smooth()
        below = [p / (p + written(odds) * (1 - p)) for p in accumulate(smooth)]
        return [float(p) for p in smooth], [float(high - low) for low, high in pairwise((Fraction(0), *below))]

    def bets(self, pi: Fraction) -> Bets:
        rows = self.likelihoods()
        parts = [2] * len(TILTS) + [1] * (len(rows) - len(TILTS))
        prior = priors(self.prior, size=len(rows)) if self.prior else [Fraction(part, sum(parts)) for part in parts]
        return label_bets(pi=pi, prior=prior, likelihoods=rows)

    def _smooth(self) -> list[Fraction]:
        # Half a count more in each bin: an empty bin of the reference must not make one subject decisive.
        return [Fraction(2 * count + 1, 2 * sum(self.reference) + self.bins) for count in self.reference]


def _below(weights: Sequence[Fraction]) -> list[Fraction]:
    """Return the chance up to each inner edge, of bins that are as likely as their weights."""
    total = sum(weights)
    return [part / total for part in accumulate(weights)][:-1]


def usual_counts(mean: float, *, edges: Sequence[float]) -> tuple[int, ...]:
    """Return a reference for a mean alone: geometric, the widest usual shape; *edges* are the bins' largest counts."""
    if not written(mean) > 0:
        raise ValueError(f"a usual mean must lie above 0, got {mean!r}")
    more = written(mean) / (1 + written(mean))
    beyond = [Fraction(1), *(more ** (int(edge) + 1) for edge in edges), Fraction(0)]
    return tuple(round((high - low) * REFERENCE) for high, low in pairwise(beyond))
