"""The last minutes: a point is what came between two samples, a gap is a gap, and nothing is counted twice or lost."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as some

from glideslope.domain.ids import WHOLE, MetricName, RolloutId, SliceName
from glideslope.domain.metric import LATENCY
from glideslope.domain.traffic import Arm
from glideslope.engine.baselines import HourView, UsualView
from glideslope.engine.live import LiveSeries, Sample, _Counted, instants, series_of, slices_of
from glideslope.engine.views import SignalView

R1 = RolloutId("r-0001")
LOSS = MetricName("log_loss")
AT = "2026-01-01T12:00:00.000Z"


def counted(requests: int, bad: int = 0, *, bin_: int = 10) -> _Counted:
    bins = [0] * LATENCY.bins
    bins[bin_] = requests
    return _Counted(requests=requests, bad=bad, bins=tuple(bins))


def named(found: list[LiveSeries], name: str) -> LiveSeries:
    return next(each for each in found if each.name == name)


def usual(series: str, seen: float, *, low: float, high: float, unit: str = "share") -> UsualView:
    hour = HourView(at=AT, seen=seen, low=low, usual=(low + high) / 2, high=high, flagged=False)
    return UsualView(series=series, arm="incumbent", unit=unit, weeks=3, hours=(hour,))


def flag(series: str) -> SignalView:
    return SignalView(
        id="1", model="m", series=series, arm="incumbent", rollout="", first=AT, last=AT, expected=0.1, seen=0.3, unit="share",
        baseline="hour of week", evidence=9.0, line=5.0, sentence=f"{series} is above what is usual.",
    )  # fmt: skip


SAMPLES = [
    Sample(at=0.0, arms={Arm.INCUMBENT: counted(100, 10)}, sums={(R1, LOSS, WHOLE, Arm.INCUMBENT): (50.0, 100)}),
    Sample(
        at=10.0,
        arms={Arm.INCUMBENT: counted(150, 11), Arm.CANDIDATE: counted(20)},
        sums={
            (R1, LOSS, WHOLE, Arm.INCUMBENT): (60.0, 120),
            (R1, LOSS, WHOLE, Arm.CANDIDATE): (4.0, 10),
            (R1, LOSS, SliceName("origin=JFK"), Arm.CANDIDATE): (3.0, 5),
            (R1, LOSS, SliceName("origin=LGA"), Arm.CANDIDATE): (1.0, 1),
        },
    ),
    Sample(
        at=15.0,
        arms={Arm.INCUMBENT: counted(150, 11), Arm.CANDIDATE: counted(45, 5)},
        sums={
            (R1, LOSS, WHOLE, Arm.INCUMBENT): (60.0, 120),
            (R1, LOSS, WHOLE, Arm.CANDIDATE): (4.0, 10),
            (R1, LOSS, SliceName("origin=JFK"), Arm.CANDIDATE): (3.0, 5),
            (R1, LOSS, SliceName("origin=LGA"), Arm.CANDIDATE): (1.0, 1),
        },
    ),
]


def test_a_point_is_what_came_between_two_samples_and_where_nothing_came_there_is_none() -> None:
    found = series_of(SAMPLES, (), ())

    requests = {arm.arm: arm for arm in named(found, "requests").arms}
    assert requests["incumbent"].points == (5.0, 0.0)
    assert requests["candidate"].points == (2.0, 5.0)
    assert requests["candidate"].value == pytest.approx(3.0)
    errors = {arm.arm: arm for arm in named(found, "errors").arms}
    assert errors["incumbent"].points == (0.02, None), "what nobody asked for did not succeed"
    assert errors["candidate"].points == (0.0, 0.2)
    losses = {arm.arm: arm for arm in named(found, "log_loss").arms}
    assert losses["incumbent"].points == (0.5, None)
    assert (losses["candidate"].value, losses["candidate"].count) == (0.4, 10)
    assert {arm.value for arm in named(found, "latency p95").arms} == {LATENCY.edges[10]}


def test_slices_come_with_the_most_outcomes_first() -> None:
    found = slices_of(SAMPLES)

    assert [(each.slice, each.arms[0].arm, each.arms[0].value) for each in found] == [
        ("origin=JFK", "candidate", 0.6),
        ("origin=LGA", "candidate", 1.0),
    ]


def test_what_was_forgotten_meanwhile_is_no_traffic() -> None:
    shrunk = [SAMPLES[1], Sample(at=20.0, arms={Arm.INCUMBENT: counted(7)}, sums={})]

    assert series_of(shrunk, (), ()) == []


@given(some.lists(some.tuples(some.integers(0, 500), some.floats(0.5, 60)), min_size=1, max_size=12))
def test_over_all_points_every_request_is_counted_once(steps: list[tuple[int, float]]) -> None:
    samples, at, total = [Sample(at=0.0, arms={}, sums={})], 0.0, 0
    for count, seconds in steps:
        at, total = at + seconds, total + count
        samples.append(Sample(at=at, arms={Arm.INCUMBENT: counted(total)}, sums={}))

    found = series_of(samples, (), ())
    if not total:
        assert found == []
        return
    (arm,) = named(found, "requests").arms
    spans = [seconds for _, seconds in steps]
    assert math.isclose(sum((p or 0.0) * s for p, s in zip(arm.points, spans, strict=True)), total, rel_tol=1e-9)
    assert arm.count == total


@pytest.mark.parametrize(
    ("seen", "standing"), [(0.02, "usual"), (0.05, "above"), (0.001, "below")], ids=["among them", "above", "below"]
)
def test_how_the_hour_lies_among_earlier_weeks_is_said_and_a_flag_is_named(seen: float, standing: str) -> None:
    weeks = [
        usual("errors", seen, low=0.01, high=0.03),
        usual("requests", 600.0, low=300.0, high=900.0, unit="per minute"),
    ]

    found = series_of(SAMPLES, weeks, [flag("errors")])

    errors, requests = named(found, "errors"), named(found, "requests")
    assert (errors.standing, errors.low, errors.high, errors.weeks) == (standing, 0.01, 0.03, 3)
    assert errors.flagged == ("errors is above what is usual.",)
    assert (requests.low, requests.usual, requests.high) == (5.0, 10.0, 15.0), "a second, as the points are"
    assert (requests.flagged, named(found, "log_loss").standing) == ((), "unknown")


def test_each_point_says_until_when() -> None:
    assert instants(SAMPLES, now=1_767_268_800_000) == ("2026-01-01T11:59:55.000Z", "2026-01-01T12:00:00.000Z")
