"""A real server: a contract is registered, a service counts rows by it, and a candidate that is given broken ones falls."""

import asyncio
import time
from pathlib import Path

from tests.e2e.test_metrics_of_ones_own import healthy

from glideslope.sdk import Service
from glideslope.testing.tree import tree

CONTRACT = """\
contract: 1
model: answers
features:
  length: {type: number, range: [0, 500], edges: [100], reference: [0, 500, 500]}
  language: {type: text, categories: ["de", "en"]}
"""
PLAN = """\
model: answers
candidate: v2
owner: answers@example.com
why: Shorter texts.
stages:
  - canary: {shares: [50%], for: 2s, at_most: 60s}
guardrails:
  - {metric: errors, margin: 5pp}
  - {metric: contract, margin: 5pp, base_rate: 0.02}
lease: 1s
"""


async def test_broken_rows_are_counted_shown_and_roll_a_candidate_back(tmp_path: Path) -> None:
    async with tree(tmp_path / ".glideslope", "--no-gateway") as running:
        with healthy() as url:
            for version in ("v1", "v2"):
                body = {"version": version, "digest": f"sha256:{version[-1] * 64}", "url": url, "why": "trained"}
                status, told = await running.call(
                    "POST", "/v1/models/answers/versions", body | {"incumbent": version == "v1"}
                )
                assert status == 200, told
            status, agreed = await running.call(
                "POST", "/v1/models/answers/contract", {"text": CONTRACT, "why": "agreed"}
            )
            assert status == 200, agreed
            service = Service("answers", server=f"http://127.0.0.1:{running.port}", token=running.token)
            service.start()
            deadline = time.monotonic() + 60
            while not service.features.contract:
                assert time.monotonic() < deadline, "the service never learned of the contract"
                await asyncio.sleep(0.05)
            status, view = await running.call("POST", "/v1/rollouts", {"text": PLAN})
            assert status == 201, view
            number = 0
            while view["phase"] != "rolled-back":
                assert time.monotonic() < deadline, (view, service.observer.refusals)
                for _ in range(50):
                    number += 1
                    assigned = service.assign(f"u{number}")
                    broken = assigned.version == "v2" and number % 3 == 0
                    row = {"length": float(number % 300), "language": "xx" if broken else "de"}
                    service.served(assigned, subject=f"u{number}", seconds=0.01, features=row)
                await asyncio.sleep(0.05)
                _, view = await running.call("GET", f"/v1/rollouts/{view['id']}")
            service.stop()
            _, decisions = await running.call("GET", f"/v1/rollouts/{view['id']}/decisions")
            _, seen = await running.call("GET", "/v1/models/answers/features")

    assert view["reasons"] == ["guardrail-breached"]
    assert "contract" in str(decisions[-1])
    assert seen["rows_today"] == number
    assert seen["broken_today"] > 0
    assert seen["features"][1]["breaches"][0].endswith("rows hold an unknown category")
