"""What a server runs on runs out: space, descriptors, memory. Exposure ends with its lease, commands are told, nothing is lost.

Limits are set on the living server (prlimit(2)), so that they strike in the middle of a rollout, on any machine.
"""

import asyncio
import contextlib
import os
import resource
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from glideslope.testing.http import Caller, ModelServer
from glideslope.testing.tree import Tree, end, ready, start
from glideslope.wiring.entrance import RESERVED

pytestmark = pytest.mark.envoy

LEASE: Final = 1.0
UNNOTICED: Final = 1.2
"""Seconds for which a governor may go without writing: it renews its own lease in the store after two fifths of it."""
SLACK: Final = 1.0
"""Seconds that a busy machine may add to what is measured from outside."""

PLAN: Final = """\
model: fraud
candidate: v2
owner: fraud@example.com
why: Fewer false alarms.
stages:
  - canary: {shares: [30%], for: 600s, at_most: 900s}
guardrails:
  - {metric: errors, margin: 20pp}
lease: 1s
stale_after: 30s
"""


@dataclass(slots=True)
class Canary:
    """A tree with a candidate exposed, and what the API said yes to."""

    running: Tree
    rollout: str
    candidate: ModelServer
    acknowledged: int = 2
    """Versions."""

    @property
    def server(self) -> int:
        """The server's process."""
        return self.running.pids()["server"]

    async def register(self, *, padding: int = 500) -> tuple[int, Any]:
        """Register one more version; count it when it was acknowledged."""
        n = self.acknowledged
        body = {"version": f"w{n}", "digest": f"sha256:{n:064x}", "url": self.candidate.url, "why": "x" * padding}
        async with asyncio.timeout(10):
            status, told = await self.running.call("POST", "/v1/models/fraud/versions", body)
        self.acknowledged += status == 200
        return status, told

    async def trying(self) -> int:
        """Register, from a server that may be dead; return 0 when it is."""
        try:
            return (await self.register())[0]
        except (OSError, TimeoutError):
            return 0

    async def exposed(self, *, seconds: float = 30.0) -> None:
        """Wait until the candidate answers."""
        async with asyncio.timeout(seconds):
            while not await self._answers("v2"):  # noqa: ASYNC110 - another process sets no event
                await asyncio.sleep(0.05)

    async def withdrawn(self) -> float:
        """Return how many seconds passed until the last of the candidate's answers before two quiet seconds."""
        began = last = time.monotonic()
        while (now := time.monotonic()) - last < LEASE + 1:
            if await self._answers("v2"):
                last = now
            assert now - began < 20, "the candidate is still exposed"
        return last - began

    async def nothing_is_lost(self) -> None:
        """Ask that every version that was acknowledged is there, and that a stranger finds the ledger whole."""
        _, model = await self.running.call("GET", "/v1/models/fraud")
        assert len(model["versions"]) >= self.acknowledged
        checked = await self.running.cli("verify", "--json")
        assert checked.status == 0, checked.out + checked.err

    async def decided_since_the_lapse(self) -> bool:
        """Tell whether the record holds a decision after the last lapse."""
        story = (await self.running.call("GET", f"/v1/rollouts/{self.rollout}/story"))[1]
        kinds = [each["kind"] for each in story]
        return "decided" in kinds[len(kinds) - kinds[::-1].index("lease-lapsed") :]

    async def _answers(self, version: str) -> bool:
        answers = [await self.running.ask("fraud", f"u{n}") for n in range(20)]
        assert {a.status for a in answers} == {200}, "whoever asks is served"
        return any(a.body.startswith(version.encode()) for a in answers)


@asynccontextmanager
async def canary(state: Path, *, descriptors: int = 0) -> AsyncIterator[Canary]:
    async with ModelServer("v1") as v1, ModelServer("v2") as v2, limited_tree(state, descriptors) as running:
        for number, server in enumerate((v1, v2), start=1):
            body = {"version": server.name, "digest": f"sha256:{f'{number}' * 64}", "url": server.url, "why": "trained"}
            body |= {"incumbent": server is v1}
            status, told = await running.call("POST", "/v1/models/fraud/versions", body)
            assert status == 200, told
        async with asyncio.timeout(20):
            while (await running.ask("fraud", "the first")).status != 200:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.02)
        status, rollout = await running.call("POST", "/v1/rollouts", {"text": PLAN})
        assert status == 201, rollout
        found = Canary(running, rollout["id"], v2)
        await found.exposed()
        yield found


@asynccontextmanager
async def limited_tree(state: Path, descriptors: int) -> AsyncIterator[Tree]:
    """Run a tree whose processes may have so many descriptors each; 0 for as many as we."""
    running = start(state)
    try:
        if descriptors:
            # At once: it takes a while until it starts the others, who inherit this.
            resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE, (descriptors, descriptors))
        await ready(running)
        yield running
    finally:
        end(running)


@contextmanager
def limited(pid: int, what: int, to: int) -> Iterator[None]:
    """Lower a process's limit, and raise it again if the process lives."""
    before = resource.prlimit(pid, what, (to, resource.prlimit(pid, what)[1]))
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, what, before)


async def test_a_server_that_can_write_nothing_says_so_exposes_nobody_and_goes_on_by_itself(tmp_path: Path) -> None:
    async with canary(tmp_path / ".glideslope") as live:
        server = live.server
        with limited(server, resource.RLIMIT_FSIZE, 0):
            assert await live.withdrawn() <= UNNOTICED + LEASE + SLACK
            status, problem = await live.register()
            assert (status, problem["code"]) == (503, "store-unavailable")
            assert "returns to the incumbent" in problem["traffic"]
            for verb in ("halt", "rollback"):
                told = await live.running.cli(verb, live.rollout, "-m", "look at this")
                assert (told.status, "error[store-unavailable]" in told.err) == (1, True)
            status, checks = await live.running.call("GET", "/v1/doctor")
            assert status == 200
            assert "governor" in {c["name"] for c in checks if not c["ok"]}
        await live.exposed()
        assert live.server == server, "it went on by itself"
        await live.nothing_is_lost()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real disk that is soon full, where one may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.slow
async def test_a_server_that_dies_on_a_full_disk_is_back_when_space_is(small_disk: Path) -> None:
    """Until then the gateway serves the incumbent, and the tree says why there is no server, or the server what is wrong."""
    async with canary(small_disk / ".glideslope") as live:
        ballast = small_disk / "ballast"
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        assert await live.withdrawn() <= UNNOTICED + LEASE + SLACK
        status, refused = await live.register(padding=1000)
        while status == 200:  # what is left of the log's last page
            status, refused = await live.register(padding=1000)
        assert (status, refused["code"]) == (503, "store-unavailable")
        os.kill(live.server, signal.SIGKILL)
        deadline = time.monotonic() + 8
        while time.monotonic() < deadline:
            if await live._answers("v2"):
                # Opening the store folds its log into the file, which may free a page: then a decision was written first.
                assert await live.decided_since_the_lapse()
            await asyncio.sleep(0.1)
        assert "Traceback" not in live.running.said

        ballast.unlink()
        await live.exposed()
        await live.nothing_is_lost()


@asynccontextmanager
async def idle(port: int, *, connections: int) -> AsyncIterator[list[asyncio.StreamWriter]]:
    """Hold connections open and say nothing."""
    held: list[asyncio.StreamWriter] = []
    try:
        for _ in range(connections):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            held.append(writer)
        yield held
    finally:
        for writer in held:
            writer.transport.abort()


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


async def test_callers_of_the_api_who_only_connect_take_no_descriptor_that_governing_needs(tmp_path: Path) -> None:
    async with canary(tmp_path / ".glideslope") as live:
        server = live.server
        with limited(server, resource.RLIMIT_NOFILE, RESERVED + 40):
            async with idle(live.running.port, connections=300):
                # The gateway is looked at every second, and its shape is asked for every five.
                deadline = time.monotonic() + 6
                while time.monotonic() < deadline:
                    assert await live._answers("v2")
                    assert (await live.register())[0] == 200, "people are let in"
                    await asyncio.sleep(0.2)
        story = (await live.running.call("GET", f"/v1/rollouts/{live.rollout}/story"))[1]
        assert "lease-lapsed" not in [each["kind"] for each in story]
        assert "Traceback" not in live.running.said
        assert live.server == server
        await live.nothing_is_lost()


@pytest.mark.slow
async def test_callers_of_the_gateway_who_only_connect_take_no_descriptor_that_envoy_needs(tmp_path: Path) -> None:
    """They keep out newcomers, and nobody else: who is connected is served, the lease is renewed, the gateway looked at."""
    async with canary(tmp_path / ".glideslope", descriptors=600) as live:
        envoy = live.running.pids()["envoy"]
        port = live.running.gateway_port
        async with Caller(port) as known:
            assert await asks(known) == 200
            async with idle(port, connections=700):
                deadline = time.monotonic() + 6
                while time.monotonic() < deadline:
                    assert await asks(known) == 200
                    await asyncio.sleep(0.1)
                assert descriptors(envoy) < 600
                checks = (await live.running.call("GET", "/v1/doctor"))[1]
                assert "gateway" not in {c["name"] for c in checks if not c["ok"]}
        story = (await live.running.call("GET", f"/v1/rollouts/{live.rollout}/story"))[1]
        assert "lease-lapsed" not in [each["kind"] for each in story]
        assert live.running.pids()["envoy"] == envoy
        await live.exposed()
        await live.nothing_is_lost()


async def asks(caller: Caller) -> int:
    return (await caller.ask("/fraud/predict", headers={"x-glideslope-subject": "somebody"})).status


async def test_a_server_without_memory_governs_on_or_ends_cleanly_and_loses_nothing(tmp_path: Path) -> None:
    async with canary(tmp_path / ".glideslope") as live:
        server = live.server
        body = {"outcomes": [{"prediction": f"{k}" * 8, "happened": True} for k in range(100_000)]}

        async def too_much() -> int:
            try:
                async with asyncio.timeout(20):
                    status, told = await live.running.call("POST", "/v1/outcomes", body)
            except (OSError, TimeoutError):
                return 0
            assert status == 200 or told["code"] in {"store-unavailable", "internal"}, told
            return status

        with limited(server, resource.RLIMIT_AS, size(server) + (4 << 20)):
            answers = await asyncio.gather(*(too_much() for _ in range(4)))
            assert 200 not in answers, "it had memory for all of this"
            async with asyncio.timeout(20):
                while (await live.trying()) != 200:  # noqa: ASYNC110 - another process sets no event
                    await asyncio.sleep(0.2)
        await live.exposed()
        await live.nothing_is_lost()


def size(pid: int) -> int:
    """Return the bytes of a process's address space, proc(5)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmSize")) * 1024
