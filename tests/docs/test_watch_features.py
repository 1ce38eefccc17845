"""The pages on watching features and reading signals can be followed: everything on them is run, in order, against a real server."""

import asyncio
import random
import re
import shlex
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from tests.e2e.test_metrics_of_ones_own import healthy

from glideslope.sdk import Glideslope
from glideslope.testing.tree import Tree, tree, until

BLOCK = re.compile(r"^```(console|yaml|python|text)\n(.*?)^```", re.MULTILINE | re.DOTALL)
Row = Mapping[str, object]


def blocks(root: Path, page: str) -> list[tuple[str, str]]:
    return BLOCK.findall((root / "docs" / "how-to" / page).read_text(encoding="utf-8"))


def flight(chance: random.Random, *, distance: float) -> dict[str, object]:
    return {
        "distance": distance,
        "carrier": chance.choice(["AA", "DL", "UA"]),
        "tail_number": f"N{chance.randrange(10**6)}",
        "international": chance.random() < 0.12,
    }


def flights(path: Path, *, rows: int) -> None:
    """Write a sample as the page's reader has one."""
    chance = random.Random(5)
    found = [flight(chance, distance=round(chance.uniform(100, 2_500), 1)) for _ in range(rows)]
    lines = [",".join(str(value) for value in (*row.values(), chance.random() < 0.2)) for row in found]
    path.write_text("distance,carrier,tail_number,international,arrived_late\n" + "\n".join(lines) + "\n")


async def register(running: Tree, version: str, *, url: str) -> None:
    body = {"version": version, "digest": f"sha256:{version[-1] * 64}", "url": url, "why": "trained"}
    body |= {"incumbent": version == "v3"}
    status, told = await running.call("POST", "/v1/models/late-arrival/versions", body)
    assert status == 200, told


async def serve(running: Tree, answer: Callable[[Row, Callable[[Row], float]], float]) -> None:
    """Answer 2,000 requests by the page's own function, half of them about long flights, which are scored higher."""

    def model(row: Row) -> float:
        return 0.8 if float(str(row["distance"])) > 1389 else 0.3

    async def host(scope: Any, _receive: Any, send: Any) -> None:
        answer(scope["row"], model)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def ignore(_: Any) -> None:
        pass

    app = Glideslope(
        host, model="late-arrival", version="v3", server=f"http://127.0.0.1:{running.port}", token=running.token
    )
    app.service.start()
    await until(lambda: app.service.features.contract, what="the service knows the contract")
    chance = random.Random(6)
    short = [100.0, 300.0, 600.0, 900.0, 1_200.0]
    for number in range(2_000):
        distance = 2_000.0 if number % 2 else short[number // 2 % 5]
        scope = {"type": "http", "headers": [(b"x-glideslope-subject", f"u{number}".encode())]}
        await app(scope | {"row": flight(chance, distance=distance)}, ignore, ignore)
    await asyncio.to_thread(app.service.stop, timeout=10.0)


async def test_the_pages_can_be_followed_from_a_sample_to_what_drifted_and_a_rollout(
    root: Path, tmp_path: Path
) -> None:
    page = blocks(root, "watch-features.md")
    yaml = [text for kind, text in page if kind == "yaml"]
    (python,) = [text for kind, text in page if kind == "python"]
    (shown,) = [text for kind, text in page if kind == "text"]
    commands = [line[2:] for kind, text in page if kind == "console" for line in text.splitlines()]
    assert len(commands) == 5
    flights(tmp_path / "flights.csv", rows=2_000)
    flights(tmp_path / "yesterday.csv", rows=300)

    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(tree(tmp_path / ".glideslope", "--no-gateway"))
        url = stack.enter_context(healthy())

        async def run(command: str) -> str:
            told = await running.cli(*shlex.split(command)[1:])
            assert told.status == 0, (command, told.out, told.err)
            return told.out

        await register(running, "v3", url=url)
        await register(running, "v4", url=url)
        await run(commands[0])
        (tmp_path / "contract.yaml").write_text(yaml[0])  # as a person edited it
        assert "0 of 300 rows break it" in await run(commands[1])
        await run(commands[2])
        made: dict[str, Any] = {}
        exec(python, made)  # noqa: S102 - the page's own code
        await serve(running, made["answer"])
        seen = await run(commands[3])
        assert '"influenced":' in await run(commands[4])
        (tmp_path / "plan.yaml").write_text(yaml[1])
        status, view = await running.call("POST", "/v1/rollouts", {"text": yaml[1]})
        deadline = time.monotonic() + 60
        while not (judged := (await running.call("GET", f"/v1/rollouts/{view['id']}"))[1])["guardrails"]:
            assert time.monotonic() < deadline, judged
            await asyncio.sleep(0.1)
        signals = [
            line[2:]
            for kind, text in blocks(root, "read-signals.md")
            if kind == "console"
            for line in text.splitlines()
        ]
        said = [await run(command) for command in signals]

    assert shown.splitlines() == [line.rstrip() for line in seen.splitlines()]
    assert status == 201, view
    assert {each["metric"] for each in judged["guardrails"]} == {"errors", "contract"}
    assert all("advisory" in each for each in said)
