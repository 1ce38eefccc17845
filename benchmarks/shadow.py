"""What pairs in the shadow need to find a worse candidate, beside any canary at 5 %; how often they cry wolf; what they cost.

Run with ``python benchmarks/shadow.py [--quick] [--json]``. An accuracy of 0.90 falls to 0.88. *b* and *c* are the shares of
requests on which the candidate alone and the incumbent alone is wrong. The canary's column is a limit of information that no
test without knowledge of the base rate beats on average (Wald), so the gains are conservative; beside it our own test.
Shadow requests are pairs; a canary's are all requests of which 5 % reach the candidate. Seeded.
"""

import argparse
import asyncio
import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import log
from time import process_time

import numpy as np
from numpy.typing import NDArray

from glideslope.domain.ids import WHOLE, ModelName
from glideslope.domain.pair_tests import harm_tests, proof_tests
from glideslope.domain.pairs import Half, Halves, PairKind, PairLimit
from glideslope.domain.receipt import SCORE_LEVELS
from glideslope.domain.traffic import Arm
from glideslope.engine.pair_desk import MOST_WAITING
from glideslope.stats.label import EventHarm
from glideslope.stats.paired import PairedHarm
from glideslope.stats.wealth import TallyTest
from glideslope.testing.traffic import SOUND
from glideslope.testing.world import SHADOW, STAGES, World, draft

Floats = NDArray[np.float64]

ALPHA = 0.05
DROPS = ((0.025, 0.005), (0.04, 0.02), (0.07, 0.05), (0.105, 0.005), (0.12, 0.02), (0.15, 0.05))
"""b and c: the first three are two points of accuracy, the others ten."""
SHARE = 0.05
RIGHT = 0.90


def crossings(
    test: TallyTest, chances: Sequence[float], *, alpha: float, runs: int, most: int, rng: np.random.Generator
) -> Floats:
    """Return after how many pairs each run crosses 1/alpha, looking after each; infinity where it never does."""
    bets = test.bets()
    logs = np.array([[float(v) for v in row] for row in bets.weights])  # alternatives x bins
    prior = np.array([float(row[0]) for row in bets.rows])
    line, chunk = log(1 / alpha), 500
    scores = np.tile(prior, (runs, 1))
    found = np.full(runs, np.inf)
    active = np.arange(runs)
    for start in range(0, most, chunk):
        drawn = rng.choice(len(chances), size=(len(active), chunk), p=chances)
        paths = scores[active][:, :, None] + np.cumsum(logs[:, drawn].transpose(1, 0, 2), axis=2)
        hits = np.logaddexp.reduce(paths, axis=1) >= line
        crossed = hits.any(axis=1)
        found[active[crossed]] = start + hits[crossed].argmax(axis=1) + 1
        scores[active] = paths[:, :, -1]
        active = active[~crossed]
        if not len(active):
            break
    return found


def mcnemar_each(b: float, c: float, *, every: int, runs: int, most: int, rng: np.random.Generator) -> float:
    """Return how often a one-sided McNemar test at 5 %, repeated every so many pairs, fires: the textbook, looked at often."""
    looks = most // every
    ours = np.cumsum(rng.binomial(every, b, size=(runs, looks)), axis=1)
    theirs = np.cumsum(rng.binomial(every, c, size=(runs, looks)), axis=1)
    total = ours + theirs
    z = np.divide(ours - theirs, np.sqrt(total), out=np.zeros(total.shape), where=total >= 10)
    return float((z > 1.645).any(axis=1).mean())


def kl(a: float, b: float) -> float:
    return a * log(a / b) + (1 - a) * log((1 - a) / (1 - b))


def canary_limit(bad: float, *, base: float) -> float:
    """Return the requests in all that any unpaired test at a 5 % share needs on average."""
    pooled = SHARE * bad + (1 - SHARE) * base
    information = SHARE * kl(bad, pooled) + (1 - SHARE) * kl(base, pooled)
    return log(1 / ALPHA) / information


def canary_ours(bad: float, *, base: float, runs: int, rng: np.random.Generator) -> float:
    """Return the mean requests until our own canary test crosses, looking every 20 requests."""
    bets = EventHarm(base).bets(Fraction(1, 20))
    logs = np.array([[float(v) for v in row] for row in bets.weights])
    prior = np.array([float(row[0]) for row in bets.rows])
    scores, found, active = np.tile(prior, (runs, 1)), np.full(runs, np.inf), np.arange(runs)
    every, looks = 20, 500
    for start in range(400):
        size = (len(active), looks)
        mine = rng.binomial(every, SHARE, size=size)
        worse, usual = rng.binomial(mine, bad), rng.binomial(every - mine, base)
        cells = np.stack([mine - worse, worse, every - mine - usual, usual])
        paths = scores[active][:, :, None] + np.cumsum(np.einsum("hc,crl->rhl", logs, cells), axis=2)
        hits = np.logaddexp.reduce(paths, axis=1) >= log(1 / ALPHA)
        crossed = hits.any(axis=1)
        found[active[crossed]] = (start * looks + hits[crossed].argmax(axis=1) + 1) * every
        scores[active] = paths[:, :, -1]
        active = active[~crossed]
        if not len(active):
            break
    return float(found.mean())


def drops(*, runs: int, rng: np.random.Generator) -> list[dict[str, float]]:
    rows = []
    for b, c in DROPS:
        chances = [1 - (1 - RIGHT + b - c) - c, b, c, 1 - RIGHT - c]
        found = crossings(PairedHarm(), chances, alpha=ALPHA, runs=runs, most=200_000, rng=rng)
        bad = 1 - RIGHT + b - c
        limit = canary_limit(bad, base=1 - RIGHT)
        rows.append(
            {
                "drop": round(b - c, 3),
                "b": b,
                "c": c,
                "pairs": float(found.mean()),
                "error": float(found.std() / runs**0.5),
                "p90": float(np.quantile(found, 0.9)),
                "canary_limit": limit,
                "canary_ours": canary_ours(bad, base=1 - RIGHT, runs=max(20, runs // 20), rng=rng),
                "gain": limit / float(found.mean()),
            }
        )
    return rows


def false_alarms(*, runs: int, rng: np.random.Generator) -> list[dict[str, float | str]]:
    """Equal arms, or exactly at the limit, looked at after each pair, for 20,000 pairs."""
    most = 20_000
    rows: list[dict[str, float | str]] = []
    for c in (0.005, 0.05):
        found = crossings(PairedHarm(), [0.9 - c, c, c, 0.1 - c], alpha=ALPHA, runs=runs, most=most, rng=rng)
        rows.append({"what": f"PairedHarm, b = c = {c:g}", "rate": float(np.isfinite(found).mean())})
        each = mcnemar_each(c, c, every=50, runs=runs, most=most, rng=rng)
        rows.append({"what": f"McNemar at 5 % every 50 pairs, b = c = {c:g}", "rate": each})
    for kind, limit, chances in (
        (PairKind.DISAGREEMENT, 0.05, [0.95, 0.02, 0.03, 0.0]),
        (PairKind.SKEW, 0.01, [0.99, 0.01]),
        (PairKind.SLOWER, 0.25, [0.5 if k in {8, 9} else 0.0 for k in range(18)]),
    ):
        asked = PairLimit(kind=kind, limit=limit)
        (harm,), (proof,) = harm_tests(asked), proof_tests(asked)
        for name, test in (("harm", harm), ("proof", proof)):
            found = crossings(test, chances, alpha=ALPHA, runs=runs, most=most, rng=rng)
            rows.append(
                {"what": f"{kind.value} exactly at its limit, {name}", "rate": float(np.isfinite(found).mean())}
            )
    return rows


async def cost(*, pairs: int) -> Mapping[str, float]:
    """Return microseconds of CPU that a pair costs a server: joined, compared, counted on the whole and a slice, kept if it is bad."""
    world, name = World(seed=1), ModelName("delays")
    traffic = await world.serves("delays", v1=SOUND, v2=SOUND)
    traffic.demand.per_second = 0
    rollout = await world.propose(draft("delays", "v2", stages=(SHADOW, *STAGES)))
    await world.until(rollout, step="s1", within=5)
    levels = np.random.default_rng(7).integers(0, SCORE_LEVELS, size=(2, pairs)).tolist()
    messages = [
        Halves(
            model=name,
            rollout=rollout,
            arm=arm,
            halves=tuple(Half(k, a, microseconds=a, subject=k + 1, slices=(k % 3,)) for k, a in enumerate(scores)),
        )
        for arm, scores in zip((Arm.CANDIDATE, Arm.INCUMBENT), levels, strict=True)
    ]
    began = process_time()
    for message in messages:
        await world.app.halves(message)
    took = process_time() - began
    compared = sum(world.app.observer.answers(world.app.record.rollout(rollout), PairKind.SHIFT, WHOLE))
    assert compared == min(pairs, MOST_WAITING)
    return {"microseconds_a_pair": took / pairs * 1e6, "pairs": float(compared)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    runs = 200 if chosen.quick else 2_000
    rng = np.random.default_rng(20260101)
    found = {
        "alpha": ALPHA,
        "runs": runs,
        "drops": drops(runs=runs, rng=rng),
        "false_alarms": false_alarms(runs=runs, rng=rng),
        "cost": asyncio.run(cost(pairs=2_000 if chosen.quick else 20_000)),
    }
    if chosen.json:
        print(json.dumps(found, indent=2))
        return
    print(f"Pairs until a worse candidate is found, alpha {ALPHA}, {runs} runs each")
    print("drop   b      c      pairs (error)     p90    any canary at 5 %   ours at 5 %   gain")
    for row in found["drops"]:
        print(
            f"{row['drop']:.2f}  {row['b']:.3f}  {row['c']:.3f}  {row['pairs']:7,.0f} ({row['error']:.0f})"
            f"  {row['p90']:8,.0f}  {row['canary_limit']:15,.0f}  {row['canary_ours']:12,.0f}  {row['gain']:6.1f}x"
        )
    print("\nFalse alarms within 20,000 pairs, looked at after each")
    for row in found["false_alarms"]:
        print(f"{row['rate']:.4f}  {row['what']}")
    print(f"\n{found['cost']['microseconds_a_pair']:.1f} us of CPU a pair")


if __name__ == "__main__":
    main()
