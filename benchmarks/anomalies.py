"""Signals outside the criteria, on a simulated clock: false flags in A/A weeks against the budget, and how soon a shift is flagged.

    python benchmarks/anomalies.py [--quick] [--json] [--weeks 8] [--seed 1]

Every series has a daily rhythm, a quieter weekend and noise of its own kind; in the harder worlds each day is busier or quieter than
usual as a whole, and the level wanders for hours. Needs numpy. One look a minute, as the product looks.
"""

import argparse
import json
import time

import numpy as np

from glideslope.stats.anomaly import Detector, History, Look, Shape, about, is_enough, line_of, score, within

LOOKS = 7 * 24 * 60
FEWEST = {Shape.RATE: 30}


def rhythm(weeks: int) -> np.ndarray:
    """Return the usual requests per minute: 3 to 1 between day and night, 40 % less at weekends."""
    hours = np.arange(weeks * LOOKS) / 60
    day = 1 + 0.5 * np.sin(2 * np.pi * (hours - 9) / 24) + 0.15 * np.sin(4 * np.pi * (hours - 7) / 24)
    weekend = np.where((hours // 24) % 7 >= 5, 0.6, 1.0)
    return 600 * day * weekend


def wander(rng: np.random.Generator, size: int, *, spread: float, keep: float) -> np.ndarray:
    """Return an autoregressive level of standard deviation `spread`."""
    noise = rng.normal(0, spread * np.sqrt(1 - keep**2), size)
    level = np.empty(size)
    level[0] = rng.normal(0, spread)
    for t in range(1, size):
        level[t] = keep * level[t - 1] + noise[t]
    return level


def world(name: str, rng: np.random.Generator, *, weeks: int) -> dict[str, tuple[Shape, np.ndarray, np.ndarray]]:
    """Return totals and counts of each series, look by look."""
    size = weeks * LOOKS
    usually = rhythm(weeks)
    days = np.repeat(rng.normal(0, 1, weeks * 7), LOOKS // 7)
    busy = {"plain": 0.0, "moody days": 0.06, "wandering": 0.06}[name]
    slow = {"plain": 0.0, "moody days": 0.0, "wandering": 0.08}[name]
    level = np.exp(busy * days + (wander(rng, size, spread=slow, keep=0.99) if slow else 0))
    requests = rng.poisson(usually * level)
    ones = np.ones(size)
    found: dict[str, tuple[Shape, np.ndarray, np.ndarray]] = {"requests": (Shape.RATE, requests.astype(float), ones)}
    hour = np.arange(size) / 60
    for k in range(6):
        share = (0.002, 0.01, 0.05, 0.2, 0.003, 0.02)[k] * (1 + 0.3 * np.sin(2 * np.pi * (hour - 3 * k) / 24))
        if slow:
            share = share * np.exp(wander(rng, size, spread=0.1, keep=0.99))
        found[f"share {k}"] = (
            Shape.SHARE,
            rng.binomial(requests, np.clip(share, 0, 1)).astype(float),
            requests.astype(float),
        )
    for k in range(4):
        middle = 0.3 + 0.05 * np.sin(2 * np.pi * (hour - 5 * k) / 24)
        if slow:
            middle = middle + wander(rng, size, spread=0.01, keep=0.99)
        spread = (0.1, 0.2, 0.05, 0.25)[k]
        n = np.maximum(requests, 1)
        found[f"mean {k}"] = (Shape.MEAN, rng.normal(middle, spread / np.sqrt(n)) * n, n.astype(float))
    for k in range(2):
        middle = np.log(50) + 0.1 * np.sin(2 * np.pi * (hour - 4) / 24) + 0.1 * k
        if slow:
            middle = middle + wander(rng, size, spread=0.03, keep=0.99)
        n = np.maximum(requests, 1)
        tail = rng.standard_t(4, size) * (0.6, 2.0)[k] / np.sqrt(n)
        found[f"latency {k}"] = (Shape.LEVEL, (middle + tail) * n, n.astype(float))
    return found


def watch(shape: Shape, totals: np.ndarray, counts: np.ndarray, *, line: float, rng: np.random.Generator) -> list[int]:
    """Return at which looks a series is flagged."""
    weeks: list[History] = []
    detector = Detector()
    flags = []
    chances = rng.random(len(totals))
    fewest = FEWEST.get(shape, 100)
    held, grown = None, 0
    hours: dict[int, tuple[float, float, float] | None] = {}
    scale = 4.0 if shape is Shape.LEVEL else 1.0
    for t in range(len(totals)):
        week, into = divmod(t / 60, 168)
        if int(week) >= len(weeks):
            weeks.append(History())
            hours = {}  # what earlier weeks say does not change within a week
        look = Look(float(totals[t]), float(counts[t]))
        weeks[-1].add(look, hour=int(into))
        if (hour := int(into)) not in hours:
            hours[hour] = about(weeks[max(0, len(weeks) - 7) : -1], hour, fewest=fewest)
        if (known := hours[hour]) is None:
            continue
        expected = within(known, into)
        if held is not None:
            look = Look(look.total + held.total, look.count + held.count)
        if not is_enough(shape, look, expected, held=grown):
            held, grown = look, grown + 1
            continue
        held, grown, looks = None, 0, grown + 1
        far = score(shape, look, expected, scale=scale)
        if detector.see(far, chance=float(chances[t]), line=line, looks=looks):
            flags.append(t)
    return flags


def false_flags(name: str, *, weeks: int, runs: int, seed: int) -> dict[str, float | int | str]:
    """Return how many flags an A/A world raises a week."""
    flagged = series = 0
    for run in range(runs):
        rng = np.random.default_rng([seed, run, 1])
        found = world(name, rng, weeks=weeks)
        series = len(found)
        line = line_of(series=series, looks_per_week=LOOKS, budget=1.0)
        for what, (shape, totals, counts) in found.items():
            flags = watch(shape, totals, counts, line=line, rng=rng)
            flagged += len(flags)
            if flags:
                print(f"    {name} run {run}: {what} {len(flags)}", flush=True)
    watched = runs * (weeks - 2)
    return {
        "world": name,
        "series": series,
        "weeks": watched,
        "flags": flagged,
        "per_week": flagged / watched,
        "budget": 1.0,
    }


SHIFTS = (
    ("share 1", 1.3, "1 % of requests: 1.3 %"),
    ("share 1", 2.0, "1 %: 2 %"),
    ("share 0", 3.0, "0.2 %: 0.6 %"),
    ("mean 1", 1.03, "a mean score of 0.30: 0.31"),
    ("mean 1", 1.1, "0.30: 0.33"),
    ("latency 0", 1.01, "median latency 50 ms: 52 ms"),
    ("requests", 0.7, "requests: 30 % fewer"),
)


def delays(name: str, *, weeks: int, runs: int, seed: int) -> list[dict[str, float | int | str]]:
    """Return after how many looks a shift is flagged that begins in the last week, on Wednesday at ten."""
    begin = (weeks - 1) * LOOKS + 2 * 24 * 60 + 10 * 60
    rows: list[dict[str, float | int | str]] = []
    worlds = []
    for run in range(runs):
        rng = np.random.default_rng([seed, run, 2])
        worlds.append((rng, world(name, rng, weeks=weeks)))
    for what, factor, words in SHIFTS:
        waits = []
        for rng, found in worlds:
            shape, totals, counts = found[what]
            totals = totals.copy()
            moved = totals[begin:] * factor
            if shape is Shape.SHARE:
                moved = rng.binomial(
                    counts[begin:].astype(int), np.clip(totals[begin:].sum() / counts[begin:].sum() * factor, 0, 1)
                )
            totals[begin:] = moved
            line = line_of(series=len(found), looks_per_week=LOOKS, budget=1.0)
            flags = watch(shape, totals, counts, line=line, rng=rng)
            after = [flag for flag in flags if flag >= begin]
            waits.append(after[0] - begin + 1 if after else LOOKS)
        rows.append(
            {
                "world": name,
                "shift": words,
                "runs": runs,
                "found": sum(wait < LOOKS for wait in waits),
                "median_minutes": float(np.median(waits)),
                "worst_minutes": int(max(waits)),
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--weeks", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    weeks, runs = args.weeks or (4 if args.quick else 8), 1 if args.quick else 4
    began = time.process_time()
    worlds = [
        false_flags(name, weeks=weeks, runs=runs, seed=args.seed) for name in ("plain", "moody days", "wandering")
    ]
    shifts = [
        row
        for name in ("plain", "wandering")
        for row in delays(name, weeks=4, runs=1 if args.quick else 3, seed=args.seed)
    ]
    figures = {"worlds": worlds, "shifts": shifts, "cpu_seconds": round(time.process_time() - began, 1)}
    if args.json:
        print(json.dumps(figures))
        return
    print("False flags a week (budget 1.0 over all series together)")
    for row in worlds:
        print(
            f"  {row['world']:11} {row['series']} series, {row['weeks']} weeks: {row['flags']} flags, {row['per_week']:.2f} a week"
        )
    print("Minutes until a shift is flagged")
    for row in shifts:
        found = f"found in {row['found']} of {row['runs']} runs"
        waits = f"median {row['median_minutes']:.0f}, worst {row['worst_minutes']}"
        print(f"  {row['world']:11} {row['shift']:32} {found}, {waits}")
    print(f"{figures['cpu_seconds']} s of CPU")


if __name__ == "__main__":
    main()
