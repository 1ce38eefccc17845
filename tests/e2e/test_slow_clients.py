"""Callers that send slowly or take nothing, against a real server: others are served, leases are renewed, memory is bounded."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from glideslope.interfaces.api.streams import MOST_LEDGERS
from glideslope.testing import tree as trees
from glideslope.testing.http import ModelServer
from glideslope.testing.tree import Tree
from glideslope.wiring.web import PATIENCE

pytestmark = pytest.mark.envoy

REASONS = 24
"""Entries of nearly a megabyte: more ledger than the buffers between two processes hold."""


def memory(pid: int) -> int:
    """Return a process's resident megabytes, proc(5)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) // 1024


def descriptors(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def asking(standing: Tree, head: str) -> socket.socket:
    """Send the beginning of a request on a connection with room for a few kilobytes of answer."""
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    found.connect(("127.0.0.1", standing.port))
    token = f"host: x\r\nauthorization: Bearer {standing.token}\r\n"
    found.sendall(head.replace("TOKEN", token).encode())
    found.setblocking(False)
    return found


@contextlib.contextmanager
def callers(standing: Tree, rollout: str) -> Iterator[list[socket.socket]]:
    """Every kind of slow caller, many of each."""
    heads = [
        *["GET /v1/fleet HTT"] * 40,
        *["POST /v1/plan HTTP/1.1\r\nTOKENcontent-length: 900\r\n\r\n{"] * 40,
        *["POST /v1/plan HTTP/1.1\r\nTOKENtransfer-encoding: chunked\r\n\r\n5\r\n{"] * 40,
        *[f"GET /v1/rollouts/{rollout}/events HTTP/1.1\r\nTOKEN\r\n"] * 100,
        *["GET /v1/ledger HTTP/1.1\r\nTOKEN\r\n"] * (MOST_LEDGERS + 4),
    ]
    opened = [asking(standing, head) for head in heads]
    try:
        yield opened
    finally:
        for each in opened:
            each.close()


@asynccontextmanager
async def exposing(standing: Tree, model: str, *, lease: str) -> AsyncIterator[str]:
    """A rollout that exposes its candidate under leases of so long."""
    async with ModelServer("v1") as v1, ModelServer("v2") as v2:
        for server in (v1, v2):
            body = {
                "version": server.name,
                "digest": f"sha256:{server.name[1] * 64}",
                "url": server.url,
                "why": "it is trained",
                "incumbent": server.name == "v1",
            }
            assert (await standing.call("POST", f"/v1/models/{model}/versions", body))[0] == 200
        plan = (
            f"model: {model}\ncandidate: v2\nowner: me@example.com\nwhy: Slow.\nstages:\n"
            "  - canary: {shares: [30%], for: 600s, at_most: 900s}\nguardrails:\n  - {metric: errors, margin: 20pp}\n"
            f"lease: {lease}\n"
        )
        _, view = await standing.call("POST", "/v1/rollouts", {"text": plan})

        async def confirmed() -> bool:
            return bool((await standing.call("GET", f"/v1/rollouts/{view['id']}"))[1]["confirmed"])

        await until(confirmed)
        yield view["id"]
        status, told = await standing.call("POST", f"/v1/rollouts/{view['id']}/rollback", {"why": "the test is over"})
        assert status == 200, told


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(trees.PATIENCE):
        while not await holds():  # noqa: ASYNC110 - another process sets no event
            await asyncio.sleep(0.05)


async def long_reasons(standing: Tree, model: str) -> None:
    for n in range(REASONS):
        body = {
            "version": f"long-{n}",
            "digest": f"sha256:{n:064}",
            "url": "http://127.0.0.1:9",
            "why": "x" * ((1 << 20) - 300),
        }
        status, told = await standing.call("POST", f"/v1/models/{model}/versions", body)
        assert status == 200, told


async def serves_others(standing: Tree, rollout: str, *, seconds: float) -> None:
    """For so long: answers within a second, and no lapse."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        async with asyncio.timeout(2):
            assert (await standing.call("GET", "/v1/healthz"))[0] == 200
            status, story = await standing.call("GET", f"/v1/rollouts/{rollout}/story")
        assert (status, "lease-lapsed" in [each["kind"] for each in story]) == (200, False)
        await asyncio.sleep(0.1)


async def test_slow_callers_hold_up_nobody_and_cost_little(standing: Tree) -> None:
    async with exposing(standing, "slow", lease="1s") as rollout:
        await long_reasons(standing, "slow")
        pid = standing.pids()["server"]
        before = memory(pid)
        with callers(standing, rollout):
            await serves_others(standing, rollout, seconds=3)
            assert memory(pid) - before < 150
            status, problem = await standing.call("GET", "/v1/ledger")
            assert (status, problem["code"]) == (503, "too-many-streams")

        async def verified() -> bool:
            return (await standing.cli("verify", "--json")).status == 0

        await until(verified)


@pytest.mark.slow
async def test_slow_callers_are_hung_up_on(standing: Tree) -> None:
    """All but those who follow a rollout: their answer is short, taken by the kernel for them, and goes on."""
    async with exposing(standing, "slower", lease="3s") as rollout:
        await long_reasons(standing, "slower")
        pid = standing.pids()["server"]
        before = descriptors(pid)
        with callers(standing, rollout) as opened:
            await trees.until(lambda: descriptors(pid) >= before + len(opened) - 4, what="all are taken in")
            await serves_others(standing, rollout, seconds=PATIENCE + 4)
            await trees.until(lambda: descriptors(pid) <= before + 104, what="the slow ones are hung up on")
        await trees.until(lambda: descriptors(pid) <= before + 4, what="those who followed have left")
