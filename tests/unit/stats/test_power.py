"""Size and power, simulated and looked at after every event: few false alarms, and close to the limit of any test."""

from collections.abc import Sequence
from fractions import Fraction
from math import exp, log

import numpy as np
import pytest

from glideslope.stats.counts import Table
from glideslope.stats.label import BinsHarm, EventHarm, EventHarmBeyond, RatioPass
from glideslope.stats.paired import PairedHarm
from glideslope.stats.planning import difference_information, errors_only_information, information, pair_information
from glideslope.stats.score import DifferencePass, ScoreHarm
from glideslope.stats.split import SplitTest
from glideslope.stats.wealth import Bets, crossed

CHUNK = 500

Leg = tuple[Bets, Sequence[float], int]
"""Bets, chances of the cells, most events."""


def crossings(
    legs: Sequence[Leg], *, alpha: float, runs: int, seed: int
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Per run, the events of each cell at the first crossing, or NaN.

    Every event is looked at.
    """
    rng = np.random.default_rng(seed)
    bets = legs[0][0]
    cells = len(bets.factors[0])
    scores = np.tile([row[0] for row in bets.rows], (runs, 1))
    seen = np.zeros((runs, cells))
    found = np.full((runs, cells), np.nan)
    active = np.arange(runs)
    for leg, chances, most in legs:
        weights = np.array([row[1:] for row in leg.rows])
        edges = np.cumsum(chances)
        events = 0
        while len(active) and events < most:
            size = min(CHUNK, most - events)
            events += size
            drawn = np.searchsorted(edges, rng.random((len(active), size)) * edges[-1], side="right")
            paths = scores[active][:, :, None] + np.cumsum(weights[:, drawn].transpose(1, 0, 2), axis=2)
            over = np.logaddexp.reduce(paths, axis=1) >= log(1 / alpha)
            hit, first = over.any(axis=1), over.argmax(axis=1)
            scores[active] = paths[:, :, -1]
            for cell in range(cells):
                within = np.cumsum(drawn == cell, axis=1)
                found[active[hit], cell] = seen[active[hit], cell] + within[hit, first[hit]]
                seen[active, cell] += within[:, -1]
            active = active[~hit]
    return found


def cells(pi: Fraction, *, candidate: Sequence[float], incumbent: Sequence[float]) -> list[float]:
    return [float(pi) * p for p in candidate] + [float(1 - pi) * p for p in incumbent]


def mean_candidates(
    test: EventHarm | RatioPass | DifferencePass,
    *,
    pi: Fraction,
    candidate: Sequence[float],
    incumbent: Sequence[float],
    alpha: float,
    runs: int,
) -> float:
    leg = (test.bets(pi), cells(pi, candidate=candidate, incumbent=incumbent), 10**7)
    found = crossings([leg], alpha=alpha, runs=runs, seed=5)
    return float(found[:, : test.bins].sum(axis=1).mean())


def test_the_simulation_crosses_where_the_evaluator_crosses() -> None:
    """The power figures below are those of the shipped code: last event before and first at the line agree with it."""
    test, pi = EventHarm(0.1), Fraction(1, 4)
    chances = cells(pi, candidate=(0.7, 0.3), incumbent=(0.9, 0.1))
    for counts in crossings([(test.bets(pi), chances, 10**6)], alpha=0.01, runs=50, seed=3):
        a, b, c, d = map(int, counts)
        assert crossed(test, [Table(1, 3, (a, b), (c, d))], 0.01)
        # Only a bad outcome of the candidate can have carried it over.
        assert not crossed(test, [Table(1, 3, (a, b - 1), (c, d))], 0.01)


HARM = [
    (0.01, 0.02, Fraction(1, 20), 1.35),
    (0.01, 0.05, Fraction(1, 4), 1.41),
    (0.01, 0.2, Fraction(1, 2), 1.41),
    (0.1, 0.12, Fraction(1, 4), 1.38),
    (0.1, 0.2, Fraction(1, 20), 1.31),
    (0.1, 0.2, Fraction(1, 2), 1.26),
]


@pytest.mark.parametrize(("base", "rate", "pi", "published"), HARM)
def test_harm_is_found_as_close_to_the_limit_as_published(
    base: float, rate: float, pi: Fraction, published: float
) -> None:
    mean = mean_candidates(
        EventHarm(base), pi=pi, candidate=(1 - rate, rate), incumbent=(1 - base, base), alpha=0.05, runs=150
    )

    assert mean * information(base, candidate_rate=rate, pi=float(pi)) / log(20) == pytest.approx(published, abs=0.25)


@pytest.mark.slow
@pytest.mark.parametrize(("alpha", "goal"), [(0.05, 1.45), (0.01, 1.35)])
def test_over_all_settings_harm_costs_little_more_than_the_limit(alpha: float, goal: float) -> None:
    ratios = []
    for base, rate in [(0.01, 0.012), (0.01, 0.02), (0.01, 0.05), (0.01, 0.2), (0.1, 0.12), (0.1, 0.2)]:
        for pi in (Fraction(1, 20), Fraction(1, 4), Fraction(1, 2)):
            mean = mean_candidates(
                EventHarm(base), pi=pi, candidate=(1 - rate, rate), incumbent=(1 - base, base), alpha=alpha, runs=200
            )
            ratios.append(mean * information(base, candidate_rate=rate, pi=float(pi)) / log(1 / alpha))

    assert exp(sum(map(log, ratios)) / len(ratios)) <= goal
    assert max(ratios) <= 1.9  # the goal is 1.75; two standard errors of 200 runs above


@pytest.mark.parametrize("pi", [Fraction(1, 20), Fraction(1, 2)])
def test_an_equal_candidate_passes_at_little_more_than_the_limit(pi: Fraction) -> None:
    equal = (0.9, 0.1)
    mean = mean_candidates(RatioPass(0.5), pi=pi, candidate=equal, incumbent=equal, alpha=0.05, runs=150)
    nats = errors_only_information(0.1, candidate_rate=0.1, ratio=1.5, pi=float(pi))
    assert mean * nats / log(20) <= 1.2

    mean = mean_candidates(
        DifferencePass(0.05, base_rate=0.1), pi=pi, candidate=equal, incumbent=equal, alpha=0.05, runs=150
    )
    nats = difference_information(0.1, candidate_rate=0.1, difference=0.05, pi=float(pi))
    assert mean * nats / log(20) <= 1.3


def test_pairs_find_a_worse_candidate_as_close_to_the_limit_as_published() -> None:
    chances = (0.86, 0.12, 0.02, 0.0)
    found = crossings([(PairedHarm().bets(), chances, 10**6)], alpha=0.05, runs=300, seed=2)
    nats = pair_information(candidate_bad=0.12, incumbent_bad=0.02)

    assert float(found.sum(axis=1).mean()) * nats / log(20) == pytest.approx(1.28, abs=0.15)


@pytest.mark.parametrize(
    ("asked", "found", "published"),
    [(Fraction(1, 20), Fraction(9, 200), 31_000), (Fraction(1, 2), Fraction(9, 20), 2_200)],
)
def test_a_broken_split_is_found_with_about_as_many_subjects_as_by_the_dirichlet_mixture(
    asked: Fraction, found: Fraction, published: int
) -> None:
    """Figures for the Dirichlet mixture with k = 1000 at alpha 0.001."""
    leg = (SplitTest().bets(asked), (float(found), float(1 - found)), 10**6)
    mean = float(crossings([leg], alpha=0.001, runs=60, seed=4).sum(axis=1).mean())

    # 1.11 and 0.87 measured; the rest is the noise of 60 runs.
    assert mean / published <= 1.25


LATENCY = (500, 300, 100, 60, 30, 9, 1)
EDGES = (10.0, 20.0, 30.0, 50.0, 90.0, 200.0)
LATENCY_CHANCES = tuple(count / 1000 for count in LATENCY)


def false_alarms(legs: Sequence[Leg], *, alpha: float, runs: int) -> float:
    return float(np.isfinite(crossings(legs, alpha=alpha, runs=runs, seed=11)[:, 0]).mean())


def equal_arms(test: EventHarm | BinsHarm | ScoreHarm, *, chances: Sequence[float], pi: Fraction, events: int) -> Leg:
    return (test.bets(pi), cells(pi, candidate=chances, incumbent=chances), events)


def worlds(events: int) -> dict[str, list[Leg]]:
    """Rollouts of a candidate that is not worse, in which common rules go wrong."""
    one, ten = EventHarm(0.01), EventHarm(0.1)
    ramp = [Fraction(1, 20), Fraction(1, 4), Fraction(1, 2)]
    return {
        "steady 10 %": [equal_arms(ten, chances=(0.9, 0.1), pi=ramp[0], events=events)],
        "base rate rises with the ramp": [
            equal_arms(one, chances=(1 - p, p), pi=pi, events=events // 3)
            for pi, p in zip(ramp, (0.01, 0.02, 0.03), strict=True)
        ],
        "shared outage": [
            equal_arms(one, chances=(1 - p, p), pi=ramp[1], events=events // 3) for p in (0.01, 0.3, 0.01)
        ],
        "wrong base rate": [equal_arms(one, chances=(0.5, 0.5), pi=ramp[2], events=events)],
        "latency": [equal_arms(BinsHarm(LATENCY, edges=EDGES), chances=LATENCY_CHANCES, pi=ramp[1], events=events)],
        "loss": [
            equal_arms(ScoreHarm((0.0, 0.5, 1.0), centre=0.2), chances=(0.7, 0.2, 0.1), pi=ramp[0], events=events)
        ],
        "within the tolerated margin": [
            (EventHarmBeyond(0.2).bets(ramp[1]), cells(ramp[1], candidate=(0.88, 0.12), incumbent=(0.9, 0.1)), events)
        ],
        "at the margin of a proof": [
            (RatioPass(0.2).bets(ramp[1]), cells(ramp[1], candidate=(0.88, 0.12), incumbent=(0.9, 0.1)), events)
        ],
        "split as asked": [(SplitTest().bets(ramp[0]), (0.05, 0.95), events)],
    }


@pytest.mark.parametrize("world", worlds(1))
def test_false_alarms_stay_below_alpha_though_every_event_is_looked_at(world: str) -> None:
    # 300 runs at alpha 0.1: 48 alarms are 3.5 standard errors above.
    assert false_alarms(worlds(4_000)[world], alpha=0.1, runs=300) <= 0.16


@pytest.mark.slow
@pytest.mark.parametrize("world", worlds(1))
def test_false_alarms_stay_below_alpha_over_long_rollouts(world: str) -> None:
    """A thousand rollouts of 20,000 events each; benchmarks/detect.py has ten times as many."""
    alpha, runs = 0.05, 1_000
    noise = 3 * (alpha * (1 - alpha) / runs) ** 0.5

    assert false_alarms(worlds(20_000)[world], alpha=alpha, runs=runs) <= alpha + noise
