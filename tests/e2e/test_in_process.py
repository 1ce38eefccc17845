"""`up --no-gateway`: one process serves every version by the sdk, and the code is the one of the how-to page."""

import asyncio
import json
import math
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

import pytest

from glideslope.sdk import Client, OutcomeSender
from glideslope.testing.tree import Tree, tree, until

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "docs" / "how-to" / "assign-in-process.md"
EXAMPLE: Final = ROOT / "examples" / "in_process"
FILES: Final = ("serve.py", "glideslope.yaml")

TRUTH: Final = {"intercept": -2.0, "slope": 0.12}
MODELS: Final = {
    "v1": {"intercept": -1.8, "slope": 0.11},
    "v2": TRUTH,
    "v3": {"intercept": 1.0, "slope": -0.12},
    "v4": {"intercept": -2.0, "slope": 0.121},
}
LEASE: Final = 1.0
"""Seconds, as in the example's plan."""


@dataclass(eq=False)
class Callers:
    """Ask about one flight after another, as fast as they are answered, and report every outcome."""

    port: int
    outcomes: OutcomeSender
    seen: list[tuple[float, str]] = field(default_factory=list)
    """When an answer came, in monotonic seconds, and which version gave it."""
    stopping: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        chance = random.Random(11)
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        number = 0
        while not self.stopping.is_set():
            number += 1
            hour = chance.uniform(5, 23)
            connection.request("GET", f"/predict?flight=f{number}&hour={hour}")
            answer = json.loads(connection.getresponse().read())
            self.seen.append((time.monotonic(), answer["version"]))
            late = 1 / (1 + math.exp(-(TRUTH["intercept"] + TRUTH["slope"] * hour)))
            if answer["prediction"]:
                self.outcomes.send(answer["prediction"], happened=chance.random() < late)
            time.sleep(0.001)
        connection.close()

    def since(self, start: float) -> list[tuple[float, str]]:
        return [(at, version) for at, version in list(self.seen) if at >= start]


@contextmanager
def serving(folder: Path, *, port: int) -> Iterator[None]:
    """Run the page's program."""
    command = [sys.executable, "serve.py", str(port)]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": ""}) as process:
        try:
            assert process.stdout is not None
            assert b"is served at" in process.stdout.readline()
            yield
        finally:
            process.kill()


def free_port() -> int:
    from socket import socket

    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(eq=False)
class Bench:
    tree: Tree
    folder: Path
    port: int
    callers: Callers

    async def cli(self, *arguments: str, status: int = 0) -> str:
        ended = await self.tree.cli(*arguments)
        assert ended.status == status, (arguments, ended)
        return ended.out

    async def register(self, version: str, *options: str) -> None:
        url = f"http://127.0.0.1:{self.port}"
        folder = f"models/{version}"
        await self.cli("register", "late-arrival", version, "--folder", folder, "--url", url, *options, "-m", "fitted")

    async def apply(self, candidate: str) -> str:
        plan = (EXAMPLE / "glideslope.yaml").read_text().replace("candidate: v2", f"candidate: {candidate}")
        (self.folder / "plan.yaml").write_text(plan)
        answer = json.loads(await self.cli("apply", "plan.yaml", "--json"))
        return str(answer["id"])

    async def phase(self, rollout: str) -> str:
        _, body = await self.tree.call("GET", f"/v1/rollouts/{rollout}")
        return str(body["phase"])


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    for version, model in MODELS.items():
        folder = tmp_path / "models" / version
        folder.mkdir(parents=True)
        (folder / "model.json").write_text(json.dumps(model))
    for name in FILES:
        (tmp_path / name).write_text((EXAMPLE / name).read_text())
    # A port that stays the same when the server is started again: the service has read it once.
    async with tree(tmp_path / ".glideslope", "--no-gateway", "--port", str(free_port())) as running:
        port = free_port()
        made_token = await running.cli("token", "create", "flights", "--role", "source", "--model", "late-arrival")
        token = made_token.out.strip().splitlines()[-1]
        (tmp_path / "source-token").write_text(token)
        made = Bench(running, tmp_path, port, callers=None)  # type: ignore[arg-type]  # below, once somebody serves
        await made.register("v1", "--incumbent")
        with Client(f"http://127.0.0.1:{running.port}", token) as client, serving(tmp_path, port=port):
            made.callers = Callers(port, OutcomeSender(client, every=0.1))
            thread = threading.Thread(target=made.callers.run)
            thread.start()
            try:
                yield made
            finally:
                made.callers.stopping.set()
                thread.join(20)
                made.callers.outcomes.stop()


async def test_a_service_is_governed_without_any_gateway(bench: Bench) -> None:
    """A sound version is promoted, a bad one rolled back, and without a server the incumbent serves when the lease ends."""
    await asyncio.sleep(1.5)  # ordinary traffic, so that the plan knows what is usual
    await bench.register("v2")
    first = await bench.apply("v2")
    await bench.cli("status", first, "--wait", "--timeout", "60s")
    promoted = time.monotonic() + 0.5
    await until(lambda: len(bench.callers.since(promoted)) > 50, what="flights are answered")
    assert {version for _, version in bench.callers.since(promoted)} == {"v2"}

    await bench.register("v3")
    second = await bench.apply("v3")
    await bench.cli("status", second, "--wait", "--timeout", "60s", status=5)
    withdrawn = time.monotonic()
    await until(lambda: len(bench.callers.since(withdrawn)) > 50, what="flights are answered")
    assert {version for _, version in bench.callers.since(withdrawn)} == {"v2"}
    exposed = sum(version == "v3" for _, version in bench.callers.seen)
    assert 0 < exposed < len(bench.callers.seen) / 4

    await bench.register("v4")
    third = await bench.apply("v4")
    start = time.monotonic()
    await until(lambda: "v4" in {v for _, v in bench.callers.since(start)}, what="v4 is exposed")
    pids = bench.tree.pids()
    os.kill(pids["up"], signal.SIGSTOP)  # else it would start another server at once, which would say so
    os.kill(pids["server"], signal.SIGKILL)
    died = time.monotonic()
    await asyncio.sleep(LEASE + 0.5)
    last = max(at for at, version in bench.callers.since(start) if version == "v4")
    assert last - died <= LEASE + 0.05, "the exposure outlived its lease"
    assert {version for _, version in bench.callers.since(died + LEASE + 0.05)} == {"v2"}

    os.kill(pids["up"], signal.SIGCONT)
    await until(lambda: bench.tree.pids().get("server", pids["server"]) != pids["server"], what="the server is back")
    again = time.monotonic()
    await until(lambda: "v4" in {v for _, v in bench.callers.since(again)}, what="v4 is exposed by a fresh decision")
    _, story = await bench.tree.call("GET", f"/v1/rollouts/{third}/story")
    assert "lease-lapsed" in {each["kind"] for each in story}
    await bench.cli("status", third, "--wait", "--timeout", "60s")
    assert await bench.phase(third) == "promoted"


@pytest.mark.parametrize("name", FILES)
def test_the_files_of_the_page_are_those_that_are_tested(name: str) -> None:
    written = dict(re.findall(r"^`([\w.-]+)`:\n\n```\w+\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL))

    assert written[name] == (EXAMPLE / name).read_text()
