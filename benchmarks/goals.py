"""The goals of speed that a reader would check first: how soon three bugs are found, at little traffic, and in the tail of latencies.

Run with ``python benchmarks/goals.py [--quick] [--json]``. Rates and shares as a usual ramp has them: 5 % for 20 minutes, 25 % for 20,
then a half. Tests are the shipped bets, looked at after every request, with the stakes that plans without credit have.
"""

import argparse
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

import detect
from glideslope.domain.metric import LATENCY
from glideslope.stats.label import BinsHarm, EventHarm
from glideslope.stats.quantile import QuantileHarm
from paths import Asked, Course, firsts

SOON = ((0.2, 20), (0.05, 160), (0.02, 1_500))
"""Rates of bad in place of 1 %, and within how many of the candidate's requests (median, alpha 0.01) they are to be found."""
RATES = (5.0, 50.0, 500.0)


def soon(*, runs: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Return medians of the candidate's requests until bugs of three sizes are found (G3)."""
    found = []
    for rate, goal in SOON:
        for rps in RATES:
            legs = detect.ramp_legs(0.01, rate, rps=rps, minutes_left=180, most_bad=10**9)
            told = detect.summary(detect.first_crossings(EventHarm(0.01), legs, alpha=0.01, runs=runs, rng=rng))
            found.append({"goal": "G3", "rate": rate, "per second": rps, "at most": goal, **told})
    return found


def within_an_hour(*, runs: int, rng: np.random.Generator) -> dict[str, Any]:
    """Return how often 1 % -> 2 % is found in an hour of 5 requests a second, and how often a healthy candidate in a day (G4)."""
    test = EventHarm(0.01)
    legs = detect.ramp_legs(0.01, 0.02, rps=5.0, minutes_left=60, most_bad=10**9)
    healthy = detect.ramp_legs(0.01, 0.01, rps=5.0, minutes_left=1_440, most_bad=10**9)
    half = [detect.Leg((1, 1), 0.02, 0.01, round(3_600 * 5.0 * 0.015))]
    return {
        "goal": "G4",
        "ramp": detect.summary(detect.first_crossings(test, legs, alpha=0.05, runs=runs, rng=rng)),
        "half and half at once": detect.summary(detect.first_crossings(test, half, alpha=0.05, runs=runs, rng=rng)),
        "healthy, a day": detect.summary(detect.first_crossings(test, healthy, alpha=0.05, runs=runs, rng=rng)),
    }


def slow_tail(*, runs: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Return medians of the candidate's requests until 2 % of them taking four times as long is found (G5)."""
    edges = np.array(LATENCY.edges)

    def bins(times: NDArray[np.float64]) -> NDArray[np.int64]:
        return np.searchsorted(edges, times, side="left")

    usual = np.exp(np.log(50.0) + 0.6 * rng.standard_normal(1_000_000))
    reference = tuple(np.bincount(bins(usual), minlength=len(edges) + 1).tolist())
    cut = int(np.searchsorted(edges, np.quantile(usual, 0.99), side="left")) + 1
    tests: dict[str, Asked] = {
        "the whole distribution": BinsHarm(reference=reference, edges=LATENCY.edges),
        "p99": QuantileHarm(0.99, cut=cut, size=len(edges) + 1),
    }
    found = []
    for weights, requests in (((1, 19), 60_000), ((1, 1), 12_000)):
        arm = rng.random((runs, requests)) < weights[0] / sum(weights)
        slow = np.where(arm & (rng.random(arm.shape) < 0.02), 4.0, 1.0)
        cells = bins(np.exp(np.log(50.0) + 0.6 * rng.standard_normal(arm.shape)) * slow) + (len(edges) + 1) * ~arm
        for name, test in tests.items():
            at = firsts(Course.of(test, [weights]), cells, alpha=0.05)
            took = np.where(at >= 0, np.cumsum(arm, axis=1)[np.arange(runs), at], np.inf)
            found.append(
                {
                    "goal": "G5",
                    "test": name,
                    "share": weights[0] / sum(weights),
                    "found": float((at >= 0).mean()),
                    "median": float(np.median(took)),
                }
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer runs: figures with more noise")
    parser.add_argument("--json", action="store_true", help="figures for machines")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    runs = 100 if options.quick else 1_000
    found = [*soon(runs=runs, rng=rng), within_an_hour(runs=runs, rng=rng), *slow_tail(runs=runs // 10, rng=rng)]
    if options.json:
        print(json.dumps(found, indent=2))
        return
    for row in found:
        print("  ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
