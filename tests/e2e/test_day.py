"""Twenty-four hours of operation in minutes: the real engine and a real SQLite file on a clock that does not wait.

What is compressed is waiting only. The governor ticks, evidence is flushed, checkpoints are signed and the database's log is
copied back as often as in a real day, and each request, outcome and decision is a real one; there is no Envoy and no HTTP,
whose real hour is `test_soak.py`. The promises are checked at each tick. `GLIDESLOPE_DAY` is the length in hours (24).
"""

import asyncio
import json
import os
import time
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Final, cast

import pytest

from glideslope.adapters.stores.sqlite.store import SqliteStore
from glideslope.domain.draft import SECOND, StageDraft
from glideslope.domain.ids import ModelName
from glideslope.domain.plan import StageKind
from glideslope.domain.rollout import ENDED
from glideslope.engine.app import FLUSH_EVERY, SIGN_EVERY
from glideslope.testing.memory import MemoryStore
from glideslope.testing.traffic import SOUND, Behaviour
from glideslope.testing.vitals import MIB, read_folder, read_process
from glideslope.testing.world import TICK, World, draft

STAGES: Final = (
    StageDraft(stage=StageKind.CANARY, shares=(1_000, 5_000), minimum=30 * SECOND, maximum=1_200 * SECOND),
    StageDraft(stage=StageKind.FULL, minimum=30 * SECOND, maximum=120 * SECOND),
    StageDraft(stage=StageKind.BAKE, minimum=30 * SECOND, maximum=120 * SECOND),
)
PER_SECOND: Final = 10.0
SUBJECTS: Final = 50_000
WHILE: Final = 600.0
"""Seconds of operation from one sample to the next."""

PER_ENTRY: Final = 64 * 1024
"""Resident bytes. The engine keeps the record and each rollout's counters, and of the last 4,096 tests what they bet (some
50 KB each, half a dozen of them per rollout); the checker has a copy of the record and knows every subject."""
PER_ENTRY_STORED: Final = 16 * 1024
PER_OUTCOME_STORED: Final = 1024
NOISE: Final = 16 * MIB


@pytest.mark.slow
async def test_a_day_of_rollouts_grows_nothing_but_the_ledger(tmp_path: Path) -> None:
    hours = float(os.environ.get("GLIDESLOPE_DAY", "24"))
    world = World(seed=24)
    async with SqliteStore(tmp_path / "day.sqlite") as store:
        # The same four ports; only stories that break the store ask for more.
        world.store = cast("MemoryStore", store)
        bad = Behaviour(errors=0.3)
        traffic = await world.serves("delays", per_second=PER_SECOND, v1=SOUND, v2=SOUND, v3=bad)
        traffic.demand.subjects = SUBJECTS
        traffic.demand.repeated = 0.05
        await world.pass_time(60)
        samples: list[dict[str, float]] = []
        begun, proposed = time.monotonic(), 0
        told = Counter[str]()
        ticks: list[float] = []
        signed = 0
        while world.clock.monotonic() < hours * 3600:
            took = time.perf_counter()
            await world.pass_time(SIGN_EVERY)
            ticks.append((time.perf_counter() - took) * TICK / SIGN_EVERY)
            await world.app.notary.sign()
            signed += 1
            model = world.app.record.model(ModelName("delays"))
            if world.app.record.open_rollout_of(model.name) is None:
                proposed += 1
                candidate = "v3" if proposed % 4 == 0 else ("v2" if model.incumbent == "v1" else "v1")
                await world.propose(draft("delays", candidate, stages=STAGES))
            for taken in world.taken:
                told.update(counted=taken.counted, repeated=taken.repeated, unmeasured=taken.unmeasured)
                assert taken.refused == (), taken.refused[:3]
            world.taken.clear()
            if world.clock.monotonic() >= (len(samples) + 1) * WHILE:
                here = read_process(os.getpid())
                assert here is not None
                files, stored, _ = read_folder(tmp_path, database="day.sqlite")
                samples.append(
                    {
                        "rss": here.rss,
                        "threads": here.threads,
                        "descriptors": here.descriptors,
                        "stored": stored,
                        "files": files,
                        "entries": world.promises.size,
                        "outcomes": told["counted"] + told["unmeasured"],
                        "tick": median(ticks),
                        "tasks": len(asyncio.all_tasks()),
                    }
                )
                ticks.clear()
                if len(samples) % 6 == 0:
                    print(f"{len(samples) // 6} h in {time.monotonic() - begun:.0f} s: {samples[-1]}", flush=True)  # noqa: T201 - who waits wants to see that it goes on
        await world.run(TICK)
        phases = Counter(str(r.phase) for r in world.app.record.rollouts() if r.phase in ENDED)
        print(  # noqa: T201 - these figures are asked for
            json.dumps(
                {
                    "hours": world.clock.monotonic() / 3600,
                    "took": round(time.monotonic() - begun),
                    "ticks": round(world.clock.monotonic() / TICK),
                    "flushes": round(world.clock.monotonic() / FLUSH_EVERY),
                    "checkpoints": signed,
                    "requests": traffic.count,
                    "outcomes": dict(told),
                    "rollouts": dict(phases),
                    "decisions": sum(e.kind == "decided" for e in world.promises.entries),
                    "entries": world.promises.size,
                    "middle": _middle(samples[len(samples) // 3 : 2 * len(samples) // 3]),
                    "last": _middle(samples[2 * len(samples) // 3 :]),
                },
                indent=1,
            )
        )
        _judge(samples)
        assert {"promoted", "rolled-back"} <= set(phases), phases


def _middle(part: "list[dict[str, float]]") -> dict[str, float]:
    return {name: median(sample[name] for sample in part) for name in part[0]}


def _judge(samples: "list[dict[str, float]]") -> None:
    third = len(samples) // 3
    assert third >= 3, "too short to show growth: at least 1.5 hours"
    middle, last = _middle(samples[third : 2 * third]), _middle(samples[2 * third :])
    entries, outcomes = (last[name] - middle[name] for name in ("entries", "outcomes"))
    assert last["rss"] <= middle["rss"] + NOISE + PER_ENTRY * entries
    assert last["stored"] <= middle["stored"] + NOISE + PER_ENTRY_STORED * entries + PER_OUTCOME_STORED * outcomes
    for name in ("threads", "descriptors", "files", "tasks"):
        assert last[name] <= middle[name] + 2, name
    assert last["tick"] <= 1.5 * middle["tick"] + 0.005
