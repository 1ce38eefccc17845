"""Who was served is read from names that only we can write."""

from envoy.data.accesslog.v3 import accesslog_pb2

from glideslope.adapters.drivers.envoy.accesslog import served
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
