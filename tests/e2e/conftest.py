"""A real Envoy per test, started by the real supervisor, in front of model servers that misbehave on request."""

import asyncio
import contextlib
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from glideslope.adapters.drivers.envoy.bootstrap import Gateway
from glideslope.adapters.drivers.envoy.door import Door
from glideslope.adapters.drivers.envoy.driver import EnvoyDriver
from glideslope.adapters.drivers.envoy.layout import Folder
from glideslope.adapters.drivers.envoy.limits import Limits
from glideslope.adapters.drivers.envoy.line import Line
from glideslope.adapters.drivers.envoy.process import find, ready
from glideslope.adapters.drivers.envoy.supervisor import run_gateway
from glideslope.domain.errors import DriverUnavailable
from glideslope.domain.ids import ModelName
from glideslope.domain.stamps import ARM, SUBJECT
from glideslope.domain.traffic import Arm, Assignment, Endpoint
from glideslope.engine.ports import Served
from glideslope.testing import tree as trees
from glideslope.testing.contracts.driver import unserved
from glideslope.testing.http import Caller, Message, ModelServer
from glideslope.testing.tree import Tree

VERSIONS = ("v1", "v2", "v7", "v8", "v9")

# Short enough that a hanging candidate is given up within a test.
LIMITS = Limits(attempt=Limits().attempt / 10, timeout=Limits().timeout / 5)


@dataclass(eq=False)
class EnvoyBench:
    """A gateway, its driver, its model servers and a caller. Keeps the contract's DriverBench."""

    folder: Path
    servers: dict[str, ModelServer]
    stack: contextlib.AsyncExitStack
    served: list[Served] = field(default_factory=list)
    flying: list[Served] = field(default_factory=list)
    """Reports of requests that had not ended."""
    limits: Limits = LIMITS
    door: Door | None = None
    port: int = 0
    _driver: EnvoyDriver | None = None
    _caller: Caller | None = None

    @property
    def driver(self) -> EnvoyDriver:
        assert self._driver is not None
        return self._driver

    @property
    def caller(self) -> Caller:
        assert self._caller is not None
        return self._caller

    def endpoint(self, version: str) -> Endpoint:
        known = unserved(version)
        return Endpoint(known.version, known.digest, self.servers[version].url)

    async def serve(self, model: ModelName, subject: str) -> Assignment:
        return self.assignment(await self.ask(model, subject))

    async def ask(
        self, model: str, subject: str | None, *, headers: dict[str, str] | None = None, body: bytes = b"{}"
    ) -> Message:
        """Ask for a prediction on the one connection of this bench."""
        named = {} if subject is None else {SUBJECT: subject}
        return await self.caller.ask(f"/{model}/predict", headers=named | (headers or {}), body=body)

    async def advance(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def start_driver(self) -> None:
        self._driver = await self.stack.enter_async_context(
            EnvoyDriver(self.folder, sink=self._take, limits=self.limits, door=self.door)
        )

    def _take(self, batch: Sequence[Served]) -> None:
        for one in batch:
            (self.flying if one.in_flight else self.served).append(one)

    async def start_gateway(self, line: Line | None = None) -> None:
        self.port = await self.stack.enter_async_context(gateway(self.folder, line=line))
        self._caller = await self.stack.enter_async_context(Caller(self.port))

    async def connected(self) -> None:
        """Wait until Envoy listens to the driver."""
        await self.until(lambda: bool(self.driver.gateways()), what="Envoy asks for leases")

    async def reported(self, count: int) -> list[Served]:
        """Wait until that many requests have been reported."""
        await self.until(lambda: len(self.served) >= count, what=f"{count} requests are reported")
        assert count == len(self.served)
        return self.served

    @staticmethod
    async def until(condition: Callable[[], bool], *, what: str, seconds: float = 5.0) -> None:
        """Wait for something that a real process does in its own time."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not condition():
            assert asyncio.get_running_loop().time() < deadline, f"not within {seconds} s: {what}"
            await asyncio.sleep(0.005)

    @staticmethod
    def assignment(answer: Message) -> Assignment:
        """Read an assignment off an answer's stamps."""
        assert answer.status == 200, answer
        arm = answer.headers.get(ARM)
        return Assignment(Arm(arm) if arm else Arm.INCUMBENT, measured=arm is not None)


@asynccontextmanager
async def gateway(folder: Path, *, port: int = 0, line: Line | None = None) -> AsyncIterator[int]:
    """Run a supervisor and its Envoy; yield the port once it is ready."""
    stopping = asyncio.Event()
    task = asyncio.create_task(run_gateway(folder, Gateway(port=port, line=line), stopping=stopping, drain=1.0))
    try:
        async with asyncio.timeout(10):
            while True:
                if task.done():
                    task.result()
                with contextlib.suppress(DriverUnavailable):
                    running = await ready(folder, timeout=0.2)
                    break
        yield running.port
    finally:
        stopping.set()
        await task


Benches = Callable[[], Awaitable[EnvoyBench]]


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder with a short name: sockets lie below it, and Linux allows them 107 bytes (unix(7))."""
    with tempfile.TemporaryDirectory(prefix="gs-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture
async def bare_bench(tmp_path: Path) -> AsyncIterator[EnvoyBench]:
    """Model servers and an empty folder: neither driver nor gateway has been started."""
    async with contextlib.AsyncExitStack() as stack:
        servers = {name: await stack.enter_async_context(ModelServer(name)) for name in VERSIONS}
        bench = EnvoyBench(tmp_path / "gw", servers, stack)
        yield bench
    # A gateway outlives its supervisor; no test may leave one behind, however it ended.
    if left := find(Folder.at(bench.folder)):
        left.send(signal.SIGKILL)
        await left.died()
        left.close()


@pytest.fixture
async def envoy_bench(bare_bench: EnvoyBench) -> EnvoyBench:
    """Driver and gateway are connected; nothing has been shaped."""
    await bare_bench.start_driver()
    await bare_bench.start_gateway()
    await bare_bench.connected()
    return bare_bench


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    """A process tree that a module's tests share: each brings a model of its own."""
    running = trees.start(tmp_path_factory.mktemp("standing") / ".glideslope")
    try:
        asyncio.run(trees.ready(running))
        yield running
    finally:
        trees.end(running)


@pytest.fixture
async def unharmed(standing: Tree) -> AsyncIterator[None]:
    """After each attack the processes are the same, answer at once, and have logged no crash."""
    before, said = standing.pids(), len(standing.said)
    yield
    async with asyncio.timeout(5):
        assert (await standing.call("GET", "/v1/fleet"))[0] == 200
    assert standing.pids() == before
    assert "Traceback" not in standing.said[said:]
