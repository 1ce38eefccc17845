"""A long time on a real tree: rollout after rollout under steady traffic, and nothing grows but the ledger.

`GLIDESLOPE_SOAK` is the length in seconds (3600 in the slow test), `GLIDESLOPE_SOAK_RATE` the requests per second. A short
look by hand: `GLIDESLOPE_SOAK=90 pytest tests/e2e/test_soak.py -m slow -s`. The figures are printed as JSON;
`GLIDESLOPE_SOAK_SAMPLES` names a file for every sample.
"""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from glideslope.domain.stamps import SUBJECT
from glideslope.sdk.stamps import PREDICTION
from glideslope.testing.http import Caller
from glideslope.testing.tree import PATIENCE, Tree, tree
from glideslope.testing.vitals import Limits, Sample, growth, read_folder, read_process

pytestmark = pytest.mark.envoy

CALLERS: Final = 4
SUBJECTS: Final = 1_000_000

PLAN: Final = """\
model: fraud
candidate: {candidate}
owner: fraud@example.com
why: The night's training.
stages:
  - canary: {{shares: [10%, 50%], for: 2s, at_most: 120s, then: roll-back}}
guardrails:
  - {{metric: errors, margin: 20pp, base_rate: 0.01}}
  - {{metric: wrong, margin: 20pp, base_rate: 0.1}}
lease: 2s
stale_after: 20s
outcomes_stale_after: 30s
maturity: 0.2
"""

MODEL_SERVER: Final = """
import asyncio, socket, sys
import uvicorn
from glideslope.sdk import Glideslope, record

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            await send({"type": f"{kind}.complete"})
            if kind == "lifespan.shutdown":
                return
    while (await receive()).get("more_body"):
        pass
    if scope["method"] == "POST":
        record(score=0.9)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": sys.argv[1].encode()})

listening = socket.socket()
listening.bind(("127.0.0.1", 0))
listening.listen(1024)
print(listening.getsockname()[1], flush=True)
served = Glideslope(app, model="fraud", version=sys.argv[1], server=sys.argv[2], token=sys.argv[3])
config = uvicorn.Config(served, log_level="error", lifespan="on")
asyncio.run(uvicorn.Server(config).serve(sockets=[listening]))
"""


@dataclass(slots=True)
class Soak:
    """What happens during a soak, and what was seen of it."""

    running: Tree
    rate: float
    servers: Mapping[str, int]
    """The model servers' processes."""
    began: float = field(default_factory=time.monotonic)
    requests: int = 0
    failures: list[str] = field(default_factory=list)
    outcomes: int = 0
    halted: int = 0
    refused: int = 0
    """Proposals whose candidate did not answer in time."""
    phases: dict[str, int] = field(default_factory=dict)
    took: list[float] = field(default_factory=list)
    """Since the last sample."""
    predictions: list[str] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    stopping: bool = False

    async def call(self, first: int) -> None:
        """Ask at a steady pace; an answer that comes late delays no other caller."""
        async with Caller(self.running.gateway_port) as caller:
            number = first
            due = time.monotonic()
            while not self.stopping:
                number += CALLERS
                begun = time.perf_counter()
                self.requests += 1
                try:
                    answer = await caller.ask("/fraud/predict", headers={SUBJECT: f"u{number % SUBJECTS}"})
                except OSError as error:
                    caller.close()
                    self.failures.append(f"{time.time():.3f} {error!r}")
                else:
                    self.took.append(time.perf_counter() - begun)
                    if answer.status != 200:
                        self.failures.append(f"{time.time():.3f} {answer}")
                    if receipt := answer.headers.get(PREDICTION):
                        self.predictions.append(receipt)
                due = max(due + CALLERS / self.rate, time.monotonic() - 1.0)
                await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def tell(self) -> None:
        """Tell what became true of each prediction, a second after; nine in ten were right."""
        told = 0
        while not self.stopping or self.predictions:
            batch, self.predictions = self.predictions, []
            await asyncio.sleep(1.0)
            outcomes = [{"prediction": one, "happened": (told + k) % 10 != 0} for k, one in enumerate(batch)]
            if outcomes:
                status, taken = await self.running.call("POST", "/v1/outcomes", {"outcomes": outcomes})
                assert status == 200, taken
                assert taken["refused"] == [], taken["refused"][:3]
                self.outcomes += len(outcomes)
                told += len(outcomes)

    async def roll_out(self) -> None:
        """Propose whatever does not serve now, see it to its end, and begin again."""
        while not self.stopping:
            status, model = await self.running.call("GET", "/v1/models/fraud")
            assert status == 200, model
            candidate = "v1" if model["incumbent"] == "v2" else "v2"
            status, view = await self.running.call("POST", "/v1/rollouts", {"text": PLAN.format(candidate=candidate)})
            if status == 503:
                # The candidate's server did not answer in time; nothing was recorded.
                self.refused += 1
                await asyncio.sleep(1.0)
                continue
            assert status == 201, view
            id_, ordered = view["id"], len(self.phases) > 0 and sum(self.phases.values()) % 5 == 4
            while not view["ended"] and not self.stopping:
                await asyncio.sleep(0.5)
                status, view = await self.running.call("GET", f"/v1/rollouts/{id_}")
                assert status == 200, view
                if view["phase"] == "halted":
                    # A split is called wrong by mere chance in one of a thousand steps, and then a person has to look.
                    self.halted += 1
                    await self.running.call(
                        "POST", f"/v1/rollouts/{id_}/rollback", {"why": "the split was off by chance"}
                    )
                if ordered and view["phase"] == "running":
                    # Every fifth is taken back by somebody.
                    ordered = False
                    await self.running.call("POST", f"/v1/rollouts/{id_}/rollback", {"why": "on second thoughts"})
            if view["ended"]:
                self.phases[view["phase"]] = self.phases.get(view["phase"], 0) + 1

    async def look(self, every: float, *, seconds: float) -> None:
        """Sample until the time is over."""
        told = self.began
        while time.monotonic() - self.began < seconds:
            await asyncio.sleep(every)
            took, self.took = sorted(self.took), []
            begun = time.perf_counter()
            status, _ = await self.running.call("GET", "/v1/models/fraud")
            answered = time.perf_counter() - begun
            assert status == 200
            found = {name: read_process(pid) for name, pid in (self.running.pids() | self.servers).items()}
            files, stored, besides = read_folder(self.running.state, database="glideslope.sqlite")
            self.samples.append(
                Sample(
                    at=time.monotonic() - self.began,
                    processes={name: one for name, one in found.items() if one is not None},
                    files=files,
                    stored=stored,
                    besides=besides,
                    entries=entries(self.running.state),
                    outcomes=self.outcomes,
                    p99=took[int(len(took) * 0.99)] if took else 0.0,
                    answered=answered,
                )
            )
            keep(self.samples[-1])
            if time.monotonic() - told > 60:
                told = time.monotonic()
                self.say(self.samples[-1])

    def say(self, sample: Sample) -> None:
        server = sample.processes["server"]
        print(  # noqa: T201 - who waits an hour wants to see that it goes on
            f"{sample.at:.0f} s: {self.requests:,} requests, {self.outcomes:,} outcomes, {sample.entries:,} entries, "
            f"{self.phases}, server {server.rss / 1e6:.1f} MB {server.descriptors} fds, p99 {1000 * sample.p99:.1f} ms",
            flush=True,
        )


def keep(sample: Sample) -> None:
    """Write a sample to the file that the environment names, if any."""
    if path := os.environ.get("GLIDESLOPE_SOAK_SAMPLES"):
        with Path(path).open("a") as lines:
            lines.write(json.dumps(asdict(sample)) + "\n")


def entries(state: Path) -> int:
    """Count the ledger's entries as a reader beside the server."""
    database = sqlite3.connect(f"file:{state / 'glideslope.sqlite'}?mode=ro", uri=True)
    try:
        return int(database.execute("SELECT count(*) FROM entry").fetchone()[0])
    finally:
        database.close()


@asynccontextmanager
async def versions(running: Tree) -> AsyncIterator[dict[str, int]]:
    """Serve both versions as processes of their own, with the middleware in them; yield their ids."""
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for number, name in enumerate(("v1", "v2"), start=1):
            command = [sys.executable, "-c", MODEL_SERVER, name, f"http://127.0.0.1:{running.port}", running.token]
            process = await asyncio.to_thread(subprocess.Popen, command, stdout=subprocess.PIPE)
            processes.append(process)
            assert process.stdout is not None
            port = int(await asyncio.to_thread(process.stdout.readline))
            body = {
                "version": name,
                "digest": f"sha256:{f'{number}' * 64}",
                "url": f"http://127.0.0.1:{port}",
                "why": "it is trained",
                "incumbent": name == "v1",
            }
            status, told = await running.call("POST", "/v1/models/fraud/versions", body)
            assert status == 200, told
        yield {f"model {name}": process.pid for name, process in zip(("v1", "v2"), processes, strict=True)}
    finally:
        for process in processes:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


async def served(running: Tree) -> None:
    """Wait until the gateway has learned of the model."""
    async with asyncio.timeout(PATIENCE):
        while (await running.ask("fraud", "u0")).status != 200:  # noqa: ASYNC110 - another process sets no event
            await asyncio.sleep(0.05)


async def soak(state: Path, *, seconds: float, rate: float, every: float) -> tuple[Soak, Any]:
    """Let a tree work for so long; return what was seen and what the ledger's verification says."""
    async with tree(state) as running, versions(running) as servers:
        await served(running)
        seen = Soak(running=running, rate=rate, servers=servers)
        async with asyncio.TaskGroup() as group:
            for number in range(CALLERS):
                group.create_task(seen.call(number))
            group.create_task(seen.tell())
            group.create_task(seen.roll_out())
            await seen.look(every, seconds=seconds)
            seen.stopping = True
        checked = await running.cli("verify", "--json")
        assert checked.status == 0, checked.out
        return seen, json.loads(checked.out)


@pytest.mark.slow
async def test_an_hour_of_rollouts_leaves_nothing_behind_but_the_ledger(tmp_path: Path) -> None:
    seconds = float(os.environ.get("GLIDESLOPE_SOAK", "3600"))
    rate = float(os.environ.get("GLIDESLOPE_SOAK_RATE", "25"))
    seen, verified = await soak(tmp_path / ".glideslope", seconds=seconds, rate=rate, every=min(5.0, seconds / 30))
    found, figures = growth(seen.samples, Limits())
    told = {
        "seconds": seconds,
        "requests": seen.requests,
        "failed": len(seen.failures),
        "failures": seen.failures[:20],
        "outcomes": seen.outcomes,
        "rollouts": seen.phases,
        "halted": seen.halted,
        "refused": seen.refused,
        "entries": seen.samples[-1].entries,
        "decisions": verified["decisions"],
        "judged": figures,
        "found": found,
    }
    print(json.dumps(told, indent=1))  # noqa: T201 - these figures are asked for
    assert verified["ok"]
    assert seen.failures == []
    assert seen.phases.get("promoted", 0) > 0, seen.phases
    assert seen.halted <= 1 + sum(seen.phases.values()) // 100
    assert found == []
