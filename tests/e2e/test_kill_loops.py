"""Kill -9 of anything at any moment: the five promises hold, judged by what callers got and by what the ledger says.

The incumbent's own model server is never killed: no gateway can answer for it. Requests may fail while Envoy itself is
dead, from its kill to its first answer; otherwise never.
"""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pytest

from glideslope.domain.stamps import ARM, ROLLOUT, STEP, SUBJECT
from glideslope.domain.traffic import Arm, Split, assign
from glideslope.ledger import bundle
from glideslope.ledger.entry import Entry
from glideslope.testing.http import Caller, exchange
from glideslope.testing.tree import Tree, tree, until

pytestmark = pytest.mark.envoy

LEASE: Final = 1.0
SLACK: Final = 0.25
SUBJECTS: Final = 20_000

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


@dataclass(frozen=True, slots=True)
class Answer:
    """One request as its caller saw it. Times are the machine's wall clock; `by` is empty when there was no answer."""

    sent: float
    came: float
    subject: str
    status: int
    by: str
    arm: str
    rollout: str
    step: str


@dataclass(frozen=True, slots=True)
class Kill:
    what: str
    at: float
    exposed: bool
    """A candidate had answered within the second before."""


@dataclass(slots=True)
class Model:
    """A model server as a process of its own, always on the same port."""

    name: str
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        command = [sys.executable, "-c", MODEL_SERVER, self.name, str(self.port)]
        self.process = await asyncio.to_thread(subprocess.Popen, command, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.port = int(await asyncio.to_thread(self.process.stdout.readline))

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()


@dataclass(slots=True)
class Siege:
    """A tree under load and under attack, and all that happened to it."""

    running: Tree
    models: dict[str, Model]
    dice: random.Random
    answers: list[Answer] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)
    acknowledged: set[tuple[str, str]] = field(default_factory=set)
    """What the API said yes to: a version that was registered, a rollout that was proposed or rolled back."""
    stopping: bool = False
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)

    def begin(self) -> None:
        """Let callers ask and people act."""
        self.tasks = [asyncio.create_task(self.load(self.running.gateway_port)) for _ in range(4)]
        self.tasks.append(asyncio.create_task(self.people()))

    async def rest(self) -> None:
        """Stop asking and acting."""
        self.stopping = True
        await asyncio.gather(*self.tasks)

    @property
    def exposed(self) -> bool:
        recent = time.time() - 1.0
        return any(answer.by == "v2" and answer.came > recent for answer in self.answers[-400:])

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
                    self.answers.append(Answer(sent, time.time(), subject, 0, "", "", "", ""))
                else:
                    stamps = (answer.headers.get(name, "") for name in (ARM, ROLLOUT, STEP))
                    by = answer.body[:2].decode()
                    self.answers.append(Answer(sent, time.time(), subject, answer.status, by, *stamps))
                await asyncio.sleep(0.025)

    async def people(self) -> None:
        """Register ever more versions, and propose the change again whenever it was rolled back."""
        n = 0
        while not self.stopping:
            n += 1
            body = {"version": f"w{n}", "digest": f"sha256:{n:064x}", "url": "http://127.0.0.1:9", "why": "nightly"}
            status, _ = await self.call("POST", "/v1/models/fraud/versions", body)
            if status == 200:
                self.acknowledged.add(("registered", f"w{n}"))
            status, found = await self.call("GET", "/v1/rollouts")
            if status == 200 and all(each["ended"] for each in found):
                status, told = await self.call("POST", "/v1/rollouts", {"text": PLAN})
                if status == 201:
                    self.acknowledged.add(("rollout-proposed", told["id"]))
            elif status == 200 and n % 60 == 0:
                open_ = next(each["id"] for each in found if not each["ended"])
                status, _ = await self.call("POST", f"/v1/rollouts/{open_}/rollback", {"why": "to begin anew"})
                if status == 200:
                    self.acknowledged.add(("rolled-back", open_))
            await asyncio.sleep(0.2)

    async def kill(self, what: str) -> None:
        """Kill, and wait until another stands in its place."""
        exposed = self.exposed
        if what == "model":
            at = time.time()
            self.models["v2"].kill()
            self.kills.append(Kill(what, at, exposed))
            await asyncio.sleep(self.dice.uniform(0.0, 1.0))
            await self.models["v2"].start()
            return
        pid = self.running.pids()[what]
        at = time.time()
        os.kill(pid, signal.SIGKILL)
        self.kills.append(Kill(what, at, exposed))
        await until(
            lambda: self.running.pids().get(what, pid) != pid,
            what=lambda: f"another {what} is started; the tree said {self.running.said[-2000:]}",
            every=0.05,
        )

    async def shown(self) -> None:
        """Wait until the candidate is exposed."""
        await until(
            lambda: self.exposed, what=lambda: f"a candidate is exposed: {self.running.said[-2000:]}", seconds=60
        )


@asynccontextmanager
async def besieged(state: Path, *, seed: int) -> AsyncIterator[Siege]:
    models = {name: Model(name) for name in ("v1", "v2")}
    try:
        for model in models.values():
            await model.start()
        async with tree(state) as running:
            siege = Siege(running=running, models=models, dice=random.Random(seed))
            for number, (name, model) in enumerate(models.items(), start=1):
                body = {
                    "version": name,
                    "digest": f"sha256:{f'{number}' * 64}",
                    "url": f"http://127.0.0.1:{model.port}",
                    "why": "it is trained",
                    "incumbent": name == "v1",
                }
                status, told = await siege.call("POST", "/v1/models/fraud/versions", body)
                assert status == 200, told
            await incumbent_served(running)
            siege.begin()
            try:
                yield siege
            finally:
                await siege.rest()
    finally:
        for model in models.values():
            model.kill()


async def incumbent_served(running: Tree) -> None:
    async with asyncio.timeout(10):
        while (await exchange(running.gateway_port, "POST", "/fraud/predict")).status != 200:  # noqa: ASYNC110 - another process sets no event
            await asyncio.sleep(0.05)


async def attack(state: Path, *, kills: int, seed: int) -> None:
    async with besieged(state, seed=seed) as siege:
        await siege.shown()
        order = ["server", "envoy", "gateway", "model", "server", "server"]
        for number in range(kills):
            if siege.dice.random() < 0.7:
                await siege.shown()
            await asyncio.sleep(siege.dice.uniform(0.0, 1.2))
            await siege.kill(order[number] if number < len(order) else siege.dice.choice(order))
        # By itself: nobody does anything but ask.
        await siege.shown()
        await siege.rest()
        saved = state.parent / "ledger.bundle"
        checked = await siege.running.cli("verify", "--json", "--out", str(saved))
        assert (checked.status, json.loads(checked.out)["ok"]) == (0, True), checked.out
        with saved.open("rb") as lines:
            entries = bundle.parse(lines).entries
        _, rollouts = await siege.call("GET", "/v1/rollouts")
        report(siege, entries, json.loads(checked.out))
        nothing_acknowledged_is_lost(siege, entries)
        nobody_is_exposed_beyond_the_step(siege, entries, rollouts)
        no_exposure_outlives_its_lease(siege, entries)
        nobody_was_failed_by_a_living_gateway(siege)


def nothing_acknowledged_is_lost(siege: Siege, entries: Sequence[Entry]) -> None:
    recorded = {("registered", str(e.body["version"])) for e in entries if e.kind == "version-registered"}
    recorded |= {("rollout-proposed", e.stream) for e in entries if e.kind == "rollout-proposed"}
    recorded |= {("rolled-back", e.stream) for e in entries if e.kind == "decided" and _kind(e) == "roll-back"}
    assert siege.acknowledged - recorded == set()


def nobody_is_exposed_beyond_the_step(siege: Siege, entries: Sequence[Entry], rollouts: Sequence[Any]) -> None:
    """Each answer of the candidate was inside the range of a step that had been decided when it came."""
    splits = {
        (r["id"], s["name"]): Split(candidate=s["candidate"], control=s["control"])
        for r in rollouts
        for s in r["steps"]
    }
    decided: dict[tuple[str, str], float] = {}
    for entry in entries:
        if entry.kind == "decided" and _kind(entry) == "advance":
            step = f"s{int(entry.body['decision']['to']) + 1}"  # type: ignore[index]  # an advance says where to
            decided.setdefault((entry.stream, step), _instant(entry))
    for answer in siege.answers:
        assert answer.by != "v2" or answer.arm == Arm.CANDIDATE, answer
        if answer.arm == Arm.CANDIDATE:
            where = (answer.rollout, answer.step)
            assert assign(answer.subject, salt=answer.rollout, weights=splits[where].weights()).arm is Arm.CANDIDATE, (
                answer
            )
            assert decided[where] <= answer.came + 0.001, f"{answer} came before its step was decided"


def no_exposure_outlives_its_lease(siege: Siege, entries: Sequence[Entry]) -> None:
    """After the server's death no request that came later than the lease met the candidate, until one decided afresh."""
    fresh = sorted(
        _instant(e) for e in entries if e.kind == "decided" and _kind(e) in {"advance", "hold"} and _exposes(e)
    )
    for kill in siege.kills:
        if kill.what != "server":
            continue
        until_ = next((at for at in fresh if at > kill.at), float("inf"))
        late = [a for a in siege.answers if a.by == "v2" and kill.at + LEASE + SLACK < a.sent and a.came < until_]
        assert late == [], f"{kill}: {late[:3]}"


def nobody_was_failed_by_a_living_gateway(siege: Siege) -> None:
    dead = _gateway_dead(siege)
    failed = [
        a
        for a in siege.answers
        if a.status != 200 and not any(a.came >= begin and a.sent <= end for begin, end in dead)
    ]
    assert failed == [], failed[:5]


def _gateway_dead(siege: Siege) -> Sequence[tuple[float, float]]:
    """From each kill of Envoy to its first answer to a request sent after."""
    good = [a for a in siege.answers if a.status == 200]
    return [
        (kill.at, min((a.came for a in good if a.sent > kill.at), default=float("inf")))
        for kill in siege.kills
        if kill.what == "envoy"
    ]


def report(siege: Siege, entries: Sequence[Entry], verified: Any) -> None:
    killed = Counter(kill.what for kill in siege.kills)
    outlived = [
        max((a.came for a in siege.answers if a.by == "v2" and kill.at < a.came < kill.at + LEASE + 2), default=kill.at)
        - kill.at
        for kill in siege.kills
        if kill.what == "server" and kill.exposed
    ]
    failed = [a for a in siege.answers if a.status != 200]
    print(  # noqa: T201 - these figures are asked for
        f"\nkilled {dict(killed)}, {sum(k.exposed for k in siege.kills)} of {len(siege.kills)} while a candidate was exposed\n"
        f"{len(siege.answers):,} requests, {sum(a.by == 'v2' for a in siege.answers):,} by the candidate, {len(failed)} failed, "
        f"gateway dead for {', '.join(f'{end - begin:.2f} s' for begin, end in _gateway_dead(siege)) or 'never'}\n"
        f"after a server's death the last answer of a candidate came after {', '.join(f'{s:.2f} s' for s in outlived)}\n"
        f"{len(siege.acknowledged):,} acknowledgements; {len(entries):,} entries, {verified['decisions']:,} decisions replayed, "
        f"{sum(e.kind == 'lease-lapsed' for e in entries)} lapses, {verified['rollouts']} rollouts"
    )


def _kind(entry: Entry) -> str:
    return str(entry.body["decision"]["type"])  # type: ignore[index]  # every decision has one


def _exposes(entry: Entry) -> bool:
    decision: Any = entry.body["decision"]
    return _kind(entry) == "advance" or bool(decision.get("exposed"))


def _instant(entry: Entry) -> float:
    return datetime.fromisoformat(entry.at).timestamp()


async def test_no_kill_breaks_a_promise(tmp_path: Path) -> None:
    await attack(tmp_path / ".glideslope", kills=6, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
async def test_no_kill_of_two_hundred_breaks_a_promise(tmp_path: Path, seed: int) -> None:
    await attack(tmp_path / ".glideslope", kills=50, seed=100 + seed)
