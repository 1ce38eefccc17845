"""False verdicts of every kind of metric in worlds that mislead, looked at after every subject: harm and proof at the edge.

Run with ``python benchmarks/worlds.py [--quick] [--json] [--runs N] [--only count]``. All worlds are gone through again and again, a
part of the runs each time, and after each time the figures so far can be written down (``--into``), so that a run that was cut short still
says what it has seen. The first crossing of each test in each world, and a run that does not cross, are checked with the shipped evaluator.
Means have other shapes in the two arms: the candidate loses all or nothing, with exactly the mean that the null allows.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

import detect
from glideslope.domain.metric import COUNT_EDGES, LOG_LOSS
from glideslope.stats.counted import PRIOR, CountHarm, usual_counts
from glideslope.stats.label import BinsHarm, EventHarmBeyond, RatioPass
from glideslope.stats.quantile import QuantileHarm, QuantilePass
from glideslope.stats.scaled import ScaledHarm, ScaledPass
from glideslope.stats.score import DifferenceHarm, DifferencePass, ScoreHarm, ScorePass
from kinds import COUNT, EDGES, GRID, MEAN, count_bins, retries
from paths import Asked, Coins, Course, firsts, shipped_first

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

ALPHA = 0.05
PART = 500
SUBJECTS = 3_000
SMALL, FOURTH, HALF = (1, 19), (1, 3), (1, 1)
RAMP = (SMALL, FOURTH, HALF)
BETTER = 0.9


@dataclass(frozen=True, slots=True)
class World:
    """Where subjects come from: per subject which coin is tossed, and how many times the usual level all values are."""

    name: str
    coins: Coins
    leg: Callable[[Floats], Ints]
    level: Callable[[np.random.Generator, tuple[int, int]], Floats]
    better: bool = False
    in_turns: bool = False
    late: bool = False
    bad_later: bool = False
    hasty: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """Values of one metric, drawn at the edge of the nulls of some tests: `draw(rng, arm, level, times)` returns bins."""

    draw: Callable[[np.random.Generator, Bools, Floats, Floats], Ints]
    tests: Sequence[tuple[str, Asked, bool]]
    """Name, test, and whether its arms are swapped."""


def steady(_: np.random.Generator, size: tuple[int, int]) -> Floats:
    return np.ones(size)


def thirds(when: Floats) -> Ints:
    return (3 * when).astype(np.int64)


def nowhere(when: Floats) -> Ints:
    return np.zeros(len(when), dtype=np.int64)


def along(course: Callable[[Floats], Floats]) -> Callable[[np.random.Generator, tuple[int, int]], Floats]:
    return lambda _, size: np.broadcast_to(course(np.arange(size[1]) / size[1]), size)


def bursts(rng: np.random.Generator, size: tuple[int, int]) -> Floats:
    """Each run of its own goes up and down, a hundred subjects at a time on average."""
    return np.where(np.cumsum(rng.random(size) < 0.01, axis=1) % 2 == 1, 3.0, 0.5)


BIASED = "the bad are known three times later"
"""Not within what is promised where the arms' shapes differ: what has come by then is no fair sample of what will."""

WORLDS = (
    World("steady, 5 %", [SMALL], nowhere, steady),
    World("steady, half and half", [HALF], nowhere, steady),
    World("ramp of three coins", RAMP, thirds, steady),
    World("ramp, level rising with it", RAMP, thirds, along(lambda when: 1.0 + thirds(when))),
    World("daily rhythm", RAMP, thirds, along(lambda when: 1.0 + 0.6 * np.sin(25 * when))),
    World("shared outage", RAMP, thirds, along(lambda when: 1.0 + 4.0 * ((when > 0.3) & (when < 0.4)))),
    World("told four times too little", [FOURTH], nowhere, along(lambda when: 4.0 + 0.0 * when)),
    World("bursts", [FOURTH], nowhere, bursts),
    World("goes on when it looks worst", (SMALL, HALF), nowhere, steady, hasty=True),
    World("late, interleaved", RAMP, thirds, steady, late=True),
    World("better candidate", [FOURTH], nowhere, steady, better=True),
    World("requests in turns, no coin", [FOURTH], nowhere, steady, in_turns=True),
    World(BIASED, RAMP, thirds, steady, late=True, bad_later=True),
)


def all_or_nothing(rng: np.random.Generator, mean: Floats, *, top: float) -> Floats:
    return np.where(rng.random(mean.shape) < mean / top, top, 0.0)


def rounded(rng: np.random.Generator, values: Floats, *, points: Sequence[float]) -> Ints:
    """Fall on one of the two next points by chance, as `Metric.bin` does, so that no mean moves. Points are even."""
    at = np.clip((values - points[0]) / (points[1] - points[0]), 0.0, len(points) - 1.0)
    below = np.minimum(at.astype(np.int64), len(points) - 1)
    return np.minimum(below + (rng.random(values.shape) < at - below), len(points) - 1)


def kinds() -> tuple[Kind, ...]:
    usual, margin = 0.03, 0.01
    times, values = np.array(EDGES), LOG_LOSS.values
    rng = np.random.default_rng(0)
    reference = tuple(
        np.bincount(
            np.searchsorted(times, rng.lognormal(np.log(40), 0.6, 20_000), side="left"), minlength=len(EDGES) + 1
        ).tolist()
    )
    bins = BinsHarm(reference=reference, edges=EDGES)
    worst = QuantilePass(0.99, tolerated=0.004, cut=12, size=len(EDGES) + 1)

    def rates(*, add: float, by: float) -> Callable[[np.random.Generator, Bools, Floats, Floats], Ints]:
        return lambda rng, arm, level, times_: (
            rng.random(arm.shape) < np.where(arm, (usual * level * by + add) * times_, usual * level)
        ).astype(np.int64)

    def spend(*, by: float) -> Callable[[np.random.Generator, Bools, Floats, Floats], Ints]:
        def draw(rng: np.random.Generator, arm: Bools, level: Floats, times_: Floats) -> Ints:
            mean, top = 150.0 * level, GRID[-1]
            capped = mean * (1 - np.exp(-top / mean))
            mine = all_or_nothing(rng, by * capped * times_, top=top)
            return rounded(rng, np.where(arm, mine, np.minimum(rng.exponential(mean), top)), points=GRID)

        return draw

    def losses(*, add: float) -> Callable[[np.random.Generator, Bools, Floats, Floats], Ints]:
        def draw(rng: np.random.Generator, arm: Bools, level: Floats, times_: Floats) -> Ints:
            low, top = values[0], values[-1]
            mean = np.minimum(0.15 * level, 0.6)
            capped = mean * (1 - np.exp(-(top - low) / mean))
            mine = all_or_nothing(rng, (capped + add) * times_, top=top - low)
            other = np.minimum(rng.exponential(mean), top - low)
            return rounded(rng, low + np.where(arm, mine, other), points=values)

        return draw

    def latencies(rng: np.random.Generator, arm: Bools, level: Floats, times_: Floats) -> Ints:
        value = np.exp(np.log(40) + 0.6 * rng.standard_normal(arm.shape)) * level
        return np.searchsorted(times, np.where(arm, value * times_, value), side="left")

    return (
        Kind(
            rates(add=margin, by=1.0),
            [
                ("event, harm beyond 1 point", DifferenceHarm(margin, usual), False),
                ("event, proof within 1 point", DifferencePass(margin, usual), False),
            ],
        ),
        Kind(
            rates(add=0.0, by=1.5),
            [
                ("event, harm beyond 50 %", EventHarmBeyond(0.5), False),
                ("event, proof within 50 %", RatioPass(0.5), False),
            ],
        ),
        Kind(
            lambda rng, arm, level, times_: count_bins(
                retries(rng, arm.shape, 0.2 * level * np.where(arm, times_, 1.0))
            ),
            [("count, harm", CountHarm(usual_counts(0.2, edges=COUNT_EDGES), COUNT.values, PRIOR), False)],
        ),
        Kind(spend(by=1.0), [("mean, harm", ScoreHarm(MEAN.values, centre=150.0), False)]),
        Kind(
            spend(by=1.25),
            [
                ("mean, harm beyond 25 %", ScaledHarm(MEAN.values, centre=150.0, factor=1.25), False),
                ("mean, proof within 25 %", ScaledPass(MEAN.values, centre=150.0, factor=1.25), False),
            ],
        ),
        Kind(losses(add=0.0), [("loss, harm", ScoreHarm(values, centre=0.15), False)]),
        Kind(losses(add=0.05), [("loss, proof within 0.05", ScorePass(values, centre=0.15, margin=0.05), False)]),
        Kind(
            latencies,
            [
                ("latency, harm", bins, False),
                ("latency, proof", bins, True),
                ("p99, harm", QuantileHarm(0.99, cut=12, size=len(EDGES) + 1), False),
                ("p99, proof", worst, True),
            ],
        ),
    )


def tossed(world: World, coin: Ints, *, rng: np.random.Generator, size: tuple[int, int]) -> Bools:
    pis = np.array([a / (a + b) for a, b in world.coins])[coin]
    if world.in_turns:
        ((a, b),) = world.coins
        return (np.arange(size[1]) + rng.integers(0, a + b, (size[0], 1))) % (a + b) < a
    return rng.random(size) < pis


def drawn(
    world: World, kind: Kind, *, rng: np.random.Generator, size: tuple[int, int], coin: Ints
) -> tuple[Bools, Ints]:
    """Return arms and bins where this coin is tossed for each subject."""
    arm = tossed(world, coin, rng=rng, size=size)
    # A candidate that is proven has to be as bad as the margin at the least, so only harm has a better one.
    times_ = np.full(size, BETTER if world.better else 1.0)
    return arm, kind.draw(rng, arm, world.level(rng, size), times_)


def verdicts(
    world: World, kind: Kind, *, rng: np.random.Generator, runs: int, check: bool
) -> Iterator[tuple[str, int]]:
    """Yield per test how many of so many runs it ever crosses."""
    size = (runs, SUBJECTS)
    coin = np.broadcast_to(world.leg(np.arange(SUBJECTS) / SUBJECTS), size)
    arm, bins = drawn(world, kind, rng=rng, size=size, coin=coin)
    if world.late:
        known = np.arange(SUBJECTS) + rng.exponential(SUBJECTS / 10, size) * (
            1 + 2 * (bins > bins.mean()) * world.bad_later
        )
        order = np.argsort(known, axis=1)
        coin, arm, bins = (np.take_along_axis(np.ascontiguousarray(each), order, axis=1) for each in (coin, arm, bins))
    after = drawn(world, kind, rng=rng, size=size, coin=coin + 1) if world.hasty else None
    for name, test, swap in kind.tests:
        if world.better and "proof" in name:
            continue
        course = Course.of(test, world.coins, swap=swap)
        cells = bins + test.bins * (~arm + 2 * coin)
        if after is not None:
            looks_worst = firsts(course, cells, alpha=3 * ALPHA)
            gone = (looks_worst[:, None] >= 0) & (np.arange(SUBJECTS) > looks_worst[:, None])
            cells = np.where(gone, after[1] + test.bins * (~after[0] + 2), cells)
        at = firsts(course, cells, alpha=ALPHA)
        if check:
            for run, most in ((int(np.argmax(at >= 0)), SUBJECTS), (int(np.argmin(at)), 300)):
                theirs = shipped_first(
                    lambda _, asked=test: asked,
                    cells[run, :most].tolist(),
                    world.coins,
                    bins=test.bins,
                    alpha=ALPHA,
                    swap=swap,
                )
                assert theirs == (at[run] if at[run] < most else -1), (world.name, name, theirs, at[run])
        yield name, int((at >= 0).sum())


def battery(*, runs: int, seed: int, into: Path | None, only: str = "") -> list[dict[str, Any]]:
    """Go through all worlds until there are so many runs of each; with `only`, of kinds with a test that is named so."""
    found: dict[tuple[str, str], int] = {}
    rng = np.random.default_rng(seed)
    every = [kind for kind in kinds() if any(only in name for name, _, _ in kind.tests)]
    done = 0
    while done < runs:
        part = min(PART, runs - done)
        for world in WORLDS:
            for kind in every:
                for name, number in verdicts(world, kind, rng=rng, runs=part, check=done == 0):
                    found[world.name, name] = found.get((world.name, name), 0) + number
        done += part
        if into is not None:
            into.write_text(json.dumps(rows(found, runs=done), indent=1))
    return rows(found, runs=done)


def rows(found: dict[tuple[str, str], int], *, runs: int) -> list[dict[str, Any]]:
    return [
        {
            "world": world,
            "test": test,
            "false": number / runs,
            "99% upper bound": detect.upper_bound(number, runs=runs),
            "99% lower bound": 1 - detect.upper_bound(runs - number, runs=runs) if number else 0.0,
            "runs": runs,
        }
        for (world, test), number in found.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="100 runs each")
    parser.add_argument("--json", action="store_true", help="figures for machines")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="kinds with a test whose name has this in it")
    parser.add_argument("--into", type=Path, help="where the figures so far are kept")
    asked = parser.parse_args()
    found = battery(runs=100 if asked.quick else asked.runs, seed=asked.seed, into=asked.into, only=asked.only)
    if asked.json:
        print(json.dumps({"rows": found, "cpu seconds": process_time()}, indent=2))
        return
    names = list(dict.fromkeys(row["test"] for row in found))
    for name in names:
        mine = [row for row in found if row["test"] == name]
        print(f"\n{name}")
        for row in mine:
            verdict = "BROKEN" if row["99% lower bound"] > ALPHA else "shown" if row["99% upper bound"] <= ALPHA else ""
            print(
                f"  {row['world']:<34} {row['false']:.4f}  (99 % sure: below {row['99% upper bound']:.4f})  {verdict}"
            )
    print(
        f"\n{found[0]['runs']:,} runs of {SUBJECTS:,} subjects each, {process_time():.0f} s of CPU, seed {asked.seed}"
    )


if __name__ == "__main__":
    main()
