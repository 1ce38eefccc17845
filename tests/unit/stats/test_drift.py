"""Distances between histograms, and tests whose level is what they say."""

import random
from fractions import Fraction
from itertools import product
from math import inf, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glideslope.stats import chi2, drift
from glideslope.stats.counts import Table
from glideslope.stats.restarted import Difference, joined
from glideslope.stats.twosided import PlacesDiffer

COUNTS = st.lists(st.integers(0, 500), min_size=4, max_size=4).filter(any)

NONCENTRAL = [
    # x, degrees, noncentrality, P(X > x) as scipy 1.17.1's ncx2.sf and chi2.sf have it
    (16.918977604620448, 9, 0.0, 0.05),
    (160.80936195447951, 9, 100.0, 0.01),
    (30.0, 5, 10.0, 0.033085901233316464),
    (2200.0, 19, 2000.0, 0.023500274523370383),
    (5.0, 2, 0.5, 0.13475557090632018),
]


@pytest.mark.parametrize(("x", "degrees", "noncentrality", "expected"), NONCENTRAL)
def test_tails_are_those_of_another_implementation(
    x: float, degrees: int, noncentrality: float, expected: float
) -> None:
    assert chi2.tail(x, degrees=degrees, noncentrality=noncentrality) == pytest.approx(expected, rel=1e-9)


def test_tails_and_quantiles_agree_with_scipy_over_a_grid() -> None:
    scipy = pytest.importorskip("scipy.stats")
    for k, noncentrality, z in product((1, 2, 9, 63), (0.1, 5.0, 1e3, 2e4), (-3.0, 0.0, 2.0, 6.0)):
        x = k + noncentrality + z * (2 * (k + 2 * noncentrality)) ** 0.5
        if x > 0:
            expected = float(scipy.ncx2.sf(x, k, noncentrality))
            assert chi2.tail(x, degrees=k, noncentrality=noncentrality) == pytest.approx(expected, rel=1e-6, abs=1e-12)
    assert chi2.quantile(0.99, degrees=9, noncentrality=100.0) == pytest.approx(
        scipy.ncx2.ppf(0.99, 9, 100.0), rel=1e-9
    )
    assert drift.incomplete_beta(0.3, 5, 9) == pytest.approx(float(scipy.beta.cdf(0.3, 5, 9)), rel=1e-12)


def test_edges_of_the_tail() -> None:
    assert chi2.tail(0.0, degrees=3) == 1.0
    assert chi2.tail(inf, degrees=3, noncentrality=2.0) == 0.0
    with pytest.raises(ValueError, match="no chi-square"):
        chi2.tail(1.0, degrees=0)
    with pytest.raises(ValueError, match="not between"):
        chi2.quantile(1.0, degrees=3)


@given(COUNTS, COUNTS)
def test_distances_are_symmetric_never_negative_and_zero_for_equals(a: list[int], b: list[int]) -> None:
    for distance in (drift.psi, drift.jensen_shannon):
        assert distance(a, b) == pytest.approx(distance(b, a), abs=1e-12)
        assert distance(a, b) >= 0
        assert distance(a, a) == pytest.approx(0, abs=1e-7)
    assert 0 <= drift.jensen_shannon(a, b) <= 1 + 1e-12


def test_what_lies_apart_is_moved_across_the_range() -> None:
    edges = (1.0, 2.0, 3.0)

    assert drift.wasserstein((9, 0, 0, 0), (0, 0, 0, 9), edges, low=0.0, high=4.0) == pytest.approx(0.75)
    assert drift.wasserstein((9, 0, 0, 0), (0, 9, 0, 0), edges, low=0.0, high=4.0) == pytest.approx(0.25)
    assert drift.wasserstein((3, 4, 5, 6), (6, 8, 10, 12), edges, low=0.0, high=4.0) == pytest.approx(0)
    with pytest.raises(ValueError, match="increasing"):
        drift.wasserstein((1, 1), (1, 1), (3.0, 2.0), low=0.0, high=4.0)


def test_without_tolerance_the_test_has_its_level_for_few_rows_and_many() -> None:
    """800 windows each: 5 % within four standard errors (0.8 points), where a fixed PSI of 0.1 flags 78 % of windows of 50 rows."""
    chance = random.Random(7)
    for rows in (50, 1_000):
        flagged = 0
        for _ in range(800):
            drawn = [chance.choices(range(10), k=n) for n in (1_000, rows)]
            reference, live = ([each.count(bin_) for bin_ in range(10)] for each in drawn)
            flagged += drift.p_value(reference, live, tolerated=0.0) <= 0.05
        assert 0.02 < flagged / 800 < 0.085, rows


def test_tolerated_drift_is_not_flagged_and_more_is() -> None:
    """At a million rows everything is significant; what counts is whether it is more than is tolerated."""
    reference = [100_000] * 10
    little = [104_000, 96_000] * 5
    much = [150_000, 50_000] * 5

    assert drift.p_value(reference, little, tolerated=0.0) < 1e-9
    assert drift.p_value(reference, little) > 0.99
    assert drift.p_value(reference, much) < 1e-9
    assert drift.corrected_psi(reference, much) == pytest.approx(drift.psi(reference, much), abs=1e-3)


def test_nothing_is_told_of_nothing() -> None:
    assert drift.p_value([10, 10], [0, 0]) == 1.0
    assert drift.corrected_psi([10, 10], [0, 0]) == 0.0
    assert drift.watched(drift.bands([10, 10]), [0, 0]) == 0.0


def test_holm_is_the_textbook_s() -> None:
    assert drift.holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "c": 0.06, "b": 0.06})


def test_bands_hold_the_share_they_were_counted_from() -> None:
    for band, count in zip(drift.bands([5, 95, 900], tolerance=1.0), [5, 95, 900], strict=True):
        assert band.low < count / 1000 < band.high
    for narrow, wide in zip(drift.bands([5, 95, 900], tolerance=1.0), drift.bands([5, 95, 900]), strict=True):
        assert wide.low <= narrow.low / 1.24
        assert wide.high >= min(1.0, narrow.high * 1.24)
    with pytest.raises(ValueError, match="tolerance"):
        drift.bands([1], tolerance=0.5)


def test_the_wealth_against_bands_never_rises_on_average() -> None:
    """Exactly: four rows of three bins, at every corner of a grid of shares within the bands."""
    bands = drift.bands([50, 30, 20], tolerance=1.1)
    inside = 0
    for first, second in product(range(0, 101, 10), repeat=2):
        shares = [Fraction(first, 100), Fraction(second, 100), Fraction(100 - first - second, 100)]
        if not all(band.low <= share <= band.high for band, share in zip(bands, shares, strict=True)):
            continue
        inside += 1
        mean = 0.0
        for rows in product(range(3), repeat=4):
            weight = float(shares[rows[0]] * shares[rows[1]] * shares[rows[2]] * shares[rows[3]])
            mean += weight * 2.718281828459045 ** drift.watched(bands, [rows.count(b) for b in range(3)])
        assert mean <= 1 + 1e-9, shares
    assert inside >= 3


def test_a_shift_beyond_the_bands_is_found() -> None:
    bands = drift.bands([1000] * 10, tolerance=1.25)

    assert drift.unlikely(drift.watched(bands, [400] + [100] * 9)) < 1e-9
    assert drift.unlikely(drift.watched(bands, [100] * 10)) == 1.0


@pytest.mark.parametrize("pi", [Fraction(1, 20), Fraction(1, 2)])
def test_the_bet_on_any_difference_is_fair_when_arms_are_equal(pi: Fraction) -> None:
    """The mean factor is 1 in each bin, whatever the ratio: so for every distribution that the arms share."""
    bets = PlacesDiffer(4).bets(pi)

    for factors in bets.factors:
        for bin_ in range(4):
            assert pi * factors[bin_] + (1 - pi) * factors[bin_ + 4] == 1


def test_a_difference_that_begins_late_is_flagged_and_equal_arms_keep_the_budget() -> None:
    """400 looks of equal arms raise at most 400 / line flags on average (here 0.4), and a changed arm raises one within 60 looks."""
    chance = random.Random(3)

    def table(shift: float) -> Table:
        weights = ([10 + shift, 10, 10 - shift], [10, 10, 10])
        sides = [
            tuple(sum(b == k for b in drawn) for k in range(3))
            for drawn in (chance.choices(range(3), w, k=30) for w in weights)
        ]
        return Table(1, 1, sides[0], sides[1])

    detector = Difference()
    early = sum(detector.see([table(0.0)], line=1_000.0) for _ in range(400))
    late = sum(detector.see([table(5.0)], line=1_000.0) for _ in range(60))

    assert early <= 2
    assert late >= 1


def test_many_bins_are_joined_in_neighbours() -> None:
    wide = Table(1, 3, tuple(range(41)), (1,) * 41)

    narrow = joined(wide)

    assert narrow.bins <= 14
    assert sum(narrow.candidate) == sum(wide.candidate)
    assert narrow.coin == wide.coin
    assert Difference().see([Table(1, 1, (0, 0), (0, 0))], line=1.0) is False
    assert log(Difference().evidence + 1) == 0
