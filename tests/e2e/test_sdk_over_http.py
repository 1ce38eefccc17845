"""A service and a real HTTP server that is there, gone, slow, failing or babbling: the host never sees a difference."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from tests.e2e.server_of_sdks import GRANT, KEY, MODEL, TOKEN, FakeServer

from glideslope.domain.errors import Invalid
from glideslope.domain.ids import ModelName, RolloutId
from glideslope.domain.observation import ShadowAnswers
from glideslope.domain.pairs import Half
from glideslope.domain.receipt import read, request_hash, subject_hash
from glideslope.domain.traffic import Arm
from glideslope.sdk import (
    AsyncClient,
    Client,
    Glideslope,
    OutcomeSender,
    ServerRefused,
    ServerUnreachable,
    Service,
    record,
)
from glideslope.sdk import requests as calls
from glideslope.sdk.errors import AnswerUnreadable
from glideslope.sdk.halves import features_digest
from glideslope.sdk.stamps import from_headers


@pytest.fixture
def server() -> Iterator[FakeServer]:
    made = FakeServer()
    yield made
    made.close()


@pytest.fixture
def client(server: FakeServer) -> Iterator[Client]:
    with Client(server.url, timeout=1.0) as made:
        yield made


@pytest.fixture
def service(server: FakeServer) -> Iterator[Service]:
    made = Service(MODEL, version="v2", server=server.url, token=TOKEN)
    yield made
    made.stop()


def wait_until(condition: Callable[[], object], *, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "this did not happen in time"
        time.sleep(0.005)


def test_a_grant_reaches_the_service_and_a_withdrawal_too(server: FakeServer, service: Service) -> None:
    service.start()
    server.brief(grant=msgspec.structs.replace(GRANT, lease_ms=60_000), tag="b")
    wait_until(lambda: service.assign("anna").arm is Arm.CANDIDATE)

    server.brief(grant=None, tag="c")
    began = time.monotonic()
    wait_until(lambda: service.assign("anna").arm is Arm.INCUMBENT)

    assert time.monotonic() - began < 30, "it waited for the lease instead of the word"
    assert server.tokens == {f"Bearer {TOKEN}"}


def test_exposure_goes_on_as_long_as_the_server_renews_and_ends_when_it_dies(
    server: FakeServer, service: Service
) -> None:
    server.brief(grant=msgspec.structs.replace(GRANT, lease_ms=1_500), tag="b")
    service.start()
    wait_until(lambda: service.assign("anna").arm is Arm.CANDIDATE)

    until = time.monotonic() + 4
    while time.monotonic() < until:
        assert service.assign("anna").arm is Arm.CANDIDATE, "a renewal came too late"
        time.sleep(0.01)
    server.close()
    died = time.monotonic()
    wait_until(lambda: service.assign("anna").arm is Arm.INCUMBENT)

    assert time.monotonic() - died < 5


@pytest.mark.parametrize("hears", [True, False], ids=["this release", "an older one"])
def test_a_server_is_told_what_it_knows_words_for_and_counts_reach_every_release(
    server: FakeServer, service: Service, hears: bool
) -> None:
    server.hears_usage = hears
    server.brief(grant=None, tag="b")
    service.start()
    wait_until(lambda: service.briefed.tag == "b")
    before = len(server.totals)

    stamps = from_headers([(name.encode(), text.encode()) for name, text in STAMPED.items()])
    service.predicted(stamps, metrics={"clicked": 1.0})
    wait_until(lambda: len(server.totals) > before + 1)

    assert service.observer.unsent == 0
    assert [message.usage is not msgspec.UNSET for message in server.totals[before + 1 :]] == [hears]
    assert sum(sum(message.counts.values()) for message in server.totals) > 0
    assert ("usage" in service.untold) is not hears


async def plainly(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


async def answering_in_the_shadow(
    server: FakeServer, stamps: dict[str, str], **told: Any
) -> tuple[dict[bytes, bytes], Half]:
    """Answer one request as an application that says `told`, and return the answer's headers and the half that was sent."""
    server.mirrors = RolloutId("fraud-1")

    async def host(scope: Any, receive: Any, send: Any) -> None:
        record(score=0.25, **told)
        await plainly(scope, receive, send)

    tags = {"carrier": "open", "name": "personal", "card": "secret", "lines": "open"}
    app = Glideslope(host, model=MODEL, version="v2", server=server.url, tags=tags)
    app.service.start()
    await asyncio.to_thread(wait_until, lambda: app.service.briefed.key)
    headers = await ask(app, stamps)
    await asyncio.to_thread(wait_until, lambda: server.halves)
    app.service.stop()
    (message, *_) = server.halves
    assert message.rollout == "fraud-1"
    assert server.shadow == []
    return headers, message.halves[0]


UNSTAMPED = {"x-glideslope-subject": "anna", "x-request-id": "r-1"}


async def test_in_the_shadow_stage_the_incumbent_tells_its_half_and_of_the_request_what_is_open(
    server: FakeServer,
) -> None:
    attributes = {"carrier": "UA", "name": "Ann", "card": "4111", "unheard_of": "x", "lines": ["open", "list"]}

    headers, half = await answering_in_the_shadow(
        server, UNSTAMPED, attributes=attributes, features={"a": 1, "b": 2.0, "name": "Ann"}
    )

    assert b"x-glideslope-prediction" in headers
    assert server.halves[0].arm is Arm.INCUMBENT
    assert (half.request, half.id, half.score, half.subject) == (
        request_hash("r-1"),
        "r-1",
        16384,
        subject_hash("anna"),
    )
    assert 0 < half.microseconds < 5_000_000
    assert half.features == features_digest({"b": 2.0, "name": "Ann", "a": 1}) != features_digest({"a": 1, "b": 3})
    assert half.attributes == {"carrier": "UA", "name": "[personal]"}


async def test_the_shadow_tells_its_half_and_nothing_of_the_request(server: FakeServer) -> None:
    headers, half = await answering_in_the_shadow(
        server, {**STAMPED, "x-glideslope-arm": "shadow"}, attributes={"carrier": "UA"}, answer="cat"
    )

    assert b"x-glideslope-prediction" not in headers
    assert server.halves[0].arm is Arm.CANDIDATE
    assert (half.request, half.score, half.answer) == (request_hash("r-1"), 16384, "cat")
    assert (half.id, half.attributes) == ("", {})


async def test_features_that_cannot_be_compared_cost_neither_the_half_nor_the_prediction_id(server: FakeServer) -> None:
    headers, half = await answering_in_the_shadow(server, UNSTAMPED, features={"carrier": object()})

    assert b"x-glideslope-prediction" in headers
    assert (half.score, half.features, half.attributes) == (16384, 0, {})


def test_a_tag_that_there_is_not_is_refused_at_once() -> None:
    with pytest.raises(Invalid, match="open, personal, secret"):
        Glideslope(handler_of_the_host, model=MODEL, version="v2", tags={"name": "privat"})


@pytest.mark.parametrize("mood", ["failing", "babbling", "refusing", "hanging up", "slow"])
def test_whatever_becomes_of_the_server_the_incumbent_serves_without_delay(
    server: FakeServer, service: Service, mood: str
) -> None:
    server.brief(grant=msgspec.structs.replace(GRANT, lease_ms=500), tag="b")
    service.start()
    wait_until(lambda: service.assign("anna").arm is Arm.CANDIDATE)

    with server.changed:
        server.mood = mood
        server.changed.notify_all()

    slowest = 0.0
    deadline = time.monotonic() + 10
    while service.assigner.remaining and time.monotonic() < deadline:
        began = time.thread_time()
        arm = service.assign("anna").arm
        slowest = max(slowest, time.thread_time() - began)
        assert arm in set(Arm)
    assert service.assign("anna").arm is Arm.INCUMBENT
    assert slowest < 0.5, "assigning waited for something"


def test_a_briefing_of_another_model_exposes_nobody(server: FakeServer, service: Service) -> None:
    server.model = ModelName("spam")
    server.brief(grant=GRANT, tag="b")
    service.start()

    wait_until(lambda: server.tokens)
    wait_until(lambda: service.observer.send_totals() and server.totals)

    assert service.assign("anna").arm is Arm.INCUMBENT
    assert service.briefed.tag == ""


async def ask(app: Glideslope, headers: dict[str, str]) -> dict[bytes, bytes]:
    """Send one request through the middleware and return the answer's headers."""
    sent: list[Any] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await app({"type": "http", "headers": raw}, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    return dict(sent[0]["headers"])


async def handler_of_the_host(_scope: Any, _receive: Any, send: Any) -> None:
    record(score=0.25, slices={"origin": "LGA"}, clicked=1.0)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-own", b"1")]})
    await send({"type": "http.response.body", "body": b"ok"})


STAMPED = {
    "x-glideslope-rollout": "fraud-1",
    "x-glideslope-step": "s1",
    "x-glideslope-arm": "candidate",
    "x-glideslope-subject": "anna",
    "x-request-id": "r-1",
}


async def test_an_answer_carries_a_receipt_that_the_server_can_read_and_its_metrics_are_counted(
    server: FakeServer,
) -> None:
    app = Glideslope(handler_of_the_host, model=MODEL, version="v2", server=server.url, token=TOKEN)
    app.service.start()
    await asyncio.to_thread(wait_until, lambda: app.service.briefed.key)

    headers = await ask(app, STAMPED)

    receipt = read(headers[b"x-glideslope-prediction"].decode(), keys={KEY.id: KEY})
    assert (receipt.rollout, receipt.step, receipt.arm) == (17, 1, Arm.CANDIDATE)
    assert (round(receipt.probability, 3), receipt.request) == (0.25, request_hash("r-1"))
    assert headers[b"x-own"] == b"1"
    await asyncio.to_thread(
        wait_until, lambda: any("fraud-1/s1/candidate/clicked/all/1" in message.counts for message in server.totals)
    )
    assert {message.version for message in server.totals} == {"v2"}
    app.service.stop()


async def test_a_mirrored_copy_is_answered_without_a_receipt_and_told_for_its_pair(server: FakeServer) -> None:
    app = Glideslope(handler_of_the_host, model=MODEL, version="v2", server=server.url)
    app.service.start()
    await asyncio.to_thread(wait_until, lambda: app.service.briefed.key)

    headers = await ask(app, {**STAMPED, "x-glideslope-arm": "shadow"})
    await asyncio.to_thread(wait_until, lambda: server.shadow)
    app.service.stop()

    assert b"x-glideslope-prediction" not in headers
    assert server.shadow == [
        ShadowAnswers(model=MODEL, rollout=RolloutId("fraud-1"), answers=((request_hash("r-1"), 16384),))
    ]
    assert not any(message.counts for message in server.totals)


@pytest.mark.parametrize("mood", ["failing", "babbling", "refusing", "hanging up", "slow", "gone"])
async def test_an_application_answers_as_ever_whatever_becomes_of_the_server(server: FakeServer, mood: str) -> None:
    if mood == "gone":
        server.close()
    server.mood = mood
    app = Glideslope(handler_of_the_host, model=MODEL, version="v2", server=server.url)

    began = time.monotonic()
    for _ in range(50):
        headers = await ask(app, STAMPED)
        assert headers == {b"x-own": b"1"}
    took = time.monotonic() - began
    app.service.stop(timeout=0.2)

    assert took < 5.0


def test_outcomes_wait_for_the_server_and_arrive_in_batches(server: FakeServer, client: Client) -> None:
    server.mood = "failing"
    sender = OutcomeSender(client, every=0.02, largest=2)
    for number in range(5):
        assert sender.send(f"p{number}", happened=number % 2 == 0)
    failed = sender.flush()

    server.mood = "well"
    wait_until(lambda: not sender.waiting)
    stopped = sender.stop()

    told = [(outcome.prediction, outcome.happened) for batch in server.outcomes for outcome in batch.outcomes]
    assert told == [("p0", True), ("p1", False), ("p2", True), ("p3", False), ("p4", True)]
    assert (failed, stopped, sender.counted, sender.dropped) == (False, True, 5, 0)
    assert max(len(batch.outcomes) for batch in server.outcomes) == 2


def test_outcomes_beyond_the_buffer_are_dropped_and_counted(server: FakeServer, client: Client) -> None:
    sender = OutcomeSender(client, every=60, most=2)
    server.mood = "failing"

    taken = [sender.send(f"p{number}", happened=True) for number in range(4)]
    sender.stop()

    assert taken == [True, True, False, False]
    assert sender.dropped == 2


def test_a_refusal_carries_the_problem_in_its_own_words(server: FakeServer, client: Client) -> None:
    server.mood = "refusing"

    with pytest.raises(ServerRefused, match="Who are you") as refused:
        client.send(calls.json_call("GET", "/v1/models"))

    assert (refused.value.status, refused.value.problem.code) == (403, "token-unknown")
    assert refused.value.next_command == "glideslope doctor"


def test_an_answer_that_is_not_what_was_promised_is_told_apart(server: FakeServer, client: Client) -> None:
    server.mood = "babbling"

    with pytest.raises(AnswerUnreadable):
        client.send(calls.briefing(MODEL))


@pytest.mark.parametrize("mood", ["hanging up", "slow", "gone"])
def test_no_answer_is_told_as_such_and_in_time(server: FakeServer, mood: str) -> None:
    server.mood = mood
    if mood == "gone":
        server.close()
    began = time.monotonic()

    with pytest.raises(ServerUnreachable):
        Client(server.url, timeout=0.2).send(calls.json_call("GET", "/v1/models"))

    assert time.monotonic() - began < 10


def test_connections_are_kept_and_one_that_died_meanwhile_is_replaced(server: FakeServer, client: Client) -> None:
    for _ in range(5):
        assert client.send(calls.json_call("GET", "/v1/x")) == {"echo": True}
    kept = server.connections

    server.mood = "hanging up"
    with pytest.raises(ServerUnreachable):
        client.send(calls.json_call("GET", "/v1/x"))
    server.mood = "well"

    assert kept == 1
    assert client.send(calls.json_call("GET", "/v1/x")) == {"echo": True}


async def test_the_asynchronous_client_sends_the_same_calls_and_streams_lines(server: FakeServer) -> None:
    client = AsyncClient(server.url, "secret-2")

    answers = await asyncio.gather(*(client.send(calls.json_call("GET", "/v1/x")) for _ in range(3)))
    lines = [line async for line in client.stream(calls.json_call("GET", "/events"))]
    client.close()

    assert answers == [{"echo": True}] * 3
    assert lines == [b"event: decided", b"data: 1", b""]
    assert server.tokens == {"Bearer secret-2"}


def test_a_closed_client_frees_whoever_waits(server: FakeServer) -> None:
    client = Client(server.url)
    ended: list[str] = []

    def wait() -> None:
        try:
            client.send(calls.briefing(MODEL, seen="a", wait=30))
        except ServerUnreachable as error:
            ended.append(error.code)

    waiting = threading.Thread(target=wait)
    waiting.start()
    wait_until(lambda: server.connections)
    while waiting.is_alive():
        client.close()
        waiting.join(0.05)

    assert ended == ["server-unreachable"]
