"""Exposure is leased: an assigner exposes only while a sound grant lives by its own clock, and never raises."""

import math
from collections.abc import Callable

import msgspec
import pytest

from glideslope.domain.ids import RolloutId, StepName, VersionName
from glideslope.domain.observation import Grant
from glideslope.domain.traffic import TOTAL, Arm
from glideslope.sdk.assign import UNMEASURED, Assigned, Assigner

EVERYBODY = Grant(
    rollout=RolloutId("fraud-1"),
    step=StepName("s2"),
    salt="salt",
    candidate=TOTAL,
    control=0,
    lease_ms=3_000,
    epoch=2,
    version=5,
)
EXPOSED = Assigned(Arm.CANDIDATE, measured=True, rollout=RolloutId("fraud-1"), step=StepName("s2"))


class Hand:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def assigner(hand: Hand) -> Assigner:
    return Assigner(clock=hand)


def test_without_a_grant_the_incumbent_serves_uncounted(assigner: Assigner) -> None:
    assert assigner.assign("anna") == UNMEASURED


def test_a_grant_names_rollout_and_step(assigner: Assigner) -> None:
    assert assigner.obey(EVERYBODY, asked=100.0)

    assert assigner.assign("anna") == EXPOSED
    assert assigner.assign_many(["anna", "ben"]) == [EXPOSED, EXPOSED]


@pytest.mark.parametrize(
    ("now", "expected"),
    [(100.0, EXPOSED), (102.999, EXPOSED), (103.0, UNMEASURED), (1e9, UNMEASURED), (99.999, UNMEASURED)],
    ids=["at once", "just before the end", "at the end", "long after", "a clock that ran backwards"],
)
def test_the_lease_is_looked_at_on_each_call(assigner: Assigner, hand: Hand, now: float, expected: Assigned) -> None:
    assigner.obey(EVERYBODY, asked=100.0)

    hand.now = now

    assert expected == assigner.assign("anna")
    assert [expected] == assigner.assign_many(["anna"])
    assert (assigner.remaining > 0) == (expected is EXPOSED or expected == EXPOSED)


def test_a_lease_counts_from_the_question_so_a_slow_network_shortens_it(assigner: Assigner, hand: Hand) -> None:
    hand.now = 103.5

    assigner.obey(EVERYBODY, asked=100.0)

    assert assigner.assign("anna") == UNMEASURED


@pytest.mark.parametrize("reading", [math.nan, math.inf, -math.inf])
def test_a_clock_that_tells_no_time_exposes_nobody(reading: float) -> None:
    assigner = Assigner(clock=lambda: reading)
    assigner.obey(EVERYBODY, asked=100.0)

    assert assigner.assign("anna") == UNMEASURED
    assert assigner.assign_many(["anna"]) == [UNMEASURED]


def test_a_clock_that_fails_exposes_nobody() -> None:
    def broken() -> float:
        raise OSError("no clock")

    assigner = Assigner(clock=broken)
    assigner.obey(EVERYBODY, asked=100.0)

    assert assigner.assign("anna") == UNMEASURED
    assert assigner.assign_many(["anna"]) == [UNMEASURED]


@pytest.mark.parametrize("subject", ["", None, 7, b"anna", "\ud800"], ids=repr)
def test_a_subject_that_cannot_be_assigned_is_served_by_the_incumbent(assigner: Assigner, subject: object) -> None:
    """An empty subject is nobody in particular: hashing it would put all of them into one arm."""
    assigner.obey(EVERYBODY, asked=100.0)

    assert assigner.assign(subject) == UNMEASURED  # type: ignore[arg-type]  # what a host may hand over by mistake
    assert assigner.assign_many(["anna", subject]) == [EXPOSED, UNMEASURED]  # type: ignore[list-item]  # as above


MALFORMED: list[Callable[[Grant], Grant]] = [
    lambda grant: msgspec.structs.replace(grant, candidate=-1),
    lambda grant: msgspec.structs.replace(grant, control=-1),
    lambda grant: msgspec.structs.replace(grant, control=1),
    lambda grant: msgspec.structs.replace(grant, lease_ms=0),
    lambda grant: msgspec.structs.replace(grant, lease_ms=-5),
    lambda grant: msgspec.structs.replace(grant, lease_ms=86_400_000),
    lambda grant: msgspec.structs.replace(grant, salt=""),
    lambda grant: msgspec.structs.replace(grant, step=StepName("")),
    lambda grant: msgspec.structs.replace(grant, rollout=RolloutId("")),
]


@pytest.mark.parametrize("spoil", MALFORMED)
def test_a_grant_that_makes_no_sense_ends_the_exposure(assigner: Assigner, spoil: Callable[[Grant], Grant]) -> None:
    assigner.obey(EVERYBODY, asked=100.0)

    assert not assigner.obey(spoil(EVERYBODY), asked=100.0)

    assert assigner.assign("anna") == UNMEASURED


@pytest.mark.parametrize(("epoch", "version"), [(2, 4), (1, 9)])
def test_a_grant_older_than_the_newest_seen_is_ignored(assigner: Assigner, epoch: int, version: int) -> None:
    assigner.obey(EVERYBODY, asked=100.0)
    assigner.obey(None, asked=100.0)

    assert not assigner.obey(msgspec.structs.replace(EVERYBODY, epoch=epoch, version=version), asked=100.0)

    assert assigner.assign("anna") == UNMEASURED


def test_no_grant_withdraws_at_once(assigner: Assigner) -> None:
    assigner.obey(EVERYBODY, asked=100.0)

    assigner.obey(None, asked=100.0)

    assert assigner.assign("anna") == UNMEASURED


def test_each_arm_is_told_as_the_version_that_it_is_now(assigner: Assigner) -> None:
    """A service that only knew arms would go on serving the old version after a promotion."""
    v1, v2 = VersionName("v1"), VersionName("v2")

    assert assigner.assign("anna").version == ""
    assigner.obey(EVERYBODY, asked=100.0, incumbent=v1, candidate=v2)
    exposed = assigner.assign("anna").version
    assigner.obey(None, asked=100.0, incumbent=v2)

    assert (exposed, assigner.assign("anna").version) == (v2, v2)


def test_when_a_lease_ends_by_itself_the_incumbent_last_named_serves(assigner: Assigner, hand: Hand) -> None:
    assigner.obey(EVERYBODY, asked=100.0, incumbent=VersionName("v1"), candidate=VersionName("v2"))

    hand.now = 200.0

    assert assigner.assign("anna") == Assigned(Arm.INCUMBENT, measured=False, version=VersionName("v1"))
    assert assigner.assign_many(["anna", ""]) == [assigner.assign("anna")] * 2
