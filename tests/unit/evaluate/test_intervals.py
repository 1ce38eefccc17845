"""Intervals hold what they promise: checked against exact sums, not against themselves."""

import math

import numpy as np
import pytest

from glideslope.evaluate import intervals


def chance(hits: int, count: int, p: float) -> float:
    return math.comb(count, hits) * p**hits * (1 - p) ** (count - hits)


@pytest.mark.parametrize("p", [0.0, 0.01, 0.3, 0.5, 0.97, 1.0])
def test_the_exact_interval_of_a_share_covers_at_least_as_often_as_it_says(p: float) -> None:
    """All outcomes of 40 trials, enumerated: each side errs with at most half of what the confidence leaves."""
    ends = [intervals.share(hits, 40, confidence=0.9) for hits in range(41)]

    above = sum(chance(hits, 40, p) for hits, (low, _) in enumerate(ends) if low > p + 1e-12)
    below = sum(chance(hits, 40, p) for hits, (_, high) in enumerate(ends) if high < p - 1e-12)
    assert above <= 0.05 + 1e-12
    assert below <= 0.05 + 1e-12


def test_the_interval_of_a_share_is_no_wider_than_it_must_be() -> None:
    low, high = intervals.share(7, 300, confidence=0.95)

    assert intervals.binomial_cdf(7, 300, high) == pytest.approx(0.025)
    assert 1 - intervals.binomial_cdf(6, 300, low) == pytest.approx(0.025)
    assert intervals.share(0, 0, confidence=0.95) == (0.0, 1.0)


@pytest.mark.parametrize(("hits", "count", "p"), [(3, 10, 0.2), (0, 50, 0.01), (49, 50, 0.9), (20, 40, 0.5)])
def test_the_distribution_function_is_the_sum(hits: int, count: int, p: float) -> None:
    assert intervals.binomial_cdf(hits, count, p) == pytest.approx(sum(chance(k, count, p) for k in range(hits + 1)))


@pytest.mark.parametrize(("count", "level"), [(400, 0.99), (100, 0.5), (1000, 0.95)])
def test_order_statistics_hold_a_quantile_as_often_as_they_say(count: int, level: float) -> None:
    low, high = intervals.quantile_ranks(count, level, confidence=0.95)
    assert low is not None
    assert high is not None

    # The r-th smallest (from 0) lies above the quantile when at most r observations lie below it.
    assert intervals.binomial_cdf(low, count, level) <= 0.025 < intervals.binomial_cdf(low + 1, count, level)
    assert 1 - intervals.binomial_cdf(high, count, level) <= 0.025 < 1 - intervals.binomial_cdf(high - 1, count, level)


def test_too_few_observations_leave_the_upper_end_of_a_high_quantile_open() -> None:
    assert intervals.quantile_ranks(367, 0.99, confidence=0.95)[1] is None
    assert intervals.quantile_ranks(368, 0.99, confidence=0.95)[1] == 367


def test_students_quantiles_are_those_of_the_tables() -> None:
    found = [intervals.student(0.975, freedom) for freedom in (9, 19, 100)]

    assert found == pytest.approx([2.2622, 2.0930, 1.9840], abs=2e-4)


def test_few_groups_and_undefined_samples_have_no_interval() -> None:
    samples = np.linspace(0, 1, 500)

    assert intervals.percentiles(samples, confidence=0.95, groups=9) is None
    assert intervals.percentiles(samples, confidence=0.95, groups=10) is not None
    samples[3] = np.nan
    assert intervals.percentiles(samples, confidence=0.95, groups=10) is None


def test_weights_draw_as_many_groups_as_there_are() -> None:
    drawn = intervals.weights(30, 50, rng=np.random.default_rng(1))

    assert drawn.shape == (50, 30)
    assert (drawn.sum(axis=1) == 30).all()
