"""What is late before it ends is counted then, once, in the arm that was assigned; what is not late is counted at its end."""

from collections.abc import Mapping

import pytest

from glideslope.domain.ids import MetricName, ModelName, RolloutId, StepName
from glideslope.domain.metric import LATENCY, LATENCY_EDGES, Kind, Metric, Origin
from glideslope.domain.observation import Briefing
from glideslope.domain.traffic import Arm
from glideslope.sdk import flights as module
from glideslope.sdk.assign import Assigned
from glideslope.sdk.briefed import briefed
from glideslope.sdk.flights import Flights
from glideslope.sdk.observe import Observer
from glideslope.sdk.service import Service
from glideslope.sdk.stamps import Stamps

P99 = Metric(
    name=MetricName("latency_p99"),
    kind=Kind.LATENCY,
    origin=Origin.GATEWAY,
    edges=tuple(sorted({*LATENCY_EDGES, 40.0})),
    of=LATENCY.name,
)
BRIEFING = Briefing(
    model=ModelName("m"),
    grant=None,
    rollouts={RolloutId("m-1"): 1},
    metrics=(LATENCY, P99),
    dimensions=(),
    key_id=1,
    key=b"secret",
    tag="t",
    in_process=True,
    tolerances={P99.name: 0.25},
    thresholds={P99.name: 40.0},
)


class Watch:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def observer() -> Observer:
    made = Observer(ModelName("m"), source="here", epoch=7, send=lambda _: None)
    made.follow(briefed(BRIEFING))
    return made


@pytest.fixture
def flights(observer: Observer, watch: Watch) -> Flights:
    return Flights(observer, clock=watch)


def stamps(subject: str, *, arm: Arm = Arm.CANDIDATE) -> Stamps:
    return Stamps(rollout=RolloutId("m-1"), step=StepName("s1"), arm=arm, subject=subject)


def counted(observer: Observer) -> Mapping[tuple[str, str], int]:
    """Return by arm and metric how many were counted, and of the quantile those beyond its threshold as `late`."""
    told: dict[tuple[str, str], int] = {}
    message, _ = observer._message()
    for key, count in message.counts.items():
        _, _, arm, metric, _, bin_ = key.split("/")
        told[arm, metric] = told.get((arm, metric), 0) + count
        if metric == P99.name and int(bin_) > P99.edges.index(40.0):
            told[arm, "late"] = told.get((arm, "late"), 0) + count
    return told


def test_a_request_that_has_not_ended_is_late_beyond_the_tolerated_threshold(
    observer: Observer, flights: Flights, watch: Watch
) -> None:
    flights.begin(stamps("anna"))
    flights.begin(stamps("bob", arm=Arm.INCUMBENT))
    watch.now += 0.045  # beyond the incumbent's 40 ms, not beyond the candidate's 50
    flights.count_late()
    assert counted(observer) == {("incumbent", "latency_p99"): 1, ("incumbent", "late"): 1}

    watch.now += 0.006
    flights.count_late()
    flights.count_late()
    assert counted(observer)["candidate", "late"] == 1


def test_what_was_counted_as_late_does_not_count_again_when_it_ends(
    observer: Observer, flights: Flights, watch: Watch
) -> None:
    flight = flights.begin(stamps("anna"))
    watch.now += 0.3
    flights.count_late()
    seconds = flights.end(flight)
    observer.observe(flight.stamps, latency=seconds * 1000, errors=0)

    found = counted(observer)
    assert found["candidate", "latency_p99"] == 1
    assert found["candidate", "latency"] == 1, "the whole distribution knows only now"


def test_a_request_that_never_ends_is_in_the_last_bin_of_the_whole(
    observer: Observer, flights: Flights, watch: Watch
) -> None:
    flights.begin(stamps("anna"))
    watch.now += LATENCY_EDGES[-1] / 1000 + 0.1
    flights.count_late()

    message, _ = observer._message()
    assert message.counts[f"m-1/s1/candidate/latency/all/{len(LATENCY_EDGES)}"] == 1


def test_one_that_ends_in_time_counts_once_at_its_end(observer: Observer, flights: Flights, watch: Watch) -> None:
    flight = flights.begin(stamps("anna"))
    watch.now += 0.01
    flights.count_late()
    assert counted(observer) == {}
    observer.observe(flight.stamps, latency=flights.end(flight) * 1000)
    watch.now += 10
    flights.count_late()

    assert counted(observer)["candidate", "latency_p99"] == 1
    assert ("candidate", "late") not in counted(observer)


def test_nobody_and_whoever_is_outside_a_step_is_not_watched(
    observer: Observer, flights: Flights, watch: Watch
) -> None:
    flights.begin(stamps(""))
    flights.begin(Stamps(subject="anna"))
    watch.now += 60
    flights.count_late()

    assert counted(observer) == {}


def test_more_than_can_be_watched_are_counted_when_they_end(
    observer: Observer, flights: Flights, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST", 1)
    flights.begin(stamps("anna"))
    second = flights.begin(stamps("bob"))
    watch.now += 1
    flights.count_late()
    assert counted(observer)["candidate", "latency_p99"] == 1
    observer.observe(second.stamps, latency=flights.end(second) * 1000)

    assert counted(observer)["candidate", "latency_p99"] == 2


def test_a_service_takes_a_flight_for_the_seconds_and_refuses_neither() -> None:
    service = Service("m")
    service._follow(briefed(BRIEFING))
    assigned = Assigned(Arm.CANDIDATE, measured=True, rollout=RolloutId("m-1"), step=StepName("s1"))
    flight = service.began(assigned, subject="anna")
    service.served(assigned, subject="anna", flight=flight)
    assert counted(service.observer)["candidate", "latency_p99"] == 1
    service.served(assigned, subject="bob")

    assert service.observer.dropped == 1
    assert not service.flights._open


def test_a_subject_that_was_counted_does_not_count_as_late_with_another_request(
    observer: Observer, flights: Flights, watch: Watch
) -> None:
    slow, quick = flights.begin(stamps("anna")), flights.begin(stamps("anna"))
    observer.observe(quick.stamps, latency=flights.end(quick) * 1000)
    watch.now += 1
    flights.count_late()
    flights.end(slow)

    assert counted(observer)["candidate", "latency_p99"] == 1
    assert ("candidate", "late") not in counted(observer)
