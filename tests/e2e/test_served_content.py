"""What is served is what was registered: a real model server with one other byte ends the rollout that would expose it."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from glideslope.sdk.digest import folder_digest
from glideslope.testing.tree import Tree, tree

pytestmark = pytest.mark.envoy

SERVER = """
import asyncio, sys
import uvicorn
from glideslope.sdk import Glideslope

version, folder, server, token = sys.argv[1:]

async def answer(scope, receive, send):
    if scope["type"] == "lifespan":
        while (kind := (await receive())["type"]) != "lifespan.shutdown":
            await send({"type": f"{kind}.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-version", version.encode())]})
    await send({"type": "http.response.body", "body": b"{}"})

async def main():
    app = Glideslope(answer, model="fraud", version=version, server=server, token=token, folder=folder)
    running = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    task = asyncio.create_task(running.serve())
    while not running.started:
        await asyncio.sleep(0.01)
    print(running.servers[0].sockets[0].getsockname()[1], flush=True)
    await task

asyncio.run(main())
"""

PLAN = """\
model: fraud
candidate: v2
owner: fraud@example.com
why: Fewer false alarms.
stages:
  - canary: {shares: [50%], for: 600s, at_most: 900s}
guardrails:
  - {metric: errors, margin: 20pp}
"""


@contextmanager
def model_server(version: str, folder: Path, *, running: Tree) -> Iterator[str]:
    command = [sys.executable, "-c", SERVER, version, str(folder), f"http://127.0.0.1:{running.port}", running.token]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": "src"}) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


@dataclass(eq=False)
class Bench:
    tree: Tree
    folder: Path
    stack: ExitStack

    async def register(self, version: str, *, serve: Path, options: tuple[str, ...] = ()) -> None:
        """Register `models/VERSION`, and serve another folder under its name."""
        url = self.stack.enter_context(model_server(version, serve, running=self.tree))
        folder = f"models/{version}"
        ended = await self.tree.cli("register", "fraud", version, "--folder", folder, "--url", url, *options, "-m", "w")
        assert ended.status == 0, ended


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    for version in ("v1", "v2"):
        (tmp_path / "models" / version).mkdir(parents=True)
        (tmp_path / "models" / version / "model.bin").write_text(f"weights of {version}")
    (tmp_path / "glideslope.yaml").write_text(PLAN)
    with ExitStack() as stack:
        async with tree(tmp_path / ".glideslope") as running:
            made = Bench(running, tmp_path, stack)
            await made.register("v1", serve=tmp_path / "models" / "v1", options=("--incumbent",))
            yield made


async def test_a_server_of_one_other_byte_is_withdrawn_at_once(bench: Bench) -> None:
    served = bench.folder / "served"
    served.mkdir()
    (served / "model.bin").write_text("weights of v3")
    await bench.register("v2", serve=served)

    ended = await bench.tree.cli("apply", "--json")
    assert ended.status == 0, ended
    rollout = json.loads(ended.out)["id"]
    ended = await bench.tree.cli("status", rollout, "--wait", "--timeout", "20s", "--json")

    assert ended.status == 5, ended
    _, view = await bench.tree.call("GET", f"/v1/rollouts/{rollout}")
    assert (view["phase"], view["reasons"]) == ("rolled-back", ["served-digest-differs"])
    answers = [await bench.tree.ask("fraud", f"u{n}") for n in range(50)]
    assert {answer.headers["x-version"] for answer in answers} == {"v1"}


async def test_a_server_of_what_was_registered_is_left_in_peace(bench: Bench) -> None:
    await bench.register("v2", serve=bench.folder / "models" / "v2")

    rollout = json.loads((await bench.tree.cli("apply", "--json")).out)["id"]
    seen: set[str] = set()
    for n in range(2_000):
        seen.add((await bench.tree.ask("fraud", f"u{n}")).headers["x-version"])
        if "v2" in seen and n > 300:
            break
        await asyncio.sleep(0.005)

    _, view = await bench.tree.call("GET", f"/v1/rollouts/{rollout}")
    assert (view["phase"], seen) == ("running", {"v1", "v2"})


async def test_the_doctor_finds_a_kept_copy_that_changed(bench: Bench) -> None:
    before = await bench.tree.cli("doctor")
    name = folder_digest(bench.folder / "models" / "v1").removeprefix("sha256:")
    kept = bench.tree.state / "artifacts" / "sha256" / name / "model.bin"
    kept.chmod(0o644)
    kept.write_text("weights of v0")

    after = await bench.tree.cli("doctor")

    assert "1 kept copy is what was registered" in before.out
    assert (before.status, after.status) == (0, 1)
    assert "The copy of fraud v1 is not what was registered" in after.out
