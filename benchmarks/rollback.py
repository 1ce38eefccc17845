"""How long a decision to roll back takes to reach the last exposed request, under load and with a real Envoy.

Run with ``python benchmarks/rollback.py [--quick] [--json] [--rate N]``. Two figures: from the decision of a living server to the
arrival of the last answer from the candidate at a caller (requests under way included), and from the sudden death of the
server to the same, which the lease bounds. Goals: p50 of at most 5 ms, p99 of at most 50 ms; never later than the lease
and 50 ms.
"""

import argparse
import asyncio
import contextlib
import json
import mmap
import os
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

from glideslope.adapters.drivers.envoy.bootstrap import Gateway
from glideslope.adapters.drivers.envoy.driver import EnvoyDriver
from glideslope.adapters.drivers.envoy.process import ready
from glideslope.adapters.drivers.envoy.supervisor import run_gateway
from glideslope.domain.ids import Digest, ModelName, RolloutId, StepName, VersionName
from glideslope.domain.traffic import Endpoint, Exposure, Route, Split, Token
from glideslope.testing.http import ModelServer

MODEL = ModelName("fraud")
EVERYBODY = Exposure(RolloutId("fraud-1"), StepName("s1"), Split(candidate=10_000, control=0))
LEASE = timedelta(seconds=1)
CONNECTIONS = 8

_BOARD = struct.Struct("ddd")  # monotonic time of the last exposed answer, answers, exposed answers


@dataclass(frozen=True, slots=True)
class Figure:
    """Milliseconds from the event to the arrival of the last exposed answer."""

    what: str
    tries: int
    p50_ms: float
    p99_ms: float
    max_ms: float


def figure(what: str, *, seconds: list[float]) -> Figure:
    ordered = [1_000 * max(second, 0.0) for second in sorted(seconds)]
    return Figure(
        what=what,
        tries=len(ordered),
        p50_ms=round(ordered[len(ordered) // 2], 2),
        p99_ms=round(ordered[len(ordered) * 99 // 100], 2),
        max_ms=round(ordered[-1], 2),
    )


class Board:
    """What the callers' process says, in shared memory: both processes read one monotonic clock."""

    def __init__(self, path: Path) -> None:
        path.touch()
        os.truncate(path, _BOARD.size)
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _BOARD.size)

    def read(self) -> tuple[float, float, float]:
        last, answers, exposed = _BOARD.unpack_from(self._memory)
        return last, answers, exposed

    def write(self, last: float, answers: float, exposed: float) -> None:
        _BOARD.pack_into(self._memory, 0, last, answers, exposed)


async def call(port: int, rate: float, board: Board) -> None:
    """Be the callers: so many requests a second on a few connections, each subject another one."""
    last, answers, exposed = 0.0, 0, 0

    async def connection(number: int) -> None:
        nonlocal last, answers, exposed
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        due = time.monotonic()
        for n in range(1 << 62):
            subject = f"{number}-{n}"
            writer.write(f"GET /{MODEL}/x HTTP/1.1\r\nhost: m\r\nx-glideslope-subject: {subject}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            answers += 1
            if b"x-glideslope-arm: candidate" in head:
                last, exposed = time.monotonic(), exposed + 1
            board.write(last, answers, exposed)
            await reader.readexactly(int(head.partition(b"content-length: ")[2].split(b"\r\n", 1)[0]))
            due = max(due + CONNECTIONS / rate, time.monotonic())
            await asyncio.sleep(due - time.monotonic())

    await asyncio.gather(*(connection(number) for number in range(CONNECTIONS)))


async def serve_models() -> None:
    """Be the model servers; their ports are told on standard output."""
    async with ModelServer("v7") as incumbent, ModelServer("v8") as candidate:
        print(incumbent.port, candidate.port, flush=True)
        while True:
            await asyncio.sleep(1)
            incumbent.seen.clear()
            candidate.seen.clear()


async def lease_until_killed(folder: Path) -> None:
    """Be a server: renew every quarter of a lease."""
    async with EnvoyDriver(folder, sink=lambda _: None) as driver:
        await until(lambda: bool(driver.gateways()))
        token = Token(epoch=time.time_ns(), version=1)
        while True:
            await driver.lease(MODEL, EVERYBODY, token=token, ttl=LEASE)
            await asyncio.sleep(LEASE.total_seconds() / 4)


@contextlib.contextmanager
def child(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run this script in another role, until the end of the context."""
    with subprocess.Popen([sys.executable, __file__, *arguments], stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


@asynccontextmanager
async def gateway(folder: Path) -> AsyncIterator[int]:
    """Run an Envoy under its supervisor."""
    stopping = asyncio.Event()
    task = asyncio.create_task(run_gateway(folder, Gateway(port=0), stopping=stopping, drain=0.1))
    try:
        yield (await ready(folder, timeout=20)).port
    finally:
        stopping.set()
        await task


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - another process sets no event
            await asyncio.sleep(0.01)


async def exposed_again(board: Board) -> None:
    before = board.read()[2]
    await until(lambda: board.read()[2] >= before + 10)


async def decided(folder: Path, route: Route, board: Board, *, tries: int) -> list[float]:
    """Measure from a decision to the last exposed answer."""
    took = []
    async with EnvoyDriver(folder, sink=lambda _: None) as driver:
        await until(lambda: bool(driver.gateways()))
        await driver.shape([route])
        for n in range(tries):
            await driver.lease(MODEL, EVERYBODY, token=Token(1, 2 * n), ttl=timedelta(seconds=30))
            await exposed_again(board)
            began = time.monotonic()
            await driver.lease(MODEL, None, token=Token(1, 2 * n + 1), ttl=LEASE)
            await asyncio.sleep(0.15)
            took.append(board.read()[0] - began)
    return took


async def died(folder: Path, board: Board, *, tries: int) -> list[float]:
    """Measure from the death of the server to the last exposed answer."""
    took = []
    for _ in range(tries):
        with child("--be", "server", str(folder)) as server:
            await exposed_again(board)
            await asyncio.sleep(LEASE.total_seconds() * 0.6)
            server.kill()
            began = time.monotonic()
            await asyncio.sleep(LEASE.total_seconds() + 0.5)
            took.append(board.read()[0] - began)
    return took


async def measure(*, quick: bool, rate: float) -> list[Figure]:
    with tempfile.TemporaryDirectory() as temporary, contextlib.ExitStack() as stack:
        folder, path = Path(temporary) / "gateway", Path(temporary) / "board"
        board = Board(path)
        models = stack.enter_context(child("--be", "models", str(path)))
        assert models.stdout is not None
        ports = models.stdout.readline().split()
        route = Route(MODEL, incumbent=endpoint("v7", ports[0]), candidate=endpoint("v8", ports[1]), salt="benchmark")
        async with gateway(folder) as port:
            # Routes must be there before the callers are.
            async with EnvoyDriver(folder, sink=lambda _: None) as driver:
                await driver.shape([route])
            with child("--be", "callers", str(path), "--port", str(port), "--rate", str(rate)):
                decisions = await decided(folder, route, board, tries=20 if quick else 200)
                deaths = await died(folder, board, tries=2 if quick else 10)
    return [
        figure(f"decision to last exposed answer, {rate:.0f} requests/s", seconds=decisions),
        figure(f"death of the server to last exposed answer, lease {LEASE.total_seconds():g} s", seconds=deaths),
    ]


def endpoint(version: str, port: bytes) -> Endpoint:
    return Endpoint(VersionName(version), Digest("sha256:" + "0" * 64), f"http://127.0.0.1:{int(port)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="some seconds, rough figures")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    parser.add_argument("--rate", type=float, default=1000.0, help="requests a second (default: %(default)s)")
    parser.add_argument("--be", nargs=2, metavar=("ROLE", "PATH"), help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.be:
        role, path = arguments.be
        roles: dict[str, Callable[[], Coroutine[None, None, None]]] = {
            "callers": lambda: call(arguments.port, arguments.rate, Board(Path(path))),
            "models": serve_models,
            "server": lambda: lease_until_killed(Path(path)),
        }
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(roles[role]())
        return
    figures = asyncio.run(measure(quick=arguments.quick, rate=arguments.rate))
    if arguments.json:
        print(json.dumps({"benchmark": "rollback", "figures": [asdict(one) for one in figures]}, indent=1))
        return
    for one in figures:
        print(
            f"{one.what:<62} {one.tries:>4} tries  p50 {one.p50_ms:>8} ms  p99 {one.p99_ms:>8} ms  max {one.max_ms:>8} ms"
        )


if __name__ == "__main__":
    main()
