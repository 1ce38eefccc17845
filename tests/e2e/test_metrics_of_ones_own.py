"""A plan names a metric, a service in another process is told of it and counts it, and the candidate falls by it."""

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from glideslope.sdk import Service
from glideslope.testing.tree import Tree, tree

PLAN = """\
model: answers
candidate: v2
owner: answers@example.com
why: Shorter texts.
stages:
  - canary: {shares: [50%], for: 2s, at_most: 60s}
metrics:
  fallback_used: {kind: event}
  output_length: {kind: score, cap: 500}
guardrails:
  - {metric: errors, margin: 5pp}
  - {metric: fallback_used, margin: 5pp, base_rate: 0.02}
  - {metric: output_length, margin: 40.0, base_rate: 120.0}
slices: {language: [de, en]}
lease: 1s
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


async def register(running: Tree, version: str, *, url: str) -> None:
    body = {"version": version, "digest": f"sha256:{version[-1] * 64}", "url": url, "why": "trained"}
    status, told = await running.call("POST", "/v1/models/answers/versions", body | {"incumbent": version == "v1"})
    assert status == 200, told


async def test_a_candidate_that_falls_back_too_often_is_rolled_back_by_what_the_service_counts(tmp_path: Path) -> None:
    chance = random.Random(8)
    async with tree(tmp_path / ".glideslope", "--no-gateway") as running:
        with healthy() as url:
            for version in ("v1", "v2"):
                await register(running, version, url=url)
            service = Service("answers", server=f"http://127.0.0.1:{running.port}", token=running.token)
            service.start()
            status, proposed = await running.call("POST", "/v1/rollouts", {"text": PLAN})
            assert status == 201, proposed
            rollout = proposed["id"]
            deadline, view, number = time.monotonic() + 40, proposed, 0
            while view["phase"] != "rolled-back":
                assert time.monotonic() < deadline, (view, service.observer.refusals)
                for _ in range(50):
                    number += 1
                    assigned = service.assign(f"u{number}")
                    service.served(
                        assigned,
                        subject=f"u{number}",
                        seconds=0.01,
                        slices={"language": chance.choice(("de", "en"))},
                        metrics={
                            "fallback_used": chance.random() < (0.4 if assigned.version == "v2" else 0.02),
                            "output_length": chance.gauss(120, 20),
                        },
                    )
                await asyncio.sleep(0.05)
                _, view = await running.call("GET", f"/v1/rollouts/{rollout}")
            refusals, dropped = service.observer.refusals, service.observer.dropped
            service.stop()
            _, decisions = await running.call("GET", f"/v1/rollouts/{rollout}/decisions")

    assert (refusals, dropped) == ((), 0)
    assert view["reasons"] == ["guardrail-breached"]
    assert "fallback_used" in str(decisions[-1])
