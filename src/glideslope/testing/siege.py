"""A real tree under load and under attack: callers ask, people act, and anything is killed or frozen at any moment.

The incumbent's own model server is never touched: no gateway can answer for it.
"""

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from glideslope.domain.stamps import ARM, ROLLOUT, STEP, SUBJECT
from glideslope.testing import tree as trees
from glideslope.testing.aftermath import Answer, Kill, Scene
from glideslope.testing.http import Caller
from glideslope.testing.tree import Tree, until

LEASE: Final = 1.0
SUBJECTS: Final = 20_000
PATIENCE: Final = 120.0
"""Seconds for a besieged tree to serve a candidate again, on a machine that others use too."""

PLAN: Final = """\
model: fraud
candidate: v2
owner: fraud@example.com
why: Fewer false alarms.
stages:
  - canary: {shares: [10%], for: 3s, at_most: 900s, then: extend}
  - canary: {shares: [30%], for: 900s, at_most: 1800s}
guardrails:
  - {metric: errors, margin: 30pp}
lease: 1s
stale_after: 30s
"""

MODEL_SERVER: Final = """
import asyncio, sys
from glideslope.testing.http import ModelServer

async def main(name, port):
    async with ModelServer(name, port=int(port)) as server:
        print(server.port, flush=True)
        await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


@dataclass(slots=True)
class Model:
    """A model server as a process of its own, always on the same port."""

    name: str
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Serve."""
        command = [sys.executable, "-c", MODEL_SERVER, self.name, str(self.port)]
        self.process = await asyncio.to_thread(subprocess.Popen, command, stdout=subprocess.PIPE)
        self.port = int(await asyncio.to_thread(_stdout(self.process).readline))

    def kill(self) -> None:
        """End at once."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            _stdout(self.process).close()
            self.process = None


@dataclass(slots=True)
class Siege:
    """A tree, its attackers' dice, and what was seen."""

    running: Tree
    options: Sequence[str]
    """With which `up` is started."""
    models: dict[str, Model]
    dice: random.Random
    scene: Scene
    restarts: int = 0
    """How often `up` had to be started again because it was killed, or gave up while it was starting."""
    stopping: bool = False
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)

    def begin(self) -> None:
        """Let callers ask and people act."""
        self.tasks = [asyncio.create_task(self.load(self.running.gateway_port)) for _ in range(4)]
        self.tasks += [asyncio.create_task(self.people()), asyncio.create_task(self.pulse())]

    async def rest(self) -> None:
        """Stop asking and acting."""
        self.stopping = True
        await asyncio.gather(*self.tasks)

    @property
    def exposed(self) -> bool:
        """Tell whether a candidate answered within the last second."""
        recent = time.time() - 1.0
        return any(answer.by == "v2" and answer.came > recent for answer in self.scene.answers[-400:])

    async def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Ask the API; status 0 when nobody answers."""
        try:
            async with asyncio.timeout(10):
                return await self.running.call(method, path, body)
        except (OSError, ValueError, TimeoutError):
            return 0, None

    async def load(self, port: int) -> None:
        """Be one caller, as fast as some forty requests a second."""
        async with Caller(port) as caller:
            while not self.stopping:
                subject = f"u{self.dice.randrange(SUBJECTS)}"
                sent = time.time()
                try:
                    async with asyncio.timeout(15):
                        answer = await caller.ask("/fraud/predict", headers={SUBJECT: subject})
                except (OSError, TimeoutError):
                    caller.close()
                    self.scene.answers.append(Answer(sent, time.time(), subject, 0, "", "", "", ""))
                else:
                    stamps = (answer.headers.get(name, "") for name in (ARM, ROLLOUT, STEP))
                    by = answer.body[:2].decode()
                    self.scene.answers.append(Answer(sent, time.time(), subject, answer.status, by, *stamps))
                await asyncio.sleep(0.025)

    async def people(self) -> None:
        """Register ever more versions, and propose the change again whenever it was rolled back."""
        n = 0
        while not self.stopping:
            n += 1
            body = {"version": f"w{n}", "digest": f"sha256:{n:064x}", "url": "http://127.0.0.1:9", "why": "nightly"}
            status, _ = await self.call("POST", "/v1/models/fraud/versions", body)
            if status == 200:
                self.scene.acknowledged.add(("registered", f"w{n}"))
            status, found = await self.call("GET", "/v1/rollouts")
            if status == 200 and all(each["ended"] for each in found):
                status, told = await self.call("POST", "/v1/rollouts", {"text": PLAN})
                if status == 201:
                    self.scene.acknowledged.add(("rollout-proposed", told["id"]))
            elif status == 200 and n % 60 == 0:
                open_ = next(each["id"] for each in found if not each["ended"])
                status, _ = await self.call("POST", f"/v1/rollouts/{open_}/rollback", {"why": "to begin anew"})
                if status == 200:
                    self.scene.acknowledged.add(("rolled-back", open_))
            await asyncio.sleep(0.2)

    async def pulse(self) -> None:
        """Notice when this machine is late."""
        while not self.stopping:
            due = time.monotonic() + 0.05
            await asyncio.sleep(0.05)
            if (late := time.monotonic() - due) > 0.02:
                self.scene.lags.append((time.time(), late))

    async def kill(self, what: str) -> None:
        """Kill one, and wait until another stands in its place."""
        if what == "model":
            self.strike(["model"])
            await asyncio.sleep(self.dice.uniform(0.0, 1.0))
            await self.models["v2"].start()
            return
        pid = self.running.pids()[what]
        self.strike([what])
        await until(
            lambda: self.running.pids().get(what, pid) != pid,
            what=lambda: f"another {what} is started; the tree said {self.running.said[-2000:]}",
            every=0.05,
        )

    def strike(self, whom: Sequence[str]) -> int:
        """Kill all of them at once, those that live; return how many did."""
        exposed, pids = self.exposed, self.running.pids()
        struck = 0
        for what in whom:
            at = time.time()
            if what == "model":
                if self.models["v2"].process is None:
                    continue
                self.models["v2"].kill()
            else:
                try:
                    os.kill(pids[what], signal.SIGKILL)
                except (KeyError, ProcessLookupError):
                    continue
            struck += 1
            self.scene.kills.append(Kill(what, at, exposed))
        return struck

    async def freeze(self, what: str, seconds: float) -> None:
        """Stop one for a while: it does nothing, believes everything, and wakes late."""
        exposed, pid = self.exposed, self.running.pids().get(what)
        if pid is None:
            return
        with suppress(ProcessLookupError):
            at = time.time()
            os.kill(pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(seconds)
            finally:
                woken = time.time()
                os.kill(pid, signal.SIGCONT)
            self.scene.kills.append(Kill(what, at, exposed, frozen=woken - at))

    async def mend(self) -> None:
        """Do what nobody inside can: start the candidate's server, and `up` itself, as a service manager would."""
        if self.models["v2"].process is None:
            await self.models["v2"].start()
        if self.running.process.poll() is not None:
            self.running = trees.start(self.running.state, *self.options)
            self.restarts += 1

    async def storm(self, kills: int, *, tell: str = "") -> None:
        """Kill until so many are dead: again while they start, several at once, all at once; freeze in between."""
        dead, told = 0, time.monotonic()
        while dead < kills:
            await self.mend()
            chance = self.dice.random()
            if chance < 0.3:
                await asyncio.sleep(self.dice.uniform(0.0, 0.3))
            elif chance < 0.6:
                await asyncio.sleep(self.dice.uniform(0.0, 3.0))
            else:
                await self.shown()
                await asyncio.sleep(self.dice.uniform(0.0, 0.5))
            kind = self.dice.random()
            everybody = ["up", "server", "gateway", "envoy", "model"]
            if kind < 0.35:
                self.dice.shuffle(everybody)
                dead += self.strike(everybody)
            elif kind < 0.6:
                dead += self.strike(self.dice.sample(everybody, self.dice.randint(2, 3)))
            elif kind < 0.85:
                dead += self.strike([self.dice.choice([*everybody, "server", "server"])])
            else:
                await self.freeze(self.dice.choice(["server", "server", "gateway"]), self.dice.uniform(0.2, 4.5))
            if tell and time.monotonic() - told > 30:
                told = time.monotonic()
                print(f"{tell}: {dead} of {kills} killed", flush=True)  # noqa: T201 - who waits for hours wants to see that it goes on

    async def settled(self) -> None:
        """Wait until a server answers that belongs to a living `up`: one whose root was killed may answer while it ends."""
        while True:
            await asyncio.sleep(0.2)
            await self.mend()
            server = self.running.pids().get("server", 0)
            if _parent(server) == self.running.process.pid and (await self.call("GET", "/v1/rollouts"))[0] == 200:
                return

    async def shown(self) -> None:
        """Wait until the candidate is exposed, starting again what is dead and nobody else starts. Raises AssertionError."""
        deadline = time.monotonic() + PATIENCE
        while not self.exposed:
            await self.mend()
            if time.monotonic() > deadline:
                raise AssertionError(f"no candidate within {PATIENCE:g} s; the tree said: {self.running.said[-3000:]}")
            await asyncio.sleep(0.02)


@asynccontextmanager
async def besieged(state: Path, *, seed: int, scene: Scene | None = None) -> AsyncIterator[Siege]:
    """Run a tree with two versions, callers and people."""
    models = {name: Model(name) for name in ("v1", "v2")}
    try:
        for model in models.values():
            await model.start()
        # Of our own choice, and none that the kernel gives out: else somebody takes it while everything here is dead.
        options = ("--gateway-port", str(_quiet_port()))
        running = trees.start(state, *options)
        dice = random.Random(seed)  # noqa: S311 - a seed, not a secret
        siege = Siege(
            options=options, running=running, models=models, dice=dice, scene=Scene() if scene is None else scene
        )
        try:
            await trees.ready(running)
            await _registered(siege)
            siege.begin()
            try:
                yield siege
            finally:
                await siege.rest()
        finally:
            trees.end(siege.running)
    finally:
        for model in models.values():
            model.kill()


async def _registered(siege: Siege) -> None:
    for number, (name, model) in enumerate(siege.models.items(), start=1):
        body = {
            "version": name,
            "digest": f"sha256:{f'{number}' * 64}",
            "url": f"http://127.0.0.1:{model.port}",
            "why": "it is trained",
            "incumbent": name == "v1",
        }
        status, told = await siege.call("POST", "/v1/models/fraud/versions", body)
        if status != 200:
            raise AssertionError(f"{name} cannot be registered: {status} {told}")
    async with asyncio.timeout(trees.PATIENCE):
        while (await siege.running.ask("fraud", "u0")).status != 200:  # noqa: ASYNC110 - another process sets no event
            await asyncio.sleep(0.05)


def _quiet_port() -> int:
    """Return a free port below those that Linux gives out by itself (ip_local_port_range begins at 32768)."""
    chance = random.SystemRandom()
    while True:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", chance.randrange(15_000, 32_000)))
            return int(probe.getsockname()[1])


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _stdout(process: "subprocess.Popen[bytes]") -> IO[bytes]:
    if process.stdout is None:
        raise AssertionError("this process was started with a pipe")
    return process.stdout
