"""A server asks CEL and an OPA server, a process of its own, about rules of a policy in force; each answer is in its record."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.test_metrics_of_ones_own import healthy, register

from glideslope.testing.tree import PATIENCE, Tree, tree, until

ORGANISATION = """\
organisation: 1
people:
  - {id: ada, functions: [data-science], rights: [propose, operate, administer]}
  - {id: cat, functions: [compliance], rights: [review, administer]}
tiers:
  - {name: low}
usual_tier: low
"""

POLICY = """\
policy: 1
name: house
tiers: [low]
rules:
  - {id: HOUSE, kind: opa, says: As the house asks of models., path: house/models, within: 1s}
  - id: SLOWLY
    kind: cel
    says: The first step is a small one.
    findings: "plan.steps[0].share > 5000 ? ['the first step'] : []"
    needs: [plan.steps]
"""

PLAN = """\
model: answers
candidate: v2
owner: ada
why: Shorter texts.
stages:
  - canary: {shares: [50%], for: 60s, at_most: 120s}
guardrails:
  - {metric: errors, margin: 5pp}
"""


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Path]:
    """The folder of an OPA server that answers nobody yet."""
    folder = tmp_path / "opa"
    folder.mkdir()
    (folder / "does").write_text("hang")
    process = subprocess.Popen([sys.executable, Path(__file__).with_name("opa_server.py"), folder])
    yield folder
    process.kill()
    process.wait()


async def agreed(running: Tree, text: str, *, other: str = "") -> None:
    status, view = await running.call(
        "POST", "/v1/agreements", {"text": text, "file": "agreed.yaml", "why": "so it is"}
    )
    assert status in (200, 201), view
    if other:
        body = {"digest": view["tabled"]["digest"], "granted": True, "why": "yes"}
        path = f"/v1/agreements/{view['of']}/{view['name']}/answers"
        status, view = await running.call("POST", path, body, token=other)
        assert status == 200, view
    assert view["in_force"], view


async def test_a_rollout_waits_for_the_yes_of_others_and_the_record_says_what_they_said(
    tmp_path: Path, office: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await until((office / "port").exists, what="the OPA server listens")
    monkeypatch.setenv("USER", "ada")
    monkeypatch.setenv("GLIDESLOPE_OPA", f"http://127.0.0.1:{(office / 'port').read_text()}")
    monkeypatch.setenv("GLIDESLOPE_OPA_TOKEN", "sesame")
    async with tree(tmp_path / ".glideslope", "--no-gateway") as running:
        monkeypatch.delenv("GLIDESLOPE_OPA")
        made = await running.cli("token", "create", "cat", "--role", "admin")
        assert made.status == 0, made
        with healthy() as url:
            for version in ("v1", "v2"):
                await register(running, version, url=url)
            await agreed(running, ORGANISATION)
            await agreed(running, POLICY, other=made.out.split()[0])
            status, proposed = await running.call("POST", "/v1/rollouts", {"text": PLAN})
            assert status == 201, proposed
            path = f"/v1/rollouts/{proposed['id']}"

            blocked = await once(running, path, "policy-blocks")
            silent = "HOUSE: an answer of the OPA server: nothing came within 1s (no-evidence)"
            assert blocked["governed"]["blocks"] == [silent]

            (office / "does").write_text("5000")
            await once(running, path, "approved")
        entries = [e async for e in examined(running)]
    said = [[answer["outcome"]["answer"] for answer in each["answers"]] for each in entries]
    assert said[0] == ["no-evidence", "pass"]
    assert said[1:]
    assert all(each == ["pass", "pass"] for each in said[1:])


async def examined(running: Tree) -> AsyncIterator[Any]:
    """Yield what policies were asked and answered, as the ledger of the server has it."""
    written = await running.cli("verify", "--out", "ledger.bundle")
    assert written.status == 0, written
    for line in (running.state.parent / "ledger.bundle").read_bytes().splitlines():
        if b'"kind":"examined"' in line:
            yield json.loads(line[45:])["body"]


async def once(running: Tree, path: str, reason: str) -> Any:
    """Return a rollout as soon as its last decision has this reason. Raises AssertionError."""
    deadline = time.monotonic() + PATIENCE
    while True:
        _, found = await running.call("GET", path)
        if reason in found["reasons"]:
            return found
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.05)
