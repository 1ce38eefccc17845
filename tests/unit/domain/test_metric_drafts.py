"""A plan's own metrics are frozen with it: names that are free, bins that can be counted in, and somebody who judges them."""

from collections.abc import Sequence
from typing import Any

import pytest

from glideslope.domain.decision import Verdict
from glideslope.domain.draft import Draft, GuardrailDraft, MetricDraft
from glideslope.domain.errors import PlanInvalid
from glideslope.domain.events import Registered
from glideslope.domain.evidence import NOTHING
from glideslope.domain.forecast import forecast
from glideslope.domain.freeze import Baseline, freeze
from glideslope.domain.gate import harm_findings
from glideslope.domain.ids import Actor, Digest, MetricName, ModelName, VersionName
from glideslope.domain.metric import RESERVED, Kind, Metric, Origin
from glideslope.domain.own_metrics import MOST_BINS
from glideslope.domain.plan import Margin, MarginKind, Plan
from glideslope.testing.examples import CANDIDATE, INCUMBENT


def own(name: str = "output_length", **how: Any) -> MetricDraft:
    return MetricDraft(name=MetricName(name), **{"kind": Kind.SCORE, **how})


def judged(name: str, *, size: float = 25.0) -> GuardrailDraft:
    return GuardrailDraft(metric=MetricName(name), margin=Margin(MarginKind.ABSOLUTE, size))


def registered(version: str, digest: Digest) -> Registered:
    return Registered(
        model=ModelName("m"), version=VersionName(version), digest=digest, url="http://m", by=Actor("ada"), why="w"
    )


def frozen(metrics: Sequence[MetricDraft], guardrails: Sequence[GuardrailDraft]) -> Plan:
    draft = Draft(
        model=ModelName("m"),
        candidate=VersionName("v2"),
        owner="o",
        why="w",
        metrics=tuple(metrics),
        guardrails=tuple(guardrails),
    )
    return freeze(
        draft,
        incumbent=registered("v1", INCUMBENT),
        candidate=registered("v2", CANDIDATE),
        baseline=Baseline(),
    )


def test_an_event_and_a_score_are_resolved_with_their_bins() -> None:
    plan = frozen(
        [own("fallback_used", kind=Kind.EVENT), own(cap=500.0), own("hops", edges=(1.0, 3.0, 10.0))],
        [judged("fallback_used", size=0.01), judged("output_length"), judged("hops", size=1.0)],
    )

    event, capped, edged = (g.metric for g in plan.guardrails)
    assert event == Metric(name=MetricName("fallback_used"), kind=Kind.EVENT, origin=Origin.SERVICE)
    assert (capped.bins, capped.edges[0], capped.edges[-1], capped.origin) == (32, 15.625, 500.0, Origin.SERVICE)
    assert (edged.bins, edged.edges) == (3, (1.0, 3.0, 10.0))
    assert {f.verdict for f in harm_findings(plan, NOTHING)} == {Verdict.INCONCLUSIVE}


def test_a_forecast_takes_an_unknown_score_in_its_own_unit() -> None:
    """Else a length in characters would be told from another by a handful of subjects."""
    small, large = (
        forecast(frozen([own(cap=cap)], [judged("output_length", size=cap / 20)]), Baseline())[0]
        for cap in (1.0, 500.0)
    )

    assert small.subjects_to_proof == large.subjects_to_proof
    assert small.subjects_to_proof is not None


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_a_name_that_means_something_already_is_refused(name: str) -> None:
    with pytest.raises(PlanInvalid, match="taken") as caught:
        frozen([own(name, cap=1.0)], [judged(name, size=0.1)])

    assert caught.value.where == f"metrics.{name}"


@pytest.mark.parametrize("name", ["", "Length", "9lives", "a-b", "a/b", "pair.log_loss", "x" * 65, "größe"])
def test_a_name_that_no_call_could_say_is_refused(name: str) -> None:
    with pytest.raises(PlanInvalid, match="cannot be the name"):
        frozen([own(name, cap=1.0)], [judged(name, size=0.1)])


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"cap": 1.0, "edges": (1.0, 2.0)},
        {"cap": 0.0},
        {"cap": -1.0},
        {"cap": float("inf")},
        {"cap": float("nan")},
        {"edges": (1.0,)},
        {"edges": (2.0, 1.0)},
        {"edges": (1.0, 1.0)},
        {"edges": (0.0, 1.0)},
        {"edges": (1.0, float("inf"))},
        {"edges": (1.0, float("nan"))},
        {"edges": tuple(float(k + 1) for k in range(MOST_BINS + 1))},
        {"kind": Kind.EVENT, "cap": 1.0},
        {"kind": Kind.EVENT, "edges": (1.0, 2.0)},
        {"kind": Kind.LATENCY, "cap": 1.0},
    ],
    ids=str,
)
def test_bins_that_cannot_be_counted_in_are_refused_in_their_place(how: dict[str, Any]) -> None:
    with pytest.raises(PlanInvalid) as caught:
        frozen([own(**how)], [judged("output_length", size=0.1)])

    assert caught.value.where == "metrics.output_length"


def test_a_metric_that_nobody_judges_or_that_is_defined_twice_is_refused() -> None:
    with pytest.raises(PlanInvalid, match="no guardrail"):
        frozen([own(cap=1.0)], [judged("errors", size=0.01)])
    with pytest.raises(PlanInvalid, match="twice"):
        frozen([own(cap=500.0), own(cap=600.0)], [judged("output_length")])


def test_an_unknown_metric_is_refused_with_all_that_there_are() -> None:
    with pytest.raises(
        PlanInvalid,
        match="auc, average_precision, brier, calibration, contract, errors, latency, log_loss, output_length, wrong",
    ):
        frozen([own(cap=500.0)], [judged("output_length"), judged("output_lenght")])
