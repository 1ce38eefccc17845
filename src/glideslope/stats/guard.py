"""Absolute guard: is a rate of bad above its limit, whatever the other arm does? Sees harm that hits both arms."""

from dataclasses import dataclass

from glideslope.stats.betting import check_ratios, equal, raised
from glideslope.stats.reals import written
from glideslope.stats.wealth import Bets

RATIOS = (1.5, 2.0, 4.0, 10.0)
"""How many times the limit a broken service may reach."""


@dataclass(frozen=True, slots=True)
class RateGuard:
    """One-sample test on a tally (good, bad). Null: given the past, the rate of bad is never above the limit.

    Robbins' mixture of likelihood ratios against the limit (Howard et al. 2021).
    """

    limit: float
    ratios: tuple[float, ...] = RATIOS

    def __post_init__(self) -> None:
        if not 0 < written(self.limit) < 1:
            raise ValueError(f"a limit must lie between 0 and 1, got {self.limit!r}")
        check_ratios(self.ratios, above=1.0)

    @property
    def bins(self) -> int:
        return 2

    def bets(self) -> Bets:
        limit = written(self.limit)
        rates = [raised(limit, ratio=written(ratio)) for ratio in self.ratios]
        return Bets.of(prior=equal(len(rates)), factors=[((1 - rate) / (1 - limit), rate / limit) for rate in rates])
