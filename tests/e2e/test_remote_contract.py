"""A driver keeps its promises when its Envoy is reached over TCP; and who may come through that door, and who not."""

import asyncio
import contextlib
import shutil
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Self

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
from glideslope.domain.traffic import Assignment, Endpoint, Route, Token
from glideslope.testing.contracts.driver import (
    FIRST,
    FRAUD,
    LONG,
    SECOND,
    SPAM,
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
    def envoy(self) -> EnvoyDriver:
        assert self.real is not None
        return self.real

    @property
    def driver(self) -> Prompt:
        return Prompt(self.envoy)

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

    async def stop_driver(self) -> None:
        await self.stack.aclose()

    async def start_gateway(self, *, port: int = 0, credentials: Credentials | None = None) -> None:
        """Start Envoy and its supervisor, which call at `port`, else at the door itself."""
        assert self.door is not None
        line = Line("127.0.0.1", port or self.door.port, credentials or self.credentials())
        await self.bench.start_gateway(line)
        await self.bench.stack.enter_async_context(attending(self.bench.folder, line, now=now))

    async def connected(self) -> None:
        await self.bench.until(lambda: bool(self.envoy.gateways()), what="Envoy asks for leases through the door")


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
    assert sum((await remote.envoy.requests(FRAUD)).values()) == 1


async def test_a_gateway_that_starts_while_no_server_lives_serves_what_it_last_carried(apart: RemoteBench) -> None:
    async with contextlib.AsyncExitStack() as life:
        outer, apart.bench.stack = apart.bench.stack, life
        await apart.start_driver()
        await apart.start_gateway()
        await apart.connected()
        await leased(apart)
        apart.bench.stack = outer
    await apart.stop_driver()

    await apart.start_gateway()

    answer = await apart.bench.ask(FRAUD, "somebody")
    assert (answer.status, answer.headers[SERVED]) == (200, "v7")


async def test_a_gateway_whose_credentials_have_ended_serves_on_and_says_so(
    apart: RemoteBench, caplog: pytest.LogCaptureFixture
) -> None:
    await apart.start_driver()
    async with contextlib.AsyncExitStack() as life:
        outer, apart.bench.stack = apart.bench.stack, life
        await apart.start_gateway()
        await apart.connected()
        await apart.driver.shape([route(apart)])
        apart.bench.stack = outer

    await apart.start_gateway(credentials=apart.credentials(at=now() - 2 * YEAR))

    assert (await apart.bench.ask(FRAUD, "somebody")).headers[SERVED] == "v7"
    await apart.bench.until(lambda: "of no use: they ended on" in caplog.text, what="it says why it is not connected")
    assert "PRIVATE" not in caplog.text
    with pytest.raises(DriverUnavailable):
        await apart.driver.observe(FRAUD)


async def test_a_gateway_that_lost_what_it_carried_is_given_it_again(apart: RemoteBench) -> None:
    await apart.start_driver()
    async with contextlib.AsyncExitStack() as life:
        outer, apart.bench.stack = apart.bench.stack, life
        await apart.start_gateway()
        await apart.connected()
        await apart.driver.shape([route(apart)])
        apart.bench.stack = outer
    shutil.rmtree(apart.bench.folder)

    await apart.start_gateway()

    async with asyncio.timeout(5):
        while (await apart.bench.ask(FRAUD, "somebody")).status != 200:  # noqa: ASYNC110 - another process sets no event
            await asyncio.sleep(0.02)


async def test_without_a_line_nothing_is_said_to_be_done(apart: RemoteBench) -> None:
    """What is in force is read back from Envoy or not at all; an order that reached nobody is not called given."""
    await apart.start_driver()
    async with contextlib.AsyncExitStack() as life:
        outer, apart.bench.stack = apart.bench.stack, life
        await apart.start_gateway()
        await apart.connected()
        await leased(apart)
        apart.bench.stack = outer
    await apart.bench.until(lambda: not apart.envoy.gateways(), what="the driver knows that the line is gone")

    for asked in (
        apart.driver.shape([route(apart), Route(SPAM, incumbent=apart.endpoint("v1"))]),
        apart.driver.lease(FRAUD, STEP, token=FIRST, ttl=LONG),
        apart.driver.lease(FRAUD, STEP, token=SECOND, ttl=LONG),
        apart.driver.lease(FRAUD, None, token=SECOND, ttl=LONG),
        apart.driver.observe(FRAUD),
    ):
        with pytest.raises(DriverUnavailable, match="no gateway is connected"):
            await asked


async def test_a_lease_is_shortened_by_what_the_line_may_cost(remote: RemoteBench) -> None:
    """Told as late as it may be, Envoy still ends the exposure within the lease of the decision."""
    await remote.driver.shape([route(remote)])
    with pytest.raises(DriverUnavailable, match="too short for a gateway on another host"):
        await remote.envoy.lease(FRAUD, STEP, token=FIRST, ttl=SILENCE)

    await remote.envoy.lease(FRAUD, STEP, token=FIRST, ttl=SILENCE + timedelta(seconds=0.4))
    assert await in_force(remote, STEP)
    await asyncio.sleep(0.45)

    assert await in_force(remote, None)


async def test_clocks_of_the_two_hosts_need_not_agree(apart: RemoteBench) -> None:
    """A lease is a duration: a server whose clock is elsewhere grants the same half second."""
    await apart.start_driver(monotonic=lambda: time.monotonic() + 10_000_000)
    await apart.start_gateway()
    await apart.connected()

    await leased(apart, ttl=timedelta(seconds=0.5))
    await asyncio.sleep(0.55)

    assert await in_force(apart, None)


async def test_a_grant_that_was_held_up_on_the_way_exposes_nobody_when_it_comes(apart: RemoteBench) -> None:
    """TCP delivers what it has, however old; so Envoy hangs up on a line that has been silent."""
    await apart.start_driver()
    assert apart.door is not None
    async with HeldUp(apart.door.port) as way:
        await apart.start_gateway(port=way.port)
        await apart.connected()
        await apart.driver.shape([route(apart)])
        await apart.driver.lease(FRAUD, STEP, token=FIRST, ttl=LONG)
        await reaches(apart, lambda: in_force(apart, STEP))
        await apart.driver.lease(FRAUD, None, token=SECOND, ttl=LONG)
        await reaches(apart, lambda: in_force(apart, None))

        way.hold()
        await apart.driver.lease(FRAUD, STEP, token=Token(1, 3), ttl=timedelta(seconds=1))
        await asyncio.sleep(2.5)
        way.let_go()

        for _ in range(100):
            assert await apart.serve(FRAUD, "anybody who is a candidate") == UNEXPOSED
            await asyncio.sleep(0.01)


class HeldUp:
    """A way to a port that can hold up what comes from there, without losing or closing anything. Use as a context."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self._target = target
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: set[asyncio.Task[None]] = set()

    def hold(self) -> None:
        self._open.clear()

    def let_go(self) -> None:
        self._open.set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, away = await asyncio.open_connection("127.0.0.1", self._target)
        for source, sink, held in ((reader, away, False), (there, writer, True)):
            task = asyncio.create_task(self._carry(source, sink, held=held))
            self._tasks.add(task)

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, held: bool) -> None:
        try:
            while some := await source.read(65_536):
                if held:
                    await self._open.wait()
                sink.write(some)
                await sink.drain()
        except ConnectionError:
            pass
        finally:
            sink.close()


# Who may come in


async def test_without_credentials_of_this_authority_nobody_comes_in(apart: RemoteBench, tmp_path: Path) -> None:
    await apart.start_driver()
    ours = apart.credentials()
    strangers = Authority.at(tmp_path / "other.pem", now=now()).gateway(
        "edge-1", tmp_path / "other", now=now(), lifetime=YEAR
    )
    server = apart.authority.server(now=now())
    ended = apart.credentials("old", at=now() - timedelta(days=2), lifetime=timedelta(days=1))
    shown: dict[str, tuple[bytes | None, bytes | None]] = {
        "nothing": (None, None),
        "a stranger's": (strangers.key.read_bytes(), strangers.certificate.read_bytes()),
        "the server's own": (server.key, server.certificate),
        "what has ended": (ended.key.read_bytes(), ended.certificate.read_bytes()),
    }

    refused = {what for what, (key, chain) in shown.items() if not await comes_in(apart, key, chain)}

    assert refused == set(shown)
    assert await comes_in(apart, ours.key.read_bytes(), ours.certificate.read_bytes())
    assert "they ended on" in ended.trouble(now())


async def test_a_gateway_believes_no_server_but_its_own(apart: RemoteBench) -> None:
    """Not even another gateway of the same authority that poses as one."""
    await apart.start_driver()
    ours = apart.credentials()
    other = apart.credentials("edge-2")
    poser = grpc.aio.server()
    pair = (other.key.read_bytes(), other.certificate.read_bytes())
    port = poser.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    await poser.start()
    try:
        assert not await comes_in(apart, ours.key.read_bytes(), ours.certificate.read_bytes(), port=port)
    finally:
        await poser.stop(grace=0)


async def test_a_second_gateway_is_told_that_there_is_one_and_gets_nothing(remote: RemoteBench) -> None:
    other = remote.credentials("edge-2")
    async with channel(remote, other.key.read_bytes(), other.certificate.read_bytes()) as line:
        with pytest.raises(grpc.aio.AioRpcError, match="drives the gateway edge-1"):
            await line.stream_stream(f"/{SERVICE}/{ATTEND}")(timeout=3).read()
        with pytest.raises(grpc.aio.AioRpcError, match="edge-2 does not attend"):
            await line.stream_stream(LEASES)(timeout=3).read()
        with pytest.raises(grpc.aio.AioRpcError, match="edge-2 does not attend"):
            await line.stream_unary(LOGS)(iter(()), timeout=3)

    assert remote.envoy.gateways() == ["gateway"]


LEASES = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
LOGS = "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs"


def channel(bench: RemoteBench, key: bytes | None, chain: bytes | None, *, port: int = 0) -> grpc.aio.Channel:
    assert bench.door is not None
    secure = grpc.ssl_channel_credentials(bench.authority.pem, key, chain)
    options = [("grpc.ssl_target_name_override", SERVER)]
    return grpc.aio.secure_channel(f"127.0.0.1:{port or bench.door.port}", secure, options=options)


async def comes_in(bench: RemoteBench, key: bytes | None, chain: bytes | None, *, port: int = 0) -> bool:
    """Tell whether a call gets an answer of the server's at all."""
    async with channel(bench, key, chain, port=port) as line:
        try:
            await line.unary_unary("/nobody/knows")(b"", timeout=1)
        except grpc.aio.AioRpcError as error:
            return error.code() is grpc.StatusCode.UNIMPLEMENTED
    raise AssertionError("an unknown call was answered")
