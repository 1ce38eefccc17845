"""Server and gateway on hosts of their own: whatever becomes of the line between them, callers get answers and exposure ends.

Two network namespaces and a wire that is cut, delays and loses. Judged by what callers got and by what the ledger says.
"""

import asyncio
import contextlib
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pytest

from glideslope.domain.stamps import ARM, SERVED, SUBJECT
from glideslope.domain.traffic import FULL, Arm, Split, assign
from glideslope.testing import hosts
from glideslope.testing import tree as trees
from glideslope.testing.hosts import GATEWAY, SERVER, Wire, two_hosts
from glideslope.testing.http import Caller, ModelServer
from glideslope.testing.tree import Tree, until

WHY_NOT: Final = hosts.unable()

pytestmark = [pytest.mark.envoy, pytest.mark.skipif(bool(WHY_NOT), reason=f"no two hosts here: {WHY_NOT}")]

LINE: Final = 8790
CALLERS: Final = 8780
SHARE: Final = 3_000

PLAN: Final = """\
model: fraud
candidate: v2
owner: fraud@example.com
why: Fewer false alarms.
stages:
  - canary: {{shares: [30%], for: 600s, at_most: 900s}}
guardrails:
  - {{metric: errors, margin: 20pp}}
lease: {lease}s
stale_after: 30s
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """One request as its caller saw it; times are those of the wall clock."""

    sent: float
    came: float
    subject: str
    status: int
    by: str
    arm: str


@dataclass(eq=False)
class Apart:
    """A server on one host; a gateway, its model servers and its callers on the other."""

    wire: Wire
    folder: Path
    server: Tree
    lease: float
    silence: float = 1.0
    gateway: "subprocess.Popen[bytes] | None" = None
    rollout: str = ""
    answers: list[Answer] = field(default_factory=list)
    before: list[Answer] = field(default_factory=list)
    """Of the time until the canary was under way."""

    @property
    def by_candidate(self) -> int:
        return sum(a.by == "v2" for a in (*self.before, *self.answers))

    @property
    def gateway_state(self) -> Path:
        return self.folder / "g"

    def start_gateway(self) -> None:
        with (self.folder / "gateway.log").open("ab") as log:
            self.gateway = subprocess.Popen(
                [
                    *self.wire.gateway.on, sys.executable, "-m", "glideslope", "gateway",
                    "--state", str(self.gateway_state), "--gateway-port", str(CALLERS),
                    "--server", f"{SERVER}:{LINE}", "--credentials", str(self.folder / "credentials"),
                    "--silence", str(self.silence),
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def start_server(self) -> None:
        state, host = self.folder / "s" / ".glideslope", self.wire.server
        self.server = trees.start(state, "--gateway-listen", f"{SERVER}:{LINE}", on=host.on, dial=host.dial)

    def kill_gateway_host(self) -> None:
        """End whatever runs there, as a power cut does."""
        for pid in trees.living(self.gateway_state).values():
            os.kill(pid, signal.SIGKILL)
        assert self.gateway is not None
        self.gateway.wait()

    def kill_server_host(self) -> None:
        for pid in [self.server.process.pid, *trees.living(self.server.state).values()]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.server.process.wait()

    async def ask_on(self) -> None:
        """Ask for predictions, each for another subject, for as long as this task lives."""
        async with Caller(CALLERS, dial=self.wire.gateway.dial) as caller:
            n = 0
            while True:
                n += 1
                subject = f"{time.time_ns()}-{n}"
                sent = time.time()
                try:
                    answer = await caller.ask("/fraud/predict", headers={SUBJECT: subject})
                    status, by, arm = answer.status, answer.headers.get(SERVED, ""), answer.headers.get(ARM, "")
                except OSError:
                    caller.close()
                    status, by, arm = 0, "", ""
                self.answers.append(Answer(sent, time.time(), subject, status, by, arm))
                await asyncio.sleep(0.005)

    async def candidate_answers(self, *, seconds: float = 30.0) -> float:
        """Wait until a request that is sent from now on is answered by the candidate; return when that was."""
        since = time.time()
        found: list[float] = []

        def seen() -> bool:
            found.extend(a.came for a in reversed(self.answers) if a.by == "v2" and a.sent >= since)
            return bool(found)

        await until(seen, what="the candidate answers", seconds=seconds)
        return min(found)

    async def story(self) -> list[dict[str, Any]]:
        status, story = await self.server.call("GET", f"/v1/rollouts/{self.rollout}/story")
        assert status == 200, story
        return list(story)

    async def told(self, kind: str, *, since: float, seconds: float = 20.0) -> float:
        """Wait until the ledger has an entry of a kind that is not older; return its time."""
        async with asyncio.timeout(seconds):
            while True:
                for entry in await self.story():
                    at = datetime.fromisoformat(entry["at"]).timestamp()
                    # The ledger's times are whole milliseconds.
                    if entry["kind"] == kind and at >= since - 0.001:
                        return at
                await asyncio.sleep(0.1)


@pytest.fixture
async def apart(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Apart]:
    """A canary is under way and callers ask on. Lease and bearable silence are the test's parameter, in seconds."""
    lease, silence = getattr(request, "param", (3.0, 1.0))
    with two_hosts() as wire, wire.working():
        state = tmp_path / "s" / ".glideslope"
        server = trees.start(state, "--gateway-listen", f"{SERVER}:{LINE}", on=wire.server.on, dial=wire.server.dial)
        both = Apart(wire, tmp_path, server, lease, silence)
        asking: asyncio.Task[None] | None = None
        try:
            await trees.ready(server)
            made = await server.cli("credentials", "create", "edge-1", "--out", str(tmp_path / "credentials"))
            assert made.status == 0, made.err
            both.start_gateway()
            async with _model("v1", wire) as v1, _model("v2", wire) as v2:
                for number, version in enumerate((v1, v2), start=1):
                    body = {"version": version.name, "digest": f"sha256:{str(number) * 64}", "url": version.url}
                    body |= {"why": "it is trained", "incumbent": version is v1}
                    status, told = await server.call("POST", "/v1/models/fraud/versions", body)
                    assert status == 200, told
                await until((both.gateway_state / "gateway-address").exists, what="the gateway is there")
                status, rollout = await server.call("POST", "/v1/rollouts", {"text": PLAN.format(lease=f"{lease:g}")})
                assert status == 201, rollout
                both.rollout = rollout["id"]
                asking = asyncio.create_task(both.ask_on())
                await both.candidate_answers()
                both.before, both.answers = both.answers, []
                yield both
                asking.cancel()
        finally:
            if asking is not None:
                asking.cancel()
            trees.end(both.server)
            if both.gateway is not None:
                both.kill_gateway_host()


def _model(name: str, wire: Wire) -> ModelServer:
    return ModelServer(name, host=GATEWAY, listen=wire.gateway.listen)


def nobody_was_failed(answers: list[Answer]) -> None:
    assert answers
    assert [a for a in answers if a.status != 200] == []


def only_whom_the_step_assigns_met_the_candidate(both: Apart) -> None:
    weights = Split(candidate=SHARE, control=FULL - SHARE).weights()
    met = [a for a in both.answers if a.by == "v2"]
    assert met
    assert [a for a in met if assign(a.subject, salt=both.rollout, weights=weights).arm is not Arm.CANDIDATE] == []


def last_candidate(answers: list[Answer]) -> float:
    return max((a.sent for a in answers if a.by == "v2"), default=0.0)


async def test_a_line_that_is_cut_ends_the_exposure_and_only_a_fresh_decision_brings_it_back(apart: Apart) -> None:
    cut = time.time()
    apart.wire.cut()
    lapsed = asyncio.create_task(apart.told("lease-lapsed", since=cut))
    await asyncio.sleep(apart.lease + 1)

    assert last_candidate(apart.answers) <= cut + apart.lease
    asked = apart.server.call("GET", "/v1/doctor")
    assert "gateway" in {check["name"] for check in (await asked)[1] if not check["ok"]}

    apart.wire.heal()
    again = await apart.candidate_answers()

    assert await apart.told("decided", since=await lapsed) <= again, "first decided, then exposed"
    nobody_was_failed(apart.answers)
    only_whom_the_step_assigns_met_the_candidate(apart)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["to_gateway", "to_server"])
async def test_a_line_that_loses_one_way_ends_the_exposure_too(apart: Apart, way: str) -> None:
    """Half of a connection goes on as if nothing had happened: nobody is told that it is dead."""
    cut = time.time()
    setattr(apart.wire, way, False)
    lapsed = await apart.told("lease-lapsed", since=cut)
    await asyncio.sleep(apart.lease)

    # What was on its way still counts, where only answers are lost.
    assert last_candidate(apart.answers) <= cut + apart.lease
    apart.wire.heal()
    again = await apart.candidate_answers()

    assert await apart.told("decided", since=lapsed) <= again
    nobody_was_failed(apart.answers)
    only_whom_the_step_assigns_met_the_candidate(apart)


@pytest.mark.slow
@pytest.mark.parametrize("cut_for", [0.5, 1.5, 2.2, 2.6, 3.2])
async def test_a_cut_of_about_a_lease_brings_nothing_back_that_had_lapsed(apart: Apart, cut_for: float) -> None:
    """What was sent into the silence is sent again by TCP when the line is back: late renewals, late grants."""
    for _ in range(3):
        await apart.candidate_answers()
        cut = time.time()
        apart.wire.cut()
        await asyncio.sleep(cut_for)
        apart.wire.heal()
        await apart.candidate_answers()
        gap = _longest_gap(apart.answers, since=cut)
        if gap is not None:
            ended, back = gap
            assert ended <= cut + apart.lease
            assert await apart.told("decided", since=ended) <= back, "first decided, then exposed"

    nobody_was_failed(apart.answers)
    only_whom_the_step_assigns_met_the_candidate(apart)


def _longest_gap(answers: list[Answer], *, since: float) -> tuple[float, float] | None:
    """Return between which answers of the candidate nobody met it, if that was long enough to be no chance."""
    met = [a for a in answers if a.by == "v2" and a.came >= since]
    gaps = [(later.sent - earlier.came, earlier.came, later.came) for earlier, later in itertools.pairwise(met)]
    longest = max(gaps, default=(0.0, 0.0, 0.0))
    return longest[1:] if longest[0] > 0.5 else None


@pytest.mark.slow
@pytest.mark.parametrize(("apart", "loss"), [((10.0, 3.0), 0.1), ((20.0, 5.0), 0.3)], indirect=["apart"])
async def test_a_slow_and_lossy_line_exposes_nobody_whom_the_step_does_not(apart: Apart, loss: float) -> None:
    apart.wire.delay, apart.wire.loss = 0.2, loss
    since = time.time()
    await asyncio.sleep(30)

    assert apart.wire.lost > 10, "the wire loses"
    assert [a for a in apart.answers if a.by == "v2" and a.sent > since + 20], "it goes on, or comes back"
    apart.wire.heal()
    await apart.candidate_answers()
    await asyncio.sleep(2)

    nobody_was_failed(apart.answers)
    only_whom_the_step_assigns_met_the_candidate(apart)
    await _counted_at_most_once(apart)


async def _counted_at_most_once(apart: Apart) -> None:
    """Each subject asked once, so that what is counted can be no more than what was answered."""
    status, view = await apart.server.call("GET", f"/v1/rollouts/{apart.rollout}")
    assert status == 200
    counted = max(g["candidate_count"] for g in view["guardrails"] if g["metric"] == "errors")
    assert 0 < counted <= apart.by_candidate
    assert 0 < view["candidate_subjects"] <= apart.by_candidate


@pytest.mark.slow
async def test_a_server_host_that_dies_leaves_the_incumbent_served(apart: Apart) -> None:
    died = time.time()
    apart.kill_server_host()
    await asyncio.sleep(apart.lease + 2)

    assert last_candidate(apart.answers) <= died + apart.lease
    apart.start_server()
    await trees.ready(apart.server)
    again = await apart.candidate_answers()

    assert await apart.told("lease-lapsed", since=died) <= await apart.told("decided", since=died) <= again
    nobody_was_failed(apart.answers)


@pytest.mark.slow
async def test_a_gateway_host_that_restarts_while_the_line_is_cut_serves_the_incumbent(apart: Apart) -> None:
    apart.wire.cut()
    apart.kill_gateway_host()
    apart.start_gateway()
    restarted = time.time()
    await until(
        lambda: any(a.status == 200 and a.sent > restarted for a in apart.answers), what="the gateway serves again"
    )
    back = time.time()
    await asyncio.sleep(3)

    since = [a for a in apart.answers if a.sent > back]
    nobody_was_failed(since)
    assert {a.by for a in since} == {"v1"}
    apart.wire.heal()
    await apart.candidate_answers()
    nobody_was_failed([a for a in apart.answers if a.sent > back])
