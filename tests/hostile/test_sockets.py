"""Whatever bytes arrive at the API's port: an answer below 500 or none, no word in the log, and the next caller is served."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glideslope.domain.identity import Identity, Role
from glideslope.domain.ids import Actor
from glideslope.interfaces.api.app import create_app
from glideslope.testing.hostile import changed
from glideslope.testing.traffic import Behaviour
from glideslope.testing.world import World
from glideslope.wiring.server import listen
from glideslope.wiring.web import WebServer

QUIET = 0.3
"""Seconds in which an answer begins and ends; what was cut is waited for longer."""
TOKEN = "gs_admin"  # noqa: S105 - of a world that is gone in a moment
HEAD = f"host: x\r\nauthorization: Bearer {TOKEN}\r\n".encode()
REQUESTS = [
    b"GET /v1/fleet HTTP/1.1\r\n" + HEAD + b"\r\n",
    b"GET /v1/models/delays/briefing?seen=a&wait=0&source=b HTTP/1.1\r\n" + HEAD + b"\r\n",
    b"POST /v1/plan HTTP/1.1\r\n" + HEAD + b'content-length: 21\r\n\r\n{"text":"model: x\\n "}',
    b"POST /v1/plan HTTP/1.1\r\n" + HEAD + b'transfer-encoding: chunked\r\n\r\n5\r\n{"tex\r\n7;a=b\r\nt":"x"}\r\n0\r\nx-t: y\r\n\r\n',
    b"POST /v1/rollouts/r-0001/halt HTTP/1.1\r\n" + HEAD + b'idempotency-key: k-1\r\ncontent-length: 11\r\n\r\n{"why":"x"}',
    b"POST /v1/outcomes HTTP/1.1\r\n" + HEAD + b"expect: 100-continue\r\ncontent-length: 2\r\n\r\n{}",
    b"GET /v1/healthz HTTP/1.0\r\n\r\nGET /v1/healthz HTTP/1.1\r\nhost: x\r\n\r\n",
]  # fmt: skip


@dataclass
class Served:
    port: int
    runner: asyncio.Runner
    unhandled: list[dict[str, Any]] = field(default_factory=list)

    def send(self, content: bytes) -> bytes:
        return self.runner.run(self._send(content))

    async def _send(self, content: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        found = b""
        try:
            writer.write(content)
            with contextlib.suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(QUIET):
                    while piece := await reader.read(65536):
                        found += piece
            return found
        finally:
            writer.transport.abort()


@asynccontextmanager
async def serving() -> AsyncIterator[int]:
    world = World()
    await world.serves("delays", v1=Behaviour(), v2=Behaviour())
    app = world.app
    known = Identity(Actor("ada"), Role.ADMIN)
    app._world = replace(app._world, identify=lambda token: known if token == TOKEN else None)
    stopping = asyncio.Event()
    server = WebServer(create_app(app, new_key=world.key, stopping=stopping), stopping=stopping)
    listening = listen(0, purpose="test", setting="--port")
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield listening.getsockname()[1]
    finally:
        server.stop()
        await task


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with asyncio.Runner() as runner:
        context = serving()
        found = Served(runner.run(context.__aenter__()), runner)
        runner.get_loop().set_exception_handler(lambda _, told: found.unhandled.append(told))
        yield found
        runner.run(context.__aexit__(None, None, None))


def statuses(answer: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", answer)]


@pytest.mark.parametrize("request_", REQUESTS)
def test_what_is_changed_here_is_answered_as_it_is(served: Served, request_: bytes) -> None:
    answers: list[int] = []
    for _ in range(20):  # on a busy machine it may take longer than it is waited for
        answers = answers or statuses(served.send(request_))
    assert answers, request_


@given(seed=st.integers(0, 2**64))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_arrives_is_answered_or_hung_up_on(
    served: Served, caplog: pytest.LogCaptureFixture, seed: int
) -> None:
    chance = Random(seed)
    content = changed(chance.choice(REQUESTS), chance, times=4)
    caplog.clear()

    answer = served.send(content)

    assert all(status < 500 for status in statuses(answer)), (content, answer)
    assert served.unhandled == [], content
    assert [each for each in caplog.records if each.levelname in {"ERROR", "CRITICAL"}] == [], content
