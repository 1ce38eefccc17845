"""When a test will speak: the forecast of a first passage against walks that are walked."""

from math import log
from random import Random

import pytest

from glideslope.stats.counts import Table
from glideslope.stats.label import EventHarm
from glideslope.stats.passage import Pace, Walk, passed
from glideslope.stats.wealth import held, log_wealth

TEST = EventHarm(0.05)
COIN = {"candidate": 1, "control": 3}
CELLS = (0.25 * 0.85, 0.25 * 0.15, 0.75 * 0.95, 0.75 * 0.05)
"""A candidate with three times the errors."""
LINE = log(100)


def test_a_pace_is_the_mean_growth_of_each_alternative() -> None:
    """A million outcomes in proportion move each alternative's log wealth by a million times its pace."""
    bets = held(TEST, **COIN)
    pace = Pace.of(bets, cells=CELLS)
    counts = [round(4_000 * p) for p in CELLS]

    moved = [sum(w * n for w, n in zip(weights, counts, strict=True)) for weights in bets.weights]

    assert moved == pytest.approx([mean * sum(counts) for mean in pace.means], abs=1e-6)
    table = Table(1, 3, tuple(counts[:2]), tuple(counts[2:]))
    assert log_wealth(TEST, (table,)) == pytest.approx(Walk.start(pace).after(pace, sum(counts)).whole, abs=1e-6)


def test_the_time_to_a_verdict_is_what_walks_take() -> None:
    """Of 150 walked walks, as many have spoken at the forecast's quartiles as it says, within 12 of 100."""
    chance = Random(7)
    pace = Pace.of(held(TEST, **COIN), cells=CELLS)
    weights = held(TEST, **COIN).weights
    taken = []
    for _ in range(150):
        logs, n = list(pace.priors), 0
        while Walk(tuple(logs), (0.0,) * len(logs), pace.priors, pace.overshoots).whole < LINE:
            cell = chance.choices(range(4), CELLS)[0]
            logs = [a + w[cell] for a, w in zip(logs, weights, strict=True)]
            n += 1
        taken.append(n)

    for q in (0.25, 0.5, 0.75):
        n = 1
        while Walk.start(pace).after(pace, n).reached(LINE) < q:
            n += 1
        assert abs(sum(t <= n for t in taken) / len(taken) - q) < 0.12, q


def test_room_shrinks_with_bad_news() -> None:
    """A bad outcome of the candidate leaves less room than there was before it."""
    pace = Pace.of(held(TEST, **COIN), cells=CELLS)
    fresh = pace.room([], line=LINE, sure=2.5)
    nearer = pace.room([w[1] for w in held(TEST, **COIN).weights], line=LINE, sure=2.5)

    assert 0.0 < nearer < fresh


@pytest.mark.parametrize(("mean", "variance"), [(-1.0, 4.0), (0.0, 1.0), (3.0, 6.0), (9.0, 1.0)])
def test_a_passage_is_a_probability_that_grows_with_the_mean(mean: float, variance: float) -> None:
    found = [passed(mean + k, variance=variance, line=4.0) for k in range(5)]

    assert found == sorted(found)
    assert 0.0 <= found[0] <= found[-1] <= 1.0


def test_a_driftless_motion_passes_as_the_reflection_principle_says() -> None:
    """P(max B >= a) = 2 P(B >= a)."""
    assert passed(0.0, variance=1.0, line=1.6448536269514722) == pytest.approx(0.1, abs=1e-9)
