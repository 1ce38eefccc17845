"""What the default of `maturity` should be for means: how often a candidate at its margin is proven, and how long a sound one waits.

    python benchmarks/maturity.py [--json] [--runs N]

Bad outcomes (above the mean) are known some times as late as good ones. In the worst world the candidate costs all or nothing;
in an ordinary one its costs spread like the incumbent's. Subjects come all the time, so the youngest are never mature. Each half
mean delay a proof is asked, if enough of both arms' outcomes have come. Times are in mean delays of a good outcome.
"""

import argparse
import json
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from foresee import planned
from glideslope.domain.freeze import Baseline
from glideslope.domain.gate import proof_asked
from glideslope.domain.metric import LOG_LOSS, Metric
from glideslope.domain.plan import Margin, MarginKind
from glideslope.stats.counts import Table
from glideslope.stats.wealth import Test, crossed

Floats = npt.NDArray[np.float64]

MATURITIES = (0.5, 0.65, 0.8, 0.9, 0.95)
RATE, HORIZON, LOOK = 600, 45.0, 0.5
MEAN_LOSS, MARGIN = 0.3, 0.05


@dataclass(frozen=True)
class Row:
    """One world at one maturity."""

    world: str
    maturity: float
    proven: float
    """The part of the rollouts that is proven within the horizon."""
    median: float | None
    """When, of those that are."""


def losses(rng: np.random.Generator, n: int, *, mean: float, lumpy: bool) -> Floats:
    if lumpy:
        return np.where(rng.random(n) < mean / LOG_LOSS.edges[-1], LOG_LOSS.edges[-1], 0.0)
    return np.minimum(rng.exponential(mean, n), LOG_LOSS.edges[-1])


def looks(
    rng: np.random.Generator, test: Test, metric: Metric, *, lag: float, mean: float, lumpy: bool
) -> tuple[Floats, list[bool]]:
    """Return at each look the least mature arm's share, and whether the proof is given on what has come."""
    n = int(RATE * HORIZON)
    came = np.sort(rng.random(n)) * HORIZON
    candidate = rng.random(n) < 0.5
    value = np.where(candidate, losses(rng, n, mean=mean, lumpy=lumpy), losses(rng, n, mean=MEAN_LOSS, lumpy=False))
    known = came + rng.exponential(1.0, n) * np.where(value > MEAN_LOSS, lag, 1.0)
    bins = np.minimum(np.searchsorted(np.array(metric.edges), value), metric.bins - 1)
    shares, given = [], []
    for at in np.arange(LOOK, HORIZON + LOOK / 2, LOOK):
        arrived = known <= at
        shares.append(
            min((arrived & arm).sum() / max(1, ((came <= at) & arm).sum()) for arm in (candidate, ~candidate))
        )
        cells = [
            tuple(int(k) for k in np.bincount(bins[arrived & arm], minlength=metric.bins))
            for arm in (candidate, ~candidate)
        ]
        given.append(crossed(test, [Table(1, 1, cells[0], cells[1])], 0.05))
    return np.array(shares), given


def measured(runs: int) -> list[Row]:
    rng = np.random.default_rng(7)
    histogram = np.bincount(
        np.minimum(
            np.searchsorted(np.array(LOG_LOSS.edges), losses(rng, 20_000, mean=MEAN_LOSS, lumpy=False)),
            LOG_LOSS.bins - 1,
        ),
        minlength=LOG_LOSS.bins,
    )
    baseline = Baseline(histograms={LOG_LOSS.name: tuple(map(int, histogram))})
    plan = planned(LOG_LOSS, Margin(MarginKind.ABSOLUTE, MARGIN), baseline, share=5_000)
    test = proof_asked(plan.guardrails[0], 1.0)
    found = []
    for world, lag, mean, lumpy in (
        ("at its margin, all or nothing, the bad known three times as late", 3.0, MEAN_LOSS + MARGIN, True),
        ("at its margin, all or nothing, the bad known twice as late", 2.0, MEAN_LOSS + MARGIN, True),
        ("at its margin, spread as usual, the bad known three times as late", 3.0, MEAN_LOSS + MARGIN, False),
        ("at its margin, all or nothing, all known as late", 1.0, MEAN_LOSS + MARGIN, True),
        ("sound", 1.0, MEAN_LOSS, False),
        ("sound, the bad known three times as late", 3.0, MEAN_LOSS, False),
    ):
        courses = [looks(rng, test, plan.guardrails[0].metric, lag=lag, mean=mean, lumpy=lumpy) for _ in range(runs)]
        for maturity in MATURITIES:
            firsts = [
                next((LOOK * (k + 1) for k, share in enumerate(shares) if share >= maturity and given[k]), None)
                for shares, given in courses
            ]
            times = [first for first in firsts if first is not None]
            found.append(
                Row(world, maturity, len(times) / runs, float(np.median(times)) if len(times) * 2 >= runs else None)
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--runs", type=int, default=400)
    arguments = parser.parse_args()
    found = measured(arguments.runs)
    if arguments.json:
        print(json.dumps({"runs": arguments.runs, "rows": [asdict(row) for row in found]}))
        return
    for row in found:
        when = "" if row.median is None else f"  after {row.median:g}"
        print(f"{row.world:68} {row.maturity:5.0%}  proven {row.proven:6.1%}{when}")


if __name__ == "__main__":
    main()
