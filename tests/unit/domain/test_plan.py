"""Plans that void a promise are refused before anything moves, each with its place and a sentence."""

import math
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from glideslope.domain.alphas import is_paired
from glideslope.domain.budget import Budget, Measure
from glideslope.domain.decision import Verdict
from glideslope.domain.errors import PlanInvalid, SplitInvalid
from glideslope.domain.evidence import NOTHING
from glideslope.domain.freeze import plan_digest
from glideslope.domain.gate import check_tests, harm_findings
from glideslope.domain.governing.governed import Governed
from glideslope.domain.ids import Digest, MetricName, StepName
from glideslope.domain.metric import (
    BRIER,
    BUILT_IN,
    ERRORS,
    LATENCY,
    LOG_LOSS,
    SPENDS_NO_ALPHA,
    Dimension,
    Kind,
    Metric,
    Origin,
)
from glideslope.domain.pairs import PairRules
from glideslope.domain.plan import (
    Criterion,
    DeclaredHarm,
    Guardrail,
    HarmNull,
    Margin,
    MarginKind,
    Plan,
    Rationale,
    StageKind,
    check_plan,
    wrong_margin,
)
from glideslope.domain.recomputation import Recompute
from glideslope.domain.value import ValueModel
from glideslope.testing import examples

PLAN = examples.plan()


def with_(**changes: Any) -> Plan:
    return msgspec.structs.replace(PLAN, **changes)


def with_step(index: int, **changes: Any) -> Plan:
    steps = list(PLAN.steps)
    steps[index] = msgspec.structs.replace(steps[index], **changes)
    return with_(steps=tuple(steps))


def with_guardrail(index: int, **changes: Any) -> Plan:
    guardrails = list(PLAN.guardrails)
    guardrails[index] = msgspec.structs.replace(guardrails[index], **changes)
    return with_(guardrails=tuple(guardrails))


def without(*stages: StageKind) -> Plan:
    kept = [s for s in PLAN.steps if s.stage not in stages]
    return with_(steps=tuple(msgspec.structs.replace(s, name=StepName(f"s{k + 1}")) for k, s in enumerate(kept)))


ERRORS_AT, LATENCY_AT, WRONG_AT, LOG_LOSS_AT = range(4)
OFFLINE_AT, SHADOW_AT, FIRST_AT, SECOND_AT, THIRD_AT, FULL_AT, BAKE_AT = range(7)


def test_the_example_is_a_plan_that_can_be_run() -> None:
    check_plan(PLAN)
    check_tests(PLAN)


@pytest.mark.parametrize(
    "plan",
    [
        without(StageKind.OFFLINE),
        without(StageKind.SHADOW),
        without(StageKind.BAKE),
        without(StageKind.FULL, StageKind.BAKE),
        with_(approvals=0),
        with_(dimensions=()),
        with_(maturity=0.0),
    ],
    ids=["no offline", "no shadow", "no bake", "canary alone", "no approvals", "no slices", "no maturity"],
)
def test_parts_may_be_left_out(plan: Plan) -> None:
    check_plan(plan)
    check_tests(plan)


REFUSED: list[tuple[str, Callable[[], Plan], str]] = [
    ("alpha of 0", lambda: with_(alpha=0.0), "alpha"),
    ("alpha of 1", lambda: with_(alpha=1.0), "alpha"),
    ("alpha of NaN", lambda: with_(alpha=math.nan), "alpha"),
    ("alpha_pass of NaN", lambda: with_(alpha_pass=math.nan), "alpha_pass"),
    ("alpha_pass of 0.9", lambda: with_(alpha_pass=0.9), "alpha_pass"),
    ("maturity above 1", lambda: with_(maturity=1.01), "maturity"),
    ("maturity of NaN", lambda: with_(maturity=math.nan), "maturity"),
    ("stale at once", lambda: with_(stale_after=0), "stale_after"),
    ("outcomes stale at once", lambda: with_(outcomes_stale_after=0), "outcomes_stale_after"),
    ("no lease", lambda: with_(lease=0), "lease"),
    ("a lease of two minutes", lambda: with_(lease=120_000), "lease"),
    ("fewer approvals than none", lambda: with_(approvals=-1), "approvals"),
    ("no owner", lambda: with_(owner=""), "owner"),
    ("no reason why", lambda: with_(why=""), "why"),
    ("no guardrails", lambda: with_(guardrails=()), "guardrails"),
    ("a guardrail twice", lambda: with_(guardrails=PLAN.guardrails * 2), "guardrails"),
    (
        "no guardrail whose proof is required",
        lambda: with_(guardrails=tuple(msgspec.structs.replace(g, required=False) for g in PLAN.guardrails)),
        "guardrails",
    ),
    ("a margin of 0", lambda: with_guardrail(ERRORS_AT, margin=Margin(MarginKind.RELATIVE, 0.0)), "guardrails"),
    ("a margin of NaN", lambda: with_guardrail(ERRORS_AT, margin=Margin(MarginKind.RELATIVE, math.nan)), "guardrails"),
    ("an endless margin", lambda: with_guardrail(ERRORS_AT, margin=Margin(MarginKind.RELATIVE, math.inf)), "guardrails"),
    ("a weight of 0", lambda: with_guardrail(ERRORS_AT, weight=0), "guardrails"),
    ("a limit of 1", lambda: with_guardrail(ERRORS_AT, limit=1.0), "guardrails"),
    ("a limit on a score", lambda: with_guardrail(LOG_LOSS_AT, limit=0.5), "guardrails"),
    ("an absolute margin of latency", lambda: with_guardrail(LATENCY_AT, margin=Margin(MarginKind.ABSOLUTE, 5.0)), "guardrails"),
    ("a relative margin of a score", lambda: with_guardrail(LOG_LOSS_AT, margin=Margin(MarginKind.RELATIVE, 0.1)), "guardrails"),
    (
        "a score without bins",
        lambda: with_guardrail(
            LOG_LOSS_AT, metric=Metric(name=MetricName("toxicity"), kind=Kind.SCORE, origin=Origin.SERVICE)
        ),
        "guardrails",
    ),
    ("the incumbent's own content", lambda: with_(candidate_digest=PLAN.incumbent_digest), "candidate"),
    ("offline without criteria", lambda: with_(criteria=()), "offline"),
    (
        "a criterion's margin of NaN",
        lambda: with_(criteria=(Criterion(metric="auc", holdout="days", margin=math.nan, lower_is_better=False),)),
        "offline",
    ),
    (
        "an evaluation that is not a number",
        lambda: examples.plan(evaluations=[msgspec.structs.replace(PLAN.evaluations[0], candidate=math.nan)]),
        "offline",
    ),
    (
        "an evaluation without end",
        lambda: examples.plan(evaluations=[msgspec.structs.replace(PLAN.evaluations[0], incumbent=math.inf)]),
        "offline",
    ),
    ("four dimensions", lambda: with_(dimensions=tuple(Dimension(f, ("1",)) for f in "abcd")), "slices"),
    ("256 values", lambda: with_(dimensions=(Dimension("a", tuple(map(str, range(256)))),)), "slices"),
    ("a value twice", lambda: with_(dimensions=(Dimension("a", ("1", "1")),)), "slices"),
    ("a field twice", lambda: with_(dimensions=(Dimension("a", ("1",)), Dimension("a", ("1",)))), "slices"),
    ("a slash in a slice", lambda: with_(dimensions=(Dimension("a", ("1/2",)),)), "slices"),
    ("no steps", lambda: with_(steps=()), "stages"),
    ("steps out of order", lambda: with_(steps=PLAN.steps[::-1]), "stages"),
    ("no canary", lambda: without(StageKind.CANARY), "stages"),
    ("other names", lambda: with_step(FIRST_AT, name=StepName("first")), "stages"),
    ("a canary without a candidate", lambda: with_step(FIRST_AT, candidate=0), "stages"),
    ("a canary without a control", lambda: with_step(FIRST_AT, control=0), "stages"),
    ("full that is not all", lambda: with_step(FULL_AT, candidate=9_999), "stages"),
    ("full with a control", lambda: with_step(FULL_AT, candidate=9_999, control=1), "stages"),
    ("bake that is not all", lambda: with_step(BAKE_AT, candidate=5_000), "stages"),
    ("exposure offline", lambda: with_step(OFFLINE_AT, candidate=100), "stages"),
    ("exposure in shadow", lambda: with_step(SHADOW_AT, candidate=100), "stages"),
    ("a mirror offline", lambda: with_step(OFFLINE_AT, mirror=100), "stages"),
    ("a mirror of more than all", lambda: with_step(SHADOW_AT, mirror=10_001), "stages"),
    ("a mirror of less than nothing", lambda: with_step(SHADOW_AT, mirror=-1), "stages"),
    ("a shadow without a mirror", lambda: with_step(SHADOW_AT, mirror=0), "stages"),
    ("a shadow that proves nothing", lambda: with_guardrail(WRONG_AT, required=False), "stages"),
    ("a minimum above the maximum", lambda: with_step(FIRST_AT, minimum=2, maximum=1), "stages"),
    ("a minimum below 0", lambda: with_step(FIRST_AT, minimum=-1), "stages"),
    ("a tightened margin", lambda: with_step(FIRST_AT, loosen=0.5), "stages"),
    ("a margin loosened without end", lambda: with_step(FIRST_AT, loosen=math.inf), "stages"),
    ("loosened by NaN", lambda: with_step(FIRST_AT, loosen=math.nan), "stages"),
    ("less than the step before measured", lambda: with_step(SECOND_AT, candidate=2_499), "stages"),
]  # fmt: skip


@pytest.mark.parametrize(("plan", "where"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_would_void_a_promise_is_refused(plan: Callable[[], Plan], where: str) -> None:
    with pytest.raises(PlanInvalid) as refused:
        check_plan(plan())

    assert refused.value.where == where
    assert refused.value.sentence.endswith(".")
    assert "unchanged" in refused.value.traffic


@pytest.mark.parametrize(("candidate", "control"), [(-1, 100), (9_000, 2_000)])
def test_a_step_cannot_hold_more_than_all(candidate: int, control: int) -> None:
    with pytest.raises(SplitInvalid):
        check_plan(with_step(THIRD_AT, candidate=candidate, control=control))


@pytest.mark.parametrize(
    ("name", "plan"),
    [
        ("errors", with_guardrail(ERRORS_AT, base_rate=math.nan)),
        ("errors", with_guardrail(ERRORS_AT, base_rate=1.0)),
        ("latency", with_guardrail(LATENCY_AT, reference=(1, 2))),
        ("log_loss", with_guardrail(LOG_LOSS_AT, base_rate=99.0)),
        ("log_loss", with_guardrail(LOG_LOSS_AT, margin=Margin(MarginKind.ABSOLUTE, 99.0))),
        ("wrong", with_guardrail(WRONG_AT, margin=Margin(MarginKind.ABSOLUTE, 1.5))),
    ],
)
def test_margins_and_rates_that_no_test_can_use_are_refused(name: str, plan: Plan) -> None:
    with pytest.raises(PlanInvalid, match=name):
        check_tests(plan)


@pytest.mark.parametrize("metric", BUILT_IN.values(), ids=BUILT_IN.keys())
@pytest.mark.parametrize("harm", HarmNull)
@pytest.mark.parametrize("kind", MarginKind)
def test_every_metric_and_margin_that_a_plan_may_hold_has_its_tests(
    metric: Metric, harm: HarmNull, kind: MarginKind
) -> None:
    """Without outcomes each of them says so, and nothing else."""
    proves = metric.kind not in SPENDS_NO_ALPHA
    guardrail = Guardrail(metric=metric, margin=Margin(kind, 0.2), harm=harm, base_rate=0.1, required=proves)
    pairable = Guardrail(metric=LOG_LOSS, margin=Margin(MarginKind.ABSOLUTE, 0.2), harm=harm, base_rate=0.1)
    plan = with_(guardrails=(guardrail, *(() if metric == LOG_LOSS else (pairable,))))
    if wrong := wrong_margin(metric.kind, kind):
        assert (metric.kind is Kind.LATENCY) == (kind is MarginKind.ABSOLUTE)
        with pytest.raises(PlanInvalid, match=wrong):
            check_plan(plan)
        return
    check_plan(plan)
    check_tests(plan)

    asked = harm_findings(plan, NOTHING)
    assert {f.verdict for f in asked} == {Verdict.INCONCLUSIVE}
    assert (metric.name in {f.subject for f in asked}) == guardrail.spends_alpha


def test_which_metrics_a_shadow_can_judge() -> None:
    assert {m.name for m in (ERRORS, LATENCY, LOG_LOSS, BRIER) if is_paired(m)} == {"log_loss", "brier"}


def test_alpha_is_shared_and_never_exceeded() -> None:
    """Every harm test of the plan together, at their lines: the chances add up to at most alpha."""
    found = harm_findings(PLAN, NOTHING)

    assert sum(math.exp(-f.line) for f in found) == pytest.approx(PLAN.alpha, rel=1e-3)


def test_a_plans_digest_covers_every_field() -> None:
    unset: dict[str, Any] = {
        "shown": (BRIER,),
        "budgets": (Budget(metric=MetricName("errors"), measure=Measure.COUNT, size=10.0),),
        "value": ValueModel(currency="EUR"),
        "crosses": (("origin", "carrier"),),
        "pairs": PairRules(),
        "recompute": Recompute.REQUIRED,
        "recount": 2,
        "logged": ("amount",),
        "proposal": Rationale(benefit="fewer false alarms"),
        "governed": Governed(organisation=Digest("sha256:" + "0" * 64)),
        "harms": (DeclaredHarm(metric=MetricName("errors"), size=Margin(MarginKind.RELATIVE, 1.0)),),
    }
    changes: dict[str, Any] = {
        name: unset[name] if value is msgspec.UNSET else value + 1 if isinstance(value, int | float) else value[:-1]
        for name, value in msgspec.structs.asdict(PLAN).items()
    }
    assert set(changes) == set(Plan.__struct_fields__)

    digests = {plan_digest(with_(**{name: value})) for name, value in changes.items()}

    assert len(digests | {plan_digest(PLAN)}) == len(changes) + 1


def test_a_plan_comes_back_as_it_was_written() -> None:
    assert msgspec.convert(msgspec.to_builtins(PLAN), type=Plan) == PLAN


def test_a_plan_with_a_field_that_we_do_not_know_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**msgspec.to_builtins(PLAN), "mood": "good"}, type=Plan)
