"""Why an envelope's fast lane is closed to a rollout, in words; and that what it brings counts while it is open alone."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from tests.unit.domain.situations import ENTERED, ENVELOPE, LANE, OUTSIDE, S4, governed

from glideslope.domain.consent import closed, unapproved
from glideslope.domain.governing.approval import Need
from glideslope.domain.governing.glass import Emergency, GlassAsked, GlassBroken, break_on
from glideslope.domain.governing.governed import Governed, Lane
from glideslope.domain.ids import Actor, Digest
from glideslope.domain.rollout import Rollout
from glideslope.testing.examples import OWNER

PRESSED = break_on(
    break_on(None, GlassAsked(by=OWNER, emergency=Emergency.OUTAGE, lasting=60_000, why="down"), at=ENTERED),
    GlassBroken(by=Actor("sam"), until=ENTERED + 60_000, why="seen"),
    at=ENTERED,
)


def waiting(*, under: dict[str, Any] | None = None, **changes: Any) -> Rollout:
    return replace(governed(S4, given=False, **({"envelope": ENVELOPE} | (under or {}))), **changes)


@pytest.mark.parametrize(
    ("rollout", "lane", "why"),
    [
        (waiting(), LANE, ""),
        (waiting(under={"envelope": Digest("sha256:" + "f" * 64)}), LANE, "another envelope spoke"),
        (waiting(), OUTSIDE, "it is outside"),
        (waiting(denied=frozenset({Actor("cat")})), LANE, "cat said no"),
        (waiting(withdrawn=frozenset({Actor("sam")})), LANE, "sam said no"),
        (waiting(under={"after_breach": "r-0007"}), LANE, "r-0007 ended by a breach"),
        (waiting(limit_broken_at=ENTERED), LANE, "a limit was broken"),
        (waiting(glass=PRESSED), LANE, "the glass is broken"),
    ],
)
def test_it_is_open_or_says_why_not(rollout: Rollout, lane: Lane, why: str) -> None:
    under = governed_of(rollout)
    found = closed(rollout, under, lane, now=ENTERED + 1)
    assert found.startswith(why)
    assert bool(found) is bool(why)
    lacking = unapproved(rollout, under, now=ENTERED + 1, lane=lane)
    assert lacking == (() if not why else (Need("security"),))


def test_an_envelope_stands_for_no_more_than_falls_away_and_for_nobody_who_remains() -> None:
    """Not even where the record says that more people, or people of other functions, agreed to it."""
    first = msgspec.structs.replace(LANE.given[0], functions=("product", "security"))
    others = tuple(msgspec.structs.replace(first, by=Actor(name)) for name in ("eva", "sam"))
    lane = msgspec.structs.replace(LANE, given=(first, *others), remains=(Need("product"),))
    two = msgspec.structs.replace(governed_of(waiting()), needs=(Need("security", 2),))
    assert unapproved(waiting(), two, now=ENTERED, lane=lane) == (Need("product"), Need("security"))


def test_one_person_is_one_yes_given_with_an_envelope_or_for_the_change_itself() -> None:
    lane = msgspec.structs.replace(LANE, remains=(Need("product"),))
    own = msgspec.structs.replace(LANE.given[0], digest=waiting().plan_digest, functions=("product",), at=ENTERED)
    alone = unapproved(waiting(approvals=(own,)), governed_of(waiting()), now=ENTERED, lane=lane)
    assert sum(need.count for need in alone) == 1
    eva = msgspec.structs.replace(own, by=Actor("eva"))
    assert unapproved(waiting(approvals=(eva,)), governed_of(waiting()), now=ENTERED, lane=lane) == ()


def governed_of(rollout: Rollout) -> Governed:
    assert isinstance(rollout.plan.governed, Governed)
    return rollout.plan.governed
