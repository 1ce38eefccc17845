"""How well rankings and calibration are foretold: forecast and `simulate` beside outcomes drawn one by one.

    python benchmarks/orders.py [--json] [--runs N]

The truth forms blocks with the engine's own code, outcome after outcome, each with a score within its bin, and asks the tests that decide.
"""

import argparse
import json
import math
from bisect import bisect
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import accumulate, count
from random import Random
from statistics import median

from foresee import planned
from glideslope.domain.draft import GuardrailDraft
from glideslope.domain.flow import flow_of
from glideslope.domain.foresight import prospect
from glideslope.domain.freeze import Baseline
from glideslope.domain.ids import WHOLE, RolloutId, StepName
from glideslope.domain.metric import AUC, AVERAGE_PRECISION, CALIBRATION, DIFFERENCE_BINS, ERRORS, Metric, block_size
from glideslope.domain.orders import usual_joint
from glideslope.domain.plan import Margin, MarginKind, Plan
from glideslope.domain.simulation import Course, End, harm_alpha, tally_harm
from glideslope.domain.supposed import Arms, Supposed, harms_of, suppose
from glideslope.domain.tallied import paired_proof
from glideslope.domain.traffic import FULL, Arm
from glideslope.engine.ranking import Blocks, Scored, gaps
from glideslope.stats.counts import Tally
from glideslope.stats.wealth import TallyTest, log_wealth

RATE = 20.0
ROLLOUT, STEP = RolloutId("r-0001"), StepName("s1")
GRID = [
    (AUC, 0.05, 500),
    (AUC, 0.05, 2_500),
    (AUC, 0.1, 2_500),
    (AUC, 0.1, 5_000),
    (AVERAGE_PRECISION, 0.1, 2_500),
    (AVERAGE_PRECISION, 0.12, 5_000),
    (CALIBRATION, 0.1, 2_500),
    (CALIBRATION, 0.05, 5_000),
]


@dataclass(frozen=True)
class Row:
    """One setting. Seconds, medians."""

    metric: str
    margin: float
    share: int
    what: str
    forecast: float
    simulated: float
    truth: float

    @property
    def ratio(self) -> float:
        return self.forecast / self.truth


def truth(plan: Plan, metric: Metric, arms: Arms, test: TallyTest, *, line: float, chance: Random) -> float:
    """Return the seconds until a test speaks, outcome by outcome."""
    step, weights = plan.steps[0], plan.steps[0].split.weights()
    watched, pi = (step.candidate + step.control) / FULL, step.candidate / (step.candidate + step.control)
    below = {Arm.CANDIDATE: list(accumulate(arms.candidate)), Arm.INCUMBENT: list(accumulate(arms.incumbent))}
    cells = [0] * (metric.bins if metric.name == CALIBRATION.name else DIFFERENCE_BINS)
    blocks, size = Blocks(), block_size(candidate=weights.candidate, control=weights.control)
    for n in count(1):
        arm = Arm.CANDIDATE if chance.random() < pi else Arm.INCUMBENT
        place = min(metric.bins - 1, bisect(below[arm], chance.random()))
        if not _told(metric, blocks, cells, arm, place, size=size, n=n, chance=chance):
            continue
        if log_wealth(test, Tally(tuple(cells))) >= line:
            return n / (RATE * watched)
    raise AssertionError


def _told(
    metric: Metric, blocks: Blocks, cells: list[int], arm: Arm, place: int, *, size: int, n: int, chance: Random
) -> bool:
    """Count an outcome; tell whether something new is known."""
    if metric.name == CALIBRATION.name:
        if arm is Arm.CANDIDATE:
            cells[place] += 1
        return arm is Arm.CANDIDATE and n % 7 == 0
    score = (place // 2 + chance.random()) / 40
    block = blocks.add((ROLLOUT, STEP, WHOLE), Scored(arm, score, bool(place % 2), f"{n:x}"), size=size)
    found = {} if block is None else gaps(block, [metric], rollout=ROLLOUT)
    for bin_ in found.values():
        cells[bin_] += 1
    return bool(found)


def rows(metric: Metric, margin: float, share: int, *, runs: int) -> Iterator[Row]:
    joint = usual_joint(CALIBRATION.edges)
    baseline = Baseline(
        histograms={CALIBRATION.name: tuple(round(100_000 * p) for p in joint), ERRORS.name: (99_999_999, 1)},
        subjects_per_second=RATE,
        outcomes_per_second=RATE,
    )
    # A calibration proves nothing, so a plan has something else besides.
    errors = GuardrailDraft(metric=ERRORS.name, margin=Margin(MarginKind.ABSOLUTE, 0.1))
    watched = (errors,) if metric.name == CALIBRATION.name else ()
    plan = planned(metric, Margin(MarginKind.ABSOLUTE, margin), baseline, share=share, watched=watched)
    flow, g = flow_of(baseline, starts=0.0), plan.guardrails[-1]
    harm = harms_of(plan)[-1]
    sound, bad = suppose(plan, baseline, None), suppose(plan, baseline, harm)
    asked: list[tuple[str, Supposed, TallyTest, float]] = [("catch", bad, tally_harm(g), harm_alpha(plan, g))]
    if g.required:
        asked.append(("proof", sound, paired_proof(g, 1.0), plan.alpha_pass))
    for what, supposed, test, alpha in asked:
        seen = prospect(plan, supposed, flow)
        course = Course.of(plan, supposed, flow)
        fates = [course.run(Random(f"{metric.name} {margin} {share} {k}")) for k in range(runs)]
        ends = (End.CAUGHT, End.PAUSED) if what == "catch" else (End.PROMOTED,)
        told = [
            truth(plan, metric, supposed.arms[metric.name], test, line=-math.log(alpha), chance=Random(k))
            for k in range(runs)
        ]
        yield Row(
            metric=metric.name,
            margin=margin,
            share=share,
            what=what,
            forecast=(seen.seconds_to_catch if what == "catch" else seen.steps[0].proofs[0].seconds) or math.nan,
            simulated=median([fate.seconds for fate in fates if fate.end in ends] or [math.nan]),
            truth=median(told),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--runs", type=int, default=60)
    arguments = parser.parse_args()
    found = (row for setting in GRID for row in rows(*setting, runs=arguments.runs))
    if arguments.json:
        print(json.dumps({"runs": arguments.runs, "rows": [asdict(row) for row in found]}))
        return
    print("metric             margin share  what   forecast  simulate     truth  forecast/truth")
    for r in found:
        print(
            f"{r.metric:18} {r.margin:6g} {r.share / 100:4g}%  {r.what:5} {r.forecast:9,.0f} {r.simulated:9,.0f}"
            f" {r.truth:9,.0f}  {r.ratio:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
