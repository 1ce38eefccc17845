"""Strata: one test over groups that are known beforehand, fair in each, and quicker where they explain the outcome."""

from fractions import Fraction
from itertools import product
from math import exp

import pytest

from glideslope.stats.counts import Table
from glideslope.stats.label import EventHarm, RatioPass
from glideslope.stats.score import DifferenceHarm, DifferencePass, ScoreHarm, StrataMean
from glideslope.stats.strata import OddsHarm, Stratified, side_by_side
from glideslope.stats.wealth import Bets, log_wealth

SHARES = [Fraction(1, 20), Fraction(1, 4), Fraction(1, 2), Fraction(9, 10)]
RATES = (0.05, 0.4, 0.2)

ODDS = (1.2, 2.0, 8.0)
HARM = [
    Stratified(tuple(OddsHarm(rate, ODDS, (0.5, 0.25, 0.25)) for rate in RATES)),
    Stratified(tuple(map(EventHarm, RATES))),
    Stratified(tuple(DifferenceHarm(0.0, rate) for rate in RATES)),
]


@pytest.mark.parametrize("pi", SHARES)
@pytest.mark.parametrize("test", HARM, ids=repr)
def test_within_a_stratum_no_bet_gains_while_the_candidate_is_no_worse_there(test: Stratified, pi: Fraction) -> None:
    """A rate that is no higher is a mixture of both alike and of the candidate alone good: these are the whole null."""
    for row in test.bets(pi).factors:
        for stratum in range(3):
            good, bad = 2 * stratum, 2 * stratum + 1
            for both in (good, bad):
                assert pi * row[both] + (1 - pi) * row[6 + both] == 1
            assert pi * row[good] + (1 - pi) * row[6 + bad] < 1


def test_bets_of_each_stratum_are_those_of_its_test_alone() -> None:
    parts = (ScoreHarm((0.0, 0.3, 1.0), centre=0.1), ScoreHarm((0.0, 0.3, 1.0), centre=0.7))
    pi = Fraction(1, 5)
    first, second = (part.bets(pi) for part in parts)

    for whole, a, b in zip(Stratified(parts).bets(pi).factors, first.factors, second.factors, strict=True):
        assert whole == (*a[:3], *b[:3], *a[3:], *b[3:])
    assert Stratified(parts).bins == 6


@pytest.mark.parametrize("test", [*HARM, Stratified((RatioPass(0.5), RatioPass(0.5), RatioPass(0.5)))], ids=repr)
def test_enumerated_wealth_has_mean_one_whatever_strata_come_and_however_rates_drift(test: Stratified) -> None:
    """Four subjects, each of another stratum, rate and coin; the arms at the edge of the null."""
    strata, rates, coins = (1, 0, 2, 1), (0.5, 0.02, 0.3, 0.1), [(1, 19), (1, 19), (1, 1), (1, 1)]
    times = 1.5 if isinstance(test.parts[0], RatioPass) else 1.0
    mean = 0.0
    for course in product(range(4), repeat=4):
        chance = 1.0
        cells = {coin: ([0] * 6, [0] * 6) for coin in coins}
        for cell, stratum, rate, coin in zip(course, strata, rates, coins, strict=True):
            pi, (arm, bad) = coin[0] / sum(coin), divmod(cell, 2)
            own = rate * (times if arm == 0 else 1.0)
            chance *= (pi, 1 - pi)[arm] * (1 - own, own)[bad]
            cells[coin][arm][2 * stratum + bad] += 1
        tables = [Table(*coin, tuple(candidate), tuple(other)) for coin, (candidate, other) in cells.items()]
        mean += chance * exp(log_wealth(test, tables))

    assert mean == pytest.approx(1, abs=1e-12)


def test_strata_that_explain_the_outcome_find_the_same_harm_sooner() -> None:
    """Half of the subjects are nearly always good and half hardly ever: the candidate adds 5 % to both."""
    known = Stratified(tuple(OddsHarm(rate, ODDS) for rate in (0.02, 0.9, 0.46)))
    parts = [Table(1, 1, (930, 70), (980, 20)), Table(1, 1, (50, 950), (100, 900))]
    whole = Table(1, 1, (980, 1020), (1080, 920))

    assert log_wealth(known, [side_by_side(whole, parts)]) > 4 * max(1.0, log_wealth(EventHarm(0.46), [whole]))


def test_who_is_in_no_stratum_is_counted_last() -> None:
    whole = Table(1, 3, (5, 4), (30, 6))
    parts = [Table(1, 3, (1, 2), (10, 1)), Table(1, 3, (3, 0), (12, 2))]

    table = side_by_side(whole, parts)

    assert table == Table(1, 3, (1, 2, 3, 0, 1, 2), (10, 1, 12, 2, 8, 3))
    assert table.sizes() == whole.sizes()


def test_a_stratum_with_more_than_the_whole_is_refused() -> None:
    with pytest.raises(ValueError, match="at or above 0"):
        side_by_side(Table(1, 3, (5, 4), (30, 6)), [Table(1, 3, (1, 5), (10, 1))])
    with pytest.raises(ValueError, match="share its coin"):
        side_by_side(Table(1, 3, (5, 4), (30, 6)), [Table(1, 1, (1, 2), (10, 1))])


def test_strata_are_tested_for_the_same_alternatives() -> None:
    with pytest.raises(ValueError, match="same alternatives"):
        Stratified((EventHarm(0.1), DifferencePass(0.1, 0.2))).bets(Fraction(1, 2))
    with pytest.raises(ValueError, match="at least one stratum"):
        Stratified(())


MIXED = ((0.5, 0.5), (0.9, 0.1), (0.1, 0.9), (1.0, 0.0))


def mean_factor(
    bets: Bets, h: int, *, pi: Fraction, shares: tuple[float, ...], rates: list[tuple[float, float]]
) -> float:
    """Return by how much an alternative's wealth grows on average: candidate's and incumbent's rate of bad per stratum."""
    factors = [float(f) for f in bets.factors[h]]
    half, found = len(factors) // 2, 0.0
    for k, (share, (candidate, incumbent)) in enumerate(zip(shares, rates, strict=True)):
        for start, arm, rate in ((0, float(pi), candidate), (half, float(1 - pi), incumbent)):
            good, bad = factors[start + 2 * k : start + 2 * k + 2]
            found += share * arm * ((1 - rate) * good + rate * bad)
    return found


@pytest.mark.parametrize("pi", [Fraction(1, 20), Fraction(1, 4), Fraction(1, 2)])
@pytest.mark.parametrize("proof", [True, False])
def test_the_mean_over_strata_is_judged_whatever_stratum_the_harm_is_in(pi: Fraction, *, proof: bool) -> None:
    """At the margin of the whole no bet gains on average, wherever the difference comes from and however full the strata are."""
    margin, usual = 0.03, (0.02, 0.5)
    bets = StrataMean((0.0, 1.0), usual, margin, proof=proof).bets(pi)
    for shares in MIXED:
        for part in (-0.01, 0.0, 0.01, margin):
            rest = (margin - shares[0] * part) / shares[1] if shares[1] else margin
            first = margin if not shares[1] else part
            if not 0 <= usual[1] + rest <= 1:
                continue
            rates = [(usual[0] + first, usual[0]), (usual[1] + rest, usual[1])]
            for h in range(len(bets.factors)):
                assert mean_factor(bets, h, pi=pi, shares=shares, rates=rates) <= 1 + 1e-12


def test_strata_staked_each_for_itself_prove_a_candidate_beyond_the_margin_of_the_whole() -> None:
    """What plans did at first, and why their strata are no longer staked so: the harm is all where losses vary most."""
    bets = Stratified((DifferencePass(0.03, 0.02), DifferencePass(0.03, 0.5))).bets(Fraction(1, 20))
    rates = [(0.025, 0.02), (0.5 + 2 * 0.06 - 0.005, 0.5)]  # on average 0.06 more, which is twice the margin

    assert (
        max(mean_factor(bets, h, pi=Fraction(1, 20), shares=(0.5, 0.5), rates=rates) for h in range(len(bets.factors)))
        > 1.0001
    )


def test_one_stratum_is_judged_as_the_whole() -> None:
    pi = Fraction(1, 4)

    for proof in (True, False):
        one = StrataMean((0.0, 1.0), (0.2,), 0.03, proof=proof).bets(pi)
        whole = (DifferencePass if proof else DifferenceHarm)(0.03, 0.2).bets(pi)
        assert (one.prior, one.factors) == (whole.prior, whole.factors)
