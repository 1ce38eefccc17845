"""Label tests: bet on which arm served a subject, given how it ended.

If the candidate is not worse, a bad outcome says nothing extra about the arm, so no bettor gains: for any base rate,
any drift and any ramp. (Lindon & Malek 2022; Turner, Ly & Gruenwald 2024; Podkopaev & Ramdas 2023; the proof is in
docs/explanation/label-e-process.md.)
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise

from glideslope.stats.betting import (
    check_base_rate,
    check_margin,
    check_ratios,
    errors_only_bets,
    label_bets,
    monotone,
    priors,
    raised,
)
from glideslope.stats.reals import written
from glideslope.stats.wealth import Bets

RATIOS = (1.2, 1.5, 2.0, 3.5, 8.0, 25.0)
"""How many times worse a candidate may be: the best of six priors tried over 18 settings, with equal weights."""

PASS_RATIOS = (1.0, 0.25, 0.5, 0.7, 0.85, 0.95, 1.05)
"""Where a candidate that passes may lie; half the weight is on the first, truly equal."""

SCALES = (1.03, 1.08, 1.15, 1.3, 1.6, 2.5)
"""Everything takes this many times as long."""

TAILS = tuple((share, scale) for share in (0.005, 0.015, 0.05, 0.15) for scale in (2.5, 8.0))
"""A share of the requests takes this many times as long: invisible in the mean, felt by the users in the tail."""

ODDS = (1.1, 1.25, 1.5, 2.0, 4.0, 10.0)
"""For bins without edges: the odds of landing beyond any cut are multiplied."""


@dataclass(frozen=True, slots=True)
class EventHarm:
    """Harm on a binary event, bins (good, bad). Null: the candidate's rate of bad never exceeds the incumbent's.

    `base_rate` is the incumbent's usual rate of bad: being wrong about it costs power, never the guarantee. Alternatives
    are `ratios` of the rates, with the weights of `prior` (equal if empty).
    """

    base_rate: float
    ratios: tuple[float, ...] = RATIOS
    prior: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        check_base_rate(self.base_rate)
        check_ratios(self.ratios, above=1.0)
        priors(self.prior, size=len(self.ratios))

    def __hash__(self) -> int:
        # Looked up at every look: the rest would cost more than it tells apart.
        return hash(self.base_rate)

    @property
    def bins(self) -> int:
        return 2

    def likelihoods(self) -> list[tuple[Fraction, Fraction]]:
        """Return (good, bad) likelihood ratios per alternative."""
        base = written(self.base_rate)
        if base == 0:
            return [(Fraction(1), written(ratio)) for ratio in self.ratios]
        rates = [raised(base, ratio=written(ratio)) for ratio in self.ratios]
        return [((1 - rate) / (1 - base), rate / base) for rate in rates]

    def bets(self, pi: Fraction) -> Bets:
        return label_bets(pi=pi, prior=priors(self.prior, size=len(self.ratios)), likelihoods=self.likelihoods())


@dataclass(frozen=True, slots=True)
class EventHarmBeyond:
    """Harm beyond a tolerated margin, bins (good, bad). Null: the ratio of rates never exceeds 1 + margin."""

    margin: float
    ratios: tuple[float, ...] = RATIOS
    prior: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        check_margin(self.margin)
        check_ratios(self.ratios, above=1.0)
        priors(self.prior, size=len(self.ratios))

    @property
    def bins(self) -> int:
        return 2

    def bets(self, pi: Fraction) -> Bets:
        null = 1 + written(self.margin)
        return errors_only_bets(
            pi=pi,
            null=null,
            prior=priors(self.prior, size=len(self.ratios)),
            ratios=[null * written(ratio) for ratio in self.ratios],
        )


@dataclass(frozen=True, slots=True)
class RatioPass:
    """Proof of "not worse by more than the margin", bins (good, bad). Null: the ratio of rates is at least 1 + margin.

    `base_rate`, if known, only refuses margins that no candidate could break; the bets do not need it.
    """

    margin: float
    base_rate: float | None = None

    def __post_init__(self) -> None:
        check_margin(self.margin, positive=True)
        if self.base_rate is not None:
            check_base_rate(self.base_rate)
            if written(self.base_rate) * (1 + written(self.margin)) >= 1:
                raise ValueError(
                    f"a margin of {self.margin} at a base rate of {self.base_rate} lets every candidate pass"
                )

    @property
    def bins(self) -> int:
        return 2

    def bets(self, pi: Fraction) -> Bets:
        null = 1 + written(self.margin)
        sure, *others = [written(ratio) for ratio in PASS_RATIOS if written(ratio) < null]
        return errors_only_bets(
            pi=pi,
            null=null,
            prior=(Fraction(1, 2), *(Fraction(1, 2 * len(others)),) * len(others)),
            ratios=[sure, *others],
        )


@dataclass(frozen=True, slots=True)
class BinsHarm:
    """Harm on ordered bins, worst last. Null: the candidate's outcome is stochastically never worse.

    `reference` is the incumbent's histogram over the same bins, and `edges` the positive, increasing values between them
    (one fewer than bins), from which alternatives are computed; a wrong reference costs power, never the guarantee.
    Without edges the bins are grades, and the alternatives multiply the odds of landing beyond each cut.
    """

    reference: tuple[int, ...]
    edges: tuple[float, ...] = ()
    prior: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        counts = self.reference
        if len(counts) < 2 or any(type(count) is not int or count < 0 for count in counts) or not sum(counts):
            raise ValueError(f"a reference must be two or more counts, not all zero, got {counts}")
        if self.edges:
            exact = [written(edge) for edge in self.edges]
            increasing = all(low < high for low, high in pairwise(exact))
            if len(exact) != len(counts) - 1 or exact[0] <= 0 or not increasing:
                raise ValueError(
                    f"{len(counts)} bins need {len(counts) - 1} positive increasing edges, got {self.edges}"
                )
        priors(self.prior, size=self._alternatives())

    def __hash__(self) -> int:
        # Looked up at every look: the rest would cost more than it tells apart.
        return hash(self.reference)

    @property
    def bins(self) -> int:
        return len(self.reference)

    def _alternatives(self) -> int:
        return len(SCALES) + len(TAILS) if self.edges else len(ODDS)

    def likelihoods(self) -> list[tuple[Fraction, ...]]:
        """Return the likelihood ratios per alternative and bin, never decreasing, rounded to nine places."""
        # Half a count more in each bin: an empty bin of the reference must not make one request decisive.
        smooth = [Fraction(2 * count + 1, 2 * sum(self.reference) + len(self.reference)) for count in self.reference]
        below = tuple(accumulate(smooth))[:-1]
        if self.edges:
            edges = [written(edge) for edge in self.edges]
            shifted = [_scaled(below, edges=edges, scale=written(scale)) for scale in SCALES]
            for share, scale in TAILS:
                slow = _scaled(below, edges=edges, scale=written(scale))
                kept = 1 - written(share)
                shifted.append([kept * p + (1 - kept) * s for p, s in zip(below, slow, strict=True)])
        else:
            shifted = [[p / (p + written(odds) * (1 - p)) for p in below] for odds in ODDS]
        return [monotone(smooth, cumulated=row) for row in shifted]

    def bets(self, pi: Fraction) -> Bets:
        return label_bets(pi=pi, prior=priors(self.prior, size=self._alternatives()), likelihoods=self.likelihoods())


def _scaled(below: Sequence[Fraction], *, edges: Sequence[Fraction], scale: Fraction) -> list[Fraction]:
    """Return P(scale * X <= edge) per edge, for X with P(X <= edge) = below."""
    return [_distribution(edge / scale, below=below, edges=edges) for edge in edges]


def _distribution(x: Fraction, *, below: Sequence[Fraction], edges: Sequence[Fraction]) -> Fraction:
    """Interpolate P(X <= x) for x up to the last edge: straight within a bin, from the origin in the first."""
    at = bisect_left(edges, x)
    low, p_low = (edges[at - 1], below[at - 1]) if at else (Fraction(0), Fraction(0))
    return p_low + (below[at] - p_low) * (x - low) / (edges[at] - low)
