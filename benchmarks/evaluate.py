"""How long it takes to read 1,000 tests, and to count an event; the verdicts are those of the shipped code.

Run with ``python benchmarks/evaluate.py [--quick] [--json]``. Times are the best of several repeats, since noise only
ever adds.
"""

import argparse
import gc
import json
import platform
import random
from collections.abc import Callable
from time import perf_counter

from glideslope.stats.counts import Table, Totals
from glideslope.stats.interval import ratio_interval
from glideslope.stats.label import BinsHarm, EventHarm, RatioPass
from glideslope.stats.wealth import crossed, log_wealth

SLICES = 1_000
LATENCY = (100, 100, 100, 100, 100, 100, 100, 100, 100, 50, 30, 10, 9, 1)
EDGES = (23.0, 30.0, 36.0, 43.0, 50.0, 58.0, 68.0, 83.0, 108.0, 134.0, 171.0, 202.0, 320.0)


def best(work: Callable[[], object], *, repeats: int) -> float:
    """Return the shortest of *repeats* runs, in seconds."""
    times = []
    gc.disable()
    for _ in range(repeats):
        start = perf_counter()
        work()
        times.append(perf_counter() - start)
    gc.enable()
    return min(times)


def healthy(rng: random.Random, *, rate: float, steps: int) -> list[Table]:
    """One slice of a rollout whose arms are equal, of a size that differs from slice to slice."""
    tables = []
    for candidate_weight, control_weight in [(500, 9500), (2500, 7500), (1, 1)][:steps]:
        size = rng.randrange(100, 5_000)
        other = size * control_weight // candidate_weight
        bad = [round(rng.gauss(n * rate, (n * rate * (1 - rate)) ** 0.5)) for n in (size, other)]
        bad = [min(max(count, 0), n) for count, n in zip(bad, (size, other), strict=True)]
        tables.append(Table(candidate_weight, control_weight, (size - bad[0], bad[0]), (other - bad[1], bad[1])))
    return tables


def ordered(rng: random.Random) -> list[Table]:
    rows = [tuple(rng.randrange(n + 2) * scale for n in LATENCY) for scale in (1, 3)]
    return [Table(2500, 7500, rows[0], rows[1])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    parser.add_argument("--json", action="store_true", help="figures for machines")
    options = parser.parse_args()
    repeats = 5 if options.quick else 50
    rng = random.Random(1)
    one = [healthy(rng, rate=0.01, steps=1) for _ in range(SLICES)]
    three = [healthy(rng, rate=0.01, steps=3) for _ in range(SLICES)]
    latency = [ordered(rng) for _ in range(SLICES)]
    harm, proof, slow = EventHarm(0.01), RatioPass(0.2), BinsHarm(LATENCY, edges=EDGES)
    alpha = 0.01 / (2 * SLICES)

    totals = Totals[tuple[str, int]]()
    for source in range(100):
        totals.absorb(f"edge-{source}", epoch="a", counts={("errors", bin_): 1 for bin_ in range(100)})
    message = {("errors", bin_): 2 for bin_ in range(8)}

    works: dict[str, tuple[Callable[[], object], int]] = {
        "verdict, binary, 1 step, shared alpha": (lambda: [crossed(harm, t, alpha) for t in one], SLICES),
        "verdict, binary, 1 step, alpha 0.01": (lambda: [crossed(harm, t, 0.01) for t in one], SLICES),
        "verdict, binary, 3 steps": (lambda: [crossed(harm, t, alpha) for t in three], SLICES),
        "verdict of proof, binary, 1 step": (lambda: [crossed(proof, t, 0.05) for t in one], SLICES),
        "verdict, 14 latency bins, 1 step": (lambda: [crossed(slow, t, alpha) for t in latency], SLICES),
        "wealth, binary, 1 step": (lambda: [log_wealth(harm, t) for t in one], SLICES),
        "interval of a ratio, 1 step": (lambda: [ratio_interval(t, alpha=0.05) for t in one[:50]], 50),
        "first use of a test under a new coin": (lambda: [harm.bets(one[0][0].coin) for _ in range(10)], 10),
        "merge a message of 8 counters into 10,000": (
            lambda: [totals.absorb("edge-7", epoch="a", counts=message) for _ in range(SLICES)],
            SLICES,
        ),
    }
    figures = {}
    for name, (work, count) in works.items():
        work()
        figures[name] = best(work, repeats=repeats) / count * 1e6
    if options.json:
        print(json.dumps({"python": platform.python_version(), "microseconds_each": figures}, indent=2))
        return
    print(f"Python {platform.python_version()}, microseconds each (so milliseconds per 1,000), best of {repeats}")
    for name, microseconds in figures.items():
        print(f"{microseconds:10.2f}  {name}")


if __name__ == "__main__":
    main()
