"""Levels and power of the tests on counts, means, quantiles, calibration and rankings, beside what is in common use.

Run with ``python benchmarks/kinds.py [--quick] [--json]``. Ours are the shipped bets, exported to numpy and looked at after
every subject (or block); each crossing's first few are checked with the shipped evaluator. Peers are looked at every hundred
subjects, which flatters them. All is seeded.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, log, sqrt
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glideslope.domain.freeze import TRUST
from glideslope.domain.ids import MetricName
from glideslope.domain.metric import (
    AUC,
    COUNT_EDGES,
    PROBABILITY_EDGES,
    Kind,
    Metric,
    Origin,
    block_size,
    differences,
    equal_points,
)
from glideslope.stats import planning
from glideslope.stats.asymptotic import asymptotic_interval
from glideslope.stats.calibration import CalibrationGuard, squared_error
from glideslope.stats.counted import PRIOR, CountHarm, usual_counts
from glideslope.stats.counts import Table, Tally
from glideslope.stats.paired import PairedScoreHarm, PairedScorePass
from glideslope.stats.quantile import QuantileHarm, QuantilePass
from glideslope.stats.scaled import ScaledHarm, ScaledPass, usual_values
from glideslope.stats.score import ScoreHarm
from glideslope.stats.wealth import Bets, crossed

Asked = Any
"""Any test of tables."""
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ALPHAS = (0.05, 0.01)
SHARES = ((1, 19), (1, 3), (1, 1))
CHUNK = 25
COUNT = Metric(name=MetricName("retries"), kind=Kind.COUNT, origin=Origin.SERVICE, edges=COUNT_EDGES)
GRID = equal_points(0.0, 2_000.0)
MEAN = Metric(name=MetricName("tokens"), kind=Kind.MEAN, origin=Origin.SERVICE, edges=GRID)
EDGES = tuple(10.0 * 1.25**k for k in range(24))


@dataclass(frozen=True, slots=True)
class World:
    """Draws bins for subjects: `draw(rng, arm, when)` with when from 0 to 1, both arms alike unless it says otherwise."""

    name: str
    draw: Callable[[np.random.Generator, NDArray[np.bool_], Floats], Ints]


def crossings(
    test: Asked,
    world: World,
    *,
    ramp: Sequence[tuple[int, int]],
    alpha: float,
    runs: int,
    subjects: int,
    seed: int,
    swap: bool = False,
) -> tuple[float, Floats]:
    """Return how often the wealth ever reached 1/alpha, and the candidate subjects until it did (NaN if never)."""
    line, rng = log(1 / alpha), np.random.default_rng(seed)
    found = np.full(runs, np.nan)
    legs = np.arange(subjects) * len(ramp) // subjects
    when = np.arange(subjects) / subjects
    tables = [np.array(bets_of(test, weights, swap=swap).weights) for weights in ramp]
    prior = np.array(bets_of(test, ramp[0], swap=swap).rows)[:, 0]
    pis = np.array([a / (a + b) for a, b in ramp])[legs]
    for start in range(0, runs, CHUNK):
        size = min(CHUNK, runs - start)
        arm = rng.random((size, subjects)) < pis
        bins = world.draw(rng, arm, np.broadcast_to(when, arm.shape))
        first = arm ^ swap  # a proof on a latency is asked with the arms swapped
        cells = np.where(first, bins, bins + test.bins)
        best = np.full((size, subjects), -np.inf)
        for h in range(len(prior)):
            moves = np.empty(cells.shape)
            for leg, table in enumerate(tables):
                here = legs == leg
                moves[:, here] = table[h][cells[:, here]]
            np.logaddexp(best, prior[h] + np.cumsum(moves, axis=1), out=best)
        hit = best >= line
        at = hit.argmax(axis=1)
        served = np.cumsum(arm, axis=1)
        for run in np.flatnonzero(hit.any(axis=1)):
            found[start + run] = served[run, at[run]]
            if start == 0 and run < 3:
                check(test, cells[run, : at[run] + 1], legs[: at[run] + 1], ramp=ramp, alpha=alpha, swap=swap)
    return float(np.isfinite(found).mean()), found


def bets_of(test: Asked, weights: tuple[int, int], *, swap: bool) -> Bets:
    a, b = weights[::-1] if swap else weights
    bets: Bets = test.bets(Fraction(a, a + b))
    return bets


def check(test: Asked, cells: Ints, legs: Ints, *, ramp: Sequence[tuple[int, int]], alpha: float, swap: bool) -> None:
    """Assert that the shipped evaluator crosses here too, and did not one subject earlier."""
    for cut, expected in ((len(cells), True), (len(cells) - 1, False)):
        tables = []
        for leg, weights in enumerate(ramp):
            counts = np.bincount(cells[:cut][legs[:cut] == leg], minlength=2 * test.bins).tolist()
            a, b = weights[::-1] if swap else weights
            tables.append(Table(a, b, tuple(counts[: test.bins]), tuple(counts[test.bins :])))
        assert crossed(test, tables, alpha) is expected


def retries(rng: np.random.Generator, shape: tuple[int, ...], mean: Floats | float) -> Ints:
    """Counts of subjects who differ: negative binomial with much dispersion, as retries are."""
    return np.asarray(rng.poisson(rng.gamma(0.3, np.asarray(mean) / 0.3, shape)))


def count_bins(counts: Ints) -> Ints:
    return np.searchsorted(np.array(COUNT_EDGES), counts, side="left")


def mean_bins(rng: np.random.Generator, values: Floats) -> Ints:
    """Fall on one of two points by chance, as `Metric.bin` does."""
    at = np.clip(values, 0.0, GRID[-1]) / (GRID[1] - GRID[0])
    below = np.minimum(at.astype(np.int64), len(GRID) - 1)
    return np.minimum(below + (rng.random(values.shape) < at - below), len(GRID) - 1)


def waves(when: Floats) -> Floats:
    """A day and a shared outage: both arms alike."""
    return np.asarray(1.0 + 0.6 * np.sin(12 * when) + 3.0 * ((when > 0.4) & (when < 0.45)))


def null_worlds() -> dict[str, list[tuple[Any, World, bool]]]:
    """Per kind the shipped tests at the edge of their nulls, in worlds that mislead."""
    counts = CountHarm(usual_counts(0.2, edges=COUNT_EDGES), COUNT.values, PRIOR)
    values, cut = MEAN.values, 12
    times = np.array(EDGES)

    def latency(
        rng: np.random.Generator, arm: NDArray[np.bool_], when: Floats, *, slower: float = 1.0, drift: bool = True
    ) -> Ints:
        value = rng.lognormal(np.log(40), 0.6, arm.shape) * (waves(when) if drift else 1.0)
        return np.searchsorted(times, np.where(arm, value * slower, value), side="left")

    tokens = ScaledHarm(values, centre=300.0, factor=1.25)
    spent = ScaledPass(values, centre=300.0, factor=1.25)

    def spend(rng: np.random.Generator, arm: NDArray[np.bool_], when: Floats, *, factor: float) -> Ints:
        # The shapes differ: the candidate's is all or nothing, with a mean of exactly the factor.
        usual = np.minimum(rng.exponential(300 * waves(when) / 2), GRID[-1])
        mean = 150 * waves(when)
        capped = mean * (1 - np.exp(-GRID[-1] / mean))
        mine = np.where(rng.random(arm.shape) < factor * capped / GRID[-1], GRID[-1], 0.0)
        return mean_bins(rng, np.where(arm, mine, usual))

    return {
        "count, harm": [
            (counts, World("steady", lambda rng, arm, _: count_bins(retries(rng, arm.shape, 0.2))), False),
            (
                counts,
                World("waves", lambda rng, arm, when: count_bins(retries(rng, arm.shape, 0.2 * waves(when)))),
                False,
            ),
            (counts, World("told wrong", lambda rng, arm, _: count_bins(retries(rng, arm.shape, 2.0))), False),
        ],
        "mean, harm beyond 25 %": [
            (tokens, World("other shape, at the margin", lambda *a: spend(*a, factor=1.25)), False)
        ],
        "mean, proof within 25 %": [
            (spent, World("other shape, at the margin", lambda *a: spend(*a, factor=1.25)), False)
        ],
        "mean, harm, absolute 0": [
            (ScoreHarm(values, centre=300.0), World("other shape", lambda *a: spend(*a, factor=1.0)), False)
        ],
        "quantile p99, harm": [
            (QuantileHarm(0.99, cut=cut, size=25), World("waves", latency), False),
            (QuantileHarm(0.99, cut=cut, size=25), World("steady", lambda *a: latency(*a, drift=False)), False),
        ],
        "quantile p99, proof": [
            (QuantilePass(0.99, tolerated=0.004, cut=cut, size=25), World("waves, at the margin", latency), True),
            (
                QuantilePass(0.99, tolerated=0.004, cut=cut, size=25),
                World("steady, at the margin", lambda *a: latency(*a, drift=False)),
                True,
            ),
        ],
    }


def levels(*, runs: int, subjects: int, alpha: float) -> list[dict[str, Any]]:
    results = []
    for kind, cases in null_worlds().items():
        for test, world, swap in cases:
            for name, ramp in (("5 %", SHARES[:1]), ("ramp 5, 25, 50 %", SHARES)):
                rate, _ = crossings(
                    test, world, ramp=ramp, alpha=alpha, runs=runs, subjects=subjects, seed=1, swap=swap
                )
                results.append(
                    {
                        "kind": kind,
                        "world": world.name,
                        "shares": name,
                        "alpha": alpha,
                        "false": rate,
                        "bound": bound(rate, runs),
                    }
                )
    return results


def bound(rate: float, runs: int) -> float:
    """Return the upper end of Wilson's interval at 99 %, one-sided."""
    z = 2.326
    return (rate + z * z / (2 * runs) + z * sqrt(rate * (1 - rate) / runs + z * z / (4 * runs * runs))) / (
        1 + z * z / runs
    )


def chances(world: World, *, bins: int, candidate: bool, seed: int = 9) -> list[float]:
    rng = np.random.default_rng(seed)
    arm = np.full((1, 400_000), candidate)
    found = np.bincount(world.draw(rng, arm, np.full(arm.shape, 0.5)).ravel(), minlength=bins)
    return [float(n) / arm.size for n in found]


def powers(*, runs: int) -> list[dict[str, Any]]:
    """Return mean candidate subjects to a verdict over the limit of Wald's identity."""
    results: list[dict[str, Any]] = []

    def tell(
        kind: str,
        what: str,
        test: Asked,
        world: World,
        limit: Callable[[float, float], float],
        *,
        most: int,
        swap: bool = False,
        alphas: Sequence[float] = (0.05, 0.01),
    ) -> None:
        for alpha in alphas:
            for weights in (SHARES[0], SHARES[2]):
                pi = weights[0] / sum(weights)
                wanted = limit(pi, alpha)
                subjects = min(most, ceil(wanted / pi * 5))
                rate, found = crossings(
                    test, world, ramp=[weights], alpha=alpha, runs=runs, subjects=subjects, seed=2, swap=swap
                )
                mean = float(np.nanmean(np.where(np.isnan(found), subjects * pi, found)))
                results.append(
                    {
                        "kind": kind,
                        "what": what,
                        "alpha": alpha,
                        "share": pi,
                        "limit": wanted,
                        "mean": mean,
                        "ratio": mean / wanted,
                        "found": rate,
                    }
                )

    for factor in (1.5, 2.0, 4.0):
        world = World(
            "", lambda rng, arm, _, f=factor: count_bins(retries(rng, arm.shape, np.where(arm, 0.2 * f, 0.2)))
        )
        p_0, p_1 = (chances(world, bins=6, candidate=c) for c in (False, True))
        tell(
            "count, harm",
            f"mean 0.2 -> {0.2 * factor:g}",
            CountHarm(usual_counts(0.2, edges=COUNT_EDGES), COUNT.values, PRIOR),
            world,
            lambda pi, alpha, a=p_0, b=p_1: log(1 / alpha) / planning.bins_information(a, candidate=b, pi=pi),
            most=60_000,
        )
    loop = World(
        "",
        lambda rng, arm, _: np.where(arm & (rng.random(arm.shape) < 0.01), 5, count_bins(retries(rng, arm.shape, 0.2))),
    )
    p_0, p_1 = (chances(loop, bins=6, candidate=c) for c in (False, True))
    tell(
        "count, harm",
        "1 % loop without end",
        CountHarm(usual_counts(0.2, edges=COUNT_EDGES), COUNT.values, PRIOR),
        loop,
        lambda pi, alpha: log(1 / alpha) / planning.bins_information(p_0, candidate=p_1, pi=pi),
        most=60_000,
    )
    for level, worse in ((0.99, 2.0), (0.99, 5.0), (0.95, 2.0)):
        p = 1 - level
        world = World(
            "", lambda rng, arm, _, p=p, w=worse: (rng.random(arm.shape) < np.where(arm, p * w, p)).astype(np.int64)
        )
        tell(
            f"quantile p{100 * level:g}, harm",
            f"{worse:g} times as often beyond",
            QuantileHarm(level, cut=1, size=2),
            world,
            lambda pi, alpha, p=p, w=worse: log(1 / alpha) / planning.information(p, candidate_rate=p * w, pi=pi),
            most=200_000,
        )
    equal = World("", lambda rng, arm, _: (rng.random(arm.shape) < np.where(arm, 0.004, 0.01)).astype(np.int64))
    tell(
        "quantile p99, proof",
        "equal, 0.4 % beyond what is tolerated",
        QuantilePass(0.99, tolerated=0.004, cut=1, size=2),
        equal,
        lambda pi, alpha: (
            log(1 / alpha) / (planning.information(0.004, candidate_rate=0.01, pi=1 - pi) * (1 - pi) / pi)
        ),
        most=200_000,
        swap=True,
        alphas=(0.05,),
    )

    def spend(rng: np.random.Generator, arm: NDArray[np.bool_], _: Floats, *, factor: float) -> Ints:
        return mean_bins(rng, rng.exponential(np.where(arm, 300 * factor, 300.0)))

    usual = tuple(
        int(1e6 * c) for c in chances(World("", lambda *a: spend(*a, factor=1.0)), bins=len(GRID), candidate=False)
    )
    most = 60_000

    def means(what: str, test: Asked, *, factor: float, margin: float, sign: int, alphas: Sequence[float]) -> None:
        world = World("", lambda *a: spend(*a, factor=factor))
        p_0, p_1 = (chances(world, bins=len(GRID), candidate=c) for c in (False, True))
        kind = "mean, harm beyond 25 %" if sign > 0 else "mean, proof within 25 %"
        tell(
            kind,
            what,
            test,
            world,
            lambda pi, a: best_bet(p_0, p_1, pi=pi, alpha=a, margin=margin, sign=sign),
            most=most,
            alphas=alphas,
        )

    harm, proof = ScaledHarm(MEAN.values, centre=300.0, factor=1.25), ScaledPass(MEAN.values, centre=300.0, factor=1.25)
    told = ScaledPass(MEAN.values, centre=300.0, factor=1.25, reference=usual, trust=TRUST)
    guess = usual_values(300.0, values=MEAN.values)
    guessed = ScaledPass(MEAN.values, centre=300.0, factor=1.25, reference=guess, trust=TRUST)
    for factor in (1.5, 2.0):
        means(f"{factor:g} times the mean", harm, factor=factor, margin=1.25, sign=1, alphas=ALPHAS)
    means("equal, the histogram known", told, factor=1.0, margin=1.25, sign=-1, alphas=(0.05,))
    means("equal, the mean known", guessed, factor=1.0, margin=1.25, sign=-1, alphas=(0.05,))
    means("equal, nothing known before", proof, factor=1.0, margin=1.25, sign=-1, alphas=(0.05,))
    return results


def best_bet(p_0: Sequence[float], p_1: Sequence[float], *, pi: float, alpha: float, margin: float, sign: int) -> float:
    """Return candidate subjects until the best constant bet on these means crosses, which knows both distributions."""
    values = np.array(GRID)
    constant = 300.0 * (1 + pi * (margin - 1))
    moves = sign * np.concatenate([(1 - pi) * (values - constant), -pi * (margin * values - constant)])
    likely = np.concatenate([pi * np.array(p_1), (1 - pi) * np.array(p_0)])
    worst = -moves.min()
    rates = [float(likely @ np.log1p(bold * moves / worst)) for bold in np.linspace(0.001, 0.999, 999)]
    return log(1 / alpha) / max(rates) * pi


def blocks(
    rng: np.random.Generator, *, number: int, size: int, pi: float, lift: tuple[float, float], drift: float = 0.0
) -> Floats:
    """Return what blocks of *size* of each kind tell: differences of area, candidate worse above 0; NaN where an arm lacks a kind.

    Scores are normal, higher by `lift` of an arm where it happened; `drift` moves the whole population from block to block.
    """
    found = np.full(number, np.nan)
    for k in range(number):
        moved = drift * np.sin(k / 7)
        common = rng.normal(size=2 * size)
        happened = np.arange(2 * size) < size
        arm = rng.random(2 * size) < pi
        # The candidate's scores are on another scale altogether.
        scores = np.where(
            arm, 5 + 3 * (common + lift[0] * happened * (1 + moved)), common + lift[1] * happened * (1 + moved)
        )
        areas = []
        for mine in (arm, ~arm):
            high, low = scores[mine & happened], scores[mine & ~happened]
            areas.append(np.mean(high[:, None] > low[None, :]) if len(high) and len(low) else np.nan)
        found[k] = areas[1] - areas[0]
    return found


def rankings(*, runs: int) -> list[dict[str, Any]]:
    results = []
    values = np.array(differences(AUC))
    for pi, weights in ((0.05, (1, 19)), (0.5, (1, 1))):
        size = block_size(candidate=weights[0], control=weights[1])
        for name, lift, drift, test, alpha in (
            ("equal, steady", (1.0, 1.0), 0.0, PairedScoreHarm(tuple(values)), 0.05),
            ("equal, drifting", (1.0, 1.0), 0.8, PairedScoreHarm(tuple(values)), 0.05),
            ("AUC 0.76 -> 0.64, margin 0.02", (0.5, 1.0), 0.0, PairedScoreHarm(tuple(values), margin=0.02), 0.01),
            ("AUC equal, proof within 0.05", (1.0, 1.0), 0.0, PairedScorePass(tuple(values), margin=0.05), 0.05),
        ):
            rng = np.random.default_rng(3)
            rows = np.array(test.bets().rows)
            number, hits, needed = 800, 0, []
            z_hits = 0
            for _ in range(runs):
                gaps = blocks(rng, number=number, size=size, pi=pi, lift=lift, drift=drift)
                told = ~np.isnan(gaps)
                at = (gaps[told] + 1) * 20
                below = np.floor(at)
                bins = np.minimum(below + (rng.random(at.shape) < at - below), 40).astype(np.int64)
                path = np.logaddexp.reduce(rows[:, :1] + np.cumsum(rows[:, 1:][:, bins], axis=1), axis=0)
                hit = np.flatnonzero(path >= log(1 / alpha))
                if len(hit):
                    hits += 1
                    needed.append(int(np.flatnonzero(told)[hit[0]]) + 1)
                    if hits <= 2:
                        counts = np.bincount(bins[: hit[0] + 1], minlength=41).tolist()
                        assert crossed(test, Tally(tuple(counts)), alpha)
                sums = np.cumsum(gaps[told])[9:]
                n = np.arange(10, 10 + len(sums))
                z_hits += bool(np.any(sums / np.sqrt(n) / np.std(gaps[told]) > 1.645))
            row = {
                "what": name,
                "share": pi,
                "block": size,
                "alpha": alpha,
                "found": hits / runs,
                "median blocks": float(np.median(needed)) if needed else None,
            }
            if "equal, " in name and "proof" not in name:
                row |= {"bound": bound(hits / runs, runs), "z repeated each block": z_hits / runs}
            elif needed:
                row["planned blocks"] = planning.pairs_to_pass_score(
                    planning.order_deviation(size, pi=pi), margin=0.05 if "proof" in name else 0.1, alpha=alpha
                )
            results.append(row)
    return results


def calibrations(*, runs: int, outcomes: int) -> list[dict[str, Any]]:
    edges = np.array(PROBABILITY_EDGES)
    results = []
    rng = np.random.default_rng(4)
    for tolerance in (0.02, 0.05):
        test = CalibrationGuard(PROBABILITY_EDGES, tolerance)
        rows = np.array(test.bets().rows)
        for name, truth in (
            ("calibrated", lambda p: p),
            ("off by the tolerance, up", lambda p, t=tolerance: np.minimum(p + t, 1.0)),
            ("off by the tolerance, both ways", lambda p, t=tolerance: np.clip(np.where(p > 0.5, p - t, p + t), 0, 1)),
            ("odds doubled", lambda p: 2 * p / (1 + p)),
            ("too sure: 0.1 is 0.3", lambda p: 0.25 + 0.5 * p),
        ):
            hits, needed, plain, debiased = 0, [], [], []
            for _ in range(runs):
                said = rng.beta(1, 3, outcomes)
                happened = rng.random(outcomes) < truth(said)
                cells = 2 * np.minimum(np.searchsorted(edges, said, side="left"), 39) + happened
                path = np.logaddexp.reduce(rows[:, :1] + np.cumsum(rows[:, 1:][:, cells], axis=1), axis=0)
                hit = np.flatnonzero(path >= log(100))
                if len(hit):
                    hits += 1
                    needed.append(int(hit[0]) + 1)
                counts = np.bincount(cells[:500], minlength=80)
                n = counts[0::2] + counts[1::2]
                rates = np.divide(counts[1::2], n, out=np.zeros(40), where=n > 0)
                plain.append(float(np.sum(n * np.abs(rates - (edges - 0.0125))) / n.sum()))
                debiased.append(squared_error(counts.tolist(), edges=PROBABILITY_EDGES) or 0.0)
            results.append(
                {
                    "what": name,
                    "tolerance": tolerance,
                    "alpha": 0.01,
                    "paused": hits / runs,
                    "bound": bound(hits / runs, runs),
                    "median outcomes": float(np.median(needed)) if needed else None,
                    "plain error at 500": float(np.mean(plain)),
                    "squared error at 500": float(np.mean(debiased)),
                }
            )
    return results


def peers(*, runs: int, subjects: int) -> list[dict[str, Any]]:
    """Return how often rules in common use call a healthy candidate worse (5 % share, one-sided 5 %)."""
    rng = np.random.default_rng(5)
    pi, every = 0.05, 100
    poisson = z = asymptotic = 0
    ratios = np.array([1.2, 1.5, 2.0, 3.5, 8.0, 25.0])
    q = pi * ratios / (pi * ratios + 1 - pi)
    for _ in range(runs):
        arm = rng.random(subjects) < pi
        counts = retries(rng, arm.shape, 0.2)
        mine, others = np.cumsum(np.where(arm, counts, 0)), np.cumsum(np.where(arm, 0, counts))
        paths = mine[:, None] * np.log(q / pi) + others[:, None] * np.log((1 - q) / (1 - pi)) - log(6)
        poisson += bool(np.any(np.logaddexp.reduce(paths, axis=1) >= log(20)))
        value = rng.exponential(300.0, subjects)
        n_1, n_0 = np.cumsum(arm)[every::every], np.cumsum(~arm)[every::every]
        m_1 = np.cumsum(np.where(arm, value, 0))[every::every] / np.maximum(n_1, 1)
        m_0 = np.cumsum(np.where(arm, 0, value))[every::every] / np.maximum(n_0, 1)
        z += bool(np.any(((m_1 - m_0) / (300 * np.sqrt(1 / np.maximum(n_1, 1) + 1 / n_0)) > 1.645) & (n_1 > 4)))
        rare = np.where(rng.random(subjects) < 0.03, 4, 0)
        seen = False
        for end in range(1000, subjects + 1, 1000):
            rows = [np.bincount(rare[:end][who[:end]], minlength=5).tolist() for who in (arm, ~arm)]
            found = asymptotic_interval(
                [Table(1, 19, tuple(rows[0]), tuple(rows[1]))], values=(0.0, 1.0, 2.0, 3.0, 100.0), alpha=0.05
            )
            seen = seen or (
                found is not None
                and found.low is not None
                and found.high is not None
                and not found.low <= 0 <= found.high
            )
        asymptotic += seen
    return [
        {"rule": "conditional Poisson mixture on retries, every subject", "false": poisson / runs},
        {"rule": f"z-test on the mean, every {every} subjects", "false": z / runs},
        {
            "rule": "our asymptotic sequence (advisory), 3 % informative, every 1,000, two-sided",
            "false": asymptotic / runs,
        },
    ]


def hanging(*, runs: int) -> list[dict[str, Any]]:
    """Return the seconds until harm at p99 shows when 5 % of the candidate's requests hang for a minute: 50 a second, 5 % share."""
    rng = np.random.default_rng(6)
    rows = np.array(QuantileHarm(0.99, cut=1, size=2).bets(Fraction(1, 20)).rows)
    results = []
    for counted in ("when they end", "when their age passes the threshold"):
        found = []
        for _ in range(runs):
            begun = np.sort(rng.uniform(0, 240, 12_000))
            arm = rng.random(12_000) < 0.05
            hangs = arm & (rng.random(12_000) < 0.05)
            took = np.where(hangs, 60.0, rng.lognormal(np.log(0.05), 0.6, 12_000))
            late = took > 0.2
            known = begun + (np.minimum(took, 0.2) if "age" in counted else took)
            order = np.argsort(known)
            cells = np.where(arm, late, late + 2)[order].astype(np.int64)
            path = np.logaddexp.reduce(rows[:, :1] + np.cumsum(rows[:, 1:][:, cells], axis=1), axis=0)
            hit = np.flatnonzero(path >= log(100))
            found.append(float(known[order][hit[0]]) if len(hit) else np.inf)
        results.append({"counted": counted, "median seconds": float(np.median(found))})
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    quick = asked.quick
    began = process_time()
    found = {
        "levels": levels(runs=100 if quick else 2_000, subjects=1_000 if quick else 4_000, alpha=0.05),
        "powers": powers(runs=20 if quick else 200),
        "rankings": rankings(runs=10 if quick else 200),
        "calibrations": calibrations(runs=20 if quick else 400, outcomes=2_000 if quick else 5_000),
        "peers": peers(runs=20 if quick else 400, subjects=8_000),
        "hanging": hanging(runs=10 if quick else 100),
    }
    if asked.json:
        print(json.dumps(found | {"cpu seconds": process_time() - began}, indent=2))
        return
    for name, rows in found.items():
        print(f"\n{name}")
        for row in rows:
            print(
                "  "
                + ", ".join(
                    f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in row.items()
                )
            )
    for alpha in (0.05, 0.01):
        ratios = [row["ratio"] for row in found["powers"] if row["alpha"] == alpha and "harm" in row["kind"]]
        print(
            f"\nharm, alpha {alpha}: geometric mean {np.exp(np.mean(np.log(ratios))):.2f} of the limit, worst {max(ratios):.2f}"
        )
    print(f"{process_time() - began:.0f} s of CPU")


if __name__ == "__main__":
    main()
