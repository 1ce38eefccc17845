"""Sample sizes are the published limits plus a measured price, and nonsense is refused."""

from collections.abc import Callable
from math import log, nan

import pytest

from glideslope.stats.planning import (
    difference_information,
    errors_only_information,
    information,
    pair_information,
    pairs_to_harm,
    ratio_information,
    score_information,
    smallest_ratio,
    subjects,
    subjects_to_harm,
    subjects_to_harm_difference,
    subjects_to_harm_score,
    subjects_to_pass_difference,
    subjects_to_pass_ratio,
    subjects_to_pass_score,
)

LIMITS = [
    (0.01, 0.012, 0.05, 16_660),
    (0.01, 0.02, 0.05, 817),
    (0.01, 0.02, 0.25, 1_092),
    (0.01, 0.02, 0.5, 1_737),
    (0.01, 0.05, 0.05, 80),
    (0.1, 0.12, 0.5, 2_929),
    (0.1, 0.2, 0.25, 95),
]


@pytest.mark.parametrize(("base", "rate", "pi", "limit"), LIMITS)
def test_the_limit_of_harm_is_the_one_simulated_elsewhere(base: float, rate: float, pi: float, limit: int) -> None:
    assert log(20) / information(base, candidate_rate=rate, pi=pi) == pytest.approx(limit, rel=0.005)


@pytest.mark.parametrize(
    ("base", "margin", "pi", "limit", "mean"),
    [
        (0.01, 0.1, 0.05, 67_462, 74_260),
        (0.01, 0.1, 0.5, 131_962, 149_986),
        (0.01, 1.0, 0.05, 1_060, 1_111),
        (0.01, 1.0, 0.5, 2_543, 2_750),
        (0.1, 0.1, 0.05, 6_746, 7_495),
        (0.1, 0.25, 0.5, 2_412, 2_601),
    ],
)
def test_time_to_pass_is_planned_within_15_percent_of_what_was_simulated(
    base: float, margin: float, pi: float, limit: int, mean: int
) -> None:
    nats = errors_only_information(base, candidate_rate=base, ratio=1 + margin, pi=pi)

    assert log(20) / nats == pytest.approx(limit, rel=0.005)
    assert subjects_to_pass_ratio(base, margin=margin, pi=pi, alpha=0.05) == pytest.approx(mean, rel=0.15)


@pytest.mark.parametrize(("b", "c", "mean"), [(0.025, 0.005, 534), (0.04, 0.02, 1134), (0.12, 0.02, 97)])
def test_pairs_are_planned_within_15_percent_of_what_was_simulated(b: float, c: float, mean: int) -> None:
    assert pairs_to_harm(candidate_bad=b, incumbent_bad=c, alpha=0.05) == pytest.approx(mean, rel=0.15)


def test_bets_on_bad_outcomes_alone_keep_all_but_the_base_rate_of_the_information() -> None:
    for base in (0.01, 0.1):
        kept = errors_only_information(base, candidate_rate=base, ratio=1.25, pi=0.2)
        whole = ratio_information(base, candidate_rate=base, ratio=1.25, pi=0.2)
        assert 1 - 1.2 * base < kept / whole < 1


def test_a_ratio_or_difference_that_is_the_null_brings_no_information() -> None:
    assert ratio_information(0.1, candidate_rate=0.12, ratio=1.2, pi=0.3) == pytest.approx(0, abs=1e-12)
    assert difference_information(0.1, candidate_rate=0.12, difference=0.02, pi=0.3) == pytest.approx(0, abs=1e-12)
    assert ratio_information(0.1, candidate_rate=0.2, ratio=1.0, pi=0.3) == pytest.approx(
        information(0.1, candidate_rate=0.2, pi=0.3)
    )
    assert difference_information(0.1, candidate_rate=0.2, difference=0.0, pi=0.3) == pytest.approx(
        information(0.1, candidate_rate=0.2, pi=0.3)
    )


def test_small_differences_of_rates_need_what_scores_with_their_deviation_need() -> None:
    nats = difference_information(0.1, candidate_rate=0.101, difference=0.0, pi=0.05)

    assert nats == pytest.approx(score_information((0.1 * 0.9) ** 0.5, gap=0.001, pi=0.05), rel=0.01)


def test_the_smallest_ratio_is_the_one_that_needs_so_many_subjects() -> None:
    ratio = smallest_ratio(0.01, subjects=1598, pi=0.05, alpha=0.01)

    assert ratio is not None
    assert subjects_to_harm(0.01, ratio=ratio, pi=0.05, alpha=0.01) <= 1598
    assert subjects_to_harm(0.01, ratio=ratio * 0.999, pi=0.05, alpha=0.01) > 1598
    assert smallest_ratio(0.01, subjects=1, pi=0.05, alpha=0.01) is None


def test_more_is_needed_for_less() -> None:
    def needs(alpha: float, gap: float) -> list[int]:
        return [
            subjects_to_harm(0.01, ratio=1 + 100 * gap, pi=0.1, alpha=alpha),
            subjects_to_pass_ratio(0.01, margin=100 * gap, pi=0.1, alpha=alpha),
            subjects_to_harm_difference(0.1, difference=gap, margin=0.0, pi=0.1, alpha=alpha),
            subjects_to_pass_difference(0.1, margin=gap, pi=0.1, alpha=alpha),
            subjects_to_harm_score(0.3, difference=gap, margin=0.0, pi=0.1, alpha=alpha),
            subjects_to_pass_score(0.3, margin=gap, pi=0.1, alpha=alpha),
        ]

    for more, less in zip(needs(0.01, 0.005), needs(0.05, 0.005), strict=True):
        assert more > less
    for more, less in zip(needs(0.05, 0.002), needs(0.05, 0.005), strict=True):
        assert more > less


REFUSED: list[Callable[[], object]] = [
    lambda: information(0.0, candidate_rate=0.1, pi=0.5),
    lambda: information(nan, candidate_rate=0.1, pi=0.5),
    lambda: information(0.1, candidate_rate=1.1, pi=0.5),
    lambda: information(0.1, candidate_rate=0.1, pi=1.0),
    lambda: ratio_information(0.1, candidate_rate=0.1, ratio=0.0, pi=0.5),
    lambda: errors_only_information(0.1, candidate_rate=0.1, ratio=nan, pi=0.5),
    lambda: difference_information(0.1, candidate_rate=0.1, difference=1.0, pi=0.5),
    lambda: score_information(0.0, gap=0.1, pi=0.5),
    lambda: subjects(0.0, alpha=0.05, overhead=1.0),
    lambda: subjects(0.1, alpha=0.0, overhead=1.0),
    lambda: subjects_to_harm(0.01, ratio=1.0, pi=0.5, alpha=0.05),
    lambda: subjects_to_pass_ratio(0.01, margin=0.0, pi=0.5, alpha=0.05),
    lambda: smallest_ratio(0.01, subjects=0, pi=0.5, alpha=0.05),
]


@pytest.mark.parametrize("ask", REFUSED)
def test_a_question_without_an_answer_is_refused(ask: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        ask()


def test_information_is_complete_at_rates_of_zero_and_one() -> None:
    assert information(0.1, candidate_rate=0.0, pi=0.5) > 0
    assert information(0.1, candidate_rate=1.0, pi=0.5) > 0
    assert pair_information(candidate_bad=0.1, incumbent_bad=0.0) == pytest.approx(0.1 * log(2))
