"""The guarantee of the tests on counts, quantiles, ratios of means, calibration and rankings, by exact arithmetic."""

import math
from bisect import bisect_right
from collections import defaultdict
from fractions import Fraction
from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glideslope.domain.ids import MetricName
from glideslope.domain.metric import (
    AUC,
    Better,
    Kind,
    Metric,
    Origin,
    differences,
    equal_points,
    gap_bin,
    growing_points,
)
from glideslope.stats.asymptotic import LEAST, asymptotic_interval
from glideslope.stats.calibration import CalibrationGuard, squared_error
from glideslope.stats.counted import PRIOR, REFERENCE, CountHarm, usual_counts
from glideslope.stats.counts import Table, Tally
from glideslope.stats.interval import mean_ratio_interval, quantile_interval
from glideslope.stats.paired import PairedScoreHarm
from glideslope.stats.quantile import QuantileHarm, QuantilePass
from glideslope.stats.ranking import auc, auc_gap, auc_of_counts, average_precision, precision_gap
from glideslope.stats.reals import written
from glideslope.stats.scaled import ScaledHarm, ScaledPass
from glideslope.stats.wealth import Bets, log_wealth

SHARES = [Fraction(1, 100), Fraction(1, 20), Fraction(1, 4), Fraction(1, 2), Fraction(9, 10)]
COUNTS = (0.0, 1.0, 2.0, 3.5, 6.5, 9.0)
LABEL = [
    CountHarm((900, 60, 20, 10, 6, 4), COUNTS),
    CountHarm((0, 0, 5), (0.0, 1.0, 1_000_000.0)),
    CountHarm(usual_counts(0.3, edges=(0.0, 1.0, 2.0, 4.0, 8.0)), COUNTS),
    CountHarm(usual_counts(0.3, edges=(0.0, 1.0, 2.0, 4.0, 8.0)), COUNTS, PRIOR),
    QuantileHarm(0.99, cut=3, size=6),
    QuantileHarm(0.5, cut=1, size=2),
    QuantilePass(0.99, tolerated=0.004, cut=3, size=6),
    QuantilePass(0.95, tolerated=0.0, cut=2, size=4),
]


@pytest.mark.parametrize("pi", SHARES)
@pytest.mark.parametrize("test", LABEL, ids=repr)
def test_label_bets_are_fair_when_the_arms_are_equal_and_lose_when_the_candidate_is_better(
    test: CountHarm | QuantileHarm, pi: Fraction
) -> None:
    """A stochastically smaller candidate is a mixture of pairs (i, j) with i <= j, so these pairs are the whole null."""
    bets = test.bets(pi)
    for incumbent, candidate in product(range(test.bins), repeat=2):
        means = [pi * row[candidate] + (1 - pi) * row[test.bins + incumbent] for row in bets.factors]
        if candidate == incumbent:
            assert set(means) == {Fraction(1)}
        elif candidate < incumbent:
            assert max(means) <= 1


def test_a_rare_large_count_is_among_the_alternatives() -> None:
    """One subject in two hundred that is retried without end: the odds of more than nothing hardly move."""
    reference = usual_counts(0.05, edges=(0.0, 1.0, 2.0, 4.0, 8.0))
    best = max(row[-1] for row in CountHarm(reference, COUNTS).likelihoods() if row[0] > Fraction(99, 100))

    assert best > 100


@pytest.mark.parametrize("mean", [0.01, 0.3, 4.0])
def test_a_reference_from_a_mean_is_all_subjects(mean: float) -> None:
    assert abs(sum(usual_counts(mean, edges=(0.0, 1.0, 2.0, 4.0, 8.0))) - REFERENCE) <= 6


SCALED = [
    (ScaledHarm((0.0, 0.5, 2.0), centre=0.4, factor=1.25), 1),
    (ScaledHarm((-10.0, -2.0, 0.0), centre=-3.0, factor=0.9), 1),
    (ScaledPass((0.0, 0.5, 2.0), centre=0.4, factor=1.25), -1),
    (ScaledPass((0.0, 0.5, 2.0), centre=0.4, factor=1.25, reference=(6, 3, 1)), -1),
    (ScaledPass((0.0, 0.5, 2.0), centre=0.4, factor=1.25, reference=(6, 3, 1), trust=0.75), -1),
    (ScaledPass((-10.0, -2.0, 0.0), centre=-3.0, factor=0.9), -1),
]


@pytest.mark.parametrize("pi", SHARES)
@pytest.mark.parametrize(("test", "sign"), SCALED, ids=repr)
def test_bets_on_a_ratio_of_means_gain_exactly_in_proportion_to_what_lies_beyond(
    test: ScaledHarm | ScaledPass, sign: int, pi: Fraction
) -> None:
    """The mean factor is 1 + c x (candidate - factor x incumbent), c of one sign, whatever the two distributions are."""
    values, factor = [written(v) for v in test.values], written(test.factor)
    for row in test.bets(pi).factors:
        slopes = set()
        for (i, candidate), (j, incumbent) in product(enumerate(values), repeat=2):
            beyond = candidate - factor * incumbent
            gain = pi * row[i] + (1 - pi) * row[len(values) + j] - 1
            if beyond == 0:
                assert gain == 0
            else:
                slopes.add(gain / beyond)
        assert len(slopes) == 1
        assert slopes.pop() * sign > 0


@pytest.mark.parametrize("edges", [(0.25, 0.5, 1.0), tuple(k / 40 for k in range(1, 41))], ids=len)
@pytest.mark.parametrize("tolerance", [0.01, 0.1])
def test_the_calibration_guard_never_gains_while_each_chance_is_within_the_tolerance(
    edges: tuple[float, ...], tolerance: float
) -> None:
    """The mean factor is linear in the chance, so the ends of what is tolerated in a bin decide."""
    rows = CalibrationGuard(edges, tolerance).bets().factors
    lows = (0.0, *edges)
    for row in rows:
        for k, high in enumerate(edges):
            ends = (
                max(Fraction(0), written(lows[k]) - written(tolerance)),
                min(Fraction(1), written(high) + written(tolerance)),
            )
            for chance in ends:
                assert (1 - chance) * row[2 * k] + chance * row[2 * k + 1] <= 1
    assert len(set(rows)) > 5


def test_a_calibration_that_no_candidate_could_break_is_refused() -> None:
    with pytest.raises(ValueError, match="no candidate could break"):
        CalibrationGuard((0.5, 1.0), 0.9)


def test_the_debiased_error_of_a_calibrated_model_is_zero_on_average() -> None:
    """Exactly, over all outcomes of six predictions in one bin: the plain error would be a variance too high."""
    edges, n = (0.5, 1.0), 6
    chance = Fraction(3, 4)
    mean = 0.0
    for did in range(n + 1):
        weight = math.comb(n, did) * float(chance**did * (1 - chance) ** (n - did))
        told = squared_error((0, 0, n - did, did), edges=edges)
        assert told is not None
        mean += weight * told

    assert mean == pytest.approx(0.0, abs=1e-12)
    assert squared_error((1, 0, 0, 1), edges=edges) is None


BLOCK = [(0.9, True), (0.4, True), (0.7, False), (0.2, False), (0.5, False)]
OTHER = [0.3, 0.8, 0.6, 0.1, 0.9]
"""What the candidate says of the same five."""


@pytest.mark.parametrize("pi", [0.1, 0.5])
def test_within_a_block_chance_makes_the_gap_of_areas_unbiased_whatever_the_parts(pi: float) -> None:
    """All 2**5 ways to toss the coin: given how many of each an arm has, the mean gap is the whole block's."""
    whole = auc(BLOCK), auc([(score, did) for score, (_, did) in zip(OTHER, BLOCK, strict=True)])
    assert whole[0] is not None
    assert whole[1] is not None
    found: dict[tuple[int, int], list[tuple[float, float]]] = defaultdict(list)
    for tossed in product((True, False), repeat=5):
        chance = math.prod(pi if mine else 1 - pi for mine in tossed)
        candidate = [(OTHER[k], BLOCK[k][1]) for k in range(5) if tossed[k]]
        incumbent = [BLOCK[k] for k in range(5) if not tossed[k]]
        gap = auc_gap(candidate, incumbent)
        counts = (sum(did for _, did in candidate), sum(not did for _, did in candidate))
        if gap is not None:
            found[counts].append((chance, gap))

    assert set(found) == {(1, 1), (1, 2)}
    for tossed_so in found.values():
        total = sum(chance for chance, _ in tossed_so)
        assert sum(chance * gap for chance, gap in tossed_so) / total == pytest.approx(whole[0] - whole[1], abs=1e-12)


@pytest.mark.parametrize("pi", [0.2, 0.5])
def test_within_a_block_equal_models_have_no_gap_of_precision_on_average(pi: float) -> None:
    """All ways to toss the coin and all orders that chance may make; without the equal sizes this would fail."""
    mean, unequal = 0.0, 0.0
    for tossed in product((True, False), repeat=5):
        chance = math.prod(pi if mine else 1 - pi for mine in tossed)
        for order in permutations(range(5)):
            candidate = [BLOCK[k] for k in order if tossed[k]]
            incumbent = [BLOCK[k] for k in order if not tossed[k]]
            gap = precision_gap(candidate, incumbent)
            if gap is not None:
                mean += chance * gap
                unequal += chance * ((average_precision(incumbent) or 0.0) - (average_precision(candidate) or 0.0))

    assert mean == pytest.approx(0.0, abs=1e-9)
    assert abs(unequal) > 0.01 or pi == 0.5


def test_enumerated_wealth_of_two_blocks_has_a_mean_of_at_most_one_for_equal_models() -> None:
    """Through the binning and the evaluator: gaps fall on the bins beside them in proportion, so no mean moves."""
    chances: dict[int, float] = defaultdict(float)
    for tossed in product((True, False), repeat=5):
        gap = auc_gap(*([BLOCK[k] for k in range(5) if tossed[k] is arm] for arm in (True, False)))
        if gap is not None:
            for step in range(40):
                chances[gap_bin(gap, chance=(step + 0.5) / 40)] += 0.5**5 / 40
    total = sum(chances.values())
    test = PairedScoreHarm(differences(AUC), margin=0.0)
    mean = 0.0
    for first, second in product(chances, repeat=2):
        counts = [0] * 41
        counts[first] += 1
        counts[second] += 1
        mean += chances[first] * chances[second] / total**2 * math.exp(log_wealth(test, Tally(tuple(counts))))

    assert mean == pytest.approx(1.0, abs=0.002)


@given(st.floats(-1, 1))
def test_a_gap_keeps_its_mean_in_bins(gap: float) -> None:
    values = differences(AUC)
    first, last = gap_bin(gap, chance=0.0), gap_bin(gap, chance=0.999999999)
    part = (values[first] - gap) / (values[first] - values[last]) if first != last else 0.0

    assert values[last] - 1e-9 <= gap <= values[first] + 1e-9
    assert part * values[last] + (1 - part) * values[first] == pytest.approx(gap, abs=1e-9)
    assert gap_bin(gap, chance=max(0.0, 1 - part - 1e-6)) == first
    assert gap_bin(gap, chance=min(0.999999999, 1 - part + 1e-6)) == last


GRIDS = [equal_points(0.0, 500.0), equal_points(-3.0, 10.0), growing_points(0.01), (0.0, 1.0, 10.0, 1000.0)]


@pytest.mark.parametrize("grid", GRIDS, ids=len)
@given(data=st.data())
def test_a_mean_is_kept_by_its_grid(grid: tuple[float, ...], data: st.DataObject) -> None:
    """The average over an even chance is the value itself, cut to the grid's ends."""
    metric = Metric(name=MetricName("cost"), kind=Kind.MEAN, origin=Origin.SERVICE, edges=grid)
    value = data.draw(st.floats(2 * grid[0] - 1, 2 * grid[-1]))
    steps = 200
    told = [grid[metric.bin(value, chance=(k + 0.5) / steps)] for k in range(steps)]
    cut = min(max(value, grid[0]), grid[-1])
    above = min(max(bisect_right(grid, cut), 1), len(grid) - 1)

    assert set(told) <= {grid[above - 1], grid[above]}
    assert sum(told) / steps == pytest.approx(cut, abs=(grid[above] - grid[above - 1]) / steps)


def test_more_is_better_turns_points_into_losses() -> None:
    metric = Metric(
        name=MetricName("revenue"), kind=Kind.MEAN, origin=Origin.SERVICE, edges=(0.0, 5.0), better=Better.HIGHER
    )

    assert metric.values == (0.0, -5.0)


def test_counts_stand_for_the_middle_of_their_bins() -> None:
    metric = Metric(name=MetricName("retries"), kind=Kind.COUNT, origin=Origin.SERVICE, edges=(0.0, 1.0, 2.0, 4.0, 8.0))

    assert [metric.bin(n) for n in (0, 1, 2, 3, 4, 5, 8, 9, 1000)] == [0, 1, 2, 3, 3, 4, 4, 5, 5]
    assert metric.values == (0.0, 1.0, 2.0, 3.5, 6.5, 9.0)


def test_the_area_of_counts_is_that_of_the_scores() -> None:
    counts = [0] * 20
    for score, did in BLOCK:
        counts[2 * min(9, int(score * 10)) + did] += 1

    assert auc_of_counts(counts) == pytest.approx(auc(BLOCK))
    assert auc_of_counts([3, 0, 1, 0]) is None


def test_a_ratio_of_means_is_covered_and_excludes_what_is_far() -> None:
    table = Table(1, 1, (4000, 3000, 3000), (5000, 3000, 2000))  # means 0.9 and 0.7
    found = mean_ratio_interval([table], values=(0.0, 1.0, 2.0), centre=0.7, alpha=0.05)

    assert found.estimate == pytest.approx(0.9 / 0.7)
    assert found.low is not None
    assert found.high is not None
    assert 1.1 < found.low < 0.9 / 0.7 < found.high < 1.5


def test_a_quantile_is_covered_by_edges_around_it() -> None:
    found = quantile_interval((400, 400, 150, 45, 5), edges=(1.0, 2.0, 4.0, 8.0), level=0.9, alpha=0.05)

    # 80 % lie below 2 and 95 % below 4.
    assert (found.low, found.high) == (2.0, 4.0)
    assert found.estimate == pytest.approx(2 + 2 * 100 / 150)
    assert quantile_interval((0, 0), edges=(1.0,), level=0.5, alpha=0.05).estimate is None


def test_an_asymptotic_interval_is_refused_below_thirty_informative_subjects() -> None:
    few = Table(1, 1, (1000, LEAST - 1), (1000, 400))
    enough = Table(1, 1, (1000, LEAST), (1000, 400))

    assert asymptotic_interval([few], values=(0.0, 5.0), alpha=0.05) is None
    found = asymptotic_interval([enough], values=(0.0, 5.0), alpha=0.05)
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low < 5 * (LEAST / (1000 + LEAST) - 400 / 1400) < found.high < 0


def mean_of(bets: Bets) -> Fraction:
    return sum(bets.prior, Fraction(0))


@pytest.mark.parametrize("test", [*LABEL, *(each for each, _ in SCALED)], ids=repr)
def test_priors_sum_to_one(test: CountHarm | ScaledHarm) -> None:
    assert mean_of(test.bets(Fraction(1, 4))) == 1
