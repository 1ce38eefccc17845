"""What people declare is refused if it cannot mean anything: NaN, infinite, negative, vacuous."""

from collections.abc import Callable
from math import inf, nan

import pytest

from glideslope.stats.guard import RateGuard
from glideslope.stats.label import BinsHarm, EventHarm, EventHarmBeyond, RatioPass
from glideslope.stats.paired import PairedHarm, PairedPass, PairedScoreHarm, PairedScorePass
from glideslope.stats.score import DifferenceHarm, DifferencePass, ScoreHarm, ScorePass
from glideslope.stats.split import SplitTest

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
