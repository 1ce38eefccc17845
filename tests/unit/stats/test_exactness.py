"""The guarantee itself, by exact arithmetic: no bet gains on average under its null, for any base rate, share or drift."""

from fractions import Fraction
from itertools import product
from math import exp, fsum  # the oracle is deliberately not our own exponential

import pytest

from glideslope.stats.counts import Table, Tally
from glideslope.stats.guard import RateGuard
from glideslope.stats.label import BinsHarm, EventHarm, EventHarmBeyond, RatioPass
from glideslope.stats.paired import PairedHarm, PairedPass, PairedScoreHarm, PairedScorePass
from glideslope.stats.reals import written
from glideslope.stats.score import DifferenceHarm, DifferencePass, ScoreHarm, ScorePass
from glideslope.stats.split import SplitTest
from glideslope.stats.wealth import Bets, log_wealth

SHARES = [Fraction(1, 100), Fraction(1, 20), Fraction(1, 4), Fraction(1, 2), Fraction(9, 10)]

LABEL = [
    EventHarm(0.01),
    EventHarm(0.0),
    EventHarm(0.4),
    EventHarm(0.99, ratios=(1.001, 2.0), prior=(0.9, 0.1)),
    BinsHarm((500, 300, 100, 60, 30, 9, 1), edges=(10.0, 20.0, 30.0, 50.0, 90.0, 200.0)),
    BinsHarm((0, 10, 0, 1), edges=(0.1, 1.0, 2.5)),
    BinsHarm((90, 9, 1, 0)),
]


def means(bets: Bets, *, pi: Fraction, candidate: int, incumbent: int) -> list[Fraction]:
    """Mean factor per alternative if the candidate always ends in one bin and the incumbent in another."""
    bins = len(bets.factors[0]) // 2
    return [pi * row[candidate] + (1 - pi) * row[bins + incumbent] for row in bets.factors]


def mean_of(row: tuple[Fraction, ...], *, chances: list[Fraction]) -> Fraction:
    return sum((f * p for f, p in zip(row, chances, strict=True)), Fraction(0))


@pytest.mark.parametrize("pi", SHARES)
@pytest.mark.parametrize("test", LABEL, ids=repr)
def test_label_bets_are_fair_when_the_arms_are_equal_and_lose_when_the_candidate_is_better(
    test: EventHarm | BinsHarm, pi: Fraction
) -> None:
    """A stochastically smaller candidate is a mixture of pairs (i, j) with i <= j, so these pairs are the whole null."""
    bets = test.bets(pi)
    for incumbent in range(test.bins):
        assert set(means(bets, pi=pi, candidate=incumbent, incumbent=incumbent)) == {Fraction(1)}
        for candidate in range(incumbent):
            assert max(means(bets, pi=pi, candidate=candidate, incumbent=incumbent)) <= 1


def rates_mean(row: tuple[Fraction, ...], *, pi: Fraction, candidate: Fraction, incumbent: Fraction) -> Fraction:
    chances = [pi * (1 - candidate), pi * candidate, (1 - pi) * (1 - incumbent), (1 - pi) * incumbent]
    return mean_of(row, chances=chances)


@pytest.mark.parametrize("pi", SHARES)
@pytest.mark.parametrize("margin", [0.0, 0.1, 0.5, 3.0])
def test_harm_beyond_a_margin_never_gains_while_the_ratio_stays_within_it(margin: float, pi: Fraction) -> None:
    """The null is a polygon of rates and the mean is linear, so its corners decide."""
    top = 1 / (1 + written(margin))
    corners = [(Fraction(a), Fraction(b)) for a, b in [(0, 0), (0, 1), (1, 1)]] + [(Fraction(1), top)]
    for row in EventHarmBeyond(margin).bets(pi).factors:
        for candidate, incumbent in corners:
            assert rates_mean(row, pi=pi, candidate=candidate, incumbent=incumbent) <= 1
        for rate in (Fraction(1, 1000), top / 2, top):
            assert rates_mean(row, pi=pi, candidate=rate * (1 + written(margin)), incumbent=rate) == 1


@pytest.mark.parametrize("pi", SHARES)
@pytest.mark.parametrize("margin", [0.01, 0.1, 0.5, 3.0])
def test_a_ratio_passes_without_gain_at_the_margin_and_with_loss_beyond(margin: float, pi: Fraction) -> None:
    top = 1 / (1 + written(margin))
    for row in RatioPass(margin).bets(pi).factors:
        for candidate, incumbent in [(Fraction(0), Fraction(0)), (Fraction(1), Fraction(0)), (Fraction(1), top)]:
            assert rates_mean(row, pi=pi, candidate=candidate, incumbent=incumbent) <= 1
        for rate in (Fraction(1, 1000), top / 2, top):
            assert rates_mean(row, pi=pi, candidate=rate * (1 + written(margin)), incumbent=rate) == 1


MEAN = [
    (ScoreHarm((0.0, 0.3, 1.0), centre=0.2), (0.0, 0.3, 1.0), 0.0, 1),
    (ScoreHarm((-5.0, 0.3, 40.0), centre=2.0, margin=0.7), (-5.0, 0.3, 40.0), 0.7, 1),
    (ScorePass((0.0, 0.3, 1.0), centre=0.2, margin=0.05), (0.0, 0.3, 1.0), 0.05, -1),
    (ScorePass((0.0, 0.3, 1.0), centre=0.2, margin=0.05, reference=(5, 3, 2)), (0.0, 0.3, 1.0), 0.05, -1),
    (ScorePass((0.0, 0.3, 1.0), centre=0.2, margin=0.05, reference=(5, 3, 2), trust=0.75), (0.0, 0.3, 1.0), 0.05, -1),
    (DifferenceHarm(0.0, base_rate=0.01), (0.0, 1.0), 0.0, 1),
    (DifferenceHarm(0.02, base_rate=0.1), (0.0, 1.0), 0.02, 1),
    (DifferencePass(0.02, base_rate=0.1), (0.0, 1.0), 0.02, -1),
]


@pytest.mark.parametrize("pi", SHARES)
@pytest.mark.parametrize(("test", "values", "margin", "sign"), MEAN, ids=repr)
def test_bets_on_means_gain_exactly_in_proportion_to_what_lies_beyond_the_margin(
    test: ScoreHarm, values: tuple[float, ...], margin: float, sign: int, pi: Fraction
) -> None:
    """The mean factor is 1 + c * (difference of means - margin) with c of one sign: at most 1 throughout the null."""
    for row in test.bets(pi).factors:
        slopes = set()
        for (i, candidate), (j, incumbent) in product(enumerate(values), repeat=2):
            beyond = written(candidate) - written(incumbent) - written(margin)
            gain = pi * row[i] + (1 - pi) * row[len(values) + j] - 1
            if beyond == 0:
                assert gain == 0
            else:
                slopes.add(gain / beyond)

        assert len(slopes) == 1
        assert slopes.pop() * sign > 0


@pytest.mark.parametrize("pi", SHARES)
def test_the_split_test_is_fair_under_the_split_it_was_given(pi: Fraction) -> None:
    assert {mean_of(row, chances=[pi, 1 - pi]) for row in SplitTest().bets(pi).factors} == {Fraction(1)}


@pytest.mark.parametrize("limit", [0.001, 0.05, 0.5, 0.9])
def test_the_absolute_guard_is_fair_at_its_limit_and_loses_below(limit: float) -> None:
    at = written(limit)
    for row in RateGuard(limit).bets().factors:
        assert mean_of(row, chances=[1 - at, at]) == 1
        assert mean_of(row, chances=[Fraction(1), Fraction(0)]) < 1


def test_paired_harm_is_fair_when_each_arm_is_as_often_the_bad_one() -> None:
    for row in PairedHarm().bets().factors:
        quarter = Fraction(1, 4)
        assert mean_of(row, chances=[quarter] * 4) == 1
        assert mean_of(row, chances=[quarter, Fraction(1, 8), Fraction(3, 8), quarter]) < 1


@pytest.mark.parametrize("margin", [0.05, 0.5, 2.0])
def test_paired_pass_is_fair_at_its_margin_and_loses_beyond(margin: float) -> None:
    """At the margin the candidate's rate of bad is 1 + margin times the incumbent's, however the bad ones overlap."""
    null = 1 + written(margin)
    for row in PairedPass(margin).bets().factors:
        for incumbent_bad, both in product((Fraction(1, 50), Fraction(1, 7)), (Fraction(0), Fraction(1, 60))):
            alone = null * incumbent_bad - both
            rest = 1 - alone - incumbent_bad
            assert mean_of(row, chances=[rest, alone, incumbent_bad - both, both]) == 1
            more = Fraction(1, 1000)
            assert mean_of(row, chances=[rest - more, alone + more, incumbent_bad - both, both]) < 1


@pytest.mark.parametrize("margin", [0.0, 0.1])
def test_paired_scores_gain_only_beyond_the_margin(margin: float) -> None:
    values = (-1.0, -0.25, 0.0, 0.5, 1.0)
    for row in PairedScoreHarm(values, margin=margin).bets().factors:
        for value, factor in zip(values, row, strict=True):
            assert (factor > 1) == (value > margin)
        slopes = {(row[i] - 1) / (written(values[i]) - written(margin)) for i in range(5) if values[i] != margin}
        assert len(slopes) == 1
    for row in PairedScorePass(values, margin=0.1).bets().factors:
        slopes = {(row[i] - 1) / (written(0.1) - written(values[i])) for i in range(5)}
        assert len(slopes) == 1


RAMPS = [
    [(1, 19), (1, 3), (1, 1)],
    [(1, 99), (1, 99), (9, 1)],
    [(1, 1), (1, 19), (1, 4)],
]
DRIFTS = [
    [(0.5, 0.5), (0.01, 0.01), (0.3, 0.3)],
    [(0.02, 0.02), (0.9, 0.9), (0.001, 0.001)],
    [(0.1, 0.2), (0.3, 0.3), (0.2, 0.9)],
]


@pytest.mark.parametrize("ramp", RAMPS, ids=str)
@pytest.mark.parametrize("drift", DRIFTS, ids=str)
@pytest.mark.parametrize("test", [EventHarm(0.01), EventHarm(0.3), EventHarmBeyond(0.0)], ids=repr)
def test_enumerated_wealth_has_mean_one_under_ramps_and_drift_and_less_for_a_better_candidate(
    test: EventHarm | EventHarmBeyond, drift: list[tuple[float, float]], ramp: list[tuple[int, int]]
) -> None:
    """One or two subjects in each of three steps, all 4**5 courses, through the evaluator that verdicts use."""
    wealths: list[float] = []
    for course in product(range(4), repeat=5):
        chance, tables = 1.0, []
        for step, ((candidate_weight, control_weight), rates) in enumerate(zip(ramp, drift, strict=True)):
            counts = [0, 0, 0, 0]
            pi = candidate_weight / (candidate_weight + control_weight)
            for cell in course[2 * step : 2 * step + 2]:
                counts[cell] += 1
                rate = rates[cell // 2]
                chance *= (pi, 1 - pi)[cell // 2] * (1 - rate, rate)[cell % 2]
            tables.append(Table(candidate_weight, control_weight, (counts[0], counts[1]), (counts[2], counts[3])))
        wealths.append(chance * exp(log_wealth(test, tables)))
    mean = fsum(wealths)

    assert mean <= 1 + 1e-12
    if all(candidate == incumbent for candidate, incumbent in drift):
        assert mean == pytest.approx(1, abs=1e-12)


def test_enumerated_wealth_of_pairs_has_mean_one() -> None:
    """Five pairs, all 4**5 courses."""
    chances = (0.6, 0.15, 0.15, 0.1)
    terms = []
    for course in product(range(4), repeat=5):
        chance = 1.0
        for cell in course:
            chance *= chances[cell]
        terms.append(chance * exp(log_wealth(PairedHarm(), Tally(tuple(course.count(cell) for cell in range(4))))))

    assert fsum(terms) == pytest.approx(1, abs=1e-12)
