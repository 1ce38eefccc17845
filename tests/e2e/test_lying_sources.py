"""Over HTTP, with tokens: nobody speaks in another's name, and a source that lies is named, set aside and forgotten by nobody."""

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from glideslope.testing.tree import Tree, tree, until

PLAN = """\
model: fraud
candidate: v2
owner: fraud@example.com
why: Fewer false alarms.
stages:
  - canary: {shares: [50%], for: 600s, at_most: 900s}
guardrails:
  - {metric: errors, margin: 20pp}
lease: 3s
"""


@dataclass(eq=False)
class Source:
    """Who holds one token, and says `web` of itself as the other does."""

    http: httpx.AsyncClient
    rollout: str
    tag: str = ""

    async def counts(self, exposed: int, *, sequence: int = 0) -> httpx.Response:
        counts = {f"{self.rollout}/s1/{arm}/exposure/all/0": exposed for arm in ("candidate", "incumbent")}
        message = {"source": "web", "epoch": 1, "model": "fraud", "counts": counts, "sequence": sequence}
        return await self.http.post("/v1/observations", json=message)

    async def briefing(self, *, seen: str = "", wait: float = 0.0) -> dict[str, Any]:
        asked = {"source": "web", "seen": self.tag if wait else seen, "wait": wait}
        answer = await self.http.get("/v1/models/fraud/briefing", params=asked)
        self.tag = str(answer.json()["tag"])
        return dict(answer.json())


@dataclass(eq=False)
class Bench:
    tree: Tree
    rollout: str
    honest: Source
    liar: Source
    folder: Path

    async def cli(self, *arguments: str) -> str:
        ended = await self.tree.cli(*arguments)
        assert ended.status == 0, (arguments, ended)
        return ended.out

    async def view(self) -> dict[str, Any]:
        _, body = await self.tree.call("GET", f"/v1/rollouts/{self.rollout}")
        return dict(body)

    async def story(self) -> list[dict[str, Any]]:
        _, body = await self.tree.call("GET", f"/v1/rollouts/{self.rollout}/story")
        return list(body)

    async def exposed(self) -> int:
        return int((await self.view())["candidate_subjects"])

    async def becomes(self, within: float = 20.0, **wanted: object) -> dict[str, Any]:
        """Wait until the view says so, also while the server is away."""
        deadline = time.monotonic() + within
        view: dict[str, Any] = {}
        while {name: view.get(name) for name in wanted} != wanted:
            assert time.monotonic() < deadline, view
            await asyncio.sleep(0.02)
            with contextlib.suppress(ConnectionError):
                view = await self.view()
        return view


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    (tmp_path / "plan.yaml").write_text(PLAN)
    async with tree(tmp_path / ".glideslope", "--no-gateway") as running:
        for version in ("v1", "v2"):
            (tmp_path / version).mkdir()
            (tmp_path / version / "model").write_text(version)
            first = ("--incumbent",) if version == "v1" else ()
            url = f"http://127.0.0.1:{running.port}"
            ended = await running.cli(
                "register", "fraud", version, "--folder", version, "--url", url, *first, "-m", "x"
            )
            assert ended.status == 0, ended
        ended = await running.cli("apply", "plan.yaml", "--json")
        assert ended.status == 0, ended
        rollout = str(json.loads(ended.out)["id"])
        async with httpx.AsyncClient() as one, httpx.AsyncClient() as other:
            for client, actor in ((one, "flights"), (other, "mallory")):
                made = await running.cli("token", "create", actor, "--role", "source")
                client.base_url = httpx.URL(f"http://127.0.0.1:{running.port}")
                client.headers["Authorization"] = f"Bearer {made.out.strip().splitlines()[-1]}"
            made_bench = Bench(running, rollout, Source(one, rollout), Source(other, rollout), tmp_path)
            await made_bench.becomes(phase="running")
            yield made_bench


async def test_the_same_name_under_another_token_is_another_source(bench: Bench) -> None:
    """It neither overwrites nor raises nor hides what the first one counted."""
    seen = []
    for source, exposed in (
        (bench.honest, 30),
        (bench.liar, 5),
        (bench.liar, 100),
        (bench.honest, 40),
        (bench.liar, 1),
    ):
        assert (await source.counts(exposed)).json()["taken"] == 2
        seen.append(await bench.exposed())

    assert seen == [30, 35, 130, 140, 140]


async def test_nobody_obeys_in_anothers_place(bench: Bench) -> None:
    """A withdrawal is confirmed when the service that was granted something has asked again, and not when somebody else has."""
    # Until then the server does not know what one before it granted, and confirms nothing.
    settled = time.monotonic() + 3.0
    while (await bench.honest.briefing(wait=0.1))["grant"] is None or time.monotonic() < settled:
        pass
    await bench.cli("halt", bench.rollout, "-m", "Looks odd.")
    withdrawn = (await bench.liar.briefing())["tag"]
    while (told := await bench.liar.briefing(seen=withdrawn))["grant"] is not None or told["tag"] != withdrawn:
        withdrawn = told["tag"]

    for _ in range(5):
        await bench.liar.briefing(seen=withdrawn)
        assert not (await bench.view())["confirmed"]
        await asyncio.sleep(0.1)
    await bench.honest.briefing(seen=withdrawn)
    await bench.becomes(confirmed=True, within=1.0)


async def test_a_source_that_contradicts_itself_is_named_revoked_and_set_aside(bench: Bench) -> None:
    """What a person sees and does, to the end: and a server killed afterwards remembers."""
    await bench.honest.counts(40)
    for sequence, exposed in ((5, 130), (6, 90)):
        await bench.liar.counts(exposed, sequence=sequence)

    view = await bench.becomes(phase="halted")
    assert view["reasons"] == ["source-not-credible"]
    told = "mallory/web (epoch 1) said 130 for exposure of the "
    for shown in (json.dumps(view), await bench.cli("show", bench.rollout), json.dumps(await bench.story())):
        assert told in shown
        assert "90 in message 6" in shown
    listed = await bench.cli("token", "ls")
    (mallory,) = (line.split()[0] for line in listed.splitlines() if "mallory" in line)
    await bench.cli("token", "revoke", mallory)
    assert (await bench.liar.counts(500, sequence=7)).status_code == 401

    await bench.cli("resume", bench.rollout, "-m", "Its token is revoked.")
    await bench.becomes(phase="running")
    assert await bench.exposed() == 40
    assert "What mallory/web counted so far is set aside." in json.dumps(await bench.story())

    pids = bench.tree.pids()
    os.kill(pids["server"], signal.SIGKILL)
    await until(lambda: bench.tree.pids().get("server", pids["server"]) != pids["server"], what="the server is back")
    await bench.becomes(phase="running")
    assert await bench.exposed() == 40
    assert (await bench.tree.cli("verify")).status == 0
