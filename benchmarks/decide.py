"""How long `decide` takes: a small, a typical and a large plan, on evidence as it comes and on evidence never seen before.

Run with ``python benchmarks/decide.py [--quick] [--json]``. *Same look*: time has passed, and no count has grown. *Next look*:
since the look before, every count of the current step has grown and those of earlier steps stand, as with a fast gateway and
prompt outcomes. *First look*: nothing of the evidence was ever seen, as when a ledger is replayed. Every row is built anew for
every look; the arms are equal, and differ by chance alone.
CPU time per call in microseconds, best of the rounds, since noise only ever adds; beside it the median.
"""

import argparse
import gc
import json
import platform
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from time import process_time

import msgspec

from glideslope.domain.alphas import is_paired
from glideslope.domain.decide import decide
from glideslope.domain.evidence import Counts, Evidence, Exposed, Freshness, Maturity, Pairs
from glideslope.domain.ids import WHOLE, Digest, ModelName, StepName, VersionName
from glideslope.domain.metric import (
    BRIER,
    ERRORS,
    LATENCY,
    LOG_LOSS,
    Dimension,
    Metric,
    Origin,
    slice_names,
)
from glideslope.domain.plan import AtMaximum, Guardrail, HarmNull, Margin, MarginKind, Plan, StageKind, Step, check_plan
from glideslope.domain.rollout import Phase, Rollout
from glideslope.testing.examples import MINUTE, proposed

SHARES = (250, 500, 1_000, 2_500, 5_000)
"""Candidate's basis points per canary step, the control's the same."""


@dataclass(frozen=True, slots=True)
class Size:
    """A plan's size: guardrails, slices, canary steps, subjects per step, and whether a shadow went before."""

    metrics: tuple[Metric, ...]
    slices: int
    steps: int
    subjects: int
    shadow: bool = False


def scores(name: str) -> Metric:
    """Another outcome metric with the bins of the log loss."""
    return msgspec.structs.replace(LOG_LOSS, name=name)


SIZES = {
    "small": Size((ERRORS, LATENCY), slices=0, steps=1, subjects=5_000),
    "typical": Size((ERRORS, LATENCY, LOG_LOSS, BRIER), slices=3, steps=3, subjects=20_000),
    "large": Size(
        (ERRORS, LATENCY, LOG_LOSS, BRIER, *map(scores, ("fees", "delays"))),
        slices=20,
        steps=5,
        subjects=200_000,
        shadow=True,
    ),
}


def usual(metric: Metric) -> tuple[float, ...]:
    """Return the chance of each bin: errors 1 %, latencies over a dozen bins with a tail, losses mostly small."""
    if metric.bins == 2:
        return (0.99, 0.01)
    weights = [
        max(0.0, 12.0 - abs(k - 18) ** 1.5) + 0.02 * (18 < k < 30) if metric == LATENCY else 0.85**k
        for k in range(metric.bins)
    ]
    return tuple(weight / sum(weights) for weight in weights)


def guardrail(metric: Metric) -> Guardrail:
    relative = metric.bins == 2 or metric == LATENCY
    return Guardrail(
        metric=metric,
        margin=Margin(MarginKind.RELATIVE, 0.25) if relative else Margin(MarginKind.ABSOLUTE, 0.02),
        harm=HarmNull.BEYOND_MARGIN if metric == LATENCY else HarmNull.WORSE,
        base_rate=0.01 if metric.bins == 2 else 0.0 if relative else mean(metric),
        reference=tuple(round(100_000 * part) for part in usual(metric)) if metric == LATENCY else (),
        limit=0.2 if metric == ERRORS else None,
    )


def mean(metric: Metric) -> float:
    return round(sum(value * part for value, part in zip(metric.values, usual(metric), strict=True)), 4)


def planned(size: Size) -> Plan:
    """Return a shadow if asked for, then the canary steps and full exposure."""
    stages = [(StageKind.SHADOW, 0)] * size.shadow + [(StageKind.CANARY, share) for share in SHARES[-size.steps :]]
    steps = tuple(
        Step(
            name=StepName(f"s{k}"),
            stage=stage,
            candidate=share,
            control=share if stage is StageKind.CANARY else 0,
            mirror=0 if share else 10_000,
            minimum=MINUTE,
            maximum=1_000 * MINUTE,
            at_maximum=AtMaximum.HOLD,
        )
        for k, (stage, share) in enumerate([*stages, (StageKind.FULL, 10_000)], start=1)
    )
    plan = Plan(
        model=ModelName("delays"),
        incumbent=VersionName("v1"),
        incumbent_digest=Digest("sha256:" + "1" * 64),
        candidate=VersionName("v2"),
        candidate_digest=Digest("sha256:" + "2" * 64),
        owner="ada",
        why="To be measured.",
        alpha=0.01,
        alpha_pass=0.05,
        guardrails=tuple(map(guardrail, size.metrics)),
        dimensions=(Dimension("carrier", tuple(f"c{k}" for k in range(size.slices))),) if size.slices else (),
        steps=steps,
        stale_after=5_000,
        outcomes_stale_after=MINUTE,
        maturity=0.5,
        lease=2_000,
    )
    check_plan(plan)
    return plan


def drawn(chances: Sequence[float], *, number: int, rng: random.Random) -> tuple[int, ...]:
    """Draw bin counts of so many outcomes: Poisson in effect, by the normal where it is close enough."""
    counts = [round(rng.gauss(number * part, (number * part) ** 0.5)) for part in chances]
    return tuple(max(0, count) for count in counts)


def step_counts(plan: Plan, step: StepName, *, subjects: int, rng: random.Random) -> list[Counts]:
    """Return what both arms, equal in truth, show in one step."""
    found = []
    for g in plan.guardrails:
        slices = slice_names(plan.dimensions) if g.metric.origin is Origin.OUTCOME else ()
        for name in (WHOLE, *slices):
            number = subjects // 2 // (1 if name == WHOLE else len(slices))
            draw = partial(drawn, usual(g.metric), number=number, rng=rng)
            found.append(Counts(step=step, metric=g.metric.name, slice=name, candidate=draw(), incumbent=draw()))
    return found


def grown(counts: Counts, *, by: Counts) -> Counts:
    add = partial(map, int.__add__)
    return msgspec.structs.replace(
        counts,
        candidate=tuple(add(counts.candidate, by.candidate)),
        incumbent=tuple(add(counts.incumbent, by.incumbent)),
    )


def looks(plan: Plan, size: Size, *, number: int, seed: int) -> list[Evidence]:
    """Return so many looks, one after the other, in the last canary step."""
    rng = random.Random(seed)
    *earlier, current = [step.name for step in plan.steps if step.has_coin]
    before = [row for step in earlier for row in step_counts(plan, step, subjects=size.subjects, rng=rng)]
    first = step_counts(plan, current, subjects=size.subjects, rng=rng)
    more = [step_counts(plan, current, subjects=200, rng=rng) for _ in range(number - 1)]
    now = accumulate(more, lambda rows, new: [grown(a, by=b) for a, b in zip(rows, new, strict=True)], initial=first)
    pairs = tuple(
        Pairs(metric=g.metric.name, slice=name, differences=drawn((0.02,) * 20 + (0.2,) + (0.02,) * 20, number=size.subjects, rng=rng))
        for g in plan.guardrails
        for name in (WHOLE, *slice_names(plan.dimensions))
        if size.shadow and is_paired(g.metric)
    )  # fmt: skip
    half = size.subjects // 2
    exposed = [Exposed(step=step, candidate=half, incumbent=half) for step in (*earlier, current)]
    return [
        # Through bytes, as from a ledger: no row is the same object as in the look before.
        msgspec.msgpack.decode(msgspec.msgpack.encode(evidence), type=Evidence)
        for rows in now
        for evidence in (
            Evidence(
                counts=(*before, *rows),
                pairs=pairs,
                exposed=tuple(exposed),
                maturity=tuple(Maturity(step=e.step, candidate=half, incumbent=half) for e in exposed),
                freshness=tuple(Freshness(origin=origin.value, age=100) for origin in Origin),
                in_force=True,
            ),
        )
    ]


def timed(rollout: Rollout, evidence: Sequence[Evidence]) -> list[float]:
    """Return the CPU time of each `decide`, in seconds."""
    times = []
    gc.disable()
    for look in evidence:
        start = process_time()
        decide(rollout, look, now=2 * MINUTE)
        times.append(process_time() - start)
    gc.enable()
    return times


def measured(size: Size, *, rounds: int) -> dict[str, float]:
    plan = planned(size)
    position = next(k for k, step in enumerate(plan.steps) if step.stage is StageKind.FULL) - 1
    rollout = replace(proposed(plan), phase=Phase.RUNNING, position=position, entered_at=0)
    sequence = looks(plan, size, number=rounds + 1, seed=1)
    decide(rollout, sequence[0], now=2 * MINUTE)  # the bets of each test are computed once per plan
    following = timed(rollout, sequence[1:])
    same = timed(rollout, looks(plan, size, number=1, seed=1) * rounds)
    unseen = timed(rollout, [looks(plan, size, number=1, seed=seed)[0] for seed in range(2, 2 + rounds)])
    return {
        "rows": len(sequence[0].counts),
        "same look": 1e6 * min(same),
        "same look, median": 1e6 * statistics.median(same),
        "next look": 1e6 * min(following),
        "next look, median": 1e6 * statistics.median(following),
        "first look": 1e6 * min(unseen),
        "first look, median": 1e6 * statistics.median(unseen),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--json", action="store_true", help="figures for machines")
    options = parser.parse_args()
    rounds = 40 if options.quick else 200
    figures = {name: measured(size, rounds=rounds) for name, size in SIZES.items()}
    if options.json:
        print(json.dumps({"python": platform.python_version(), "microseconds": figures}, indent=2))
        return
    print(f"Python {platform.python_version()}, microseconds of CPU per decision, {rounds} rounds")
    for name, found in figures.items():
        print(f"{name:>8}  " + "  ".join(f"{what} {value:,.0f}" for what, value in found.items()))


if __name__ == "__main__":
    main()
