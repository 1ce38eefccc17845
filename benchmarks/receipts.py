"""Outcomes by receipt: from the bytes of a request to counted, durable and exactly once.

A rollout is under way that is judged by three losses, on the whole and in the slices of a field. Messages of outcomes are
decoded, verified, told apart by subject, and counted: in memory, and in SQLite with each batch synced. Then everything is
sent again, which must change nothing. Goal: 200,000 a second. Seconds are of CPU, all threads, since the machine is busy.
"""

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path

import msgspec

from glideslope.adapters.stores.sqlite.store import SqliteStore
from glideslope.domain.draft import SECOND, GuardrailDraft, StageDraft
from glideslope.domain.ids import MetricName, ModelName, RolloutId
from glideslope.domain.metric import OUTCOME_SEEN
from glideslope.domain.observation import Outcome, Outcomes
from glideslope.domain.plan import Margin, MarginKind, StageKind
from glideslope.domain.receipt import NO_SLICE, SCORE_LEVELS, Receipt, mint, model_hash
from glideslope.domain.traffic import Arm
from glideslope.engine.ports import Counters
from glideslope.engine.record import rollout_number
from glideslope.engine.scopes import OUTCOMES
from glideslope.testing.memory import MemoryStore
from glideslope.testing.traffic import KEYS, SOUND
from glideslope.testing.world import World, draft

DELAYS = ModelName("delays")
LOSSES = tuple(
    GuardrailDraft(metric=MetricName(name), margin=Margin(MarginKind.ABSOLUTE, 0.15))
    for name in ("log_loss", "brier", "wrong")
)
CANARY = (StageDraft(stage=StageKind.CANARY, shares=(2_500,), minimum=5 * SECOND, maximum=300 * SECOND),)


def messages(rollout: RolloutId, *, count: int, size: int) -> list[bytes]:
    """Return requests of `size` outcomes each, every one of another subject, as their senders write them."""
    key = KEYS[2].of(DELAYS)
    told = [
        Outcome(
            prediction=mint(
                Receipt(
                    model=model_hash(DELAYS),
                    rollout=rollout_number(rollout),
                    step=1,
                    arm=Arm.CANDIDATE if k % 4 == 0 else Arm.INCUMBENT,
                    at=1_800_000_000 + k // 1_000,
                    slices=(k % 3, NO_SLICE, NO_SLICE),
                    score=k * 7919 % (SCORE_LEVELS + 1),
                    request=k,
                    subject=(k + 1) * 2_654_435_761 % (1 << 47),
                ),
                key=key,
            ),
            happened=k % 10 < 3,
        )
        for k in range(count)
    ]
    return [msgspec.json.encode(Outcomes(outcomes=tuple(told[k : k + size]))) for k in range(0, count, size)]


async def count(counters: Counters, *, outcomes: int, size: int) -> dict[str, float]:
    """Tell all outcomes to a world that counts into these, twice; return outcomes per second of CPU."""
    world = World(seed=3, counters=counters)
    traffic = await world.serves("delays", v1=SOUND, v2=SOUND)
    rollout = await world.propose(draft("delays", "v2", stages=CANARY, guardrails=LOSSES))
    await world.until(rollout, step="s1", within=5)
    traffic.demand.per_second = 0
    sent, decoder = messages(rollout, count=outcomes, size=size), msgspec.json.Decoder(Outcomes)

    async def send() -> tuple[float, float, int]:
        wall, cpu, counted = time.perf_counter(), time.process_time(), 0
        for message in sent:
            counted += (await world.app.outcomes(decoder.decode(message))).counted
        return outcomes / (time.process_time() - cpu), outcomes / (time.perf_counter() - wall), counted

    first, first_wall, counted = await send()
    again, _, repeated = await send()
    kept = sum(
        total.count
        for total in await counters.load(f"{rollout}/")
        if total.source == OUTCOMES and f"/{OUTCOME_SEEN}/all/" in total.cell
    )
    assert counted == outcomes == kept, "each counts once"
    assert repeated == 0, "none counts twice"
    return {"per_cpu_second": round(first), "repeats_per_cpu_second": round(again), "per_second": round(first_wall)}


async def durable(*, outcomes: int, size: int) -> dict[str, float]:
    """Do it in SQLite."""
    with tempfile.TemporaryDirectory() as folder:
        async with SqliteStore(Path(folder) / "store.db") as store:
            return await count(store, outcomes=outcomes, size=size)


async def measure(*, outcomes: int) -> dict[str, dict[str, float]]:
    """Measure with large messages and with small ones."""
    return {
        "in memory, 20,000 a message": await count(MemoryStore(), outcomes=outcomes, size=20_000),
        "durable, 20,000 a message": await durable(outcomes=outcomes, size=20_000),
        "durable, 1,000 a message": await durable(outcomes=outcomes // 4, size=1_000),
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the outcomes")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    outcomes = 40_000 if arguments.quick else 400_000
    found = {"outcomes": outcomes, **asyncio.run(measure(outcomes=outcomes))}
    print(json.dumps(found, indent=None if arguments.json else 2))


if __name__ == "__main__":
    main()
