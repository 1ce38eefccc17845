"""Strata: one test over groups of subjects that are known before the coin is tossed, each with an expectation of its own.

A prediction of the outcome that does not look at the arm takes away what it explains, and validity is untouched: given the
stratum and all before, each factor still has a mean of at most 1 under the null. (The exact, anytime form of CUPED and of
regression adjustment; Turner & Gruenwald 2023 for two proportions. See docs/explanation/closer-to-the-limit.md.)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from glideslope.stats.betting import check_base_rate, check_ratios, label_bets, priors
from glideslope.stats.counts import Table
from glideslope.stats.reals import written
from glideslope.stats.wealth import Bets, Test


@dataclass(frozen=True, slots=True)
class OddsHarm:
    """Harm on a binary event within a stratum, bins (good, bad). Null: the candidate's rate of bad never exceeds the incumbent's.

    Alternatives multiply the odds of bad, not its rate: across strata of very different rates, what a worse model does is
    nearer to that. `usual` is the incumbent's rate here: being wrong about it costs power, never the guarantee.
    """

    usual: float
    ratios: tuple[float, ...]
    prior: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        check_base_rate(self.usual)
        check_ratios(self.ratios, above=1.0)
        priors(self.prior, size=len(self.ratios))

    @property
    def bins(self) -> int:
        return 2

    def bets(self, pi: Fraction) -> Bets:
        rate = written(self.usual)
        odds = [written(ratio) for ratio in self.ratios]
        likelihoods = [(1 / (1 - rate + each * rate), each / (1 - rate + each * rate)) for each in odds]
        return label_bets(pi=pi, prior=priors(self.prior, size=len(odds)), likelihoods=likelihoods)


@dataclass(frozen=True, slots=True)
class Stratified:
    """One test per stratum, the same alternative in all of them at once: its bins are those of the first, then the next.

    Null: that of the parts, in every stratum. Where the parts test means, it is that of the mean within each.
    """

    parts: tuple[Test, ...]

    def __post_init__(self) -> None:
        if not self.parts:
            raise ValueError("there must be at least one stratum")

    @property
    def bins(self) -> int:
        return sum(part.bins for part in self.parts)

    def bets(self, pi: Fraction) -> Bets:
        """Return the bets side by side. Raises `ValueError` if the parts' alternatives have other priors."""
        each = [part.bets(pi) for part in self.parts]
        if len({bets.prior for bets in each}) > 1:
            raise ValueError("the strata must be tested for the same alternatives")
        factors = []
        for rows in zip(*(bets.factors for bets in each), strict=True):
            halves = [(row[: len(row) // 2], row[len(row) // 2 :]) for row in rows]
            factors.append(
                [f for candidate, _ in halves for f in candidate] + [f for _, other in halves for f in other]
            )
        return Bets.of(prior=each[0].prior, factors=factors)


def side_by_side(whole: Table, parts: Sequence[Table]) -> Table:
    """Return one table with the bins of every stratum, and last those of the subjects in none.

    Raises `ValueError` if the strata hold what the whole does not, or were tossed with another coin.
    """
    coin = (whole.candidate_weight, whole.control_weight)
    if any((part.candidate_weight, part.control_weight) != coin for part in parts):
        raise ValueError("the strata of a step share its coin")
    # `Table` refuses the counts below zero that come of strata which hold too much.
    return Table(
        *coin,
        _rows(whole.candidate, [part.candidate for part in parts]),
        _rows(whole.incumbent, [part.incumbent for part in parts]),
    )


def _rows(whole: tuple[int, ...], parts: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    rest = tuple(all_ - sum(each) for all_, *each in zip(whole, *parts, strict=True))
    return tuple(count for row in (*parts, rest) for count in row)
