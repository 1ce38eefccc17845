"""How well a plan's forecast foretells: predicted against simulated times, over kinds, margins and shares; and at what speed.

    python benchmarks/foresee.py [--quick] [--json] [--runs N]

Simulated rollouts are judged by `decide` itself. Goal G10: the time to a proof within 15 % of what is simulated.
"""

import argparse
import json
import math
import time
from dataclasses import asdict, dataclass
from random import Random
from statistics import geometric_mean

from glideslope.domain.draft import DAY, Draft, GuardrailDraft, StageDraft
from glideslope.domain.events import Registered
from glideslope.domain.flow import flow_of
from glideslope.domain.forecast import forecast
from glideslope.domain.foresight import prospect
from glideslope.domain.freeze import Baseline, freeze
from glideslope.domain.ids import Actor, Digest, MetricName, ModelName, VersionName
from glideslope.domain.metric import ERRORS, LATENCY, LATENCY_EDGES, LOG_LOSS, WRONG, Metric, loss_bin
from glideslope.domain.plan import Margin, MarginKind, Plan, StageKind
from glideslope.domain.remedy import blind
from glideslope.domain.simulation import Course, End
from glideslope.domain.supposed import harms_of, suppose
from glideslope.domain.trials import summed

RATE = 20.0
ABSOLUTE, RELATIVE = MarginKind.ABSOLUTE, MarginKind.RELATIVE


def latencies(spread: float) -> tuple[int, ...]:
    cut = [0.5 * math.erfc(-math.log(edge / 40.0) / spread / math.sqrt(2)) for edge in LATENCY_EDGES]
    return tuple(round(20_000 * (high - low)) for low, high in zip((0.0, *cut), (*cut, 1.0), strict=True))


def losses() -> tuple[int, ...]:
    chance, counts = Random(1), [0] * LOG_LOSS.bins
    for _ in range(20_000):
        truth = 0.02 + 0.96 * chance.random() ** 2
        counts[loss_bin(LOG_LOSS, probability=truth, happened=chance.random() < truth)] += 1
    return tuple(counts)


GRID: list[tuple[Metric, tuple[int, ...], Margin]] = [
    (ERRORS, (9_900, 100), Margin(ABSOLUTE, 0.005)),
    (ERRORS, (9_900, 100), Margin(RELATIVE, 0.5)),
    (ERRORS, (9_000, 1_000), Margin(ABSOLUTE, 0.02)),
    (ERRORS, (9_000, 1_000), Margin(RELATIVE, 0.25)),
    (LATENCY, latencies(0.4), Margin(RELATIVE, 0.1)),
    (LATENCY, latencies(0.6), Margin(RELATIVE, 0.25)),
    (LOG_LOSS, losses(), Margin(ABSOLUTE, 0.05)),
    (WRONG, (8_000, 2_000), Margin(ABSOLUTE, 0.03)),
]
SHARES = (500, 2_500, 5_000)


@dataclass(frozen=True)
class Cell:
    """One setting. Seconds; ratios are predicted / simulated."""

    metric: str
    margin: str
    share: int
    proof_predicted: float
    proof_simulated: float
    proof_error: float
    proof_before: float | None
    """The closed form of one guardrail's mean subjects that `plan` had before, as a time."""
    catch_predicted: float
    catch_simulated: float
    catch_error: float
    """Standard error of the median, from the order statistics around it."""

    @property
    def proof(self) -> float:
        return self.proof_predicted / self.proof_simulated

    @property
    def catch(self) -> float:
        return self.catch_predicted / self.catch_simulated


def planned(
    metric: Metric, margin: Margin, baseline: Baseline, *, share: int, watched: tuple[GuardrailDraft, ...] = ()
) -> Plan:
    """Freeze a plan of one step; where something is `watched` besides, one that nothing ends but harm."""
    versions = [
        Registered(
            model=ModelName("m"),
            version=VersionName(f"v{k}"),
            digest=Digest("sha256:" + str(k) * 64),
            url="http://x",
            by=Actor("bench"),
            why="measured",
        )
        for k in (1, 2)
    ]
    draft = Draft(
        model=ModelName("m"),
        candidate=VersionName("v2"),
        owner="bench",
        why="measured",
        stages=(
            StageDraft(stage=StageKind.CANARY, shares=(share,), minimum=299 * DAY if watched else 0, maximum=300 * DAY),
        ),
        guardrails=(*watched, GuardrailDraft(metric=MetricName(metric.name), margin=margin)),
    )
    return freeze(draft, incumbent=versions[0], candidate=versions[1], baseline=baseline)


def measured(metric: Metric, histogram: tuple[int, ...], margin: Margin, *, share: int, runs: int) -> Cell:
    baseline = Baseline(histograms={metric.name: histogram}, subjects_per_second=RATE, outcomes_per_second=RATE)
    plan = planned(metric, margin, baseline, share=share)
    flow = flow_of(baseline, starts=0.0)
    (harm,) = harms_of(plan)
    sound, bad = suppose(plan, baseline, None), suppose(plan, baseline, harm)
    proofs, catches = (
        [course.run(Random(f"{metric.name} {margin} {share} {k}")) for k in range(runs)]
        for course in (Course.of(plan, sound, flow), Course.of(plan, bad, flow))
    )
    passed = summed("healthy", [fate for fate in proofs if fate.end is End.PROMOTED])
    caught = sorted(fate.seconds for fate in catches if fate.end is End.CAUGHT)
    width = round(math.sqrt(len(caught)) / 2)
    return Cell(
        metric=metric.name,
        margin=f"{margin.size:g} {margin.kind.value}",
        share=share,
        proof_predicted=prospect(plan, sound, flow).steps[0].seconds,
        proof_simulated=passed.seconds.mean,
        proof_error=passed.seconds.error,
        proof_before=forecast(plan, baseline)[0].seconds_to_proof,
        catch_predicted=prospect(plan, bad, flow).seconds_to_catch or math.nan,
        catch_simulated=caught[len(caught) // 2],
        catch_error=(caught[len(caught) // 2 + width] - caught[len(caught) // 2 - width]) / 2,
    )


def speed(runs: int) -> dict[str, float]:
    """Milliseconds of CPU: a run of the default plan with outcomes, its forecast, and the check for blind steps."""
    baseline = Baseline(
        histograms={ERRORS.name: (9_900, 100), LATENCY.name: latencies(0.4)},
        subjects_per_second=50.0,
        outcomes_per_second=50.0,
    )
    plan = planned(ERRORS, Margin(ABSOLUTE, 0.005), baseline, share=2_500)
    flow = flow_of(baseline, starts=0.0)
    found = {}
    for harm in (None, *harms_of(plan)):
        supposed = suppose(plan, baseline, harm)
        course = Course.of(plan, supposed, flow)
        course.run(Random(0))
        begun = time.process_time()
        for k in range(runs):
            course.run(Random(k))
        found[f"run, {supposed.name}"] = 1000 * (time.process_time() - begun) / runs
    prospect(plan, suppose(plan, baseline, None), flow)
    begun = time.process_time()
    prospect(plan, suppose(plan, baseline, None), flow)
    found["forecast"] = 1000 * (time.process_time() - begun)
    begun = time.process_time()
    blind(plan, baseline, starts=0.0)
    found["check for blind steps"] = 1000 * (time.process_time() - begun)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="One share, few runs.")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--runs", type=int, default=400)
    arguments = parser.parse_args()
    runs = 60 if arguments.quick else arguments.runs
    cells = [
        measured(metric, histogram, margin, share=share, runs=runs)
        for metric, histogram, margin in GRID
        for share in (SHARES[1:2] if arguments.quick else SHARES)
    ]
    figures = speed(20 if arguments.quick else 100)
    if arguments.json:
        print(json.dumps({"runs": runs, "cells": [asdict(c) for c in cells], "milliseconds": figures}))
        return
    print("metric    margin           share  proof predicted simulated ratio  before   catch predicted simulated ratio")
    for c in cells:
        before = "-" if c.proof_before is None else f"{c.proof_before / c.proof_simulated:.2f}"
        print(
            f"{c.metric:9} {c.margin:16} {c.share / 100:4.0f}%  {c.proof_predicted:10,.0f} {c.proof_simulated:10,.0f}"
            f" ±{c.proof_error:5,.0f} {c.proof:5.2f} {before:>7} {c.catch_predicted:14,.0f} {c.catch_simulated:9,.0f}"
            f" ±{c.catch_error:5,.0f} {c.catch:5.2f}"
        )
    for name, ratios in (("proof", [c.proof for c in cells]), ("catch", [c.catch for c in cells])):
        off = [abs(math.log(r)) for r in ratios]
        print(
            f"{name}: geometric mean {geometric_mean(ratios):.3f}, within 15 %: {sum(o <= math.log(1.15) for o in off)} of "
            f"{len(off)}, furthest {math.exp(max(off)):.2f} times"
        )
    for name, milliseconds in figures.items():
        print(f"{name}: {milliseconds:.1f} ms")


if __name__ == "__main__":
    main()
