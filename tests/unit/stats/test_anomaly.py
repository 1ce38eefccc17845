"""A detector that never ends: its ranks are uniform, it learns how high its own evidence climbs, and finds what is beyond."""

import random
from collections import Counter
from itertools import permutations, product
from math import inf, log

import pytest

from glideslope.stats.anomaly import (
    ABOVE,
    DAY,
    POWERS,
    RAISE,
    REMEMBERED,
    SILENT,
    STRAYS,
    Detector,
    History,
    Look,
    usual,
)

LINE = 1_000.0
LOOKS = 30
"""Looks of a minute that are taken as one, so that a day is 48 of them."""


def days(detector: Detector, scores: list[float], *, chance: random.Random) -> int:
    return sum(detector.see(score, chance=chance.random(), line=LINE, looks=LOOKS) for score in scores)


def straying(chance: random.Random, *, days: int, keep: float, spread: float) -> list[float]:
    """Return scores whose level strays for hours, by `spread` of their noise."""
    level, found = 0.0, []
    for _ in range(days * DAY // LOOKS):
        level = keep * level + chance.gauss(0, spread * (1 - keep * keep) ** 0.5)
        found.append(level + chance.gauss(0, 1))
    return found


def learned(*, seed: int = 1, spread: float = 0.0) -> tuple[Detector, random.Random]:
    chance = random.Random(seed)
    detector = Detector()
    assert days(detector, straying(chance, days=SILENT, keep=0.9, spread=spread), chance=chance) == 0
    assert not detector.silent
    return detector, chance


@pytest.mark.parametrize("scores", [(0.1, 0.5, 1.0, 3.0), (0.1, 0.1, 1.0, 3.0), (2.0, 2.0, 2.0, 2.0)])
def test_ranks_of_scores_in_any_order_are_uniform_ties_or_not(scores: tuple[float, ...]) -> None:
    """Every order of four scores and every quarter of the tie's chance: each quarter of [0, 1] is met equally often."""
    met: Counter[int] = Counter()
    for order, quarter in product(permutations(scores), range(4)):
        detector = Detector()
        detector.errors = [0.0, inf, inf, inf, inf]  # the local level is not asked here
        for score in order[:-1]:
            detector._rank(score, chance=0.5)
        met[int(4 * detector._rank(order[-1], chance=(quarter + 0.5) / 4))] += 1

    assert set(met.values()) == {24}


def test_each_bet_is_fair() -> None:
    """The mean of k p^(k-1) over uniform p, by the substitution p = u^(1/k) that makes it constant."""
    steps = 20_000
    for power in POWERS:
        points = [((i + 0.5) / steps) ** (1 / power) for i in range(steps)]
        widths = [((i + 1) / steps) ** (1 / power) - (i / steps) ** (1 / power) for i in range(steps)]
        mean = sum(power * p ** (power - 1) * width for p, width in zip(points, widths, strict=True))
        assert mean == pytest.approx(1.0, abs=0.01)


def test_flags_without_an_anomaly_are_no_more_than_looks_over_the_line_even_without_a_line_of_its_own() -> None:
    """The proof's bound, with the common line alone: the mean over 40 series, three standard errors allowed."""
    line, looks, flags = 200.0, 1_500, []
    for seed in range(40):
        chance, detector = random.Random(seed), Detector(highest=[-inf] * SILENT)
        found = 0
        for _ in range(looks):
            detector.highest, detector.raised = [-1e3] * SILENT, 0.0
            found += detector.see(chance.gauss(0, 1), chance=chance.random(), line=line)
        flags.append(found)
    mean = sum(flags) / len(flags)
    error = (sum((f - mean) ** 2 for f in flags) / (len(flags) - 1) / len(flags)) ** 0.5

    assert 0 < mean <= looks / line + 3 * error


def test_the_line_lies_above_what_the_series_reached_by_itself_and_never_below_the_common_one() -> None:
    quiet, wild = Detector(highest=[1.0] * SILENT), Detector(highest=[8.0, 12.0] * SILENT, raised=1.5)

    assert quiet.limit(LINE) == log(LINE)
    mean, spread = 10.0, (4 * 2 * SILENT / (2 * SILENT - 1)) ** 0.5
    assert wild.limit(LINE) == pytest.approx(max(mean + STRAYS * spread, 12.0 + ABOVE) + 1.5)
    assert Detector(highest=[99.0] * (SILENT - 1)).limit(LINE) == inf, "it is silent"


def test_only_the_last_days_are_remembered_and_what_was_flagged_is_no_example() -> None:
    detector, chance = learned()
    before = detector.limit(LINE)

    while not detector.see(9.0, chance=chance.random(), line=LINE, looks=LOOKS):
        pass
    raised = detector.raised
    days(detector, straying(chance, days=1, keep=0.0, spread=0.0), chance=chance)

    assert len(detector.highest) == SILENT + 1
    assert max(detector.highest) < before, "the flagged evidence is not among its day's"
    assert raised == RAISE
    assert detector.raised < raised, "it comes down again"
    days(detector, straying(chance, days=REMEMBERED + 5, keep=0.0, spread=0.0), chance=chance)
    assert len(detector.highest) == REMEMBERED


def test_a_series_that_strays_by_itself_is_not_flagged_for_it_and_is_for_more() -> None:
    """Five watched weeks of levels that stray by three times the noise; then a jump of forty. By the common line alone: 5, 5, 9 flags."""
    quiet, found = [], []
    for seed in range(3):
        detector, chance = learned(seed=seed, spread=3.0)
        quiet.append(days(detector, straying(chance, days=35, keep=0.9, spread=3.0), chance=chance))
        jumped = [score + 40.0 for score in straying(chance, days=1, keep=0.9, spread=3.0)]
        found.append(days(detector, jumped[:8], chance=chance))

    assert sum(quiet) <= 3
    assert min(found) >= 1


def test_a_candidate_knows_its_incumbents_line_and_has_seen_nothing() -> None:
    detector, chance = learned(spread=2.0)
    days(detector, [3.0] * 3, chance=chance)

    other = detector.for_another()

    assert other.limit(LINE) == detector.limit(LINE)
    assert other.evidence == 0.0
    assert other.bag == detector.bag
    assert other.bag is not detector.bag


def test_what_is_usual_is_this_hours_and_one_bad_week_is_not_what_is_usual() -> None:
    weeks = [History() for _ in range(3)]
    for number, week in enumerate(weeks):
        for hour in range(168):
            week.add(Look(total=(100.0 * (hour % 24) + 7_000 * (number == 1)) * 60, count=60), hour=hour)

    assert usual(weeks, 34.5, fewest=5) == pytest.approx(1_000.0)
    assert usual(weeks, 34.75, fewest=5) == pytest.approx(1_025.0)
    assert usual(weeks, 34.5, fewest=500) is None
