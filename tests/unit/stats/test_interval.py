"""Intervals show what is not ruled out: they hold the truth, narrow with evidence, and are silent without it."""

import random
from math import nan

import pytest

from glideslope.stats.counts import Table, Tally
from glideslope.stats.interval import Interval, difference_interval, paired_interval, ratio_interval
from glideslope.stats.label import EventHarmBeyond
from glideslope.stats.wealth import log_wealth


def equal_arms(scale: int) -> list[Table]:
    return [Table(1, 19, (99 * scale, scale), (19 * 99 * scale, 19 * scale))]


def test_a_step_that_only_one_arm_has_seen_does_not_enter_the_estimate() -> None:
    tables = [Table(1, 19, (0, 0), (5, 5)), Table(1, 1, (90, 10), (80, 20)), Table(1, 3, (0, 0), (0, 0))]

    assert ratio_interval(tables, alpha=0.05).estimate == pytest.approx(0.5)
    assert difference_interval(tables, values=(0.0, 1.0), centre=0.1, alpha=0.05).estimate == pytest.approx(-0.1)


def test_without_evidence_nothing_is_ruled_out_and_nothing_estimated() -> None:
    nothing = Interval(low=None, high=None, estimate=None, candidate_count=0, incumbent_count=0)

    assert ratio_interval([], alpha=0.05) == nothing
    assert difference_interval([], values=(0.0, 1.0), centre=0.01, alpha=0.05) == nothing
    assert paired_interval(Tally((0, 0, 0, 0)), values=(0.0, 1.0, -1.0, 0.0), alpha=0.05) == nothing


def test_a_ratio_without_bad_incumbents_has_no_estimate_but_a_lower_end() -> None:
    interval = ratio_interval([Table(1, 19, (50, 50), (1900, 0))], alpha=0.05)

    assert interval.estimate is None
    assert interval.high is None
    assert interval.low is not None
    assert interval.low > 1


@pytest.mark.parametrize("scale", [10, 100, 1000])
def test_equal_arms_have_intervals_around_equality_that_narrow(scale: int) -> None:
    for now, later, centre in (
        (ratio_interval(equal_arms(scale), alpha=0.05), ratio_interval(equal_arms(4 * scale), alpha=0.05), 1.0),
        (
            difference_interval(equal_arms(scale), values=(0.0, 1.0), centre=0.01, alpha=0.05),
            difference_interval(equal_arms(4 * scale), values=(0.0, 1.0), centre=0.01, alpha=0.05),
            0.0,
        ),
    ):
        assert now.low is not None
        assert now.high is not None
        assert later.low is not None
        assert later.high is not None
        assert now.low < later.low < centre < later.high < now.high
        assert now.estimate == pytest.approx(centre)
        assert now.candidate_count == 100 * scale
        assert now.incumbent_count == 1900 * scale


def test_counts_and_estimates_are_stratified_by_step() -> None:
    """Pooling would blame the candidate for a base rate that rose with its share (Simpson)."""
    ramp = [Table(1, 19, (990, 10), (18_810, 190)), Table(1, 1, (9_700, 300), (9_700, 300))]

    interval = ratio_interval(ramp, alpha=0.05)
    difference = difference_interval(ramp, values=(0.0, 1.0), centre=0.02, alpha=0.05)

    assert interval.estimate == pytest.approx(1)
    assert difference.estimate == pytest.approx(0, abs=1e-12)
    assert interval.candidate_count == 11_000


def test_what_the_test_rules_out_the_interval_rules_out() -> None:
    """A candidate three times as bad: the lower end lies between the tolerated ratios that were and were not exceeded."""
    tables = [Table(1, 3, (9_700, 300), (29_700, 300))]
    interval = ratio_interval(tables, alpha=0.02)

    assert interval.low is not None
    assert interval.low > 2
    assert log_wealth(EventHarmBeyond(interval.low - 1.2), tables) > 3
    assert log_wealth(EventHarmBeyond(2.0), tables) < 3


def test_pairs_have_an_interval_of_their_difference() -> None:
    interval = paired_interval(Tally((9000, 300, 100, 600)), values=(0.0, 1.0, -1.0, 0.0), alpha=0.05)

    assert interval.estimate == pytest.approx(0.02)
    assert interval.low is not None
    assert interval.high is not None
    assert 0 < interval.low < 0.02 < interval.high < 0.06
    assert interval.candidate_count == interval.incumbent_count == 10_000


@pytest.mark.parametrize("alpha", [0.0, 1.0, nan])
def test_an_alpha_outside_zero_and_one_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        ratio_interval([], alpha=alpha)


def test_values_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="2 values for a tally of 3"):
        paired_interval(Tally((1, 2, 3)), values=(0.0, 1.0), alpha=0.05)
    with pytest.raises(ValueError, match="finite"):
        difference_interval([], values=(0.0, nan), centre=0.0, alpha=0.05)


@pytest.mark.slow
def test_over_a_whole_rollout_the_truth_leaves_the_interval_no_more_often_than_alpha() -> None:
    """Looked at after every 50 subjects, 200 rollouts at alpha 0.2: the truth is a ratio of 2 and a difference of 0.1."""
    rng = random.Random(7)
    missed_ratio = missed_difference = 0
    for _ in range(200):
        counts = [0, 0, 0, 0]
        ratio_missed = difference_missed = False
        for _ in range(40):
            for _ in range(50):
                candidate = rng.random() < 0.25
                bad = rng.random() < (0.2 if candidate else 0.1)
                counts[2 * (not candidate) + bad] += 1
            tables = [Table(1, 3, (counts[0], counts[1]), (counts[2], counts[3]))]
            ratio = ratio_interval(tables, alpha=0.2)
            difference = difference_interval(tables, values=(0.0, 1.0), centre=0.1, alpha=0.2)
            ratio_missed |= not (ratio.low or 0) <= 2 <= (ratio.high or 1e9)
            difference_missed |= not (difference.low or -1) <= 0.1 <= (difference.high or 1)
        missed_ratio += ratio_missed
        missed_difference += difference_missed

    # Two standard errors above 0.2 would be 51; the bets leave room.
    assert missed_ratio <= 50
    assert missed_difference <= 50
