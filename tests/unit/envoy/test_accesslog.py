"""Who was served is read from names that only we can write."""

from dataclasses import replace

from envoy.data.accesslog.v3 import accesslog_pb2

from glideslope.adapters.drivers.envoy.accesslog import REPORTED_US, Ages, served
from glideslope.domain.ids import ModelName, RolloutId, StepName
from glideslope.domain.stamps import ARM, ROLLOUT, SUBJECT
from glideslope.domain.traffic import Arm
from glideslope.engine.ports import Served

ROUTE = "fraud|fraud-1|s1|by-subject"


def entry(
    *, route: str = ROUTE, cluster: str, attempts: int = 1, status: int = 200
) -> accesslog_pb2.HTTPAccessLogEntry:
    one = accesslog_pb2.HTTPAccessLogEntry()
    one.common_properties.route_name = route
    one.common_properties.upstream_cluster = cluster
    one.common_properties.upstream_request_attempt_count = attempts
    one.common_properties.duration.FromMicroseconds(1_234_567)
    one.request.request_headers.update({SUBJECT: "ann", ARM: "candidate", ROLLOUT: "fraud-9"})
    if status:
        one.response.response_code.value = status
    return one


def expected(arm: Arm, *, rescued: bool = False, step: str = "s1", subject: str = "ann", status: int = 200) -> Served:
    return Served(
        model=ModelName("fraud"),
        rollout=RolloutId("fraud-1" if step else ""),
        step=StepName(step),
        arm=arm,
        subject=subject,
        status=status,
        latency_us=1_234_567,
        rescued=rescued,
    )


def test_the_cluster_tells_the_arm_and_the_rescue() -> None:
    clusters = ("fraud/v8/alone", "fraud/v8/candidate", "fraud/v7/rescue", "fraud/v7/control", "fraud/v7/rest")

    assert [
        expected(Arm.CANDIDATE),
        expected(Arm.CANDIDATE),
        expected(Arm.CANDIDATE, rescued=True),
        expected(Arm.INCUMBENT),
        expected(Arm.INCUMBENT, step=""),
    ] == served([entry(cluster=cluster) for cluster in clusters])


def test_a_second_attempt_is_a_failure_of_the_assigned_arm() -> None:
    assert [expected(Arm.INCUMBENT, rescued=True)] == served([entry(cluster="fraud/v7/control", attempts=2)])


def test_a_subject_on_the_random_route_was_not_assigned_by_it() -> None:
    one = entry(route="fraud|fraud-1|s1|no-subject", cluster="fraud/v7/control")

    assert [expected(Arm.INCUMBENT, subject="")] == served([one])


def test_no_answer_is_status_zero() -> None:
    assert [expected(Arm.CANDIDATE, status=0)] == served([entry(cluster="fraud/v8/alone", status=0)])


def test_what_reached_no_model_is_left_out_whatever_its_headers_claim() -> None:
    assert served([entry(route="", cluster=""), entry(cluster=""), entry(route="x", cluster="fraud/v8/alone")]) == []


def test_a_request_that_has_not_ended_is_as_old_as_its_reports_say() -> None:
    """Envoy gives it no duration, and its clock need not be ours."""
    ages = Ages()
    flying = replace(expected(Arm.CANDIDATE), in_flight=True, stream="a")

    assert [ages.told(flying).latency_us for _ in range(3)] == [REPORTED_US, 2 * REPORTED_US, 3 * REPORTED_US]
    assert ages.told(replace(flying, stream="b")).latency_us == REPORTED_US
    ended = replace(flying, in_flight=False)
    assert ages.told(ended) == ended
    assert ages.told(flying).latency_us == REPORTED_US


def test_a_periodic_report_is_one_of_a_request_that_has_not_ended() -> None:
    one = entry(cluster="fraud/v8/candidate", status=0)
    one.common_properties.access_log_type = accesslog_pb2.DownstreamPeriodic
    one.common_properties.stream_id = "a"

    (told,) = served([one])
    assert (told.in_flight, told.stream) == (True, "a")
