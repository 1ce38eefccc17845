"""A plan, and evidence for it, to test with: every kind of guardrail and of stage, small enough to read."""

from collections.abc import Iterable, Mapping

from glideslope.domain.events import Proposed
from glideslope.domain.evidence import Counts, Evidence, Exposed, Freshness, Maturity, Pairs, Serving
from glideslope.domain.freeze import plan_digest
from glideslope.domain.ids import WHOLE, Actor, Digest, ModelName, RolloutId, SliceName, StepName, VersionName
from glideslope.domain.metric import (
    DIFFERENCE_BINS,
    ERRORS,
    LATENCY,
    LATENCY_EDGES,
    LOG_LOSS,
    WRONG,
    Dimension,
    Metric,
    Origin,
)
from glideslope.domain.plan import (
    AtMaximum,
    Criterion,
    Evaluation,
    Guardrail,
    HarmNull,
    Margin,
    MarginKind,
    Plan,
    StageKind,
    Step,
)
from glideslope.domain.rollout import Rollout, begin
from glideslope.domain.traffic import Arm

SECOND = 1_000
MINUTE = 60 * SECOND

INCUMBENT = Digest("sha256:" + "1" * 64)
CANDIDATE = Digest("sha256:" + "2" * 64)

OWNER = Actor("ada")
APPROVER = Actor("grace")

_USUAL_LATENCY = tuple(max(0, 40 - 3 * abs(k - 16)) for k in range(len(LATENCY_EDGES) + 1))


def guardrails() -> tuple[Guardrail, ...]:
    """Errors and latency from the gateway, wrong answers and log loss from outcomes."""
    return (
        Guardrail(
            metric=ERRORS,
            margin=Margin(MarginKind.RELATIVE, 1.0),
            harm=HarmNull.WORSE,
            base_rate=0.02,
            limit=0.2,
        ),
        Guardrail(
            metric=LATENCY,
            margin=Margin(MarginKind.RELATIVE, 0.25),
            harm=HarmNull.BEYOND_MARGIN,
            base_rate=0.0,
            reference=_USUAL_LATENCY,
        ),
        Guardrail(metric=WRONG, margin=Margin(MarginKind.ABSOLUTE, 0.1), harm=HarmNull.WORSE, base_rate=0.2),
        Guardrail(
            metric=LOG_LOSS,
            margin=Margin(MarginKind.ABSOLUTE, 0.2),
            harm=HarmNull.BEYOND_MARGIN,
            base_rate=0.45,
            required=False,
        ),
    )


def steps(*, at_maximum: AtMaximum = AtMaximum.HOLD) -> tuple[Step, ...]:
    """Offline, shadow, three canary steps, full and bake; each takes 1 to 10 minutes."""

    def step(number: int, stage: StageKind, *, candidate: int = 0, control: int = 0, mirror: int = 0) -> Step:
        return Step(
            name=StepName(f"s{number}"),
            stage=stage,
            candidate=candidate,
            control=control,
            mirror=mirror,
            minimum=MINUTE,
            maximum=10 * MINUTE,
            at_maximum=at_maximum,
            loosen=2.0 if candidate < 1_000 else 1.0,
        )

    return (
        step(1, StageKind.OFFLINE),
        step(2, StageKind.SHADOW, mirror=10_000),
        step(3, StageKind.CANARY, candidate=500, control=2_000),
        step(4, StageKind.CANARY, candidate=2_500, control=2_500),
        step(5, StageKind.CANARY, candidate=5_000, control=5_000),
        step(6, StageKind.FULL, candidate=10_000),
        step(7, StageKind.BAKE, candidate=10_000),
    )


def plan(
    *, approvals: int = 1, at_maximum: AtMaximum = AtMaximum.HOLD, evaluations: Iterable[Evaluation] | None = None
) -> Plan:
    """The whole ladder with four guardrails and three slices."""
    measured = Evaluation(metric="auc", holdout="days", incumbent=0.69, candidate=0.70, count=5_000)
    return Plan(
        model=ModelName("delays"),
        incumbent=VersionName("v1"),
        incumbent_digest=INCUMBENT,
        candidate=VersionName("v2"),
        candidate_digest=CANDIDATE,
        owner=OWNER,
        why="Retrained with October.",
        alpha=0.01,
        alpha_pass=0.05,
        guardrails=guardrails(),
        dimensions=(Dimension("origin", ("EWR", "JFK", "LGA")),),
        steps=steps(at_maximum=at_maximum),
        criteria=(Criterion(metric="auc", holdout="days", margin=0.01, lower_is_better=False),),
        evaluations=(measured,) if evaluations is None else tuple(evaluations),
        approvals=approvals,
        stale_after=5 * SECOND,
        outcomes_stale_after=MINUTE,
        maturity=0.5,
        lease=2 * SECOND,
    )


def proposed(of: Plan, *, at: int = 0, by: Actor = OWNER) -> Rollout:
    """A rollout of a plan, nothing moved yet."""
    return begin(RolloutId("delays-1"), Proposed(plan=of, plan_digest=plan_digest(of), by=by), at=at)


def histogram(metric: Metric, *, size: int, bad: float = 0.0) -> tuple[int, ...]:
    """Spread `size` outcomes over a metric's bins: the part `bad` (0 to 1) in the worst, the rest as usual."""
    worst = round(size * bad)
    if metric.bins == 2:
        return (size - worst, worst)
    usual = _USUAL_LATENCY if metric == LATENCY else tuple(max(0, 12 - abs(k - 5)) for k in range(metric.bins))
    kept = [(size - worst) * n // sum(usual) for n in usual]
    kept[usual.index(max(usual))] += size - worst - sum(kept)
    kept[-1] += worst
    return tuple(kept)


USUAL: Mapping[str, float] = {"errors": 0.02, "latency": 0.0, "wrong": 0.2, "log_loss": 0.0}
"""The part of a healthy arm's outcomes in the worst bin."""


def evidence(
    of: Plan,
    upto: str,
    *,
    size: int = 20_000,
    candidate: Mapping[str, float] = USUAL,
    incumbent: Mapping[str, float] = USUAL,
    candidate_in_slice: Mapping[str, float] | None = None,
    age: int = SECOND,
) -> Evidence:
    """What would be known at the step named `upto`, with `size` subjects per step in the exact proportion of its split.

    Rates name the part of an arm's outcomes in a metric's worst bin; those in `candidate_in_slice` hold in LGA alone.
    """
    names = [s.name for s in of.steps]
    walked = of.steps[: names.index(StepName(upto)) + 1]
    counts, exposed = [], []
    for step in walked:
        if not step.candidate:
            continue
        candidates = size * step.candidate // (step.candidate + step.control)
        incumbents = size - candidates
        exposed.append(Exposed(step=step.name, candidate=candidates, incumbent=incumbents))
        for g in of.guardrails:
            parts = of.slices if g.metric.origin is Origin.OUTCOME else ()
            for name, share in ((WHOLE, 1), *((part, len(parts)) for part in parts)):
                here = (candidate_in_slice or {}) if name == SliceName("origin=LGA") else {}
                rate = here.get(g.metric.name, candidate.get(g.metric.name, USUAL[g.metric.name]))
                counts.append(
                    Counts(
                        step=step.name,
                        metric=g.metric.name,
                        slice=name,
                        candidate=_tolerated(g.metric, histogram(g.metric, size=candidates // share, bad=rate)),
                        incumbent=histogram(g.metric, size=incumbents // share, bad=incumbent[g.metric.name]),
                    )
                )
    return Evidence(
        counts=tuple(counts),
        pairs=_pairs(of, size=size, more_wrong=candidate["wrong"] - incumbent["wrong"]),
        exposed=tuple(exposed),
        maturity=tuple(Maturity(step=e.step, candidate=e.candidate, incumbent=e.incumbent) for e in exposed),
        freshness=tuple(Freshness(origin=origin.value, age=age) for origin in Origin),
        serving=(
            Serving(arm=Arm.CANDIDATE, version=of.candidate, digest=of.candidate_digest),
            Serving(arm=Arm.INCUMBENT, version=of.incumbent, digest=of.incumbent_digest),
        ),
        in_force=True,
    )


def _tolerated(metric: Metric, counts: tuple[int, ...]) -> tuple[int, ...]:
    """Divide a candidate's latencies by 1.25, its tolerance here and the width of a bin; the worst stay the worst."""
    if metric != LATENCY:
        return counts
    first, second, *more, worst = counts
    return (first + second, *more, 0, worst)


def _pairs(of: Plan, *, size: int, more_wrong: float) -> tuple[Pairs, ...]:
    if not any(s.stage is StageKind.SHADOW for s in of.steps):
        return ()
    alone, worse = size // 50, round(size * max(0.0, more_wrong))
    middle = DIFFERENCE_BINS // 2
    losses = [0] * DIFFERENCE_BINS
    losses[middle - 1] = losses[middle + 1] = alone
    losses[middle] = size - 2 * alone
    return (
        Pairs(metric=WRONG.name, slice=WHOLE, differences=(size * 7 // 10, alone + worse, alone, size // 10)),
        Pairs(metric=LOG_LOSS.name, slice=WHOLE, differences=tuple(losses)),
    )
