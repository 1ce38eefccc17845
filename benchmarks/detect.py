"""How soon a bad candidate is found and how often a healthy one is rolled back, beside the rules in common use.

Run with ``python benchmarks/detect.py [--quick] [--json]``. Ours is the shipped test, looked at after every event; its
bets are exported to numpy, and verdicts at and just before each crossing are checked with the shipped evaluator. The
rules of Argo Rollouts, Flagger and Kayenta are emulated from their sources in their published form, per minute of traffic.
The limit is that of Wald's identity for any test that need not know the base rate (`stats/planning.py`).
It is longer than most files, so that all who are compared are judged in the same worlds, side by side.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import exp, lgamma, log, log1p, sqrt
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glideslope.stats.counts import Table, Totals
from glideslope.stats.label import EventHarm
from glideslope.stats.planning import information
from glideslope.stats.wealth import crossed

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

BLOCK = 200
EFFECTS = [(0.01, 0.012), (0.01, 0.02), (0.01, 0.05), (0.01, 0.2), (0.1, 0.12), (0.1, 0.2)]
SHARES = [(1, 19), (1, 3), (1, 1)]
ALPHAS = [0.05, 0.01]
GOALS = {0.05: 1.45, 0.01: 1.35}
WORST = 1.75
RAMP = [((1, 19), 20), ((1, 3), 20), ((1, 1), 1_400)]
"""Weights of candidate and control, and minutes: 24 hours."""


@dataclass(frozen=True, slots=True)
class Leg:
    """A stretch of a rollout: one coin, two rates of bad, so many bad outcomes (of either arm) at most."""

    weights: tuple[int, int]
    candidate: float
    incumbent: float
    bad: int


def first_crossings(
    test: EventHarm, legs: Sequence[Leg], *, alpha: float, runs: int, rng: np.random.Generator
) -> Floats:
    """Return, per run, the candidate subjects at the first crossing, NaN if never.

    Looked at right after each bad outcome and right before the next: wealth moves evenly in between, so that is every
    event but for the order of good outcomes of the two arms.
    """
    line = log(1 / alpha)
    rows = np.array(test.bets(Fraction(1, 2)).rows)
    scores = np.tile(rows[:, 0], (runs, 1))
    subjects = np.zeros(runs)
    found = np.full(runs, np.nan)
    active = np.arange(runs)
    checked = 0
    for leg in legs:
        pi = Fraction(leg.weights[0], sum(leg.weights))
        weights = np.array(test.bets(pi).rows)[:, 1:]
        bad = float(pi) * leg.candidate + float(1 - pi) * leg.incumbent
        good_is_candidate = float(pi) * (1 - leg.candidate) / (1 - bad)
        single = len(legs) == 1
        counts = np.zeros((runs, 4))
        seen = 0
        while len(active) and seen < leg.bad:
            size = (len(active), min(BLOCK, leg.bad - seen))
            seen += size[1]
            goods = rng.geometric(bad, size) - 1
            moves = np.zeros((4, *size))
            moves[0] = rng.binomial(goods, good_is_candidate)
            moves[2] = goods - moves[0]
            before = np.cumsum(moves, axis=2)
            moves[1] = rng.random(size) < float(pi) * leg.candidate / bad
            moves[3] = 1 - moves[1]
            after = np.cumsum(moves, axis=2)
            before[1], before[3] = after[1] - moves[1], after[3] - moves[3]
            looks = np.stack([before, after], axis=3).reshape(4, size[0], -1)
            wealth = np.full(looks.shape[1:], -np.inf)
            for h, row in enumerate(weights):
                path = scores[active, h][:, None] + np.tensordot(row, looks, axes=1)
                wealth = np.logaddexp(wealth, path)
                scores[active, h] = path[:, -1]
            hit, at = (wealth >= line).any(axis=1), (wealth >= line).argmax(axis=1)
            taken = looks[:, np.arange(size[0]), at].T
            found[active[hit]] = subjects[active[hit]] + taken[hit, 0] + taken[hit, 1]
            if single and checked < 25:
                for run in np.flatnonzero(hit)[:5]:
                    check(test, leg, cells=counts[active[run]] + taken[run], alpha=alpha, last_is_bad=bool(at[run] % 2))
                    checked += 1
            counts[active] += looks[:, :, -1].T
            subjects[active] += looks[0, :, -1] + looks[1, :, -1]
            active = active[~hit]
    return found


def check(test: EventHarm, leg: Leg, *, cells: Floats, alpha: float, last_is_bad: bool) -> None:
    """Assert that the shipped evaluator crosses here and did not one bad outcome earlier."""
    a, b, c, d = (int(count) for count in cells)
    assert crossed(test, [Table(*leg.weights, (a, b), (c, d))], alpha)
    assert not last_is_bad or not crossed(test, [Table(*leg.weights, (a, b - 1), (c, d))], alpha)


def power(*, runs: int, rng: np.random.Generator) -> list[dict[str, float]]:
    """Return mean candidate subjects to detection over the limit, for 18 settings at two alphas."""
    results = []
    for alpha in ALPHAS:
        for base, rate in EFFECTS:
            for weights in SHARES:
                share = weights[0] / sum(weights)
                found = first_crossings(
                    EventHarm(base), [Leg(weights, rate, base, 10**9)], alpha=alpha, runs=runs, rng=rng
                )
                limit = log(1 / alpha) / information(base, candidate_rate=rate, pi=share)
                results.append(
                    {
                        "alpha": alpha,
                        "base": base,
                        "candidate": rate,
                        "share": share,
                        "limit": limit,
                        "mean": float(found.mean()),
                        "ratio": float(found.mean() / limit),
                        "error": float(found.std() / sqrt(runs) / limit),
                        "median": float(np.median(found)),
                    }
                )
    return results


@dataclass(frozen=True, slots=True)
class Minutes:
    """Per run and minute: subjects and bad outcomes of each arm, and of a baseline as large as the candidate."""

    candidate: NDArray[np.int64]
    candidate_bad: NDArray[np.int64]
    incumbent: NDArray[np.int64]
    incumbent_bad: NDArray[np.int64]
    baseline_bad: NDArray[np.int64]

    def subjects_at(self, minute: NDArray[np.int64]) -> Floats:
        served = np.cumsum(self.candidate, axis=1)
        return np.where(minute < 0, np.nan, served[np.arange(len(minute)), minute])


def simulate(base: float, rate: float, *, rps: float, minutes: int, runs: int, rng: np.random.Generator) -> Minutes:
    """Return a rollout along RAMP with rates that do not change."""
    shares = np.concatenate([np.full(length, weights[0] / sum(weights)) for weights, length in RAMP])[:minutes]
    total = rng.poisson(rps * 60, (runs, minutes))
    candidate = rng.binomial(total, shares)
    return Minutes(
        candidate=candidate,
        candidate_bad=rng.binomial(candidate, rate),
        incumbent=total - candidate,
        incumbent_bad=rng.binomial(total - candidate, base),
        baseline_bad=rng.binomial(candidate, base),
    )


def at_failure(failed: Bools, *, number: int) -> NDArray[np.int64]:
    """Return the minute of the n-th failed check, -1 if it never came."""
    reached = np.cumsum(failed, axis=1) >= number
    return np.where(reached.any(axis=1), reached.argmax(axis=1), -1)


def threshold_rule(limit: float, *, failures: int) -> Callable[[Minutes], NDArray[np.int64]]:
    """Argo Rollouts and Flagger: fail when this minute's rate of bad exceeds the limit so many times, ever."""

    def rule(world: Minutes) -> NDArray[np.int64]:
        measured = world.candidate > 0
        return at_failure(measured & (world.candidate_bad > limit * world.candidate), number=failures)

    return rule


def z_rule(world: Minutes) -> NDArray[np.int64]:
    """A one-sided z-test at 5 % on all counts so far, repeated each minute."""
    n_1, n_0 = np.cumsum(world.candidate, axis=1), np.cumsum(world.incumbent, axis=1)
    x_1, x_0 = np.cumsum(world.candidate_bad, axis=1), np.cumsum(world.incumbent_bad, axis=1)
    pooled = (x_1 + x_0) / np.maximum(n_1 + n_0, 1)
    scale = np.sqrt(np.maximum(pooled * (1 - pooled) * (1 / np.maximum(n_1, 1) + 1 / np.maximum(n_0, 1)), 1e-300))
    z = (x_1 / np.maximum(n_1, 1) - x_0 / np.maximum(n_0, 1)) / scale
    return at_failure((z > 1.645) & (n_1 > 0), number=1)


def kayenta_rule(*, every: int) -> Callable[[Minutes], NDArray[np.int64]]:
    """Kayenta: Mann-Whitney on the last 60 per-minute rates against an equal baseline, from 10 on.

    Fails when the 98 % interval of the shift lies above 25 % of the Hodges-Lehmann estimate, the judge's constants.
    """

    def rule(world: Minutes) -> NDArray[np.int64]:
        size = np.maximum(world.candidate, 1)
        candidate, baseline = world.candidate_bad / size, world.baseline_bad / size
        runs, minutes = candidate.shape
        out = np.full(runs, -1)
        for end in range(10, minutes + 1, every):
            window = slice(max(0, end - 60), end)
            a, b = candidate[:, window], baseline[:, window]
            n = a.shape[1]
            gaps = np.sort((a[:, :, None] - b[:, None, :]).reshape(runs, -1), axis=1)
            rank = max(0, int(n * n / 2 - 2.326 * sqrt(n * n * (2 * n + 1) / 12)))
            median = np.median(gaps, axis=1)
            high = gaps[:, rank] > 0.25 * np.abs(median)
            out[high & (out < 0)] = end - 1
        return out

    return rule


def rules(base: float, *, every: int) -> dict[str, Callable[[Minutes], NDArray[np.int64]]]:
    tight, loose = (0.02, 0.05) if base == 0.01 else (0.12, 0.15)
    return {
        f"Argo Rollouts, bad < {tight:.0%}, failureLimit 0": threshold_rule(tight, failures=1),
        f"Argo Rollouts, bad < {tight:.0%}, failureLimit 3": threshold_rule(tight, failures=4),
        f"Argo Rollouts, bad < {loose:.0%}, failureLimit 0": threshold_rule(loose, failures=1),
        f"Argo Rollouts, bad < {loose:.0%}, failureLimit 3": threshold_rule(loose, failures=4),
        f"Flagger, success >= {0.99 if base == 0.01 else 0.88:.0%}, 5 failures": threshold_rule(
            0.01 if base == 0.01 else 0.12, failures=5
        ),
        "Kayenta, Mann-Whitney, default judge": kayenta_rule(every=every),
        "z-test repeated each minute": z_rule,
    }


def ramp_legs(base: float, rate: float, *, rps: float, minutes_left: int, most_bad: int) -> list[Leg]:
    """Return RAMP in bad outcomes: as many as its minutes bring on average, cut where simulating would take too long."""
    legs, left = [], most_bad
    for weights, length in RAMP:
        minutes = min(length, minutes_left)
        minutes_left -= minutes
        share = weights[0] / sum(weights)
        bad = min(left, round(minutes * 60 * rps * (share * rate + (1 - share) * base)))
        left -= bad
        legs.append(Leg(weights, rate, base, bad))
    return [leg for leg in legs if leg.bad]


def common_rules(*, runs: int, most_bad: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Return, per rule and traffic, false rollbacks in 24 hours and what it costs to find bad candidates in 3."""
    results: list[dict[str, Any]] = []
    for base, bads in ((0.01, (0.02, 0.05, 0.2)), (0.1, (0.12, 0.2))):
        for rps in (5.0, 50.0, 500.0):
            healthy = simulate(base, base, rps=rps, minutes=1_440, runs=runs, rng=rng)
            worse = {rate: simulate(base, rate, rps=rps, minutes=180, runs=runs, rng=rng) for rate in bads}
            for (name, rule), (_, sooner) in zip(
                rules(base, every=10).items(), rules(base, every=5).items(), strict=True
            ):
                found = {rate: world.subjects_at(sooner(world)) for rate, world in worse.items()}
                results.append(
                    {
                        "rule": name,
                        "base": base,
                        "rps": rps,
                        "false rollbacks": float((rule(healthy) >= 0).mean()),
                        "found": {rate: summary(subjects) for rate, subjects in found.items()},
                    }
                )
            for alpha in ALPHAS:
                test = EventHarm(base)
                legs = ramp_legs(base, base, rps=rps, minutes_left=1_440, most_bad=most_bad)
                alarms = first_crossings(test, legs, alpha=alpha, runs=runs, rng=rng)
                results.append(
                    {
                        "rule": f"label e-process, alpha {alpha}, every event",
                        "base": base,
                        "rps": rps,
                        "false rollbacks": float(np.isfinite(alarms).mean()),
                        "bad outcomes looked at": sum(leg.bad for leg in legs),
                        "found": {
                            rate: summary(
                                first_crossings(
                                    test,
                                    ramp_legs(base, rate, rps=rps, minutes_left=180, most_bad=10**9),
                                    alpha=alpha,
                                    runs=runs,
                                    rng=rng,
                                )
                            )
                            for rate in bads
                        },
                    }
                )
    return results


def summary(subjects: Floats) -> dict[str, float | None]:
    """Return the share found and the median of candidate subjects, None if half were never found."""
    never = ~np.isfinite(subjects)
    middle = float(np.median(np.where(never, np.inf, subjects)))
    return {"share": float(1 - never.mean()), "median": None if middle == float("inf") else middle}


def healthy_worlds(*, runs: int, scale: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Return false rollbacks of a candidate that is not worse, looked at after every event, in worlds that mislead."""
    worlds: dict[str, tuple[float, list[Leg]]] = {
        "steady 1 %": (0.01, [Leg((1, 19), 0.01, 0.01, 8 * scale)]),
        "steady 10 %": (0.1, [Leg((1, 19), 0.1, 0.1, 8 * scale)]),
        "half and half": (0.01, [Leg((1, 1), 0.01, 0.01, 8 * scale)]),
        "base rises with the ramp": (
            0.01,
            [Leg((1, 19), 0.01, 0.01, scale), Leg((1, 3), 0.02, 0.02, 2 * scale), Leg((1, 1), 0.03, 0.03, 4 * scale)],
        ),
        "daily rhythm": (
            0.01,
            [Leg((1, 3), rate, rate, scale) for rate in (0.005, 0.01, 0.03, 0.05, 0.03, 0.01, 0.005, 0.002)],
        ),
        "shared outage": (
            0.01,
            [Leg((1, 3), 0.01, 0.01, scale), Leg((1, 3), 0.3, 0.3, 2 * scale), Leg((1, 3), 0.01, 0.01, 4 * scale)],
        ),
        "base rate told wrong": (0.2, [Leg((1, 3), 0.01, 0.01, 8 * scale)]),
        "better candidate": (0.1, [Leg((1, 3), 0.09, 0.1, 8 * scale)]),
    }
    results = []
    for name, (told, legs) in worlds.items():
        for alpha in ALPHAS:
            batches = [
                np.isfinite(first_crossings(EventHarm(told), legs, alpha=alpha, runs=runs // 10, rng=rng)).mean()
                for _ in range(10)
            ]
            results.append(
                {
                    "world": name,
                    "alpha": alpha,
                    "false rollbacks": float(np.mean(batches)),
                    "runs": runs,
                    "99% upper bound": upper_bound(round(float(np.mean(batches)) * runs), runs=runs),
                    "bad outcomes looked at": sum(leg.bad for leg in legs),
                }
            )
    return results


Ordered = tuple[NDArray[np.int64], Floats]
"""Per run the cell of each event (NOTHING where there was none) and the time at which it was counted, not yet in order."""

NOTHING = 4
"""The cell after those of `Table`: candidate good and bad, incumbent good and bad."""

SHARDS, MESSAGES = 8, 12
"""Sources, and messages of each. A message holds the totals so far, is late by a random time, and comes twice."""


def sticky_users(size: tuple[int, int], *, pi: float, rng: np.random.Generator) -> Ordered:
    """Users of very different luck make five requests on average; the first counts, and later on the first bad one."""
    prone = np.where(rng.random(size) < 0.02, 0.5, 0.005)
    last, bad = rng.geometric(0.2, size), rng.geometric(prone)
    offset = np.where(rng.random(size) < pi, 0, 2)
    start = rng.random(size)
    later = np.where((bad > 1) & (bad <= last), offset + 1, NOTHING)
    waited = start + 0.02 * rng.gamma(np.maximum(bad - 1, 1))
    return np.concatenate([offset + (bad == 1), later], axis=1), np.concatenate([start, waited], axis=1)


def late_outcomes(size: tuple[int, int], *, pi: float, rng: np.random.Generator) -> Ordered:
    """A bad outcome is known six times later than a good one, so that early rates are too good to be true."""
    bad = rng.random(size) < 0.03
    known = rng.random(size) + rng.exponential(np.where(bad, 0.3, 0.05))
    return np.where(rng.random(size) < pi, 0, 2) + bad, known


def sharded(size: tuple[int, int], *, pi: float, rng: np.random.Generator) -> Ordered:
    """Totals of several sources, late, out of order and twice: an event is counted with the first message that holds it.

    Merged by the shipped `Totals` for one run, to show that this order is the one in which they grow.
    """
    cells = np.where(rng.random(size) < pi, 0, 2) + (rng.random(size) < 0.03)
    source, sent = rng.integers(0, SHARDS, size), rng.integers(0, MESSAGES, size)
    arrived = np.arange(MESSAGES) + rng.exponential(3.0, (2, size[0], SHARDS, MESSAGES))
    held = np.minimum.accumulate(arrived.min(axis=0)[..., ::-1], axis=-1)[..., ::-1]
    counted = held[np.arange(size[0])[:, None], source, sent]
    totals, every = Totals[int](), sorted(np.ndindex(2, SHARDS, MESSAGES), key=lambda at: arrived[(at[0], 0, *at[1:])])
    for copy, shard, message in every:
        holds = cells[0, (source[0] == shard) & (sent[0] <= message)]
        totals.absorb(str(shard), epoch="1", counts=dict(enumerate(np.bincount(holds, minlength=4).tolist())))
        now = cells[0, counted[0] <= arrived[copy, 0, shard, message]]
        assert [totals.sum()[cell] for cell in range(4)] == np.bincount(now, minlength=4).tolist()
    return cells, counted


def event_worlds(*, runs: int, subjects: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Return false rollbacks where what is counted, and when, is not one outcome after the other."""
    weights = (1, 3)
    rows = np.array(EventHarm(0.02).bets(Fraction(weights[0], sum(weights))).rows)
    results = []
    for name, world in (("sticky users", sticky_users), ("late outcomes", late_outcomes), ("shards", sharded)):
        most = []
        for _ in range(runs // 50):
            cells, counted = world((50, subjects), pi=weights[0] / sum(weights), rng=rng)
            order = np.argsort(counted, axis=1)
            cells, counted = np.take_along_axis(cells, order, axis=1), np.take_along_axis(counted, order, axis=1)
            logs = [row[0] + np.cumsum(np.append(row[1:], 0.0)[cells], axis=1) for row in rows]
            wealth = np.logaddexp.reduce(logs, axis=0)
            # What came in one message is looked at when all of it has been counted.
            wealth[:, :-1][counted[:, 1:] == counted[:, :-1]] = -np.inf
            most.append(wealth.max(axis=1))
        for alpha in ALPHAS:
            found = int((np.concatenate(most) >= log(1 / alpha)).sum())
            results.append(
                {
                    "world": name,
                    "alpha": alpha,
                    "false rollbacks": found / runs,
                    "runs": runs,
                    "99% upper bound": upper_bound(found, runs=runs),
                    "subjects": subjects,
                }
            )
    return results


def upper_bound(found: int, *, runs: int) -> float:
    """Return the rate above which so few would be found with a chance of less than 1 % (Clopper and Pearson)."""
    low, high = found / runs, 1.0
    for _ in range(50):
        rate = (low + high) / 2
        terms = [lgamma(runs + 1) - lgamma(k + 1) - lgamma(runs - k + 1) + k * log(rate) for k in range(found + 1)]
        tail = sum(exp(term + (runs - k) * log1p(-rate)) for k, term in enumerate(terms)) if rate < 1 else 0.0
        low, high = (rate, high) if tail > 0.01 else (low, rate)
    return high


def geometric(values: Sequence[float]) -> float:
    return exp(sum(map(log, values)) / len(values))


def show_power(results: Sequence[dict[str, float]]) -> None:
    print("Mean candidate subjects to detection, and over the limit of any test")
    print(f"{'base':>6} {'bad':>6} {'share':>6}" + "".join(f" | {'alpha ' + str(alpha):>24}" for alpha in ALPHAS))
    grid = {(r["base"], r["candidate"], r["share"], r["alpha"]): r for r in results}
    for base, rate in EFFECTS:
        for weights in SHARES:
            share = weights[0] / sum(weights)
            cells = [grid[base, rate, share, alpha] for alpha in ALPHAS]
            line = "".join(f" | {c['mean']:>9,.0f} {c['ratio']:>6.2f} +-{c['error']:.2f}" for c in cells)
            print(f"{base:>6.0%} {rate:>6.1%} {share:>6.0%}{line}")
    for alpha in ALPHAS:
        ratios = [r["ratio"] for r in results if r["alpha"] == alpha]
        print(
            f"alpha {alpha}: geometric mean {geometric(ratios):.3f} (goal {GOALS[alpha]}), "
            f"worst {max(ratios):.2f} (goal {WORST})"
        )


def show_healthy(results: Sequence[dict[str, Any]]) -> None:
    print("\nFalse rollbacks of a candidate that is not worse, looked at after every event")
    for r in results:
        print(
            f"  {r['world']:<28} alpha {r['alpha']:<5} {r['false rollbacks']:.4f}  (99 % sure: below {r['99% upper bound']:.4f})"
        )


def show_rules(results: Sequence[dict[str, Any]]) -> None:
    print(
        "\nRules in common use: false rollbacks in 24 h, and per bad rate: share found in 3 h, median candidate subjects"
    )
    previous = None
    for r in results:
        if (r["base"], r["rps"]) != previous:
            previous = (r["base"], r["rps"])
            print(f"  base {r['base']:.0%}, {r['rps']:.0f} requests a second")
        found = "  ".join(
            f"{rate:.0%}: {f['share']:.2f} / {'never' if f['median'] is None else format(f['median'], ',.0f')}"
            for rate, f in r["found"].items()
        )
        # The simulation of ours ends early where 24 hours bring more bad outcomes than it can draw in reasonable time.
        looks = f"   (first {r['bad outcomes looked at']:,} bad outcomes)" if "bad outcomes looked at" in r else ""
        print(f"    {r['rule']:<46} {r['false rollbacks']:>6.3f}   {found}{looks}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer runs: figures with more noise")
    parser.add_argument("--json", action="store_true", help="figures for machines")
    parser.add_argument("--only", choices=["power", "healthy", "rules"], help="one part of three")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    start = perf_counter()
    figures: dict[str, Any] = {"seed": options.seed}
    parts = [options.only] if options.only else ["power", "healthy", "rules"]
    for part in parts:
        # A generator each, so that a part alone gives the same figures.
        rng = np.random.default_rng(options.seed)
        match part:
            case "power":
                figures[part] = power(runs=100 if options.quick else 1_000, rng=rng)
                for alpha in ALPHAS:
                    ratios = [r["ratio"] for r in figures[part] if r["alpha"] == alpha]
                    figures[f"geometric mean at {alpha}"] = geometric(ratios)
                    figures[f"worst at {alpha}"] = max(ratios)
                shown = show_power
            case "healthy":
                runs, scale = (500, 100) if options.quick else (10_000, 100)
                figures[part] = healthy_worlds(runs=runs, scale=scale, rng=rng)
                figures[part] += event_worlds(runs=runs, subjects=3_000, rng=rng)
                shown = show_healthy
            case _:
                runs, most_bad = (60, 3_000) if options.quick else (200, 20_000)
                figures[part] = common_rules(runs=runs, most_bad=most_bad, rng=rng)
                shown = show_rules
        if not options.json:
            shown(figures[part])
    figures["seconds"] = perf_counter() - start
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        print(f"\n{figures['seconds']:.0f} s, seed {options.seed}")


if __name__ == "__main__":
    main()
