"""A driver keeps its promises when its Envoy is reached over TCP; and who may come through that door, and who not."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import grpc.aio
import pytest

from glideslope.adapters.drivers.envoy.attendant import attending
from glideslope.adapters.drivers.envoy.credentials import SERVER, Authority, Credentials
from glideslope.adapters.drivers.envoy.driver import EnvoyDriver
from glideslope.adapters.drivers.envoy.layout import Folder
from glideslope.adapters.drivers.envoy.line import ATTEND, SERVICE, SILENCE, Line
from glideslope.adapters.drivers.envoy.remote import RemoteDoor
from glideslope.domain.errors import DriverUnavailable
from glideslope.domain.ids import ModelName
from glideslope.domain.stamps import SERVED
from glideslope.domain.traffic import Assignment, Endpoint
from glideslope.testing.contracts.driver import (
    FIRST,
    FRAUD,
    LONG,
    SECOND,
    STEP,
    UNEXPOSED,
    DriverBench,
    DriverContract,
    in_force,
    leased,
    reaches,
    route,
)

if TYPE_CHECKING:
    from tests.e2e.conftest import EnvoyBench

pytestmark = pytest.mark.envoy

YEAR = timedelta(days=365)


def now() -> datetime:
    return datetime.now(UTC)


class Prompt:
    """A driver that adds to each lease what a line may cost, so that the contract's short leases can be held against it."""

    def __init__(self, driver: EnvoyDriver) -> None:
        self.name, self.features = driver.name, driver.features
        self.shape, self.observe = driver.shape, driver.observe
        self._driver = driver

    async def lease(self, model, exposure, *, token, ttl) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001 - as the port's
        await self._driver.lease(model, exposure, token=token, ttl=ttl + SILENCE)


@dataclass(eq=False)
class RemoteBench:
    """Server and gateway in folders of their own, which share nothing but a TCP port and credentials."""

    bench: "EnvoyBench"
    server: Path
    authority: Authority
    door: RemoteDoor | None = None
    real: EnvoyDriver | None = None
    stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    @property
    def driver(self) -> Prompt:
        assert self.real is not None
        return Prompt(self.real)

    def endpoint(self, version: str) -> Endpoint:
        return self.bench.endpoint(version)

    async def serve(self, model: ModelName, subject: str) -> Assignment:
        return await self.bench.serve(model, subject)

    async def advance(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def credentials(
        self, name: str = "edge-1", *, lifetime: timedelta = YEAR, at: datetime | None = None
    ) -> Credentials:
        return self.authority.gateway(name, self.server.parent / name, now=at or now(), lifetime=lifetime)

    def line(self, credentials: Credentials) -> Line:
        assert self.door is not None
        return Line("127.0.0.1", self.door.port, credentials)

    async def start_driver(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        port = self.door.port if self.door else 0
        self.door = RemoteDoor("127.0.0.1", port, authority=self.authority, now=now)
        self.real = await self.stack.enter_async_context(
            EnvoyDriver(
                self.server,
                sink=self.bench.served.extend,
                limits=self.bench.limits,
                door=self.door,
                monotonic=monotonic,
            )
        )

    async def start_gateway(self) -> None:
        line = self.line(self.credentials())
        await self.bench.start_gateway(line)
        await self.bench.stack.enter_async_context(attending(self.bench.folder, line, now=now))

    async def connected(self) -> None:
        assert self.real is not None
        await self.bench.until(
            lambda: bool(self.real and self.real.gateways()), what="Envoy asks for leases through the door"
        )


@pytest.fixture
async def apart(bare_bench: "EnvoyBench", tmp_path: Path) -> AsyncIterator[RemoteBench]:
    """Nothing has been started yet."""
    bench = RemoteBench(bare_bench, tmp_path / "server", Authority.at(tmp_path / "authority.pem", now=now()))
    async with bench.stack:
        yield bench
        # The gateway first, as its end is told to nobody.
        await bare_bench.stack.aclose()


@pytest.fixture
async def remote(apart: RemoteBench) -> RemoteBench:
    await apart.start_driver()
    await apart.start_gateway()
    await apart.connected()
    return apart


class TestRemoteEnvoyDriver(DriverContract):
    @pytest.fixture
    def bench(self, remote: RemoteBench) -> DriverBench:
        return remote


async def test_the_two_sides_share_no_file_but_the_credentials(remote: RemoteBench) -> None:
    await leased(remote)

    assert {p.name for p in remote.server.rglob("*") if p.is_file()} == {"lanes.json"}
    assert not (remote.bench.folder / "lanes.json").exists()
    assert not Folder.at(remote.bench.folder).server.exists()


async def test_what_was_served_is_reported_through_the_door(remote: RemoteBench) -> None:
    await leased(remote)

    await remote.serve(FRAUD, "somebody")

    (one,) = await remote.bench.reported(1)
    assert (one.model, one.subject, one.status) == (FRAUD, "somebody", 200)


async def test_a_gateway_that_starts_while_no_server_lives_serves_what_it_last_carried(apart: RemoteBench) -> None:
    async with contextlib.AsyncExitStack() as life:
        outer, apart.stack, apart.bench.stack = apart.bench.stack, contextlib.AsyncExitStack(), life
        await apart.start_driver()
        await apart.start_gateway()
        await apart.connected()
        await leased(apart)
    await apart.stack.aclose()
    apart.bench.stack = outer

    await apart.start_gateway()

    answer = await apart.bench.ask(FRAUD, "somebody")
    assert (answer.status, answer.headers[SERVED]) == (200, "v7")
