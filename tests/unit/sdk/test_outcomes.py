"""Facts on their way to the server: what could spoil a batch is dropped by itself, and counted."""

import math

import msgspec
import pytest
from msgspec import UNSET

from glideslope.domain.observation import Outcome, Outcomes, OutcomesTaken, OutcomeUndefined
from glideslope.sdk import requests
from glideslope.sdk.outcomes import LONGEST_TEXT, OutcomeSender


class Desk:
    """Takes what a client would send."""

    def __init__(self) -> None:
        self.told: list[Outcome] = []

    def send(self, call: requests.Call[OutcomesTaken]) -> OutcomesTaken:
        batch = msgspec.json.decode(call.body or b"", type=Outcomes).outcomes
        self.told += batch
        lost = OutcomeUndefined(prediction="a", metric="lost", code="missing", why="lost has no value")  # type: ignore[arg-type]  # any name
        return OutcomesTaken(counted=len(batch), repeated=0, unmeasured=0, undefined=(lost,))


def test_what_is_told_arrives_and_what_is_not_told_is_absent() -> None:
    desk = Desk()
    sender = OutcomeSender(desk)  # type: ignore[arg-type]  # it only sends
    assert sender.send("a", happened=True)
    assert sender.send("b", outcome="fraud", attributes={"amount": 3, "vip": False})
    assert sender.flush()

    assert desk.told == [
        Outcome(prediction="a", happened=True),
        Outcome(prediction="b", outcome="fraud", attributes={"amount": 3.0, "vip": False}),
    ]
    assert desk.told[0].attributes is UNSET
    assert (sender.counted, [one.metric for one in sender.undefined]) == (2, ["lost"])


@pytest.mark.parametrize("fact", [math.nan, math.inf, 10**400, None, [1], "x" * (LONGEST_TEXT + 1), b"x"])
def test_a_fact_that_cannot_be_told_costs_no_other_outcome_its_way(fact: object) -> None:
    desk = Desk()
    sender = OutcomeSender(desk)  # type: ignore[arg-type]  # it only sends
    assert not sender.send("a", happened=True, attributes={"amount": fact})  # type: ignore[dict-item]  # that is the point
    assert sender.send("b", happened=False)
    assert sender.flush()

    assert [outcome.prediction for outcome in desk.told] == ["b"]
    assert sender.dropped == 1
