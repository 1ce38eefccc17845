"""Credit for overshoot: more to start with, and still at most alpha, whenever somebody changes the coin."""

from fractions import Fraction
from functools import cache
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glideslope.stats import credit
from glideslope.stats.counts import Table
from glideslope.stats.credit import MOST_BAD, RATIOS, StakedHarm, applies, chance_of_alarm, credited, reserved
from glideslope.stats.wealth import crossed, log_wealth

COINS = [(1, 19), (1, 4), (1, 3), (1, 1), (9, 1)]


@pytest.mark.parametrize("coin", COINS)
@pytest.mark.parametrize("alpha", [0.05, 0.01, 0.0002])
def test_credit_leaves_the_chance_of_an_alarm_at_alpha_and_uses_nearly_all_of_it(
    coin: tuple[int, int], alpha: float
) -> None:
    plain = reserved()
    stakes = credited(RATIOS, plain, coin=coin, alpha=alpha)

    assert sum(map(Fraction, stakes)) > 1
    assert all(more >= less for more, less in zip(stakes, plain, strict=True))
    assert 0.9 * alpha < chance_of_alarm(RATIOS, plain, stakes, coin=coin, alpha=alpha) <= alpha


def test_more_credit_than_that_would_break_the_promise() -> None:
    plain = reserved()
    stakes = credited(RATIOS, plain, coin=(1, 4), alpha=0.05)
    greedy = tuple(1.2 * stake for stake in stakes)

    assert chance_of_alarm(RATIOS, plain, greedy, coin=(1, 4), alpha=0.05) > 0.05


@pytest.mark.parametrize("stakes", [(0.7, 0.9), (0.5, 0.4), (0.6, 0.41)])
def test_the_chance_is_that_of_enumeration_with_a_coin_changed_at_the_worst_moment(
    monkeypatch: pytest.MonkeyPatch, stakes: tuple[float, float]
) -> None:
    """The oracle asks the shipped evaluator at every state, in exact fractions, and lets an adversary leave from any."""
    most, alpha, coin = 9, 0.05, (1, 4)
    monkeypatch.setattr(credit, "MOST_BAD", most)
    ratios, plain = (2.0, 8.0), (0.5, 0.4)
    pi, before, after = Fraction(1, 5), StakedHarm(ratios, stakes), StakedHarm(ratios, plain)

    def plain_wealth(n: int, s: int) -> Fraction:
        bets = after.bets(pi)
        return sum(
            (w * row[1] ** s * row[3] ** (n - s) for w, row in zip(bets.prior, bets.factors, strict=True)), Fraction(0)
        )

    @cache
    def worst(n: int, s: int) -> Fraction:
        if crossed(before, [Table(*coin, (0, s), (0, n - s))], alpha):
            return Fraction(1)
        leave = min(Fraction(1), Fraction(5, 100) * plain_wealth(n, s))
        return leave if n == most else max(leave, pi * worst(n + 1, s + 1) + (1 - pi) * worst(n + 1, s))

    found = chance_of_alarm(ratios, plain, stakes, coin=coin, alpha=alpha)

    assert found == pytest.approx(float(worst(0, 0)), rel=1e-9)


@settings(max_examples=25)
@given(
    coin=st.sampled_from(COINS),
    ratios=st.lists(st.floats(1.01, 60.0), min_size=1, max_size=6, unique=True),
    alpha=st.sampled_from([0.2, 0.05, 0.003]),
)
def test_any_alternatives_may_be_credited(coin: tuple[int, int], ratios: list[float], alpha: float) -> None:
    alternatives = tuple(round(ratio, 3) for ratio in ratios)
    plain = reserved((1 / len(alternatives),) * len(alternatives))
    stakes = credited.__wrapped__(alternatives, plain, coin=coin, alpha=alpha)

    assert chance_of_alarm(alternatives, plain, stakes, coin=coin, alpha=alpha) <= alpha


def test_credit_is_refused_to_more_than_a_unit_of_wealth() -> None:
    with pytest.raises(ValueError, match="must not sum to more than one"):
        credited(RATIOS, (0.5,) * 6, coin=(1, 1), alpha=0.05)


@pytest.mark.parametrize("stakes", [(0.5,), (0.5, 0.0), (0.5, -0.1)])
def test_each_ratio_has_a_stake_above_zero(stakes: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="a stake above 0"):
        StakedHarm((2.0, 3.0), stakes)


def test_credit_ends_with_the_first_bad_outcome_under_another_coin_and_with_many() -> None:
    first, same, other = Table(1, 4, (9, 2), (9, 3)), Table(500, 2000, (0, 1), (0, 0)), Table(1, 1, (5, 1), (7, 0))
    silent = Table(1, 1, (5, 0), (7, 0))
    many = Table(1, 4, (0, MOST_BAD - 5), (0, 0))

    assert applies([], coin=(1, 4))
    assert applies([first, same, silent], coin=(1, 4))
    assert not applies([first, other], coin=(1, 4))
    assert not applies([first], coin=(1, 1))
    assert applies([first, many], coin=(1, 4))
    assert not applies([first, many, same], coin=(1, 4))


def test_stakes_that_sum_to_one_are_the_errors_only_test_of_before() -> None:
    """Mean one under a ramp and drift, by enumeration through the evaluator, when nothing is credited."""
    test = StakedHarm((1.5, 4.0), (0.25, 0.75))
    mean = 0.0
    for course in product(range(4), repeat=4):
        chance, tables = 1.0, []
        for (candidate, control), rate, cells in zip(
            [(1, 19), (1, 1)], [0.3, 0.01], [course[:2], course[2:]], strict=True
        ):
            pi = candidate / (candidate + control)
            counts = [0] * 4
            for cell in cells:
                counts[cell] += 1
                chance *= (pi, 1 - pi)[cell // 2] * (1 - rate, rate)[cell % 2]
            tables.append(Table(candidate, control, (counts[0], counts[1]), (counts[2], counts[3])))
        mean += chance * 2.718281828459045 ** log_wealth(test, tables)

    assert mean == pytest.approx(1, abs=1e-9)
