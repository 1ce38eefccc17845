"""Rows of features are counted in place, cheaply, and never in the way of the request that they belong to."""

from typing import Any

import pytest

from glideslope.domain.contract import FIRST, MISSING, OUTSIDE, WRONG, Contract, FeatureRule, FeatureType
from glideslope.domain.ids import ModelName, RolloutId, StepName
from glideslope.domain.observation import FeatureTotals
from glideslope.domain.receipt import SCORE_LEVELS
from glideslope.domain.traffic import Arm
from glideslope.sdk.errors import ServerUnreachable
from glideslope.sdk.features import FeatureCounter
from glideslope.sdk.stamps import NO_STAMPS, Stamps

CONTRACT = Contract(
    model=ModelName("delays"),
    features=(
        FeatureRule(name="distance", type=FeatureType.NUMBER, low=0.0, edges=(100.0,)),
        FeatureRule(name="origin", type=FeatureType.TEXT, categories=("EWR",), missing=0.5),
    ),
)
OFFSET = FIRST + 2
STEP = Stamps(rollout=RolloutId("r-0001"), step=StepName("s2"), arm=Arm.CANDIDATE, subject="ada")
GOOD = {"distance": 50.0, "origin": "EWR"}


class Line:
    """Keeps what was sent, unless it is cut."""

    def __init__(self) -> None:
        self.sent: list[FeatureTotals] = []
        self.cut = False

    def send(self, message: FeatureTotals) -> None:
        if self.cut:
            raise ServerUnreachable(url="http://x", why="cut")
        self.sent.append(message)


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture
def counter(line: Line) -> FeatureCounter:
    found = FeatureCounter(
        CONTRACT.model, source="svc", epoch=1, send=line.send, wall=lambda: 86_400 * 20_416.5, every=3_600
    )
    found.follow(CONTRACT)
    found._started = True  # no thread: a test sends when it says so
    return found


def sent(counter: FeatureCounter, line: Line) -> dict[tuple[str, Arm], Any]:
    line.sent.clear()
    counter.send_totals()
    return {(tally.where, tally.arm): tally for message in line.sent for tally in message.tallies}


def test_without_a_contract_nothing_is_counted_or_sent(line: Line) -> None:
    counter = FeatureCounter(CONTRACT.model, source="svc", epoch=1, send=line.send)

    assert counter.check(GOOD, NO_STAMPS) is None
    assert sent(counter, line) == {}


def test_each_row_is_counted_in_its_day_and_place(counter: FeatureCounter, line: Line) -> None:
    rows = [
        GOOD,
        {"distance": -1.0},
        {"distance": "far", "origin": "XXX"},
        {"distance": None, "origin": "EWR"},
        {**GOOD, "new": 1},
    ]

    broken = [counter.check(row, NO_STAMPS) for row in rows]

    tally = sent(counter, line)["d20416", Arm.INCUMBENT]
    assert broken == [False, True, True, True, False]
    assert tally.rows == (2, 3, 1)
    assert [tally.counts[place] for place in (MISSING, WRONG, OUTSIDE, FIRST)] == [1, 1, 1, 2]
    assert [tally.counts[OFFSET + place] for place in (MISSING, WRONG, OUTSIDE, FIRST)] == [1, 0, 1, 3]
    assert tally.sums == tally.levels == ()


def test_scores_are_added_up_where_their_rows_lie(counter: FeatureCounter, line: Line) -> None:
    counter.check(GOOD, NO_STAMPS, score=0.25)
    counter.check({"distance": 200.0, "origin": "EWR"}, NO_STAMPS, score=1.0)

    tally = sent(counter, line)["d20416", Arm.INCUMBENT]
    assert [tally.sums[FIRST], tally.sums[FIRST + 1]] == [round(0.25 * SCORE_LEVELS), SCORE_LEVELS]
    assert (tally.levels[4] + tally.levels[5], tally.levels[19]) == (1, 1)


def test_of_a_subject_the_first_row_of_a_step_is_compared_and_every_row_is_in_the_day(
    counter: FeatureCounter, line: Line
) -> None:
    for _ in range(3):
        counter.check(GOOD, STEP)

    found = sent(counter, line)
    assert sum(found["r-0001/s2", Arm.CANDIDATE].rows) == 1
    assert sum(found["d20416", Arm.CANDIDATE].rows) == 3


def test_a_mirrored_copy_is_in_no_day(counter: FeatureCounter, line: Line) -> None:
    counter.check(GOOD, Stamps(rollout=RolloutId("r-0001"), arm=Arm.CANDIDATE, request="1", shadow=True))

    assert set(sent(counter, line)) == {("r-0001/s0", Arm.CANDIDATE)}


def test_what_did_not_arrive_is_in_the_next_message(counter: FeatureCounter, line: Line) -> None:
    counter.check(GOOD, NO_STAMPS)
    line.cut = True
    counter.send_totals()
    line.cut = False

    assert counter.unsent == 1
    assert sum(sent(counter, line)["d20416", Arm.INCUMBENT].rows) == 1
    assert sent(counter, line) == {}, "nothing changed since, so nothing is sent"


@pytest.mark.parametrize("row", [None, 7, [], object()])
def test_what_is_no_row_is_dropped_and_nothing_is_raised(counter: FeatureCounter, row: Any) -> None:
    assert counter.check(row, NO_STAMPS) is None
    assert counter.dropped == 1


def test_a_new_contract_counts_from_zero(counter: FeatureCounter, line: Line) -> None:
    counter.check(GOOD, NO_STAMPS)
    counter.follow(Contract(model=CONTRACT.model, features=CONTRACT.features[:1]))

    assert sent(counter, line) == {}
    assert counter.check({"distance": 3.0}, NO_STAMPS) is False
