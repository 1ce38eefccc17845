"""What it costs to watch 200 metric-slices at once, and how often any of them, or the search of others, cries wolf.

Run with ``python benchmarks/slices.py [--quick] [--json]``.

*Price*: mean candidate subjects until harm in one place is found, by the shipped test of events (base 10 % against 20 %, half
the subjects to each arm), alone at alpha 0.05, and as one of 200 that share it: equally, and by the plan's weights (ten metrics
with 19 slices each, half of a metric's part on its whole).
*False alarms*: equal arms, ten metrics x (a whole and 19 slices), sticky subjects in one slice each, metrics that move
together, a base rate that doubles half-way; looked at 40 times. Beside ours what people do instead: a z-test per slice at each
look, the same once at the end, with Bonferroni at each look, and Benjamini-Hochberg at each look.
*Search*: two fields with five listed values and 16 numbers for unlisted ones, one metric; equal arms, and harm in one cross.
Seeded.
"""

import argparse
import json
from fractions import Fraction
from math import log
from statistics import NormalDist

import msgspec
import numpy as np
from numpy.typing import NDArray

from glideslope.domain.metric import WRONG, Dimension
from glideslope.domain.scan import SCAN_ALPHA, Tier, family, searched_slices
from glideslope.stats.family import allot
from glideslope.stats.label import EventHarm
from glideslope.testing.examples import plan

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

ALPHA = 0.05
METRICS, SLICES = 10, 19
BASE = 0.1
BETS = EventHarm(BASE).bets(Fraction(1, 2))
LOGS = np.array([[float(v) for v in row] for row in BETS.weights])
"""Alternatives x (candidate good, candidate bad, incumbent good, incumbent bad)."""
PRIOR = np.array([float(row[0]) for row in BETS.rows])


def wealth(cells: Counts) -> Floats:
    """Return the logarithm of the wealth for counts whose last axis is the four cells."""
    paths = PRIOR + cells @ LOGS.T
    found: Floats = np.logaddexp.reduce(paths, axis=-1)
    return found


def subjects_until(alpha: float, *, bad: float, runs: int, rng: np.random.Generator) -> Floats:
    """Return the candidate's subjects until harm is found, looking after each subject."""
    line, found, active = log(1 / alpha), np.full(runs, np.inf), np.arange(runs)
    cells = np.zeros((runs, 4), dtype=np.int64)
    for _ in range(100):
        chunk = 200
        arm = rng.random((len(active), chunk)) < 0.5
        wrong = rng.random((len(active), chunk)) < np.where(arm, bad, BASE)
        each = np.stack([arm & ~wrong, arm & wrong, ~arm & ~wrong, ~arm & wrong], axis=-1)
        paths = cells[active][:, None, :] + np.cumsum(each, axis=1)
        hits = wealth(paths) >= line
        crossed = hits.any(axis=1)
        first = hits[crossed].argmax(axis=1)
        at = paths[crossed, :, :][np.arange(len(first)), first]
        found[active[crossed]] = at[:, 0] + at[:, 1]
        cells[active] = paths[:, -1]
        active = active[~crossed]
        if not len(active):
            return found
    return found


def price(*, runs: int, rng: np.random.Generator) -> list[dict[str, float | str]]:
    tests = METRICS * (1 + SLICES)
    parts = allot(
        ALPHA,
        weights={f"m{k}": Fraction(1, METRICS) for k in range(METRICS)},
        slices={f"m{k}": [f"s{j}" for j in range(SLICES)] for k in range(METRICS)},
    )
    assert len(parts) == tests
    rows: list[dict[str, float | str]] = []
    alone = 0.0
    for what, alpha in (
        ("alone", ALPHA),
        ("one of 200, equal parts", ALPHA / tests),
        ("the whole of one of ten metrics with 19 slices", parts[0].alpha),
        ("a slice of one of them", parts[1].alpha),
    ):
        found = subjects_until(alpha, bad=2 * BASE, runs=runs, rng=rng)
        alone = alone or float(found.mean())
        ratio = float(found.mean()) / alone
        rows.append(
            {
                "what": what,
                "alpha": alpha,
                "subjects": float(found.mean()),
                "ratio": ratio,
                "error": float(found.std() / runs**0.5 / alone) * (1 + ratio**2) ** 0.5 / max(ratio, 1.0),
                "theory": log(1 / alpha) / log(1 / ALPHA),
            }
        )
    return rows


def watched(*, runs: int, looks: int, size: int, rng: np.random.Generator) -> list[dict[str, float | str]]:
    """Return the share of runs with equal arms in which each rule ever calls any of 200 metric-slices harmed."""
    own, whole = log(2 * METRICS / ALPHA), log(2 * METRICS * SLICES / ALPHA)
    lines = np.array([own] + [whole] * SLICES)
    normal, tests = NormalDist(), METRICS * (1 + SLICES)
    each, corrected = normal.inv_cdf(1 - ALPHA), normal.inv_cdf(1 - ALPHA / tests)
    ranked = np.array([normal.inv_cdf(1 - ALPHA * (k + 1) / tests) for k in range(tests)])
    cells = np.zeros((runs, METRICS, 1 + SLICES, 4), dtype=np.int64)
    fired = {name: np.zeros(runs, dtype=bool) for name in ("ours", "z", "end", "bonferroni", "bh")}
    for look in range(looks):
        base = BASE if look < looks // 2 else 2 * BASE
        # Metrics move together: in each slice and look all of them are better or worse by one common factor.
        rates = np.clip(base * np.exp(rng.normal(0.0, 0.3, size=(runs, 1, SLICES))), 0.001, 0.9)
        people = rng.multinomial(size, np.full(SLICES, 1 / SLICES), size=runs)
        mine = rng.binomial(people, 0.5)[:, None, :]
        theirs = people[:, None, :] - mine
        shape = (runs, METRICS, SLICES)
        ours_bad = rng.binomial(np.broadcast_to(mine, shape), np.broadcast_to(rates, shape))
        theirs_bad = rng.binomial(np.broadcast_to(theirs, shape), np.broadcast_to(rates, shape))
        new = np.stack([mine - ours_bad, ours_bad, theirs - theirs_bad, theirs_bad], axis=-1)
        cells[:, :, 1:] += new
        cells[:, :, 0] += new.sum(axis=2)
        fired["ours"] |= (wealth(cells) >= lines).any(axis=(1, 2))
        z = z_of(cells)
        fired["z"] |= (z > each).any(axis=(1, 2))
        fired["bonferroni"] |= (z > corrected).any(axis=(1, 2))
        fired["bh"] |= (np.sort(z.reshape(runs, tests), axis=1)[:, ::-1] > ranked).any(axis=1)
        if look == looks - 1:
            fired["end"] |= (z > each).any(axis=(1, 2))
    names = {
        "ours": "ours: weights, label e-processes, every look",
        "z": "z-test per slice at each look",
        "end": "z-test per slice, once at the end",
        "bonferroni": "z-test with Bonferroni at each look",
        "bh": "Benjamini-Hochberg at each look",
    }
    return [{"what": names[name], "rate": float(found.mean())} for name, found in fired.items()]


def z_of(cells: Counts) -> Floats:
    a, b, c, d = (cells[..., k].astype(float) for k in range(4))
    n, m = a + b, c + d
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = (b + d) / (n + m)
        z = (b / n - d / m) / np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    return np.nan_to_num(z)


def searched(*, runs: int, looks: int, size: int, harmed: bool, rng: np.random.Generator) -> dict[str, float | str]:
    """Return how often the search shows anything, and how many subjects a harmed cross took, of 2 % of all subjects."""
    two = (Dimension("origin", tuple("abcde")), Dimension("carrier", tuple("vwxyz")))
    of = msgspec.structs.replace(plan(), dimensions=two, guardrails=(plan().guardrails[2],), steps=plan().steps[2:])
    assert of.guardrails[0].metric == WRONG
    sizes, shares = family(of), {Tier.TOGETHER: 2, Tier.UNLISTED: 1, Tier.BOTH: 1}
    places = [(i, j) for i in range(21) for j in range(21)]
    slices: dict[object, list[int]] = {}
    for k, place in enumerate(places):
        for tier, parts in searched_slices(two, (), place):
            slices.setdefault((tier, parts), []).append(k)
    lines = np.array([log(sizes[tier] * 4 / shares[tier] / SCAN_ALPHA) for tier, _ in slices])  # type: ignore[misc]
    member = np.zeros((len(slices), len(places)), dtype=np.int64)
    for row, cells_of in enumerate(slices.values()):
        member[row, cells_of] = 1
    chance = np.array([(0.16 if i < 5 else 0.0125) * (0.16 if j < 5 else 0.0125) for i, j in places])
    chance /= chance.sum()
    bad_place = places.index((1, 2))
    cells = np.zeros((runs, len(places), 4), dtype=np.int64)
    hit, taken = np.zeros(runs, dtype=bool), np.full(runs, np.inf)
    target = list(slices).index((Tier.TOGETHER, ((0, 1), (1, 2))))
    for _ in range(looks):
        people = rng.multinomial(size, chance, size=runs)
        mine = rng.binomial(people, 0.5)
        rates = np.full(len(places), BASE)
        bad = rates.copy()
        if harmed:
            bad[bad_place] = 4 * BASE
        ours_bad, theirs_bad = rng.binomial(mine, bad), rng.binomial(people - mine, rates)
        cells += np.stack([mine - ours_bad, ours_bad, people - mine - theirs_bad, theirs_bad], axis=-1)
        found = wealth(np.einsum("sp,rpc->rsc", member, cells)) >= lines
        hit |= found.any(axis=1)
        now = found[:, target] & np.isinf(taken)
        taken[now] = (cells[:, bad_place, 0] + cells[:, bad_place, 1])[now]
    tests = sum(sizes.values())
    return {
        "what": "harm in one cross, four times the rate" if harmed else "equal arms",
        "tests": float(tests),
        "rate": float(hit.mean()),
        "found": float(np.isfinite(taken).mean()),
        "subjects": float(np.median(taken)) if np.isfinite(np.median(taken)) else -1.0,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    rng = np.random.default_rng(20260102)
    quick = chosen.quick
    found = {
        "alpha": ALPHA,
        "price": price(runs=300 if quick else 2_000, rng=rng),
        "false_alarms": watched(runs=60 if quick else 600, looks=10 if quick else 40, size=2_000, rng=rng),
        "search": [
            searched(runs=30 if quick else 300, looks=10 if quick else 40, size=2_000, harmed=harmed, rng=rng)
            for harmed in (False, True)
        ],
    }
    if chosen.json:
        print(json.dumps(found, indent=2))
        return
    print("Candidate subjects until a rate of 20 % instead of 10 % is found")
    for row in found["price"]:
        print(
            f"{row['subjects']:7.1f}  {row['ratio']:.2f}x (+-{row['error']:.2f}, nats alone {row['theory']:.2f}x)  {row['what']}"
        )
    print("\nEqual arms: rollouts in which any of 200 metric-slices is called harmed")
    for row in found["false_alarms"]:
        print(f"{row['rate']:.3f}  {row['what']}")
    print("\nThe search")
    for row in found["search"]:
        print(
            f"{row['what']}: {row['tests']:.0f} tests, anything shown in {row['rate']:.3f} of the rollouts, the harmed cross in "
            f"{row['found']:.3f}, at the median after {row['subjects']:.0f} of its candidate subjects"
        )


if __name__ == "__main__":
    main()
