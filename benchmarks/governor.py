"""What it costs to govern many rollouts at once: time and CPU of a tick, with 4 guardrails and 3 slices each.

Run with ``python benchmarks/governor.py [--quick] [--json] [--profile]``. Store and data plane are in memory and the clock
is moved by hand, so what is measured is the engine: evidence gathered, tests evaluated, leases renewed, traffic looked at.
Before each tick one rollout in ten gets new evidence; the cost of counting it is measured apart. Every rollout is also
judged once a second for the time that passes. The share of a core is the CPU of a second's ten ticks.
"""

import argparse
import asyncio
import cProfile
import json
import platform
import pstats
import statistics
from random import Random
from time import perf_counter, process_time

from glideslope.domain.draft import HOUR, GuardrailDraft, StageDraft
from glideslope.domain.ids import MetricName, ModelName, RolloutId
from glideslope.domain.plan import Margin, MarginKind, StageKind
from glideslope.testing.traffic import SOUND
from glideslope.testing.world import GUARDRAILS, STAGES, World, draft

FOURTH = GuardrailDraft(metric=MetricName("wrong"), margin=Margin(MarginKind.ABSOLUTE, 0.1))
CANARY = StageDraft(stage=StageKind.CANARY, shares=(1_000, 5_000), minimum=HOUR, maximum=100 * HOUR)
PERIOD = 0.1


async def prepared(count: int) -> tuple[World, list[RolloutId]]:
    """Return a world with so many rollouts in their first canary step, all with a few seconds of evidence."""
    world = World(seed=1)
    plan = draft("-", "v2", stages=(CANARY, *STAGES[1:]), guardrails=(*GUARDRAILS, FOURTH))
    for k in range(count):
        await world.serves(f"m{k}", v1=SOUND, v2=SOUND, per_second=0)
    rollouts = []
    for k in range(count):
        change = type(plan)(**{f: getattr(plan, f) for f in plan.__struct_fields__} | {"model": ModelName(f"m{k}")})
        rollouts.append(await world.propose(change))
    await world.run(0.5)
    for traffic in world.traffic.values():
        traffic.demand.per_second = 40
        traffic.demand.delay = 0.5
    await world.run(4)
    for traffic in world.traffic.values():
        traffic.demand.per_second = 0
    await world.run(2)
    return world, rollouts


async def measured(count: int, *, ticks: int, profile: cProfile.Profile | None) -> dict[str, float]:
    world, _ = await prepared(count)
    chance = Random(1)
    models = list(world.traffic)
    wall, cpu, counting, requests = [], [], 0.0, 0
    entries = len(await world.store.entries())
    for _ in range(ticks):
        await world.clock.advance(PERIOD)
        now, at = world.clock.monotonic(), int(world.clock.now().timestamp())
        for model in chance.sample(models, max(1, count // 10)):
            traffic = world.traffic[model]
            traffic.demand.per_second = 100
            moment = traffic.moment(PERIOD, now=now, wall=at)
            traffic.demand.per_second = 0
            before = process_time()
            world.app.observer.served(moment.served)
            await world.app.outcomes(moment.outcomes)
            counting += process_time() - before
            requests += len(moment.served) + len(moment.outcomes.outcomes)
        before_wall, before_cpu = perf_counter(), process_time()
        if profile:
            profile.enable()
        await world.app.governor.tick()
        if profile:
            profile.disable()
        wall.append(perf_counter() - before_wall)
        cpu.append(process_time() - before_cpu)
    wall.sort()
    return {
        "rollouts": count,
        "ticks": ticks,
        "tick_ms_median": round(1000 * statistics.median(wall), 2),
        "tick_ms_p99": round(1000 * wall[min(len(wall) - 1, int(len(wall) * 0.99))], 2),
        "share_of_a_core": round(statistics.fmean(cpu) / PERIOD, 4),
        "counting_us_each": round(1e6 * counting / max(1, requests), 1),
        "entries_per_second": round((len(await world.store.entries()) - entries) / (ticks * PERIOD), 2),
    }


def main() -> None:
    """Print figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer ticks")
    parser.add_argument("--json", action="store_true", help="figures for machines")
    parser.add_argument("--profile", action="store_true", help="show where a tick's time goes")
    parser.add_argument("--rollouts", type=int, default=200)
    options = parser.parse_args()
    profile = cProfile.Profile() if options.profile else None
    figures = asyncio.run(measured(options.rollouts, ticks=30 if options.quick else 200, profile=profile))
    if profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
    if options.json:
        print(json.dumps({"python": platform.python_version(), **figures}, indent=2))
        return
    for name, value in figures.items():
        print(f"{name:>20}  {value}")


if __name__ == "__main__":
    main()
