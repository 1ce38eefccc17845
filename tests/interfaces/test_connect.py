"""The command line over a real connection: answers, refusals, streams and keys arrive as the server sent them."""

import asyncio
import socket
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import count
from typing import Any, cast

import msgspec
import pytest
import uvicorn

from glideslope.__main__ import _connect
from glideslope.domain.errors import Unavailable
from glideslope.interfaces.api.app import create_app
from glideslope.interfaces.cli.exits import ApiRefused

PLAN = b'{"text": "model: late-arrival\\ncandidate: v2\\nowner: o\\nwhy: w\\n"}'


@pytest.fixture
def address(service: Any) -> Iterator[str]:
    """A server on loopback, in a thread of its own."""
    stopping = asyncio.Event()
    keys = (f"server-{number}" for number in count(1))
    app = create_app(service, new_key=lambda: next(keys), stopping=stopping)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off", timeout_graceful_shutdown=5))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])))
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    assert server.started
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)
    listening.close()
    assert not thread.is_alive()


def test_an_answer_is_its_bytes(address: str) -> None:
    found = _connect(address, "gs_reader").call("GET", "/v1/fleet")

    assert msgspec.json.decode(found)["entries"] == 42


def test_a_command_carries_its_key_and_is_carried_out_once(address: str, service: Any) -> None:
    api = _connect(address, "gs_member")

    first, second = (api.call("POST", "/v1/rollouts", PLAN, {"Idempotency-Key": "mine"}) for _ in range(2))

    assert first == second
    assert list(service.keys) == ["mine"]


def test_a_refusal_keeps_its_status_and_fields(address: str) -> None:
    with pytest.raises(ApiRefused) as caught:
        _connect(address, "gs_reader").call("POST", "/v1/plan", b'{"text": "modle: x"}')

    assert (caught.value.status, caught.value.fields["code"], caught.value.fields["line"]) == (422, "plan-invalid", 1)


def test_a_stream_is_refused_as_a_call_is(address: str) -> None:
    with pytest.raises(ApiRefused, match="does not know this token"):
        list(_connect(address, "nobody").stream("/v1/ledger"))


def test_the_ledger_arrives_line_by_line(address: str, service: Any) -> None:
    service.bundle = [b"glideslope-ledger/1\n", *(b"%d\n" % number for number in range(50_000))]

    found = _connect(address, "gs_reader").stream("/v1/ledger")

    assert b"".join(line + b"\n" for line in found) == b"".join(service.bundle)


def test_events_arrive_while_the_rollout_goes_on(address: str, service: Any) -> None:
    api = _connect(address, "gs_member")
    id_ = msgspec.json.decode(api.call("POST", "/v1/rollouts", PLAN))["id"]

    stream = api.stream(f"/v1/rollouts/{id_}/events")
    with closing(cast("Generator[bytes, None, None]", stream)):
        first = next(line for line in stream if line.startswith(b"id:"))
    service.move(id_, phase="promoted", ended=True)
    again = [line for line in api.stream(f"/v1/rollouts/{id_}/events") if line.startswith(b"id:")]

    assert (first, again) == (b"id: 1", [b"id: 2"])


def test_no_answer_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with pytest.raises(Unavailable):
        _connect(f"http://127.0.0.1:{port}", "t").call("GET", "/v1/fleet")
