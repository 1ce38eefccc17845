"""Counts follow the subject's rule for any traffic, and losing, doubling or reordering messages loses nothing in the end."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from glideslope.domain.ids import MetricName, ModelName, RolloutId, StepName
from glideslope.domain.metric import Kind, Metric, Origin
from glideslope.domain.observation import Briefing, Totals
from glideslope.domain.traffic import Arm
from glideslope.sdk.briefed import briefed
from glideslope.sdk.errors import ServerUnreachable
from glideslope.sdk.observe import Observer
from glideslope.sdk.stamps import Stamps

BRIEFING = Briefing(
    model=ModelName("m"),
    grant=None,
    rollouts={RolloutId("m-1"): 1},
    metrics=(
        Metric(name=MetricName("late"), kind=Kind.EVENT, origin=Origin.SERVICE),
        Metric(name=MetricName("loss"), kind=Kind.SCORE, origin=Origin.SERVICE, edges=(0.5, 1.0)),
    ),
    dimensions=(),
    key_id=1,
    key=b"k",
    tag="t",
)

requests = st.tuples(
    st.sampled_from(["s1", "s2"]),
    st.sampled_from(["", "anna", "ben"]),
    st.sampled_from([0, 1]),
    st.sampled_from([0.1, 0.9]),
)


def by_the_rule(traffic: list[tuple[str, str, int, float]]) -> dict[str, int]:
    """Count slowly, from the sentence that states the rule."""
    counts: Counter[str] = Counter()
    for number, (step, subject, late, loss) in enumerate(traffic):
        before = [bad for of, who, bad, _ in traffic[:number] if subject and (of, who) == (step, subject)]
        if not before or (late and not any(before)):
            counts[f"m-1/{step}/candidate/late/all/{late}"] += 1
        if not before:
            counts[f"m-1/{step}/candidate/loss/all/{int(loss > 0.5)}"] += 1
    return dict(counts)


@given(st.lists(st.one_of(requests, st.sampled_from(["sent", "lost", "lost on the way back"])), max_size=40))
def test_what_arrives_is_what_the_rule_says_whatever_the_network_does(happenings: list[object]) -> None:
    arrived: list[Totals] = []
    fate = "sent"

    def send(message: Totals) -> None:
        if fate != "lost":
            arrived.append(message)
        if fate != "sent":
            raise ServerUnreachable(url="http://nowhere", why=fate)

    observer = Observer(ModelName("m"), source="a", epoch=1, send=send)
    observer.follow(briefed(BRIEFING))
    traffic = []
    for happening in happenings:
        if isinstance(happening, tuple):
            step, subject, late, loss = happening
            traffic.append(happening)
            stamps = Stamps(rollout=RolloutId("m-1"), step=StepName(step), arm=Arm.CANDIDATE, subject=subject)
            observer.observe(stamps, late=late, loss=loss)
        else:
            fate = str(happening)
            observer.send_totals()
    fate = "sent"
    observer.send_totals()

    merged: dict[str, int] = {}
    for message in reversed([*arrived, *arrived]):  # doubled, and in the wrong order
        for cell, count in message.counts.items():
            merged[cell] = max(count, merged.get(cell, 0))
    assert by_the_rule(traffic) == merged
    assert observer.dropped == 0
