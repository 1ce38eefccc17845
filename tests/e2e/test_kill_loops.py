"""Kill -9 of anything at any moment: the five promises hold, judged by what callers got and by what the ledger says.

`GLIDESLOPE_KILLS` is how many processes the slow test kills (10,000), in rounds of `ROUND` on a fresh tree each, of which
`GLIDESLOPE_TREES` (2) stand at once. Each round's dice come from `GLIDESLOPE_SEED` (drawn, and printed, if not given) and
its number; a failure says both. `GLIDESLOPE_SEED=... GLIDESLOPE_ROUND=... pytest tests/e2e/test_kill_loops.py -m slow -s`
throws the same dice again in that one round; what the machine does between two throws is not repeated.
"""

import asyncio
import itertools
import json
import os
import random
import shutil
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Final

import pytest

from glideslope.ledger import bundle
from glideslope.testing.aftermath import Scene, judge, told
from glideslope.testing.siege import LEASE, Siege, besieged

pytestmark = pytest.mark.envoy

ROUND: Final = 100


async def judged(siege: Siege) -> str:
    """Let the tree come to by itself, hold everything against the promises, and say what happened."""
    await siege.settled()
    await siege.shown()
    await siege.rest()
    saved = siege.running.state.parent / "ledger.bundle"
    checked = await siege.running.cli("verify", "--json", "--out", str(saved))
    assert checked.status == 0, (checked.out, checked.err, siege.running.said[-2000:])
    assert json.loads(checked.out)["ok"], checked.out
    with saved.open("rb") as lines:
        entries = bundle.parse(lines).entries
    status, rollouts = await siege.call("GET", "/v1/rollouts")
    assert status == 200, rollouts
    said = told(siege.scene, entries, json.loads(checked.out), lease=LEASE)
    judge(siege.scene, entries, rollouts, lease=LEASE)
    return said


async def test_no_kill_breaks_a_promise(tmp_path: Path) -> None:
    async with besieged(tmp_path / ".glideslope", seed=1) as siege:
        await siege.shown()
        for what in ("server", "envoy", "gateway", "model", "server", "server"):
            if siege.dice.random() < 0.7:
                await siege.shown()
            await asyncio.sleep(siege.dice.uniform(0.0, 1.2))
            await siege.kill(what)
        print(await judged(siege))  # noqa: T201 - these figures are asked for


async def one_round(seed: int, number: int, *, kills: int) -> int:
    """Attack one fresh tree; return how many processes were killed. Says how to do it again when a promise is broken."""
    folder = Path(tempfile.mkdtemp(prefix="gs-"))
    scene = Scene()
    try:
        async with besieged(folder / ".glideslope", seed=hash((seed, number)), scene=scene) as siege:
            await siege.shown()
            await siege.storm(kills, tell=f"round {number}")
            print(f"round {number}: {await judged(siege)}; `up` started {siege.restarts} times again", flush=True)  # noqa: T201 - these figures are asked for
    except Exception as error:
        (folder / "scene.json").write_text(json.dumps(asdict(scene), default=sorted))
        error.add_note(f"To throw the same dice again: GLIDESLOPE_SEED={seed} GLIDESLOPE_ROUND={number}")
        error.add_note(f"What was seen, and the state folder: {folder}")
        raise
    shutil.rmtree(folder, ignore_errors=True)
    return sum(not kill.frozen for kill in scene.kills)


@pytest.mark.slow
async def test_ten_thousand_kills_break_no_promise() -> None:
    kills = int(os.environ.get("GLIDESLOPE_KILLS", "10000"))
    seed = int(os.environ.get("GLIDESLOPE_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
    print(f"\nGLIDESLOPE_SEED={seed}", flush=True)  # noqa: T201 - who repeats it needs the seed
    if only := os.environ.get("GLIDESLOPE_ROUND"):
        await one_round(seed, int(only), kills=ROUND)
        return
    numbers, killed, began = itertools.count(), 0, time.monotonic()

    async def attack() -> None:
        nonlocal killed
        while killed < kills:
            # Not `killed += await ...`, which would forget what others killed meanwhile.
            dead = await one_round(seed, next(numbers), kills=min(ROUND, kills - killed))
            killed += dead
            print(f"{killed:,} of {kills:,} killed in {time.monotonic() - began:,.0f} s", flush=True)  # noqa: T201 - who waits for hours wants to see that it goes on

    async with asyncio.TaskGroup() as group:
        for _ in range(int(os.environ.get("GLIDESLOPE_TREES", "2"))):
            group.create_task(attack())
