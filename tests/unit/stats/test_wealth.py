"""Wealth is read in one way only: in no order, on every machine, and exactly at the line."""

import gc
import tracemalloc
from dataclasses import dataclass
from fractions import Fraction
from math import inf, log, nan

import pytest

from glideslope.stats.counts import Table, Tally
from glideslope.stats.guard import RateGuard
from glideslope.stats.label import BinsHarm, EventHarm
from glideslope.stats.paired import PairedHarm, pairs
from glideslope.stats.split import SplitTest
from glideslope.stats.wealth import Bets, anytime_p, crossed, log_wealth


@dataclass(frozen=True, slots=True)
class Doubling:
    """Twice the wealth or half of it."""

    @property
    def bins(self) -> int:
        return 2

    def bets(self) -> Bets:
        return Bets.of(prior=(Fraction(1),), factors=[(Fraction(2), Fraction(1, 2))])


def by_hand(base: float, table: Table) -> float:
    """Wealth as section 1.1 of the reference writes it, in plain floats."""
    pi = table.candidate_weight / (table.candidate_weight + table.control_weight)
    wealth = 0.0
    for ratio in (1.2, 1.5, 2, 3.5, 8, 25):
        product = 1.0
        for bin_, r in enumerate(((1 - ratio * base) / (1 - base), ratio)):
            q = pi * r / (pi * r + 1 - pi)
            product *= (q / pi) ** table.candidate[bin_] * ((1 - q) / (1 - pi)) ** table.incumbent[bin_]
        wealth += product / 6
    return wealth


@pytest.mark.parametrize(
    "table",
    [
        Table(500, 9500, (100, 5), (1900, 20)),
        Table(1, 1, (0, 3), (2, 0)),
        Table(1, 3, (1000, 0), (2900, 100)),
    ],
)
def test_wealth_is_the_formula_of_the_literature(table: Table) -> None:
    assert log_wealth(EventHarm(0.01), [table]) == pytest.approx(log(by_hand(0.01, table)), abs=1e-12)


@pytest.mark.parametrize(
    ("wealth", "bits"),
    [
        (log_wealth(EventHarm(0.01), [Table(500, 9500, (980, 20), (19800, 200))]), "0x1.31373752f55d1p+1"),
        (log_wealth(RateGuard(0.01), Tally((980, 20))), "0x1.7480b55e40b8bp+1"),
        (log_wealth(SplitTest(), [Table(1, 1, (450,), (550,))]), "0x1.3a4bf77dcb142p+1"),
    ],
)
def test_wealth_has_these_very_bits(wealth: float, bits: str) -> None:
    """Golden: a change here means that recorded evidence no longer recomputes."""
    assert wealth.hex() == bits


def test_no_evidence_is_no_wealth_gained() -> None:
    assert log_wealth(EventHarm(0.01), []) == 0.0
    assert not crossed(EventHarm(0.01), [], 0.99)
    assert log_wealth(EventHarm(0.01), [Table(1, 1, (0, 0), (0, 0))]) == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("power", [1, 5, 10, 16])
def test_wealth_of_exactly_one_over_alpha_has_crossed(power: int) -> None:
    assert crossed(Doubling(), Tally((power, 0)), 2.0**-power)
    assert crossed(Doubling(), Tally((power + 10**9, 10**9)), 2.0**-power)


@pytest.mark.parametrize("power", [1, 5, 10, 16])
def test_one_part_in_ten_to_the_fifteen_below_the_line_has_not_crossed(power: int) -> None:
    """Closer than floats can tell: decimals decide."""
    assert not crossed(Doubling(), Tally((power, 0)), 2.0**-power * (1 - 2**-50))
    assert crossed(Doubling(), Tally((power, 0)), 2.0**-power * (1 + 2**-50))


def test_crossing_and_wealth_say_the_same() -> None:
    test = EventHarm(0.01)
    verdicts = set()
    for bad in range(40):
        for tables in (
            [Table(500, 9500, (1000 - bad, bad), (19_800, 200))],
            [Table(500, 9500, (1000 - bad, bad), (19_800, 200)), Table(1, 1, (90, 1), (90, 1))],
        ):
            for alpha in (0.3, 0.05, 0.01):
                verdict = crossed(test, tables, alpha)
                verdicts.add(verdict)
                assert verdict == (log_wealth(test, tables) >= log(1 / alpha))

    assert verdicts == {True, False}


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, 2.0, nan, inf])
def test_an_alpha_outside_zero_and_one_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        crossed(EventHarm(0.01), [Table(1, 1, (1, 0), (1, 0))], alpha)


def test_evidence_with_other_bins_is_refused() -> None:
    with pytest.raises(ValueError, match="expects 2 bins"):
        log_wealth(EventHarm(0.01), [Table(1, 1, (1, 0, 0), (1, 0, 0))])
    with pytest.raises(ValueError, match="expects 4 bins"):
        log_wealth(PairedHarm(), Tally((1, 2)))


@pytest.mark.parametrize(
    ("prior", "factors"),
    [
        ((Fraction(1, 2),), [(Fraction(1),)]),
        ((Fraction(1), Fraction(0)), [(Fraction(1),), (Fraction(1),)]),
        ((Fraction(1),), [(Fraction(0),)]),
        ((Fraction(1),), []),
    ],
)
def test_bets_that_are_no_bets_are_refused(prior: tuple[Fraction, ...], factors: list[tuple[Fraction, ...]]) -> None:
    with pytest.raises(ValueError, match=r"prior|wealth"):
        Bets.of(prior=prior, factors=factors)


def test_a_p_value_is_the_inverse_of_the_wealth_and_never_above_one() -> None:
    assert anytime_p(-3.0) == 1.0
    assert anytime_p(log(20)) == pytest.approx(0.05)


def test_only_disagreements_move_paired_harm() -> None:
    few = log_wealth(PairedHarm(), pairs(both_good=10, candidate_bad=9, incumbent_bad=2, both_bad=0))
    many = log_wealth(PairedHarm(), pairs(both_good=10**6, candidate_bad=9, incumbent_bad=2, both_bad=500))

    assert few == many


def test_what_is_kept_of_a_test_after_a_look_is_small() -> None:
    """Rates taken from traffic make each rollout's tests its own, and a server sees thousands of rollouts."""
    evidence = [Table(1, 1, (3,) * 33, (3,) * 33)]

    def look(number: int) -> None:
        test = BinsHarm(reference=(100 + number, *[10] * 32), edges=tuple(float(e) for e in range(1, 33)))
        assert not crossed(test, evidence, 0.01)

    look(0)
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(1, 21):
            look(number)
        gc.collect()
        kept = (tracemalloc.get_traced_memory()[0] - before) / 20
    finally:
        tracemalloc.stop()

    assert kept < 80_000
