"""What people declare is refused if it cannot mean anything: NaN, infinite, negative, vacuous."""

from collections.abc import Callable
from fractions import Fraction
from math import inf, nan

import pytest

from glideslope.stats.betting import label_bets
from glideslope.stats.counts import Table, Tally
from glideslope.stats.guard import RateGuard
from glideslope.stats.label import BinsHarm, EventHarm, EventHarmBeyond, RatioPass
from glideslope.stats.paired import PairedHarm, PairedPass, PairedScoreHarm, PairedScorePass
from glideslope.stats.score import DifferenceHarm, DifferencePass, ScoreHarm, ScorePass, mean_bets
from glideslope.stats.split import SplitTest
from glideslope.stats.wealth import crossed, log_wealth

REFUSED: dict[str, Callable[[], object]] = {
    "a base rate that is no number": lambda: EventHarm(nan),
    "an infinite base rate": lambda: EventHarm(inf),
    "a negative base rate": lambda: EventHarm(-0.1),
    "a base rate of one": lambda: EventHarm(1.0),
    "no ratios": lambda: EventHarm(0.01, ratios=()),
    "a ratio of one": lambda: EventHarm(0.01, ratios=(1.0,)),
    "a ratio that is no number": lambda: EventHarm(0.01, ratios=(nan,)),
    "weights that do not sum to one": lambda: EventHarm(0.01, ratios=(2.0, 3.0), prior=(0.5, 0.4)),
    "weights for other ratios": lambda: EventHarm(0.01, ratios=(2.0, 3.0), prior=(1.0,)),
    "a weight of zero": lambda: EventHarm(0.01, ratios=(2.0, 3.0), prior=(1.0, 0.0)),
    "a negative margin": lambda: EventHarmBeyond(-0.1),
    "a margin that is no number": lambda: EventHarmBeyond(nan),
    "a proof without a margin": lambda: RatioPass(0.0),
    "a margin no candidate could break": lambda: RatioPass(1.0, base_rate=0.5),
    "one bin": lambda: BinsHarm((5,)),
    "an empty reference": lambda: BinsHarm((0, 0)),
    "a negative count": lambda: BinsHarm((1, -1)),
    "a count that is no integer": lambda: BinsHarm((1, 0.5)),  # type: ignore[arg-type] # what a careless caller sends
    "too few edges": lambda: BinsHarm((1, 1, 1), edges=(1.0,)),
    "edges out of order": lambda: BinsHarm((1, 1, 1), edges=(2.0, 1.0)),
    "an edge at zero": lambda: BinsHarm((1, 1, 1), edges=(0.0, 1.0)),
    "an edge at infinity": lambda: BinsHarm((1, 1, 1), edges=(1.0, inf)),
    "a loss that is no number": lambda: ScoreHarm((0.0, nan), centre=0.0),
    "losses that are all equal": lambda: ScoreHarm((1.0, 1.0), centre=1.0),
    "a centre outside the losses": lambda: ScoreHarm((0.0, 1.0), centre=1.5),
    "a margin wider than the losses": lambda: ScoreHarm((0.0, 1.0), centre=0.5, margin=1.0),
    "a score proof without a margin": lambda: ScorePass((0.0, 1.0), centre=0.5, margin=0.0),
    "a reference of another length": lambda: ScorePass((0.0, 1.0), centre=0.5, margin=0.1, reference=(1,)),
    "a reference without subjects": lambda: ScorePass((0.0, 1.0), centre=0.5, margin=0.1, reference=(0, 0)),
    "a difference below zero": lambda: DifferenceHarm(-0.1, base_rate=0.1),
    "a difference proof without a margin": lambda: DifferencePass(0.0, base_rate=0.1),
    "a paired proof without a margin": lambda: PairedPass(0.0),
    "a paired ratio below one": lambda: PairedHarm(ratios=(0.5,)),
    "paired differences all on one side": lambda: PairedScoreHarm((0.0, 0.5)),
    "a paired margin beyond the differences": lambda: PairedScorePass((-1.0, 1.0), margin=1.0),
    "a limit of zero": lambda: RateGuard(0.0),
    "a limit that is no number": lambda: RateGuard(nan),
    "odds at one": lambda: SplitTest(odds=(1.0,)),
    "no odds": lambda: SplitTest(odds=()),
    "likelihood ratios that fall towards worse bins": lambda: label_bets(
        pi=Fraction(1, 2), prior=(Fraction(1),), likelihoods=[(Fraction(2), Fraction(1))]
    ),
    "bets that cannot be lost": lambda: mean_bets([Fraction(0), Fraction(1)]),
}


@pytest.mark.parametrize("declare", REFUSED.values(), ids=REFUSED.keys())
def test_a_declaration_without_meaning_is_refused(declare: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        declare()


def test_tests_are_values_that_can_be_keys() -> None:
    assert len({EventHarm(0.01), EventHarm(0.01), EventHarm(0.02), RatioPass(0.1)}) == 3


def test_ratios_that_a_rate_cannot_reach_bend_towards_one_instead() -> None:
    likelihoods = EventHarm(0.5).likelihoods()

    assert all(0 < good < 1 < bad < 2 for good, bad in likelihoods)
    assert sorted(likelihoods, key=lambda pair: pair[1]) == likelihoods


def test_alternatives_for_latency_see_shifts_and_tails() -> None:
    """Ratios never fall towards slower bins, and reach further in the tail the slower the alternative."""
    ratios = BinsHarm((500, 300, 100, 60, 30, 9, 1), edges=(10.0, 20.0, 30.0, 50.0, 90.0, 200.0)).likelihoods()

    assert all(list(row) == sorted(row) and row[0] < 1 < row[-1] for row in ratios)
    assert [row[-1] for row in ratios[:6]] == sorted(row[-1] for row in ratios[:6])


HARMED = [
    (EventHarm(0.01), (100, 30), (390, 5)),
    (EventHarmBeyond(0.5), (100, 30), (390, 5)),
    (BinsHarm((97, 2, 1), edges=(10.0, 90.0)), (80, 20, 30), (380, 10, 5)),
    (ScoreHarm((0.0, 0.5, 1.0), centre=0.1), (80, 20, 30), (380, 10, 5)),
    (DifferenceHarm(0.01, base_rate=0.01), (100, 30), (390, 5)),
]
HEALTHY = [
    (RatioPass(1.0, base_rate=0.1), (900, 100), (2_700, 300)),
    (ScorePass((0.0, 0.5, 1.0), centre=0.1, margin=0.1), (900, 50, 50), (2_700, 150, 150)),
    (ScorePass((0.0, 0.5, 1.0), centre=0.1, margin=0.1, reference=(90, 5, 5)), (900, 50, 50), (2_700, 150, 150)),
    (DifferencePass(0.1, base_rate=0.1), (900, 100), (2_700, 300)),
]


@pytest.mark.parametrize(("test", "candidate", "incumbent"), HARMED + HEALTHY, ids=repr)
def test_each_test_speaks_when_it_should_and_is_silent_when_the_arms_are_swapped_or_empty(
    test: EventHarm, candidate: tuple[int, ...], incumbent: tuple[int, ...]
) -> None:
    table = Table(1, 3, candidate, incumbent)
    empty = Table(1, 3, (0,) * test.bins, (0,) * test.bins)
    worse = Table(1, 3, candidate[::-1], incumbent)

    assert crossed(test, [table], 0.01)
    assert not crossed(test, [empty], 0.01)
    assert (log_wealth(test, [worse]) > 0) == (
        type(test) in {EventHarm, EventHarmBeyond, BinsHarm, ScoreHarm, DifferenceHarm}
    )


@pytest.mark.parametrize(
    ("test", "harmful", "equal"),
    [
        (PairedHarm(), (900, 60, 10, 30), (900, 35, 35, 30)),
        (PairedScoreHarm((-1.0, -0.2, 0.0, 0.4, 1.0), margin=0.01), (10, 50, 800, 90, 50), (50, 50, 800, 25, 50)),
        (RateGuard(0.05), (900, 100), (990, 10)),
    ],
    ids=repr,
)
def test_tests_of_tallies_find_harm_and_only_harm(
    test: PairedHarm, harmful: tuple[int, ...], equal: tuple[int, ...]
) -> None:
    assert crossed(test, Tally(harmful), 0.01)
    assert not crossed(test, Tally(equal), 0.5)


@pytest.mark.parametrize(
    ("test", "equal", "worse"),
    [
        (PairedPass(0.5), (800, 50, 50, 100), (800, 95, 20, 85)),
        (PairedScorePass((-1.0, 0.0, 1.0), margin=0.1), (50, 900, 50), (10, 850, 140)),
    ],
    ids=repr,
)
def test_pairs_prove_equality_and_nothing_worse(
    test: PairedPass, equal: tuple[int, ...], worse: tuple[int, ...]
) -> None:
    assert crossed(test, Tally(equal), 0.05)
    assert not crossed(test, Tally(worse), 0.5)
