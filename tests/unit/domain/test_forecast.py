"""What `plan` promises is what happens: forecasts against simulated proofs, and refusals of plans that cannot tell."""

import math
from random import Random

import pytest

from glideslope.domain.decision import Verdict
from glideslope.domain.draft import DAY, MINUTE, Draft, GuardrailDraft, StageDraft
from glideslope.domain.events import Registered
from glideslope.domain.evidence import Counts, Evidence
from glideslope.domain.forecast import forecast, warnings
from glideslope.domain.freeze import Baseline, freeze
from glideslope.domain.gate import proof_findings
from glideslope.domain.ids import WHOLE, Actor, Digest, ModelName, VersionName
from glideslope.domain.metric import ERRORS, LATENCY, LOG_LOSS, WRONG, Metric, loss_bin
from glideslope.domain.plan import Margin, MarginKind, Plan, StageKind

REPETITIONS = 30


def registered(version: str, digit: str) -> Registered:
    return Registered(
        model=ModelName("delays"),
        version=VersionName(version),
        digest=Digest("sha256:" + digit * 64),
        url="http://x",
        by=Actor("ada"),
        why="trained",
    )


def frozen(metric: Metric, margin: Margin, baseline: Baseline, *, maximum: int = DAY, share: int = 5_000) -> Plan:
    stage = StageDraft(stage=StageKind.CANARY, shares=(share,), maximum=maximum)
    draft = Draft(
        model=ModelName("delays"),
        candidate=VersionName("v2"),
        owner="ada",
        why="why not",
        stages=(stage,),
        guardrails=(GuardrailDraft(metric=metric.name, margin=margin),),
    )
    return freeze(draft, incumbent=registered("v1", "1"), candidate=registered("v2", "2"), baseline=baseline)


def draw(metric: Metric, chance: Random, *, tolerance: float = 0.0) -> int:
    """Return the bin of one outcome of an arm like any other."""
    if metric == ERRORS:
        return int(chance.random() < 0.05)
    if metric == LATENCY:
        return metric.bin(20 * math.exp(chance.gauss(0.0, 0.4)) / (1 + tolerance))
    truth = 0.02 + 0.96 * chance.random()
    probability = min(0.99, max(0.01, truth + chance.gauss(0.0, 0.05)))
    return loss_bin(metric, probability=probability, happened=chance.random() < truth)


def histogram(metric: Metric, chance: Random) -> tuple[int, ...]:
    counts = [0] * metric.bins
    for _ in range(5_000):
        counts[draw(metric, chance)] += 1
    return tuple(counts)


@pytest.mark.parametrize(
    ("metric", "margin"),
    [
        (ERRORS, Margin(MarginKind.ABSOLUTE, 0.03)),
        (ERRORS, Margin(MarginKind.RELATIVE, 1.0)),
        (LATENCY, Margin(MarginKind.RELATIVE, 0.25)),
        (LOG_LOSS, Margin(MarginKind.ABSOLUTE, 0.1)),
        (WRONG, Margin(MarginKind.ABSOLUTE, 0.1)),
    ],
    ids=lambda value: value.name if isinstance(value, Metric) else value.kind.value,
)
def test_the_forecast_of_a_proof_is_what_happens(metric: Metric, margin: Margin) -> None:
    """On average, an equal candidate is proven within 30 % of the subjects that the plan showed."""
    chance = Random(f"{metric.name} {margin.kind}")
    baseline = Baseline(histograms={metric.name: histogram(metric, chance)}, subjects_per_second=10.0)
    plan = frozen(metric, margin, baseline)
    foreseen = forecast(plan, baseline)[0].subjects_to_proof
    assert foreseen is not None
    taken = [subjects(plan, metric, chance, tolerance=margin.size) for _ in range(REPETITIONS)]

    mean = sum(taken) / REPETITIONS
    noise = math.sqrt(sum((n - mean) ** 2 for n in taken)) / REPETITIONS

    assert abs(mean - foreseen) < 0.3 * mean + 2 * noise


def subjects(plan: Plan, metric: Metric, chance: Random, *, tolerance: float) -> int:
    """Return how many candidate subjects one simulated step takes to its proof."""
    step = plan.steps[0]
    candidate, incumbent = [0] * metric.bins, [0] * metric.bins
    while True:
        for _ in range(8):
            if chance.random() < 0.5:
                candidate[draw(metric, chance, tolerance=tolerance)] += 1
            else:
                incumbent[draw(metric, chance)] += 1
        counts = Counts(
            step=step.name, metric=metric.name, slice=WHOLE, candidate=tuple(candidate), incumbent=tuple(incumbent)
        )
        (found,) = proof_findings(plan, Evidence(counts=(counts,)), step)
        if found.verdict is Verdict.PASS:
            return sum(candidate)


def test_without_recent_traffic_a_warning_says_that_times_are_unknown() -> None:
    baseline = Baseline()
    plan = frozen(ERRORS, Margin(MarginKind.ABSOLUTE, 0.005), baseline, maximum=10 * MINUTE)

    assert {w.code for w in warnings(plan, baseline)} >= {"no-recent-traffic", "rate-unknown"}


@pytest.mark.parametrize("field", ["subjects_to_proof", "subjects_at_risk", "detects"])
def test_a_forecast_is_whole_for_every_kind_of_guardrail(field: str) -> None:
    """With known traffic nothing is left out, and no number is absurd."""
    margins: dict[Metric, Margin] = {
        ERRORS: Margin(MarginKind.ABSOLUTE, 0.01),
        LATENCY: Margin(MarginKind.RELATIVE, 0.25),
        LOG_LOSS: Margin(MarginKind.ABSOLUTE, 0.05),
        WRONG: Margin(MarginKind.ABSOLUTE, 0.05),
    }
    for metric, margin in margins.items():
        baseline = Baseline(histograms={metric.name: histogram(metric, Random(1))}, subjects_per_second=10.0)
        for f in forecast(frozen(metric, margin, baseline), baseline):
            value = getattr(f, field)
            assert value is not None
            assert 0 < value < 1e6
