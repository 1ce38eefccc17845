"""The sdk's clients against a real server: typed answers, pages, news, errors by branch, tries, and streams over a break."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.interfaces.served import Served, served

from glideslope.domain.errors import Conflict, Denied, Invalid, NotFound, Refused
from glideslope.engine.views import FoundView, RolloutView
from glideslope.sdk import AsyncClient, Client, ServerRefused, ServerUnreachable, calls
from glideslope.sdk.following import Event, events
from glideslope.testing.traffic import Behaviour
from glideslope.testing.world import draft


@pytest.fixture(scope="module")
def standing() -> Iterator[Served]:
    with served() as found:
        yield found


@pytest.fixture
def client(standing: Served) -> Iterator[Client]:
    with Client(standing.url, "gs_member") as found:
        yield found


def test_answers_are_views(client: Client) -> None:
    fleet = client.send(calls.fleet())
    story = client.send(calls.story("r-0001", after=1))

    assert {model.name for model in fleet.models} == {"delays", "arrivals", "fraud"}
    assert client.send(calls.me()).role == "member"
    assert story[0].version == 2
    assert client.send(calls.rollout("r-0001")).phase == "rolled-back"
    assert client.send(calls.replay("r-0001", 2)).same
    assert client.send(calls.search("kind:decided", limit=1)).found[0].kind == "decided"
    assert client.send(calls.plan_defaults("model: fraud\ncandidate: v2\nowner: o\nwhy: w\n")).startswith("# ")
    assert client.send(calls.ledger()).startswith(b"glideslope-ledger/")


async def test_both_clients_send_the_same_calls(standing: Served, client: Client) -> None:
    async with AsyncClient(standing.url, "gs_member") as other:
        assert await other.send(calls.rollout("r-0001")) == await asyncio.to_thread(
            client.send, calls.rollout("r-0001")
        )
        assert [each.id async for each in other.items(calls.rollouts(limit=1))] == ["r-0003", "r-0002", "r-0001"]
        news = await other.news(calls.rollout("r-0001"), known="")
        assert news is not None
        assert await other.news(calls.rollout("r-0001"), known=news.tag) is None


def test_lists_are_read_page_by_page_as_they_are_needed(client: Client) -> None:
    whole = list(client.send(calls.story("r-0001")))

    assert list(client.items(calls.story("r-0001", limit=2))) == whole
    assert next(client.items(calls.story("r-0001", limit=1))) == whole[0]


def test_only_news_are_sent(client: Client) -> None:
    first = client.news(calls.story("r-0002"), known="")

    assert first is not None
    assert client.news(calls.story("r-0002"), known=first.tag) is None
    client.send(calls.resume("r-0002", why="back"))
    again = client.news(calls.story("r-0002"), known=first.tag)
    assert again is not None
    assert len(again.value) == len(first.value) + 1
    client.send(calls.halt("r-0002", why="lunch"))


@pytest.mark.parametrize(
    ("call", "branch", "code"),
    [
        (lambda: calls.rollout("r-0099"), NotFound, "not-found"),
        (lambda: calls.plan("alpha: 3"), Invalid, "plan-invalid"),
        (lambda: calls.rollouts(limit=9_999), Invalid, "request-invalid"),
        (lambda: calls.halt("r-0001", why="x"), Conflict, "rollout-ended"),
        (lambda: calls.resume("r-0002", why="x", seen="1"), Conflict, "page-stale"),
        (lambda: calls.approve("r-0003", plan_digest="sha256:" + "0" * 64, why="x"), Refused, "digest-changed"),
        (lambda: calls.totals(_totals()), Denied, "not-allowed"),
    ],
)
def test_a_refusal_is_an_error_of_its_branch_with_its_code(
    client: Client, call: Callable[[], Any], branch: type[Exception], code: str
) -> None:
    with pytest.raises(branch) as refused:
        client.send(call())

    assert isinstance(refused.value, ServerRefused)
    assert (refused.value.code, refused.value.problem.code) == (code, code)


def _totals() -> Any:
    from glideslope.domain.observation import Totals

    return Totals(source="a", epoch=1, model="delays", counts={})  # type: ignore[arg-type]


class Patience:
    """Sleeps by doing what happens meanwhile."""

    def __init__(self, *then: Callable[[], object]) -> None:
        self.then = list(then)
        self.slept: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)
        if self.then:
            self.then.pop(0)()


def test_a_command_is_tried_again_under_its_key_and_carried_out_once() -> None:
    with served() as standing:
        standing.do(standing.close())
        patience = Patience(lambda: None, lambda: standing.do(standing.open()))
        with Client(standing.url, "gs_member", tries=4, sleep=patience) as client:
            size = standing.size()
            call = calls.resume("r-0002", why="back")

            view = client.send(call)
            again = client.send(call)

        assert (view.phase, again.phase, standing.size()) == ("lapsed", "lapsed", size + 1)
        assert patience.slept == [0.25, 0.5]


def test_what_cannot_be_had_is_given_up_after_the_tries() -> None:
    patience = Patience()
    with Client("http://127.0.0.1:1", tries=3, sleep=patience) as client, pytest.raises(ServerUnreachable):
        client.send(calls.fleet())

    assert patience.slept == [0.25, 0.5]


def test_the_ledger_is_followed_over_a_break_without_a_gap_or_a_repeat() -> None:
    with served() as standing:
        size = standing.size()

        def broken() -> None:
            standing.do(standing.world.serves("late", per_second=8, v1=Behaviour(), v2=Behaviour()))
            standing.do(standing.open())

        patience = Patience(broken)
        found: list[FoundView] = []
        with Client(standing.url, "gs_reader", sleep=patience) as client:
            for entry in client.follow(calls.entry_events(start=3)):
                found.append(entry)
                if entry.entry == size - 1:
                    standing.do(standing.close())
                if entry.kind == "version-registered" and entry.entry > size:
                    break

        assert [each.entry for each in found] == list(range(3, found[-1].entry + 1))


def test_a_rollout_is_followed_to_its_end() -> None:
    with served() as standing:
        standing.do(standing.world.serves("end", per_second=8, v1=Behaviour(), v2=Behaviour()))
        rollout = standing.do(standing.world.propose(draft("end", "v2", approvals=1)))
        done = threading.Event()

        def let_time_pass() -> None:
            while not done.is_set():
                standing.do(standing.world.pass_time(0.25))

        time = threading.Thread(target=let_time_pass)
        time.start()
        seen: list[RolloutView] = []
        try:
            with Client(standing.url, "gs_member") as client:
                for view in client.follow(calls.rollout_events(rollout)):
                    seen.append(view)
                    if len(seen) == 1:
                        client.send(calls.roll_back(rollout, why="no"))
        finally:
            done.set()
            time.join(30)

        assert (seen[0].phase, seen[-1].phase, seen[-1].ended) == ("proposed", "rolled-back", True)


async def test_following_can_be_left(standing: Served) -> None:
    async with AsyncClient(standing.url, "gs_reader") as client:
        async for entry in client.follow(calls.entry_events(start=0)):
            assert entry.entry == 0
            break

    assert threading.active_count() < 50


def test_a_stream_that_is_refused_or_stays_away_says_so(standing: Served) -> None:
    time = iter(range(0, 10_000, 50))
    with Client(standing.url, "gs_source") as client, pytest.raises(Denied):
        next(client.follow(calls.entry_events()))
    with Client(standing.url, "gs_member") as client, pytest.raises(NotFound):
        next(client.follow(calls.rollout_events("r-0099")))
    lost = Client("http://127.0.0.1:1", sleep=lambda _: None, clock=lambda: float(next(time)))
    with lost, pytest.raises(ServerUnreachable):
        next(lost.follow(calls.entry_events(), patience=60))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([b"data: 1", b""], [Event("", "message", b"1")]),
        ([b"id: 4", b"event: entry", b"data: a", b"data: b", b""], [Event("4", "entry", b"a\nb")]),
        ([b"id: 4", b"", b"data:x", b""], [Event("4", "message", None), Event("4", "message", b"x")]),
        ([b": a comment", b"", b"data: cut off"], [Event("", "message", None)]),
        ([b"id: 1\x00", b"retry: 9", b"data", b""], [Event("", "message", b"")]),
    ],
)
def test_server_sent_events_are_read_as_they_are_specified(lines: list[bytes], expected: list[Event]) -> None:
    assert list(events(lines)) == expected
