"""Counting is local, bounded and honest: each subject as the rule says, each loss counted, totals repeated until they arrive."""

import math
import os
from collections.abc import Mapping

import pytest

from glideslope.domain.ids import Digest, MetricName, ModelName, RolloutId, StepName
from glideslope.domain.metric import LATENCY, Dimension, Kind, Metric, Origin
from glideslope.domain.observation import Briefing, CellRefusal, Totals, TotalsTaken
from glideslope.domain.traffic import Arm
from glideslope.sdk.briefed import Briefed, briefed
from glideslope.sdk.errors import ServerUnreachable
from glideslope.sdk.observe import Observer
from glideslope.sdk.stamps import Stamps

CLICKED = Metric(name=MetricName("clicked"), kind=Kind.EVENT, origin=Origin.SERVICE)
LOSS = Metric(name=MetricName("loss"), kind=Kind.SCORE, origin=Origin.SERVICE, edges=(0.5, 1.0))
ERRORS = Metric(name=MetricName("errors"), kind=Kind.EVENT, origin=Origin.GATEWAY)
ORIGIN = Dimension("origin", ("LGA", "JFK"))


def briefing(*rollouts: str, in_process: bool = False) -> Briefed:
    return briefed(
        Briefing(
            model=ModelName("m"),
            grant=None,
            rollouts={RolloutId(name): number for number, name in enumerate(rollouts, start=1)},
            metrics=(CLICKED, LOSS, ERRORS, LATENCY),
            dimensions=(ORIGIN,),
            key_id=1,
            key=b"secret",
            tag="t",
            in_process=in_process,
            tolerances={LATENCY.name: 0.25},
        )
    )


def stamps(subject: str = "", *, arm: Arm = Arm.CANDIDATE, step: str = "s1", rollout: str = "m-1") -> Stamps:
    return Stamps(rollout=RolloutId(rollout), step=StepName(step), arm=arm, subject=subject)


class Post:
    """Takes messages as a server would, unless it is down."""

    def __init__(self) -> None:
        self.down = False
        self.messages: list[Totals] = []
        self.counts: dict[str, int] = {}

    def __call__(self, message: Totals) -> None:
        if self.down:
            raise ServerUnreachable(url="http://nowhere", why="down")
        self.messages.append(message)
        for cell, count in message.counts.items():
            self.counts[cell] = max(count, self.counts.get(cell, 0))


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def observer(post: Post) -> Observer:
    made = Observer(ModelName("m"), source="here", epoch=7, send=post)
    made.follow(briefing("m-1"))
    return made


def counted(observer: Observer, post: Post) -> Mapping[str, int]:
    observer.send_totals()
    return post.counts


def test_a_request_without_a_subject_counts_each_time(observer: Observer, post: Post) -> None:
    for _ in range(3):
        observer.observe(stamps(), clicked=0)

    assert counted(observer, post) == {"m-1/s1/candidate/clicked/all/0": 3}


@pytest.mark.parametrize(
    ("values", "good", "bad"),
    [
        ([0], 1, 0),
        ([0, 0, 0], 1, 0),
        ([0, 1], 1, 1),
        ([0, 0, 1, 1, 0, 1], 1, 1),
        ([1], 0, 1),
        ([1, 0, 1, 0], 0, 1),
    ],
)
def test_a_subject_counts_when_first_seen_and_at_its_first_bad_event(
    observer: Observer, post: Post, values: list[int], good: int, bad: int
) -> None:
    for value in values:
        observer.observe(stamps("anna"), clicked=value)

    found = counted(observer, post)
    assert (good, bad) == (
        found.get("m-1/s1/candidate/clicked/all/0", 0),
        found.get("m-1/s1/candidate/clicked/all/1", 0),
    )


def test_of_a_score_only_a_subjects_first_one_counts(observer: Observer, post: Post) -> None:
    for value in (0.2, 0.9, 0.9):
        observer.observe(stamps("anna"), loss=value)

    assert counted(observer, post) == {"m-1/s1/candidate/loss/all/0": 1}


def test_metrics_steps_and_subjects_are_counted_each_by_themselves(observer: Observer, post: Post) -> None:
    observer.observe(stamps("anna"), clicked=0, loss=0.9)
    observer.observe(stamps("anna", step="s2"), clicked=0)
    observer.observe(stamps("ben", arm=Arm.INCUMBENT), clicked=1)

    assert counted(observer, post) == {
        "m-1/s1/candidate/clicked/all/0": 1,
        "m-1/s1/candidate/loss/all/1": 1,
        "m-1/s2/candidate/clicked/all/0": 1,
        "m-1/s1/incumbent/clicked/all/1": 1,
    }


def test_slices_that_are_looked_at_are_counted_too(observer: Observer, post: Post) -> None:
    observer.observe(stamps(), {"origin": "JFK", "carrier": "UA"}, clicked=1)
    observer.observe(stamps(), {"origin": "EWR"}, clicked=1)

    assert counted(observer, post) == {
        "m-1/s1/candidate/clicked/all/1": 2,
        "m-1/s1/candidate/clicked/origin=JFK/1": 1,
    }


def test_what_the_gateway_counts_is_left_to_it(observer: Observer, post: Post) -> None:
    observer.observe(stamps(), errors=1, never_heard_of=1)

    assert counted(observer, post) == {}
    assert (observer.ignored, observer.dropped) == (2, 0)


def test_where_services_assign_they_are_the_gateway_and_count_what_gateways_count(post: Post) -> None:
    observer = Observer(ModelName("m"), source="here", epoch=7, send=post)
    observer.follow(briefing("m-1", in_process=True))

    for _ in range(2):
        observer.observe(stamps("anna"), exposure=1, errors=0)

    assert counted(observer, post) == {"m-1/s1/candidate/exposure/all/0": 1, "m-1/s1/candidate/errors/all/0": 1}


def test_the_candidates_latency_is_divided_by_its_tolerance_before_it_is_binned(post: Post) -> None:
    """As the gateway does: 100 ms of a candidate that may take a quarter longer are 80 ms of the incumbent."""
    observer = Observer(ModelName("m"), source="here", epoch=7, send=post)
    observer.follow(briefing("m-1", in_process=True))

    observer.observe(stamps("anna"), latency=100.0)
    observer.observe(stamps("ben", arm=Arm.INCUMBENT), latency=100.0)

    assert counted(observer, post) == {
        f"m-1/s1/candidate/latency/all/{LATENCY.bin(80.0)}": 1,
        f"m-1/s1/incumbent/latency/all/{LATENCY.bin(100.0)}": 1,
    }
    assert LATENCY.bin(80.0) != LATENCY.bin(100.0)


def test_what_the_server_refused_is_kept_for_people_until_it_takes_everything_again() -> None:
    refusal = CellRefusal(cell="m-1/s1/candidate/clicked/all/1", code="invalid", why="It has no such guardrail.")
    answers = [TotalsTaken(taken=0, refused=1, refusals=(refusal,)), TotalsTaken(taken=1, refused=0)]
    observer = Observer(ModelName("m"), source="here", epoch=7, send=lambda _: answers.pop(0))
    observer.follow(briefing("m-1"))
    observer.observe(stamps(), clicked=1)

    observer.send_totals()
    first = observer.refusals
    observer.send_totals()

    assert (first, observer.refusals) == ((refusal,), ())


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "0.5", None], ids=repr)
def test_what_is_no_number_is_dropped_and_the_drop_is_told(observer: Observer, post: Post, value: float) -> None:
    observer.observe(stamps(), loss=value)

    assert counted(observer, post) == {}
    assert post.messages[-1].dropped == 1


def test_one_value_that_is_no_number_does_not_let_a_subject_count_twice(observer: Observer, post: Post) -> None:
    nothing: float = "?"  # type: ignore[assignment]  # what a host may hand over by mistake
    for _ in range(2):
        observer.observe(stamps("anna"), clicked=0, loss=nothing)

    assert counted(observer, post) == {"m-1/s1/candidate/clicked/all/0": 1}
    assert observer.dropped == 2


def test_before_the_first_briefing_and_for_unknown_rollouts_or_steps_everything_is_dropped(post: Post) -> None:
    observer = Observer(ModelName("m"), source="here", epoch=7, send=post)
    observer.observe(stamps(), clicked=1)
    observer.follow(briefing("m-1"))
    observer.observe(stamps(rollout="m-9"), clicked=1)
    observer.observe(stamps(step="a/b"), clicked=1)

    assert counted(observer, post) == {}
    assert post.messages[-1].dropped == 3


def test_stragglers_of_a_rollout_that_has_ended_are_no_loss(observer: Observer, post: Post) -> None:
    observer.observe(stamps(), clicked=1)
    observer.follow(briefing("m-2"))

    observer.observe(stamps(), clicked=1)

    assert counted(observer, post) == {}
    assert observer.dropped == 0


def test_a_rollout_that_is_named_again_is_counted_on_and_not_anew(observer: Observer, post: Post) -> None:
    """One server may not know yet what another said: totals that shrank would be a lie."""
    observer.follow(briefing("m-1"))
    for subject in ("anna", "ben"):
        observer.observe(stamps(subject), clicked=1)
    observer.send_totals()

    observer.follow(briefing())
    observer.follow(briefing("m-1"))
    observer.observe(stamps("carla"), clicked=1)

    assert counted(observer, post) == {"m-1/s1/candidate/clicked/all/1": 3}
    assert post.messages[-1].counts == {"m-1/s1/candidate/clicked/all/1": 3}


def test_messages_are_numbered_in_the_order_in_which_they_counted(observer: Observer, post: Post) -> None:
    """Those that do not arrive have had their number, so none is given to two."""
    for down in (False, True, True, False):
        post.down = down
        observer.send_totals()

    assert [message.sequence for message in post.messages] == [1, 4]


def test_unmeasured_requests_and_mirrored_copies_are_not_counted(observer: Observer, post: Post) -> None:
    observer.observe(Stamps(subject="anna"), clicked=1)
    observer.observe(Stamps(rollout=RolloutId("m-1"), step=StepName("s1"), arm=Arm.CANDIDATE, shadow=True), clicked=1)

    assert counted(observer, post) == {}
    assert observer.dropped == 0


def test_memory_is_bounded_and_subjects_beyond_it_are_dropped_by_count(post: Post) -> None:
    observer = Observer(ModelName("m"), source="here", epoch=7, send=post, most_subjects=2)
    observer.follow(briefing("m-1"))

    for subject in ("anna", "ben", "cem", "anna", "dora"):
        observer.observe(stamps(subject), clicked=0)

    assert counted(observer, post) == {"m-1/s1/candidate/clicked/all/0": 2}
    assert post.messages[-1].dropped == 2


def test_the_end_of_a_rollout_makes_room(post: Post) -> None:
    observer = Observer(ModelName("m"), source="here", epoch=7, send=post, most_subjects=1)
    observer.follow(briefing("m-1"))
    observer.observe(stamps("anna"), clicked=0)
    observer.follow(briefing("m-2"))

    observer.observe(stamps("ben", rollout="m-2"), clicked=0)

    assert counted(observer, post) == {"m-2/s1/candidate/clicked/all/0": 1}


def test_only_what_changed_is_sent_and_what_did_not_arrive_is_sent_again(observer: Observer, post: Post) -> None:
    observer.observe(stamps(), clicked=0)
    observer.send_totals()
    observer.observe(stamps(), clicked=1)
    post.down = True
    observer.send_totals()
    unsent = observer.unsent
    observer.observe(stamps(), clicked=1)
    post.down = False
    observer.send_totals()

    assert unsent == 1
    assert [message.counts for message in post.messages] == [
        {"m-1/s1/candidate/clicked/all/0": 1},
        {"m-1/s1/candidate/clicked/all/1": 2},
    ]


def test_all_totals_are_sent_now_and_then_should_the_server_have_lost_some(observer: Observer, post: Post) -> None:
    observer.observe(stamps(), clicked=0)
    for _ in range(31):
        observer.send_totals()

    full = [index for index, message in enumerate(post.messages) if message.counts]
    assert full == [0, 30]


def test_messages_say_who_sends_and_what_it_serves(observer: Observer, post: Post) -> None:
    observer.digest = Digest("sha256:" + "0" * 64)
    observer.send_totals()

    message = post.messages[-1]
    assert (message.source, message.epoch, message.model, message.digest) == ("here", 7, "m", observer.digest)


def test_a_forked_child_counts_under_a_name_of_its_own_from_zero(observer: Observer, post: Post) -> None:
    """Totals that two processes send under one name would swallow each other, since merging is a maximum."""
    observer.observe(stamps("anna"), clicked=1)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        observer.observe(stamps("anna"), clicked=1)
        observer.send_totals()
        told = f"{observer.source} {observer.epoch > 7} {post.counts}"
        os.write(writing, told.encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        source, later, counts = pipe.read().split(" ", 2)

    assert source.startswith("here.")
    assert (later, counts) == ("True", "{'m-1/s1/candidate/clicked/all/1': 1}")
