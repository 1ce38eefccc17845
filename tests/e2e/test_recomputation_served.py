"""A server with a prediction log counts each rollout twice: what agrees advances, and what does not holds with both numbers."""

import asyncio
import json
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from glideslope.sdk import Service
from glideslope.testing.tree import Tree, tree

pytest.importorskip("duckdb", reason="the prediction log is the extra `log`")

PLAN = """\
model: answers
candidate: v2
owner: answers@example.com
why: Retrained.
stages:
  - canary: {shares: [50%], for: 2s, at_most: 120s}
guardrails:
  - {metric: errors, margin: 5pp}
  - {metric: wrong, margin: 20pp, base_rate: 0.1}
  - {metric: alarm, margin: 20pp, base_rate: 0.05}
  - {metric: auc, margin: 0.4, required: false}
  - {metric: tokens, margin: 90%, base_rate: 200, required: false}
metrics:
  tokens: {kind: mean, cap: 500}
  alarm: {kind: event, expression: prediction >= 0.5 and not happened}
slices: {language: [de, en]}
lease: 1s
recompute: required
"""


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def healthy() -> Iterator[str]:
    """Answer health checks, as the process does that serves both versions."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Healthy) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


async def proposed(running: Tree, url: str) -> str:
    for version in ("v1", "v2"):
        body = {"version": version, "digest": f"sha256:{version[-1] * 64}", "url": url, "why": "trained"}
        status, told = await running.call("POST", "/v1/models/answers/versions", body | {"incumbent": version == "v1"})
        assert status == 200, told
    status, told = await running.call("POST", "/v1/rollouts", {"text": PLAN})
    assert status == 201, told
    return str(told["id"])


async def answer(running: Tree, service: Service, chance: random.Random, *, first: int) -> None:
    """Answer fifty callers, and tell how each turned out under the receipt that it was answered with."""
    outcomes = []
    for number in range(first, first + 50):
        happened = chance.random() < 0.5
        assigned = service.assign(f"u{number}")
        receipt = service.served(
            assigned,
            subject=f"u{number}",
            seconds=0.01,
            score=0.9 if happened is (chance.random() < 0.9) else 0.1,
            slices={"language": chance.choice(("de", "en"))},
            metrics={"tokens": chance.uniform(0, 400)},
        )
        if receipt:
            outcomes.append({"prediction": receipt, "happened": happened})
    if outcomes:
        status, taken = await running.call("POST", "/v1/outcomes", {"outcomes": outcomes})
        assert (status, taken["refused"]) == (200, []), taken


async def until(running: Tree, rollout: str, service: Service, *, wanted: str, patience: float = 150.0) -> Any:
    """Let callers come until the rollout's last reasons or its phase are as wanted."""
    chance, first, deadline = random.Random(8), 0, time.monotonic() + patience
    while True:
        _, view = await running.call("GET", f"/v1/rollouts/{rollout}")
        if wanted == view["phase"] or wanted in view["reasons"]:
            return view
        if time.monotonic() > deadline:
            raise AssertionError(f"{json.dumps(view)}\n{service.observer.refusals}\n{running.said[-2000:]}")
        await answer(running, service, chance, first=first)
        first += 50
        await asyncio.sleep(0.1)


async def test_what_both_counts_agree_on_is_promoted(tmp_path: Path) -> None:
    async with tree(tmp_path / ".glideslope", "--no-gateway", "--prediction-log") as running:
        with healthy() as url:
            rollout = await proposed(running, url)
            service = Service("answers", server=f"http://127.0.0.1:{running.port}", token=running.token)
            service.start()
            try:
                await until(running, rollout, service, wanted="promoted")
            finally:
                service.stop()
            counted = await running.cli("recompute", rollout, "--json")

    last = json.loads(counted.out)
    # They agreed when it was promoted, else it would not have been. What is answered while it ends may reach one side alone.
    assert (counted.status, last["missing"]) in {(0, 0), (9, 0)}
    assert last["asked_for"] is True
    assert last["cells"] >= 10
    assert (last["uncovered"], last["unconfirmed"]) == ([], [])
    assert list((tmp_path / ".glideslope" / "log" / "blocks").iterdir())


async def test_a_log_that_says_something_else_holds_the_rollout_with_both_numbers(tmp_path: Path) -> None:
    """Rows of the log are changed behind the server's back: its counters and its log cannot both be right."""
    state = tmp_path / ".glideslope"
    async with tree(state, "--no-gateway", "--prediction-log") as running:
        with healthy() as url:
            rollout = await proposed(running, url)
            service = Service("answers", server=f"http://127.0.0.1:{running.port}", token=running.token)
            service.start()
            try:
                corrupting = asyncio.create_task(corrupt(state / "log" / "outcomes"))
                view = await until(running, rollout, service, wanted="recomputation-differs")
                corrupting.cancel()
            finally:
                service.stop()
            counted = await running.cli("recompute", rollout)

    assert view["phase"] not in ("promoted", "rolled-back")
    assert counted.status == 9
    assert "NOT confirmed" in counted.out
    assert "alarm of the " in counted.out
    assert "the counters say" in counted.out
    assert "the prediction log" in counted.out


async def corrupt(folder: Path) -> None:
    """Turn one outcome of each closed journal over."""
    done: set[Path] = set()
    while True:
        for path in set(folder.glob("*.ndjson")) - done:  # noqa: ASYNC240 - a handful of files, read at once
            content = path.read_bytes()
            if b'"happened":true' in content:
                path.write_bytes(content.replace(b'"happened":true', b'"happened":false', 1))
                done.add(path)
        await asyncio.sleep(0.05)
