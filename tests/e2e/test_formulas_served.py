"""A plan in YAML brings expressions, a value model and a budget; a service and outcomes over HTTP spend it; the record replays."""

import asyncio
import random
import time
from pathlib import Path

from tests.e2e.test_metrics_of_ones_own import healthy, register

from glideslope.sdk import Client, OutcomeSender, Service
from glideslope.testing.tree import tree

PLAN = """\
model: answers
candidate: v2
owner: answers@example.com
why: Shorter texts.
stages:
  - canary: {shares: [50%], for: 60s, at_most: 120s}
attributes:
  amount: number
  overridden: boolean
  tokens: {type: number, with: prediction}
metrics:
  false_alarm: {expression: "prediction >= 0.8 and not happened"}
  overruled: {expression: "overridden and language == 'de'"}
  long: {expression: "max(tokens - 100, 0)", cap: 500}
value:
  currency: EUR
  expression: "amount * (happened - prediction)"
  floor: -100
  cap: 100
guardrails:
  - {metric: errors, margin: 5pp}
  - {metric: false_alarm, margin: 20pp, base_rate: 0.1, required: false}
  - {metric: overruled, margin: 20pp, base_rate: 0.1, required: false}
  - {metric: long, margin: 100.0, base_rate: 20.0}
harm_budget: {metric: false_alarm, count: 25}
slices: {language: [de, en]}
lease: 1s
"""


async def test_false_alarms_spend_a_budget_over_http(tmp_path: Path) -> None:
    """Both arms are alike, so no test blames the candidate; its false alarms are counted all the same, and end it."""
    chance = random.Random(8)
    async with tree(tmp_path / ".glideslope", "--no-gateway") as running:
        address = f"http://127.0.0.1:{running.port}"
        with healthy() as url:
            for version in ("v1", "v2"):
                await register(running, version, url=url)
            service = Service("answers", server=address, token=running.token)
            client = Client(address, running.token)
            sender = OutcomeSender(client, every=0.1)
            service.start()
            _, shown = await running.call("POST", "/v1/plan", {"text": PLAN})
            status, proposed = await running.call("POST", "/v1/rollouts", {"text": PLAN})
            assert status == 201, proposed
            rollout = proposed["id"]
            deadline, view, number = time.monotonic() + 60, proposed, 0
            while view["phase"] != "rolled-back":
                assert time.monotonic() < deadline, (view, sender.refusals, service.observer.refusals)
                for _ in range(20):
                    number += 1
                    assigned = service.assign(f"u{number}")
                    language = chance.choice(("de", "en"))
                    prediction = service.served(
                        assigned,
                        subject=f"u{number}",
                        seconds=0.01,
                        score=0.9,
                        slices={"language": language},
                        attributes={"tokens": chance.randrange(50, 200)},
                    )
                    if prediction is not None:
                        facts = {"amount": 10.0, "overridden": chance.random() < 0.1}
                        sender.send(prediction, happened=chance.random() < 0.9, attributes=facts)
                await asyncio.sleep(0.05)
                _, view = await running.call("GET", f"/v1/rollouts/{rollout}")
            refusals, dropped = service.observer.refusals, service.observer.dropped
            sender.stop()
            client.close()
            service.stop()
            _, decisions = await running.call("GET", f"/v1/rollouts/{rollout}/decisions")
            _, replayed = await running.call(
                "GET", f"/v1/rollouts/{rollout}/decisions/{decisions[-1]['version']}/replay"
            )

    assert (refusals, dropped, sender.refusals, sender.undefined) == ((), 0, (), ())
    assert view["reasons"] == ["harm-budget-spent"]
    (budget,) = view["budgets"]
    assert (budget["metric"], budget["measure"]) == ("false_alarm", "count")
    assert budget["spent"] >= 25
    assert {v["slice"] for v in view["values"]} == {"all", "language=de", "language=en"}
    counted = {(g["metric"], g["slice"]): g["candidate_count"] for g in view["guardrails"]}
    assert counted["long", "all"] > 0
    assert counted["overruled", "language=de"] < counted["overruled", "all"]
    assert replayed["same"], replayed
    texts = [g["metric"]["formula"]["text"] for g in shown["plan"]["guardrails"] if "formula" in g["metric"]]
    assert "prediction >= 0.8 and not happened" in texts
