"""How close the shipped tests of harm come to the limit, what strata gain on real flights, and whether alpha holds in hostile worlds.

Run with ``python benchmarks/limit.py [--quick] [--json] [--only PART]``; parts are power, healthy, digits and (with
``--folder``, where the demo's models are trained once) flights. Tests and stakes are what `freeze` puts into a
plan. Power is computed without chance: under one coin the state of a bet on bad outcomes is two integers. False
rollbacks are simulated, looked at after every outcome.
It is longer than most files, so that before and now are judged in the same worlds.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import log
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

import detect
from glideslope.domain.stakes import Stakes, staked_harm, stakes_of
from glideslope.domain.traffic import Weights
from glideslope.stats.credit import MOST_BAD, RATIOS, SHARES, StakedHarm
from glideslope.stats.label import EventHarm, EventHarmBeyond
from glideslope.stats.planning import information
from glideslope.stats.score import ScoreHarm
from glideslope.stats.strata import OddsHarm, Stratified
from paths import Asked, firsts, shipped_first
from paths import Course as Followed

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

ALPHAS = (0.05, 0.01)
PART = 500
"""Runs that are drawn at once."""
CHECKED = range(2)
"""Of these, the runs that the shipped code is asked about too, after every outcome."""
GOALS = {0.05: 1.30, 0.01: 1.20}


def staked(base: float, weights: tuple[int, int], *, alphas: Sequence[float] = ALPHAS) -> Stakes:
    """Return what `freeze` stakes on an event of this rate when the first step has this coin."""
    return stakes_of(base, coin=Weights(*weights, 0), alphas=alphas, stratified=False)


@dataclass(frozen=True, slots=True)
class Course:
    """Of bets on bad outcomes under one coin: per number of bad outcomes the chance to cross with the last of them."""

    crossed: Floats
    left: float

    @property
    def mean(self) -> float:
        """Bad outcomes (of either arm) until the crossing, on average; those left count as if found at the end."""
        n = np.arange(1, len(self.crossed) + 1)
        return float((n * self.crossed).sum() + self.left * len(self.crossed))


def course(rows: Floats, credit: Floats | None, *, chance: float, alpha: float, most: int) -> Course:
    """Follow the bets until all but one in ten thousand have crossed.

    `rows` holds per alternative the logarithms of its stake and of its factors for a bad outcome of either arm; `credit` those of
    the stakes that count for the first MOST_BAD. `chance` is that of a bad outcome being the candidate's.
    """
    plain, ups, downs = rows[:, 0], rows[:, 1], rows[:, 2]
    line = log(1 / alpha)
    alive = np.zeros(most + 2)
    alive[0] = 1.0
    low, top, edge = 0, 0, 1
    crossed = np.zeros(most)
    for n in range(1, most + 1):
        moved = alive[low : top + 2] * (1 - chance)
        moved[1:] += alive[low : top + 1] * chance
        alive[low : top + 2] = moved
        top += 1
        start = credit if credit is not None and n <= MOST_BAD else plain
        if credit is not None and n == MOST_BAD + 1:
            edge = max(1, edge - 5)
        while edge <= n and np.logaddexp.reduce(start + ups * edge + downs * (n - edge)) < line:
            edge += 1
        if edge <= top:
            crossed[n - 1] = alive[edge : top + 1].sum()
            alive[edge : top + 1] = 0.0
            top = edge - 1
        while low < top and alive[low] < 1e-15:
            low += 1
        if alive[low : top + 1].sum() < 1e-4:
            return Course(crossed[:n], float(alive[low : top + 1].sum()))
    return Course(crossed, float(alive[low : top + 1].sum()))


def rows_of(test: EventHarm | EventHarmBeyond | StakedHarm, weights: tuple[int, int]) -> Floats:
    """Return per alternative the logarithms of its stake and of its factors for the candidate's bad and the other's."""
    return np.array(test.bets(Fraction(weights[0], sum(weights))).rows)[:, [0, 2, 4]]


def now_course(weights: tuple[int, int], *, base: float, rate: float, alpha: float, most: int = 15_000) -> Course:
    """Return the course of the shipped bets on a rare event."""
    stakes = staked(base, weights, alphas=(alpha,))
    pi = weights[0] / sum(weights)
    return course(
        rows_of(StakedHarm(stakes.ratios, stakes.stakes), weights),
        np.log(stakes.credits[0].stakes),
        chance=pi * rate / (pi * rate + (1 - pi) * base),
        alpha=alpha,
        most=most,
    )


def power(*, runs: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Return mean candidate subjects to detection over the limit, 18 settings at two alphas."""
    results = []
    for alpha in ALPHAS:
        for base, rate in detect.EFFECTS:
            for weights in detect.SHARES:
                pi = weights[0] / sum(weights)
                limit = log(1 / alpha) / information(base, candidate_rate=rate, pi=pi)
                stakes = staked(base, weights, alphas=())
                if stakes.goods:
                    test = EventHarm(base, ratios=stakes.ratios, prior=stakes.stakes)
                    leg = [detect.Leg(weights, rate, base, 10**9)]
                    found = detect.first_crossings(test, leg, alpha=alpha, runs=runs, rng=rng)
                    mean, error = float(found.mean()), float(found.std() / runs**0.5)
                else:
                    bad = pi * rate + (1 - pi) * base
                    # Wald: each bad outcome stands for as many candidate subjects, on average.
                    mean = now_course(weights, base=base, rate=rate, alpha=alpha).mean * pi / bad
                    error = 0.0
                results.append(
                    {
                        "alpha": alpha,
                        "base": base,
                        "candidate": rate,
                        "share": pi,
                        "limit": limit,
                        "ratio": mean / limit,
                        "error": error / limit,
                    }
                )
    return results


def show_power(results: Sequence[dict[str, Any]]) -> None:
    print(
        "Mean candidate subjects to detection over the limit of any test (plans without stakes: `detect.py --only power`)"
    )
    for r in results:
        print(
            f"  alpha {r['alpha']:<5} {r['base']:>4.0%} -> {r['candidate']:>5.1%}, share {r['share']:>4.0%}: limit {r['limit']:>9,.1f}"
            f"   ratio {r['ratio']:.3f} +-{r['error']:.3f}"
        )
    for alpha in ALPHAS:
        mine = [r for r in results if r["alpha"] == alpha]
        rare, often = (detect.geometric([r["ratio"] for r in mine if r["base"] == base]) for base in (0.01, 0.1))
        print(
            f"alpha {alpha}: geometric mean {detect.geometric([r['ratio'] for r in mine]):.3f} (goal {GOALS[alpha]}), "
            f"of rare events {rare:.3f}, of frequent ones {often:.3f}, worst {max(r['ratio'] for r in mine):.2f}"
        )


@dataclass(frozen=True, slots=True)
class Bads:
    """Bad outcomes in the order in which they are counted: whose, and under which coin (-1: there was none)."""

    candidate: Bools
    coin: Ints


Weighted = Sequence[tuple[int, int]]


def alarms(found: Bads, coins: Weighted, stakes: Stakes, *, check: bool) -> dict[float, Bools]:
    """Return, per alpha that the stakes have credit for, which runs ever cross, looked at after every bad outcome.

    With `check`, the first few are looked at by the shipped code too.
    """
    course = Followed.of(StakedHarm(stakes.ratios, stakes.stakes), coins)
    nothing = course.nothing
    cells = np.where(found.coin < 0, nothing, 4 * found.coin + np.where(found.candidate, 1, 3))
    first = (np.cumsum(found.coin > 0, axis=1) == 0) & (np.cumsum(found.coin >= 0, axis=1) <= MOST_BAD)
    upto = int(first.any(axis=0).sum())
    early = np.where(first[:, :upto], cells[:, :upto], nothing)
    result_of = {}
    for each in stakes.credits:
        at_first = firsts(course, early, alpha=each.alpha, stakes=np.array(each.stakes))
        later = firsts(course, cells, alpha=each.alpha)
        # What is credited is never less than the plain wealth, so this is the earlier of the two.
        result_of[each.alpha] = (at_first >= 0) | (later >= 0)
        for run in CHECKED if check else ():
            mine = np.where(at_first >= 0, at_first, later)[run]
            theirs = shipped_first(
                lambda tables, alpha=each.alpha: staked_harm(stakes, base_rate=0.01, alpha=alpha, tables=tables),
                cells[run].tolist(),
                coins,
                bins=2,
                alpha=each.alpha,
            )
            assert mine == theirs, (run, mine, theirs)
    return result_of


def tossed(legs: Sequence[tuple[float, int]], *, runs: int, rng: np.random.Generator) -> Bads:
    """Return legs of so many bad outcomes each, of which the candidate's have this chance; each leg has its own coin."""
    coin = np.concatenate([np.full((runs, number), k) for k, (_, number) in enumerate(legs)], axis=1)
    chance = np.array([pi for pi, _ in legs])[coin]
    return Bads(rng.random(coin.shape) < chance, coin)


def hasty(legs: Sequence[tuple[float, int]], stakes: Stakes, *, runs: int, rng: np.random.Generator) -> Bads:
    """A ramp that goes on, to the next coin, the moment it looks worst: when the first coin's wealth passes a third of the line."""
    found = tossed([(legs[0][0], legs[0][1])], runs=runs, rng=rng)
    rows = rows_of(StakedHarm(stakes.ratios, stakes.stakes), (1, 4))
    logs = [r[0] + np.cumsum(np.where(found.candidate, r[1], r[2]), axis=1) for r in rows]
    gone = np.maximum.accumulate(np.logaddexp.reduce(logs, axis=0) > log(1 / (3 * ALPHAS[0])), axis=1)
    later = np.zeros_like(gone)
    later[:, 1:] = gone[:, :-1]
    candidate = np.where(later, rng.random(later.shape) < legs[1][0], found.candidate)
    return Bads(candidate, later.astype(np.int64))


def in_turns(weights: tuple[int, int], rate: float, *, bads: int, runs: int, rng: np.random.Generator) -> Bads:
    """Every so-manieth request goes to the candidate, without a coin."""
    at = np.cumsum(rng.geometric(rate, (runs, bads)), axis=1) + rng.integers(0, sum(weights), (runs, 1))
    return Bads(at % sum(weights) < weights[0], np.zeros((runs, bads), dtype=np.int64))


def interleaved(*, bads: int, runs: int, rng: np.random.Generator) -> Bads:
    """A ramp whose outcomes come late: those of the first coin are counted among those of the second."""
    coin = (np.arange(bads) >= bads // 3).astype(np.int64)
    known = np.arange(bads) + rng.exponential(bads / 5, (runs, bads))
    coin = np.broadcast_to(coin, (runs, bads))[np.arange(runs)[:, None], np.argsort(known, axis=1)]
    return Bads(rng.random((runs, bads)) < np.where(coin == 0, 0.2, 0.5), coin)


def counted_from(
    world: Callable[..., detect.Ordered], weights: tuple[int, int], *, runs: int, rng: np.random.Generator
) -> Bads:
    """Take the bad outcomes out of a world of `detect`, in the order in which they are counted."""
    parts = []
    for _ in range(max(1, runs // 50)):
        cells, counted = world((50, 8_000), pi=weights[0] / sum(weights), rng=rng)
        run, at = np.nonzero((cells == 1) | (cells == 3))
        order = np.lexsort((counted[run, at], run))
        run, at = run[order], at[order]
        place = np.arange(len(run)) - np.searchsorted(run, run)
        bads = np.full((50, 700), -1)
        bads[run[place < 700], place[place < 700]] = cells[run, at][place < 700]
        parts.append(bads)
    cells = np.concatenate(parts)
    return Bads(cells == 1, np.where(cells >= 0, 0, -1))


def many_slices(*, runs: int, rng: np.random.Generator, check: bool) -> list[dict[str, Any]]:
    """One metric on the whole and on 200 slices, which share its alpha, each looked at after every bad outcome of its own."""
    found = dict.fromkeys(ALPHAS, 0)
    parts = {alpha: staked(0.01, (1, 4), alphas=(alpha / 2 / 200,)) for alpha in ALPHAS}
    wholes = {alpha: staked(0.01, (1, 4), alphas=(alpha / 2,)) for alpha in ALPHAS}
    for _ in range(runs // 100):
        bads = tossed([(0.2, 40)], runs=100 * 200, rng=rng)
        merged = Bads(bads.candidate.reshape(100, -1), bads.coin.reshape(100, -1))
        for alpha in ALPHAS:
            (of_parts,) = alarms(bads, [(1, 4)], parts[alpha], check=check).values()
            (of_whole,) = alarms(merged, [(1, 4)], wholes[alpha], check=check).values()
            found[alpha] += int((of_parts.reshape(100, 200).any(axis=1) | of_whole).sum())
    return [
        result("200 slices and the whole", alpha, found[alpha], runs=runs // 100 * 100, looks=8_000) for alpha in ALPHAS
    ]


def within_strata(*, subjects: int, runs: int, rng: np.random.Generator, check: bool) -> list[dict[str, Any]]:
    """Three strata of very different rates that drift, whose usual rates the plan has wrong."""
    usual = (0.03, 0.3, 0.5)
    test = Stratified(tuple(OddsHarm(rate, RATIOS, SHARES) for rate in usual))
    drift = 1 + 0.5 * np.sin(np.linspace(0, 20, subjects))

    def draw(size: tuple[int, int]) -> Ints:
        stratum = rng.integers(0, 3, size)
        bad = rng.random(size) < np.array([0.05, 0.2, 0.6])[stratum] * drift
        return np.asarray(2 * stratum + bad + 6 * (rng.random(size) >= 0.2))

    return looked_at("strata that drift, told wrong", test, [(1, 4)], draw, subjects=subjects, runs=runs, check=check)


def with_goods(
    name: str,
    told: float,
    rates: Sequence[float],
    *,
    bads: int,
    runs: int,
    rng: np.random.Generator,
    check: bool,
) -> list[dict[str, Any]]:
    """An event that is bet on by its good outcomes too, whose rate goes through these: so many bad ones each, on average."""
    course = np.concatenate([np.full(round(bads / len(rates) / rate), rate) for rate in rates])

    def draw(size: tuple[int, int]) -> Ints:
        return np.asarray((rng.random(size) < course) + 2 * (rng.random(size) >= 0.2))

    stakes = staked(told, (1, 4))
    test = EventHarm(told, ratios=stakes.ratios, prior=stakes.stakes)
    return looked_at(name, test, [(1, 4)], draw, subjects=len(course), runs=runs, check=check)


def looked_at(
    name: str,
    test: Asked,
    coins: Weighted,
    draw: Callable[[tuple[int, int]], Ints],
    *,
    subjects: int,
    runs: int,
    check: bool,
) -> list[dict[str, Any]]:
    """Return how often a test is ever crossed where subjects are drawn so, at every one; the first few by the shipped code."""
    course = Followed.of(test, coins)
    cells = draw((runs, subjects))
    found = {}
    for alpha in ALPHAS:
        at = firsts(course, cells, alpha=alpha)
        found[alpha] = int((at >= 0).sum())
        for run in CHECKED if check else ():
            theirs = shipped_first(lambda _: test, cells[run].tolist(), coins, bins=test.bins, alpha=alpha)
            assert at[run] == theirs, (name, run, at[run], theirs)
    return [result(name, alpha, found[alpha], runs=runs, looks=subjects) for alpha in ALPHAS]


def result(world: str, alpha: float, found: int, *, runs: int, looks: int) -> dict[str, Any]:
    return {"world": world, "alpha": alpha, "found": found, "runs": runs, "looks": looks}


def bounded(row: dict[str, Any]) -> dict[str, Any]:
    found, runs = row["found"], row["runs"]
    return row | {
        "false rollbacks": found / runs,
        "99% lower bound": 1 - detect.upper_bound(runs - found, runs=runs) if found else 0.0,
        "99% upper bound": detect.upper_bound(found, runs=runs),
    }


def healthy(*, runs: int, bads: int, rng: np.random.Generator, into: Path | None) -> list[dict[str, Any]]:
    """Go through all worlds until there are so many runs of each; what is found so far is written down each time."""
    total: dict[tuple[str, float], dict[str, Any]] = {}
    done = 0
    while done < runs:
        part = min(PART, runs - done)
        for row in healthy_part(runs=part, bads=bads, rng=rng, check=not done):
            known = total.setdefault((row["world"], row["alpha"]), row | {"found": 0, "runs": 0})
            known["found"] += row["found"]
            known["runs"] += row["runs"]
        done += part
        if into is not None:
            into.write_text(json.dumps([bounded(row) for row in total.values()], indent=1))
    return [bounded(row) for row in total.values()]


def healthy_part(*, runs: int, bads: int, rng: np.random.Generator, check: bool) -> list[dict[str, Any]]:
    """Return false rollbacks of a candidate that is not worse, in worlds that mislead, looked at after every outcome."""
    ramp: Weighted = [(1, 4), (1, 1)]
    stakes = staked(0.01, (1, 4))
    small = staked(0.01, (1, 19))
    worlds: list[tuple[str, Weighted, Stakes, Callable[[int], Bads]]] = [
        ("steady, 5 %", [(1, 19)], small, lambda n: tossed([(0.05, bads)], runs=n, rng=rng)),
        ("steady, half and half", [(1, 1)], staked(0.01, (1, 1)), lambda n: tossed([(0.5, bads)], runs=n, rng=rng)),
        (
            "ramp of three coins, base rising",
            [(1, 19), (1, 3), (1, 1)],
            small,
            lambda n: tossed([(0.05, bads // 40), (0.25, bads // 8), (0.5, bads // 2)], runs=n, rng=rng),
        ),
        (
            "ramp that goes on when it looks worst",
            ramp,
            stakes,
            lambda n: hasty([(0.2, bads // 4), (0.5, 0)], stakes, runs=n, rng=rng),
        ),
        ("ramp with late outcomes, interleaved", ramp, stakes, lambda n: interleaved(bads=bads // 4, runs=n, rng=rng)),
        ("better candidate", ramp[:1], stakes, lambda n: tossed([(0.19, bads)], runs=n, rng=rng)),
        ("requests in turns, no coin", [(1, 19)], small, lambda n: in_turns((1, 19), 0.01, bads=bads, runs=n, rng=rng)),
        ("retries, tossed again", ramp[:1], stakes, lambda n: retried(bads, runs=n, rng=rng)),
        ("sticky users", [(1, 4)], stakes, lambda n: counted_from(detect.sticky_users, (1, 4), runs=n, rng=rng)),
        ("late outcomes", [(1, 4)], stakes, lambda n: counted_from(detect.late_outcomes, (1, 4), runs=n, rng=rng)),
        (
            "shards, reordered and twice",
            [(1, 4)],
            stakes,
            lambda n: counted_from(detect.sharded, (1, 4), runs=n, rng=rng),
        ),
    ]
    results = []
    for name, coins, each, world in worlds:
        drawn = world(runs)
        for alpha, which in alarms(drawn, coins, each, check=check).items():
            results.append(result(name, alpha, int(which.sum()), runs=len(drawn.coin), looks=drawn.coin.shape[1]))
    for name, told, rates in (
        ("10 %, good outcomes too", 0.1, (0.1,)),
        ("daily rhythm, good outcomes too", 0.1, (0.05, 0.1, 0.3, 0.5, 0.3, 0.1, 0.05, 0.02)),
        ("shared outage, good outcomes too", 0.06, (0.06, 0.6, 0.06)),
    ):
        results += with_goods(name, told, rates, bads=bads // 4, runs=runs, rng=rng, check=check)
    results += within_strata(subjects=3_000, runs=runs, rng=rng, check=check)
    results += many_slices(runs=runs, rng=rng, check=check)
    return results


def retried(bads: int, *, runs: int, rng: np.random.Generator) -> Bads:
    """A request that fails is asked again up to twice, and tossed again: bursts of bad outcomes, each under its own coin."""
    return tossed([(0.2, bads)], runs=runs, rng=rng)


def show_healthy(results: Sequence[dict[str, Any]]) -> None:
    print(
        "\nFalse rollbacks of a candidate that is not worse, looked at after every outcome (shown: 99 % sure to be below alpha)"
    )
    for r in results:
        print(
            f"  {r['world']:<38} alpha {r['alpha']:<5} {r['false rollbacks']:.4f}  (99 % sure: below {r['99% upper bound']:.4f})"
            f"  {'BROKEN' if r['99% lower bound'] > r['alpha'] else 'shown' if r['99% upper bound'] <= r['alpha'] else ''}"
        )


def flights(folder: Path, *, salts: int) -> list[dict[str, Any]]:
    """Return what strata gain on the demo's flights: v3 against v1 in December, which nobody injected a fault into.

    A stratum is a fifth of v1's own probability of being late: one fixed scorer on the same input, whoever answers. What is
    usual in each is what v1 shows in October and November, before the comparison. v1 against itself is the healthy pair.
    """
    import xxhash

    from flights_study import world_of

    world, probability = world_of(folder)
    late = world.flights.late.astype(float)
    before = world.flights.months(10, 11)
    month = np.flatnonzero(world.flights.months(12, 12))
    subjects = [world.flights.subject(int(i)) for i in month]
    score = probability["v1"]
    edges = np.quantile(score[before], [0.2, 0.4, 0.6, 0.8])
    stratum = np.searchsorted(edges, score)
    results = []
    for metric, loss in (("wrong", wrong), ("log loss", capped_log_loss)):
        old = loss(probability["v1"], late)
        usual = [float(old[before & (stratum == k)].mean()) for k in range(5)]
        whole = float(old[before].mean())
        explained = 1 - np.mean([np.var(old[before & (stratum == k)]) for k in range(5)]) / np.var(old[before])
        for name, candidate in (("v3", "v3"), ("v1 itself", "v1")):
            new = loss(probability[candidate], late)
            took: dict[str, list[float]] = {"whole": [], "strata": []}
            for salt in range(salts):
                toss = np.array([xxhash.xxh64_intdigest(f"{salt}:{subject}".encode()) % 4 for subject in subjects])
                mine = np.where(toss == 0, new[month], old[month])
                for how, found in (
                    ("whole", first_crossing(metric, mine, toss != 0, np.zeros(len(month), dtype=int), [whole])),
                    ("strata", first_crossing(metric, mine, toss != 0, stratum[month], usual)),
                ):
                    took[how].append(float((toss[: found + 1] == 0).sum()) if found >= 0 else np.inf)
            results.append(
                {
                    "metric": metric,
                    "candidate": name,
                    "explained": float(explained),
                    "usual": usual,
                    "salts": salts,
                    **{f"{how} found": float(np.isfinite(each).mean()) for how, each in took.items()},
                    **{f"{how} median": float(np.median(each)) for how, each in took.items()},
                }
            )
    return results


def digits(*, runs: int, requests: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Return what strata gain on handwritten digits (scikit-learn's): a candidate that learned from fewer of them.

    A stratum is how sure a third, fixed model is of the same picture; it serves nobody. Requests are drawn from pictures that no
    model has learned from and that no usual rate was taken from.
    """
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression

    pictures, truth = load_digits(return_X_y=True)
    order = np.random.default_rng(1).permutation(len(truth))
    pictures, truth = pictures[order] / 16, truth[order]

    def learned(rows: slice) -> Any:  # noqa: ANN401 - scikit-learn has no types
        return LogisticRegression(max_iter=300).fit(pictures[rows], truth[rows])

    incumbent, candidate, scorer = learned(slice(80)), learned(slice(55)), learned(slice(80, 300))
    usual_rows, fresh = slice(300, 900), np.arange(900, len(truth))
    sure = scorer.predict_proba(pictures).max(axis=1)
    stratum = np.searchsorted(np.quantile(sure[usual_rows], [0.08, 0.16, 0.25, 0.4, 0.6]), sure)
    old, new = ((model.predict(pictures) != truth).astype(float) for model in (incumbent, candidate))
    seen = stratum[usual_rows]
    usual = [float((old[usual_rows][seen == k].sum() + 0.5) / ((seen == k).sum() + 1)) for k in range(6)]
    whole = float(old[usual_rows].mean())
    results = []
    for name, losses in (("learned from fewer", new), ("the incumbent itself", old)):
        took: dict[str, list[float]] = {"whole": [], "strata": []}
        for _ in range(runs):
            drawn = rng.choice(fresh, requests)
            other = rng.random(requests) >= 0.25
            loss = np.where(other, old[drawn], losses[drawn])
            for how, found in (
                ("whole", first_crossing("wrong", loss, other, np.zeros(requests, dtype=int), [whole])),
                ("strata", first_crossing("wrong", loss, other, stratum[drawn], usual)),
            ):
                took[how].append(float((~other[: found + 1]).sum()) if found >= 0 else np.inf)
        results.append(
            {
                "metric": "wrong",
                "candidate": name,
                "rates": [float(old[fresh].mean()), float(losses[fresh].mean())],
                "explained": 1 - float(np.mean([usual[k] * (1 - usual[k]) for k in seen])) / (whole * (1 - whole)),
                **{f"{how} found": float(np.isfinite(each).mean()) for how, each in took.items()},
                **{f"{how} median": float(np.median(each)) for how, each in took.items()},
            }
        )
    return results


def wrong(probability: Floats, late: Floats) -> Floats:
    return ((probability >= 0.5) != (late > 0)).astype(float)


def capped_log_loss(probability: Floats, late: Floats) -> Floats:
    return np.minimum(2.5, -np.log(np.where(late > 0, probability, 1 - probability)))


def first_crossing(metric: str, loss: Floats, other: Bools, stratum: Ints, usual: Sequence[float]) -> int:
    """Return at which flight the wealth first reaches 1/0.01, -1 if never: the shipped test, looked at after every landing."""
    if metric == "wrong":
        parts: list[Any] = (
            [EventHarm(usual[0], ratios=RATIOS, prior=SHARES)]
            if len(usual) == 1
            else [OddsHarm(rate, RATIOS, SHARES) for rate in usual]
        )
        bins, cell = 2, (loss > 0).astype(int)
    else:
        values = tuple(2.5 * (k + 0.5) / 32 for k in range(32))
        parts = [ScoreHarm(values, centre=round(centre, 6)) for centre in usual]
        bins, cell = 32, np.minimum(31, (loss * 32 / 2.5).astype(int))
    test = Stratified(tuple(parts))
    rows = np.array(test.bets(Fraction(1, 4)).rows)
    at = stratum * bins + cell + other * bins * len(parts)
    logs = [row[0] + np.cumsum(row[1:][at]) for row in rows]
    over = np.logaddexp.reduce(logs, axis=0) >= log(100)
    return int(over.argmax()) if over.any() else -1


def show_real(results: Sequence[dict[str, Any]]) -> None:
    print("\nReal data, a quarter to the candidate, alpha 0.01: candidate subjects until harm is found (median)")
    for r in results:
        sides = "   ".join(
            f"{how} {r[f'{how} median']:>8,.0f} ({r[f'{how} found']:.2f} found)" for how in ("whole", "strata")
        )
        print(f"  {r['metric']:<9} {r['candidate']:<20} explained {r['explained']:.2f}   {sides}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer runs: figures with more noise")
    parser.add_argument("--json", action="store_true", help="figures for machines")
    parser.add_argument("--only", choices=["power", "healthy", "digits", "flights"], help="one part")
    parser.add_argument("--folder", type=Path, help="where the demo's models are trained once; without it no flights")
    parser.add_argument("--runs", type=int, default=10_000, help="rollouts in each healthy world")
    parser.add_argument("--into", type=Path, help="where what is found in healthy worlds so far is kept")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    start = perf_counter()
    figures: dict[str, Any] = {"seed": options.seed}
    usual = ["power", "healthy", "digits", *(["flights"] if options.folder else [])]
    for part in [options.only] if options.only else usual:
        rng = np.random.default_rng(options.seed)
        match part:
            case "power":
                figures[part] = power(runs=100 if options.quick else 1_000, rng=rng)
                shown = show_power
            case "digits":
                figures[part] = digits(runs=10 if options.quick else 100, requests=24_000, rng=rng)
                shown = show_real
            case "flights":
                if options.folder is None:
                    parser.error("flights need a --folder")
                figures[part] = flights(options.folder, salts=4 if options.quick else 40)
                shown = show_real
            case _:
                runs, bads = (200, 800) if options.quick else (options.runs, 2_000)
                figures[part] = healthy(runs=runs, bads=bads, rng=rng, into=options.into)
                shown = show_healthy
        if not options.json:
            shown(figures[part])
    figures["seconds"] = perf_counter() - start
    print(json.dumps(figures, indent=2) if options.json else f"\n{figures['seconds']:.0f} s, seed {options.seed}")


if __name__ == "__main__":
    main()
