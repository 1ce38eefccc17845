"""Plans with metrics of the newer kinds: what is refused, in its place, and what is forecast."""

from typing import Any

import msgspec
import pytest

from glideslope.domain.decision import Verdict
from glideslope.domain.draft import Draft, GuardrailDraft, MetricDraft
from glideslope.domain.errors import Invalid, PlanInvalid
from glideslope.domain.events import Registered
from glideslope.domain.evidence import Counts, Evidence, Pairs
from glideslope.domain.forecast import forecast
from glideslope.domain.freeze import Baseline, freeze, plan_digest
from glideslope.domain.gate import harm_findings, loosened
from glideslope.domain.ids import WHOLE, Actor, MetricName, ModelName, StepName, VersionName
from glideslope.domain.metric import CALIBRATION, LATENCY_EDGES, Better, Kind, outcome_bin
from glideslope.domain.plan import Margin, MarginKind, Plan, check_plan
from glideslope.domain.tallied import limit_found
from glideslope.testing.examples import CANDIDATE, INCUMBENT

RELATIVE, ABSOLUTE = MarginKind.RELATIVE, MarginKind.ABSOLUTE
HISTOGRAM = tuple(1000 if 10 <= k < 20 else 600 >> k - 20 if k >= 20 else 0 for k in range(41))
TRAFFIC = Baseline(
    histograms={MetricName("latency"): HISTOGRAM}, subjects_per_second=100.0, outcomes_per_second=100.0, seconds=60.0
)


def own(kind: Kind, **how: Any) -> MetricDraft:
    return MetricDraft(name=MetricName("mine"), kind=kind, **how)


def judged(name: str = "mine", kind: MarginKind = RELATIVE, size: float = 0.25, **more: Any) -> GuardrailDraft:
    return GuardrailDraft(metric=MetricName(name), margin=Margin(kind, size), **more)


def frozen(
    *guardrails: GuardrailDraft, metrics: tuple[MetricDraft, ...] = (), baseline: Baseline | None = None
) -> Plan:
    draft = Draft(
        model=ModelName("m"), candidate=VersionName("v2"), owner="o", why="w", metrics=metrics, guardrails=guardrails
    )
    sides = [
        Registered(model=ModelName("m"), version=VersionName(v), digest=d, url="http://m", by=Actor("ada"), why="w")
        for v, d in (("v1", INCUMBENT), ("v2", CANDIDATE))
    ]
    return freeze(draft, incumbent=sides[0], candidate=sides[1], baseline=baseline or TRAFFIC)


@pytest.mark.parametrize(
    ("metric", "what"),
    [
        (own(Kind.COUNT, cap=4.0), "has no cap"),
        (own(Kind.COUNT, edges=(0.0, 1.5)), "whole numbers"),
        (own(Kind.COUNT, edges=(-1.0, 1.0)), "whole numbers"),
        (own(Kind.MEAN), "either a cap"),
        (own(Kind.MEAN, cap=1.0, edges=(0.0, 1.0)), "either a cap"),
        (own(Kind.MEAN, cap=1.0, floor=1.0), "not below the cap"),
        (own(Kind.MEAN, edges=(0.0, 1.0), floor=-1.0), "either a cap"),
        (own(Kind.MEAN, cap=1.0, unit=0.1), "has no unit"),
        (own(Kind.SCORE, cap=1.0, better=Better.HIGHER), "has no better"),
        (own(Kind.SCORE, cap=1.0, floor=0.5), "has no floor"),
        (own(Kind.UNBOUNDED), "smallest unit"),
        (own(Kind.UNBOUNDED, unit=0.0), "smallest unit"),
        (own(Kind.LATENCY, edges=(0.0, 1.0)), "above 0"),
        (own(Kind.CALIBRATION), "own metric is one of"),
        (own(Kind.AUC), "own metric is one of"),
    ],
    ids=str,
)
def test_what_a_kind_cannot_be_is_refused_in_its_place(metric: MetricDraft, what: str) -> None:
    with pytest.raises(PlanInvalid, match=what) as caught:
        frozen(judged(kind=ABSOLUTE, size=0.1), metrics=(metric,))

    assert caught.value.where == "metrics.mine"


@pytest.mark.parametrize(
    ("guardrail", "metric", "what"),
    [
        (judged(), own(Kind.MEAN, cap=9.0, floor=-1.0), "one sign"),
        (judged(size=1.0, base_rate=3.0), own(Kind.MEAN, cap=9.0, better=Better.HIGHER), "lets every candidate pass"),
        (judged(base_rate=99.0), own(Kind.MEAN, cap=9.0), "outside the values"),
        (judged(base_rate=8.0), own(Kind.MEAN, cap=9.0), "could break"),
        (judged(quantile=0.99, base_rate=-1.0), own(Kind.LATENCY), "Nobody has seen"),
        (judged(quantile=0.99, base_rate=5.0), own(Kind.COUNT), "no quantile"),
        (judged(kind=ABSOLUTE, size=0.1), own(Kind.UNBOUNDED, unit=1.0), "proof must be required"),
    ],
    ids=str,
)
def test_what_no_test_can_judge_is_refused(guardrail: GuardrailDraft, metric: MetricDraft, what: str) -> None:
    with pytest.raises(PlanInvalid, match=what):
        frozen(guardrail, metrics=(metric,))


def test_a_quantile_is_an_edge_of_its_own_and_divides_the_histogram() -> None:
    (g,) = frozen(judged("latency", quantile=0.99)).guardrails
    threshold = g.threshold
    assert isinstance(threshold, float)
    cut = g.metric.edges.index(threshold) + 1

    assert g.metric.name == "latency_p99"
    assert set(g.metric.edges) == {*LATENCY_EDGES, threshold}
    assert sum(g.reference[cut:]) == pytest.approx(0.01 * sum(HISTOGRAM), abs=1)
    assert sum(g.reference) == sum(HISTOGRAM)
    assert g.metric.bin(threshold) == cut - 1
    assert g.metric.bin(threshold * 1.0001) == cut


def test_several_quantiles_of_one_latency_stand_beside_each_other() -> None:
    plan = frozen(judged("latency"), *(judged("latency", quantile=q) for q in (0.5, 0.99, 0.999)))

    assert [g.metric.name for g in plan.guardrails] == ["latency", "latency_p50", "latency_p99", "latency_p99_9"]
    with pytest.raises(PlanInvalid, match="latency_p99 is a guardrail twice"):
        frozen(judged("latency", quantile=0.99), judged("latency", quantile=0.99, size=0.5))


def test_what_spends_no_alpha_leaves_it_to_the_others() -> None:
    alone = frozen(judged("errors", ABSOLUTE, 0.01))
    beside = frozen(judged("errors", ABSOLUTE, 0.01), judged("calibration", ABSOLUTE, 0.05))

    lines = [{f.line for f in harm_findings(plan, Evidence())} for plan in (alone, beside)]
    assert lines[0] == lines[1]
    assert not beside.guardrails[1].required


def test_a_loosened_loss_never_tolerates_everything() -> None:
    plan = frozen(judged(base_rate=3.0, size=0.4), metrics=(own(Kind.MEAN, cap=9.0, better=Better.HIGHER),))

    assert [round(loosened(plan.guardrails[0], step.loosen), 3) for step in plan.steps[:3]] == [0.7, 0.7, 0.4]


FORECAST = [
    (judged(base_rate=0.2, size=0.5), own(Kind.COUNT)),
    (judged(base_rate=200.0), own(Kind.MEAN, cap=1000.0)),
    (judged(base_rate=12.0, size=0.2), own(Kind.MEAN, cap=50.0, better=Better.HIGHER)),
    (judged("latency", quantile=0.99), None),
    (judged("auc", ABSOLUTE, 0.05), None),
]


@pytest.mark.parametrize(("guardrail", "metric"), FORECAST, ids=lambda each: str(getattr(each, "kind", "")))
def test_each_kind_is_forecast_and_a_tighter_margin_takes_longer(
    guardrail: GuardrailDraft, metric: MetricDraft | None
) -> None:
    metrics = (metric,) if metric else ()
    tight = msgspec.structs.replace(guardrail, margin=Margin(guardrail.margin.kind, guardrail.margin.size / 2))
    told = [forecast(frozen(each, metrics=metrics), TRAFFIC)[-1] for each in (guardrail, tight)]

    assert all(f.subjects_to_proof and f.subjects_at_risk and f.detects and f.seconds_to_proof for f in told)
    assert (told[0].subjects_to_proof or 0) < (told[1].subjects_to_proof or 0)


def test_what_proves_nothing_is_forecast_to_prove_nothing() -> None:
    plan = frozen(judged("calibration", ABSOLUTE, 0.05), judged("errors", ABSOLUTE, 0.01))

    told = [f for f in forecast(plan, TRAFFIC) if f.guardrail.metric.name == "calibration"]
    assert {(f.subjects_to_proof, f.subjects_at_risk, f.detects) for f in told} == {(None, None, None)}


def test_malformed_counts_of_a_calibration_or_a_ranking_are_invalid() -> None:
    plan = frozen(judged("calibration", ABSOLUTE, 0.05), judged("auc", ABSOLUTE, 0.05))
    short = Counts(step=StepName("s1"), metric=MetricName("calibration"), slice=WHOLE, candidate=(1,), incumbent=(1,))
    pairs = Pairs(metric=MetricName("auc"), slice=WHOLE, differences=(1, 2))
    evidence = Evidence(counts=(short,), pairs=(pairs,))

    assert [f.verdict for f in limit_found(plan, evidence)] == [Verdict.INVALID]
    assert {f.verdict for f in harm_findings(plan, evidence)} == {Verdict.INVALID}


def test_a_threshold_off_the_edges_is_refused() -> None:
    plan = frozen(judged("latency", quantile=0.99))
    odd = msgspec.structs.replace(plan.guardrails[0], threshold=1.2345)

    with pytest.raises(PlanInvalid, match="none of its edges"):
        check_plan(msgspec.structs.replace(plan, guardrails=(odd,)))


@pytest.mark.parametrize("probability", [float("nan"), -0.1, 1.1])
def test_what_is_no_probability_has_no_joint_bin(probability: float) -> None:
    with pytest.raises(Invalid):
        outcome_bin(CALIBRATION, probability=probability, happened=True)


def test_plans_of_before_keep_their_digest() -> None:
    """New members are left out where they are not set."""
    plan = frozen(judged("errors", ABSOLUTE, 0.01), baseline=Baseline())
    # A new plan names the stakes of its bets; those of before had none.
    plan = msgspec.structs.replace(
        plan, guardrails=tuple(msgspec.structs.replace(g, stakes=msgspec.UNSET) for g in plan.guardrails)
    )
    text = msgspec.json.encode(plan)

    assert not any(key in text for key in (b"quantile", b"threshold", b"better", b'"of"'))
    assert plan_digest(plan) == "sha256:5d27c192da3d1acfae32a538c241300057b2e3f044bce9257f0fb16232dc53b9"
