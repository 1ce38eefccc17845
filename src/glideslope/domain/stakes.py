"""What is staked on an event's harm, and for which strata: chosen when a plan is frozen, and written in it.

A plan of an older release has no stakes, and its tests bet as they did.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import msgspec

from glideslope.domain.evidence import Counts
from glideslope.domain.ids import StepName
from glideslope.domain.traffic import Weights
from glideslope.stats import credit
from glideslope.stats.counts import Table
from glideslope.stats.label import EventHarm
from glideslope.stats.strata import side_by_side
from glideslope.stats.wealth import Test

RARE: Final = 0.02
"""Up to this rate good outcomes say less than the credit that is given for doing without them: at 2 % they say as much."""


class Credit(msgspec.Struct, frozen=True, cache_hash=True, forbid_unknown_fields=True):
    """Stakes while all bad outcomes are under one coin and they are few: raised by what the last bet would overshoot.

    The coin is given by its weights, candidate and control. Computed for one alpha, and valid for it alone.
    """

    candidate: int
    control: int
    alpha: float
    stakes: tuple[float, ...]


class Stakes(msgspec.Struct, frozen=True, cache_hash=True, forbid_unknown_fields=True):
    """Alternatives, as ratios of the rates of bad, and what each of them starts with.

    `goods` tells whether good outcomes are bet on too; only without them can there be credit.
    """

    goods: bool
    ratios: tuple[float, ...]
    stakes: tuple[float, ...]
    credits: tuple[Credit, ...] = ()


class Strata(msgspec.Struct, frozen=True, cache_hash=True, forbid_unknown_fields=True):
    """The field whose values are strata, and the incumbent's usual rate or mean in each, in the order of the values.

    Subjects with any other value are the last stratum, whose usual rate is the guardrail's.
    """

    field: str
    usual: tuple[float, ...]
    whole: bool | msgspec.UnsetType = msgspec.UNSET
    """Whether means are judged over all strata at once. Without, each stratum is staked for itself, as plans did at first:
    their proofs are of the margin in every stratum, and say nothing where only some are beyond it."""


def stakes_of(base_rate: float, *, coin: Weights | None, alphas: Sequence[float], stratified: bool) -> Stakes:
    """Choose the stakes for an event of this rate, asked with these alphas; `coin` is that of the first step that has one.

    Strata say nothing to who bets on bad outcomes alone, since it is by what is usual among the good ones that they differ.
    """
    if stratified:  # here they are ratios of odds, which have no end
        return Stakes(goods=True, ratios=credit.RATIOS, stakes=credit.SHARES)
    if base_rate > RARE:
        return Stakes(goods=True, ratios=credit.FREQUENT_RATIOS, stakes=credit.FREQUENT_SHARES)
    plain = credit.reserved()
    weights = [] if coin is None else [(coin.candidate, coin.control)]
    return Stakes(
        goods=False,
        ratios=credit.RATIOS,
        stakes=plain,
        credits=tuple(
            Credit(*pair, alpha, credit.credited(credit.RATIOS, plain, coin=pair, alpha=alpha))
            for pair in weights
            for alpha in dict.fromkeys(alphas)
        ),
    )


def staked_harm(stakes: Stakes, *, base_rate: float, alpha: float, tables: Sequence[Table] | None) -> Test:
    """Return the test of harm that these outcomes are put to, None for malformed ones."""
    for at, each in enumerate(stakes.credits):
        if each.alpha == alpha and credit.applies(tables or (), coin=(each.candidate, each.control)):
            return _tests(stakes, base_rate)[at + 1]
    return _tests(stakes, base_rate)[0]


def unstaked(stakes: Stakes, *, base_rate: float) -> Test:
    """Return the test of harm without any credit: what is asked once the coin has changed, or of any alpha."""
    return _tests(stakes, base_rate)[0]


@lru_cache(maxsize=1024)
def _tests(stakes: Stakes, base_rate: float) -> tuple[Test, ...]:
    """Return the test without credit, then that of each credit: asked at every look, and dear to make."""
    if stakes.goods:
        return (EventHarm(base_rate, ratios=stakes.ratios, prior=stakes.stakes),)
    return tuple(
        credit.StakedHarm(stakes.ratios, each) for each in (stakes.stakes, *(c.stakes for c in stakes.credits))
    )


def by_strata(
    found: Sequence[tuple[Sequence[Counts], tuple[Table, ...] | None]],
) -> tuple[Table, ...] | None:
    """Return the whole's tables with each stratum's bins beside the other's, None if anything is malformed.

    Given are the rows and tables of the whole, then those of each stratum. A step without a stratum's row has none of it.
    """
    steps: list[dict[StepName, Table]] = []
    for rows, tables in found:
        if tables is None:
            return None
        steps.append({row.step: table for row, table in zip(rows, tables, strict=True)})
    whole, *parts = steps
    try:
        return tuple(
            side_by_side(table, [part.get(step, _empty(table)) for part in parts]) for step, table in whole.items()
        )
    except ValueError:  # a stratum holds what the whole does not
        return None


def _empty(like: Table) -> Table:
    none = (0,) * like.bins
    return Table(like.candidate_weight, like.control_weight, none, none)
