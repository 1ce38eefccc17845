"""Around any application: without a server nothing changes, and nothing that fails in here reaches the host."""

from collections.abc import Iterator
from typing import Any

import pytest

from glideslope.domain.errors import Invalid
from glideslope.domain.traffic import Arm
from glideslope.sdk import Glideslope, record
from glideslope.sdk.middleware import KEY, Answering

STAMPED = [
    (b"x-glideslope-rollout", b"fraud-1"),
    (b"x-glideslope-step", b"s1"),
    (b"x-glideslope-arm", b"candidate"),
]


class Host:
    """An application that remembers what it was given."""

    def __init__(self) -> None:
        self.scopes: list[Any] = []
        self.made: list[str | None] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        self.made.append(record(score=0.5, clicked=1.0))
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def app(host: Host) -> Iterator[Glideslope]:
    made = Glideslope(host, model="fraud", version="v2")
    yield made
    made.service.stop()


async def served(app: Any, scope: dict[str, Any]) -> list[Any]:
    sent: list[Any] = []

    async def receive() -> dict[str, str]:
        return {"type": "lifespan.shutdown"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


async def test_without_a_server_the_answer_goes_out_as_it_is(app: Glideslope, host: Host) -> None:
    sent = await served(app, {"type": "http", "headers": STAMPED})

    assert sent == [{"type": "http.response.start", "status": 200}, {"type": "http.response.body", "body": b"ok"}]
    assert host.made == [None]
    assert app.service.assign("anna").arm is Arm.INCUMBENT


async def test_the_handler_finds_the_stamps_in_its_scope(app: Glideslope, host: Host) -> None:
    await served(app, {"type": "http", "headers": STAMPED})

    answering = host.scopes[0][KEY]
    assert isinstance(answering, Answering)
    assert (answering.stamps.rollout, answering.stamps.step, answering.stamps.arm) == ("fraud-1", "s1", Arm.CANDIDATE)


@pytest.mark.parametrize("headers", [None, 7, [b"x"], [("x-glideslope-arm", "candidate")]], ids=repr)
async def test_headers_that_cannot_be_read_are_the_hosts_business(app: Glideslope, host: Host, headers: Any) -> None:
    sent = await served(app, {"type": "http", "headers": headers})

    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert not host.scopes[0][KEY].stamps.measured


async def test_what_the_host_raises_is_the_hosts() -> None:
    async def broken(_scope: Any, _receive: Any, _send: Any) -> None:
        raise KeyError("the host's own")

    with pytest.raises(KeyError, match="the host's own"):
        await served(Glideslope(broken, model="fraud", version="v2"), {"type": "http", "headers": []})


@pytest.mark.parametrize("values", [{"score": "high"}, {"score": object()}, {"slices": 7, "clicked": 1}])
async def test_recording_nonsense_raises_nothing(app: Glideslope, values: dict[str, Any]) -> None:
    not_even_stamps: Any = None
    answering = Answering(app.service, stamps=not_even_stamps)

    assert answering.record(**values) is None


def test_recording_outside_of_a_request_does_nothing() -> None:
    assert record(score=0.5, clicked=1) is None


async def test_other_kinds_of_scope_pass_through(app: Glideslope, host: Host) -> None:
    sent = await served(app, {"type": "lifespan"})

    assert sent == [{"type": "lifespan.shutdown.complete"}]
    assert KEY not in host.scopes[0]


@pytest.mark.parametrize(
    ("server", "token"), [("localhost:8080", ""), ("ftp://host", ""), ("http://host", "a\nb"), ("http://", "")]
)
def test_an_address_or_token_that_cannot_be_is_refused_at_once(host: Host, server: str, token: str) -> None:
    """At the start of the service, where somebody looks; not in its first request."""
    with pytest.raises(Invalid):
        Glideslope(host, model="fraud", version="v2", server=server, token=token)


def test_a_name_that_cannot_be_is_refused_at_once(host: Host) -> None:
    with pytest.raises(Invalid):
        Glideslope(host, model="Fraud!", version="v2")
