"""What is fast is also what is true: sums of integers decide and round exactly as floats and decimals do, bit for bit."""

from collections.abc import Sequence
from decimal import Decimal
from math import fsum, log

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from glideslope.stats import wealth
from glideslope.stats.counts import Table, Tally, joined
from glideslope.stats.guard import RateGuard
from glideslope.stats.label import BinsHarm, EventHarm, EventHarmBeyond, RatioPass
from glideslope.stats.paired import PairedHarm, PairedScoreHarm
from glideslope.stats.reals import LONG, decimal_ln, log_sum_exp, written
from glideslope.stats.score import DifferencePass, ScoreHarm, ScorePass
from glideslope.stats.split import SplitTest
from glideslope.stats.wealth import Bets, anytime_p, crossed, log_wealth, weighed

TESTS: list[wealth.Test] = [
    EventHarm(0.01),
    EventHarmBeyond(0.1),
    RatioPass(0.5),
    DifferencePass(0.01, base_rate=0.01),
    SplitTest(),
    BinsHarm((500, 300, 100, 60, 30, 9, 1), edges=(10.0, 20.0, 30.0, 50.0, 90.0, 200.0)),
    ScoreHarm(tuple((k + 0.5) / 32 for k in range(32)), centre=0.2),
    ScorePass(tuple((k + 0.5) / 32 for k in range(32)), centre=0.2, margin=0.05),
]
TALLIED: list[wealth.TallyTest] = [
    RateGuard(0.05),
    PairedHarm(),
    PairedScoreHarm(tuple((k - 10) / 10 for k in range(21))),
]

COINS = st.sampled_from([(1, 99), (500, 9_500), (1, 3), (2_500, 7_500), (1, 1)])
COUNTS = st.one_of(
    st.just(0),
    st.integers(0, 40),
    st.integers(0, 5_000),
    st.integers(0, 10**8),
    st.integers(0, 2**53 - 1),  # the most that evidence may hold, and more than sums of integers can
)
ALPHAS = st.sampled_from([0.5, 0.05, 0.01, 0.01 / 2_000, 1e-6])


@st.composite
def asked(draw: st.DrawFn) -> tuple[wealth.Test, list[Table]]:
    """A test and tables for it: sparse or full, alike in the arms or not, of one coin or of several."""
    test = draw(st.sampled_from(TESTS))
    counts = draw(st.sampled_from([st.integers(0, 40), st.integers(0, 5_000), COUNTS]))
    row = st.lists(counts, min_size=test.bins, max_size=test.bins).map(tuple)
    tables = st.builds(lambda coin, a, b: Table(coin[0], coin[1], a, b), COINS, row, row)
    return test, draw(st.lists(tables, max_size=4))


def cells_of(test: wealth.Test, tables: Sequence[Table]) -> list[tuple[Bets, tuple[int, ...]]]:
    return [(test.bets(table.coin), table.candidate + table.incumbent) for table in joined(tables)]


def exactly(parts: Sequence[tuple[Bets, tuple[int, ...]]], *, alpha: float) -> bool:
    """Decide without any shortcut: the logarithm of the wealth to 70 digits, against that of the line."""
    scores = []
    for h, prior in enumerate(parts[0][0].prior):
        score = decimal_ln(prior, context=LONG)
        for bets, cells in parts:
            for factor, count in zip(bets.factors[h], cells, strict=True):
                score = LONG.fma(count, decimal_ln(factor, context=LONG), score)
        scores.append(score)
    top = max(scores)
    total = sum((LONG.exp(max(LONG.subtract(score, top), Decimal(-10_000))) for score in scores), Decimal(0))
    # No example lies so close to its line that 50 of 70 digits could not tell; test_wealth.py has those that do.
    return LONG.add(top, LONG.ln(total)) >= decimal_ln(1 / written(alpha), context=LONG)


@given(asked(), ALPHAS)
def test_a_verdict_is_the_one_that_decimals_give(question: tuple[wealth.Test, list[Table]], alpha: float) -> None:
    test, tables = question
    verdict = crossed(test, tables, alpha)

    assert verdict == (bool(tables) and exactly(cells_of(test, tables), alpha=alpha))
    assert verdict == weighed(test, tables, alpha, places=4)[0]


@given(asked(), st.sampled_from([0.0, 1e-14, 1e-11, 1e-8, 1e-6, 1e-4]), st.sampled_from([-1, 1]))
def test_so_is_the_verdict_close_to_the_line(
    question: tuple[wealth.Test, list[Table]], distance: float, side: int
) -> None:
    """Where integers cannot tell, floats or decimals must."""
    test, tables = question
    alpha = anytime_p(log_wealth(test, tables)) * (1 + side * distance)
    if not tables or not 1e-300 < alpha < 1.0:
        return
    verdict = exactly(cells_of(test, tables), alpha=alpha)

    assert crossed(test, tables, alpha) == verdict
    assert weighed(test, tables, alpha, places=4) == (verdict, round(log_wealth(test, tables), 4))


@given(st.sampled_from(TALLIED), ALPHAS, st.data())
def test_so_is_the_verdict_on_a_tally(test: wealth.TallyTest, alpha: float, data: st.DataObject) -> None:
    counts = data.draw(st.lists(COUNTS, min_size=test.bins, max_size=test.bins).map(tuple))
    verdict = crossed(test, Tally(counts), alpha)

    assert verdict == exactly([(test.bets(), counts)], alpha=alpha)
    assert weighed(test, Tally(counts), alpha, places=4) == (verdict, round(log_wealth(test, Tally(counts)), 4))


@given(asked(), st.integers(0, 12))
@example((EventHarm(0.01), [Table(1, 1, (0, 0), (0, 0))]), 4)
def test_a_rounded_wealth_has_the_bits_of_the_wealth_that_is_rounded(
    question: tuple[wealth.Test, list[Table]], places: int
) -> None:
    """Zero's sign too; and with more places than integers can tell, floats must step in."""
    test, tables = question

    assert weighed(test, tables, 0.01, places=places)[1].hex() == round(log_wealth(test, tables), places).hex()


@given(asked())
def test_wealth_is_the_correctly_rounded_sum_over_joined_tables(question: tuple[wealth.Test, list[Table]]) -> None:
    """The definition, written out: recorded evidence must recompute to these bits for ever."""
    test, tables = question
    parts = cells_of(test, tables)
    if not parts:
        assert log_wealth(test, tables) == 0.0
        return
    scores = [
        fsum([row[0], *(w * n for bets, cells in parts for w, n in zip(bets.weights[h], cells, strict=True))])
        for h, row in enumerate(parts[0][0].rows)
    ]

    assert log_wealth(test, tables).hex() == log_sum_exp(scores).hex()


@pytest.mark.parametrize("test", TESTS, ids=lambda test: type(test).__name__)
def test_evidence_beyond_what_integers_hold_is_still_decided(test: wealth.Test) -> None:
    many = 2**53 - 1
    for candidate, incumbent in ((many, 1), (1, many), (many, many)):
        table = Table(1, 1, (candidate,) * test.bins, (incumbent,) * test.bins)
        assert crossed(test, [table], 0.01) == exactly(cells_of(test, [table]), alpha=0.01)
        assert crossed(test, [table], 0.01) == (log_wealth(test, [table]) > log(100))
