"""What is foreseen is what is judged: with the credit for overshoot while it holds, and by strata where a plan has them."""

from random import Random

import msgspec
import pytest

from glideslope.domain.alphas import alpha_of
from glideslope.domain.draft import DAY, Draft, GuardrailDraft, StageDraft, StrataDraft
from glideslope.domain.events import Registered
from glideslope.domain.flow import flow_of
from glideslope.domain.foresight import Prospect, harm_after, prospect
from glideslope.domain.freeze import Baseline, freeze
from glideslope.domain.gate import harm_asked
from glideslope.domain.ids import WHOLE, Actor, Digest, MetricName, ModelName, VersionName
from glideslope.domain.metric import LATENCY_EDGES, Dimension
from glideslope.domain.plan import Margin, MarginKind, Plan, StageKind
from glideslope.domain.simulation import Course
from glideslope.domain.supposed import Supposed, foreseen, harms_of, suppose
from glideslope.domain.trials import Trials, summed
from glideslope.stats.credit import StakedHarm
from glideslope.stats.strata import Stratified
from glideslope.testing.examples import CANDIDATE, INCUMBENT

RISK = Dimension("risk", ("low", "high"))
TIMES = tuple(100 if k == 20 else 1 for k in range(len(LATENCY_EDGES) + 1))
BASELINE = Baseline(
    histograms={
        MetricName("errors"): (99_000, 1_000),
        MetricName("wrong"): (8_000, 2_000),
        MetricName("latency"): TIMES,
    },
    subjects_per_second=20.0,
    outcomes_per_second=20.0,
)
ERRORS = GuardrailDraft(metric=MetricName("errors"), margin=Margin(MarginKind.RELATIVE, 1.0), weight=3)
WRONG = GuardrailDraft(metric=MetricName("wrong"), margin=Margin(MarginKind.ABSOLUTE, 0.03))
BY_RISK = StrataDraft(by="risk", usual=(("low", 0.02), ("high", 0.5)))


def registered(version: str, digest: Digest) -> Registered:
    return Registered(
        model=ModelName("m"), version=VersionName(version), digest=digest, url="http://m", by=Actor("ada"), why="w"
    )


def frozen(*guardrails: GuardrailDraft, shares: tuple[int, ...] = (500,), alpha: float = 0.01) -> Plan:
    return freeze(
        Draft(
            model=ModelName("m"),
            candidate=VersionName("v2"),
            owner="o",
            why="w",
            guardrails=guardrails,
            slices=(RISK,) if any(g.strata for g in guardrails) else (),
            stages=(StageDraft(stage=StageKind.CANARY, shares=shares, maximum=30 * DAY),),
            alpha=alpha,
        ),
        incumbent=registered("v1", INCUMBENT),
        candidate=registered("v2", CANDIDATE),
        baseline=BASELINE,
    )


def both(plan: Plan, supposed: Supposed, *, runs: int) -> tuple[Prospect, Trials]:
    flow = flow_of(BASELINE, starts=0.0)
    course = Course.of(plan, supposed, flow)
    return prospect(plan, supposed, flow), summed("it", [course.run(Random(k)) for k in range(runs)])


def without_credit(plan: Plan) -> Plan:
    (g,) = plan.guardrails
    assert g.stakes is not msgspec.UNSET
    stakes = msgspec.structs.replace(g.stakes, credits=())
    return msgspec.structs.replace(plan, guardrails=(msgspec.structs.replace(g, stakes=stakes),))


def test_a_catch_is_foreseen_with_the_credit_that_it_is_judged_with() -> None:
    plan = frozen(ERRORS)
    supposed = suppose(plan, BASELINE, harms_of(plan)[0])
    told, found = both(plan, supposed, runs=80)
    poorer = prospect(without_credit(plan), supposed, flow_of(BASELINE, starts=0.0))

    assert found.seconds_to_catch is not None
    assert told.seconds_to_catch is not None
    assert told.seconds_to_catch == pytest.approx(found.seconds_to_catch.median, rel=0.25)
    assert poorer.steps[0].seconds > told.steps[0].seconds


def test_the_credit_ends_with_its_coin_in_the_forecast_too() -> None:
    """What the first step does not find is told in the second as if there were no credit."""
    plan = frozen(ERRORS, shares=(100, 2_500))
    plan = msgspec.structs.replace(plan, steps=(msgspec.structs.replace(plan.steps[0], maximum=1_000), *plan.steps[1:]))
    supposed = suppose(plan, BASELINE, harms_of(plan)[0])
    flow = flow_of(BASELINE, starts=0.0)

    told, poorer = prospect(plan, supposed, flow), prospect(without_credit(plan), supposed, flow)
    assert told.steps[1].caught == poorer.steps[1].caught
    assert told.steps[1].seconds == poorer.steps[1].seconds


def test_the_test_after_the_credit_has_the_plain_stakes() -> None:
    (g,) = frozen(ERRORS).guardrails
    assert g.stakes is not msgspec.UNSET

    assert harm_after(g) == StakedHarm(g.stakes.ratios, g.stakes.stakes)
    assert harm_asked(g, WHOLE, alpha=g.stakes.credits[0].alpha, over=()) != harm_after(g)


def test_the_credit_is_not_lost_with_guardrails_that_cannot_be_foreseen() -> None:
    """Without the ranking, 0.03 comes out as 0.030000000000000006, and credit holds for one alpha exactly."""
    ranking = GuardrailDraft(metric=MetricName("auc"), margin=Margin(MarginKind.ABSOLUTE, 0.02))
    latency = GuardrailDraft(metric=MetricName("latency"), margin=Margin(MarginKind.RELATIVE, 0.25))
    plan = frozen(ERRORS, latency, ranking, alpha=0.05)
    judged = foreseen(plan)
    g = judged.guardrails[0]
    assert g.stakes is not msgspec.UNSET

    assert alpha_of(judged, g) == pytest.approx(alpha_of(plan, plan.guardrails[0]))
    assert [c.alpha for c in g.stakes.credits] == [alpha_of(judged, g)]
    assert harm_asked(g, WHOLE, alpha=alpha_of(judged, g), over=()) != harm_after(g)


def test_strata_are_supposed_to_be_as_full_as_makes_the_usual_rate_and_to_err_alike() -> None:
    plan = frozen(msgspec.structs.replace(WRONG, strata=BY_RISK))
    supposed = suppose(plan, BASELINE, harms_of(plan)[0])
    arms, parts = supposed.arms[WRONG.metric], supposed.judged(WRONG.metric)

    assert len(parts.incumbent) == 6
    for whole, cells in ((arms.incumbent, parts.incumbent), (arms.candidate, parts.candidate)):
        assert sum(cells) == pytest.approx(1)
        assert cells[1] + cells[3] + cells[5] == pytest.approx(whole[1], abs=1e-6)
    for low, rate in ((0, 0.02), (2, 0.5)):
        assert parts.incumbent[low + 1] / sum(parts.incumbent[low : low + 2]) == pytest.approx(rate)
    odds = [parts.candidate[k + 1] / parts.candidate[k] * parts.incumbent[k] / parts.incumbent[k + 1] for k in (0, 2)]
    assert odds[0] == pytest.approx(odds[1], rel=1e-6)
    assert odds[0] > 1


def test_strata_that_cannot_make_the_usual_rate_are_taken_to_be_empty() -> None:
    plan = frozen(msgspec.structs.replace(WRONG, strata=StrataDraft(by="risk", usual=(("low", 0.3), ("high", 0.5)))))
    supposed = suppose(plan, BASELINE, None)

    assert supposed.judged(WRONG.metric).incumbent == (0.0,) * 4 + supposed.arms[WRONG.metric].incumbent


def test_a_proof_and_a_catch_by_strata_take_as_long_as_foreseen_and_less_than_without() -> None:
    plain, plan = frozen(WRONG), frozen(msgspec.structs.replace(WRONG, strata=BY_RISK))
    (g,) = plan.guardrails
    assert isinstance(harm_asked(g, WHOLE, alpha=alpha_of(plan, g), over=()), Stratified)

    for harm in (None, *harms_of(plan)):
        supposed = suppose(plan, BASELINE, harm)
        told, found = both(plan, supposed, runs=50)
        coarse = prospect(plain, suppose(plain, BASELINE, harm), flow_of(BASELINE, starts=0.0))
        if harm is None:
            assert abs(told.steps[0].seconds - found.seconds.mean) < 0.15 * found.seconds.mean + 2 * found.seconds.error
            assert told.steps[0].seconds < 0.9 * coarse.steps[0].seconds
        else:
            assert found.caught.share > 0.9
            assert told.exposed_median is not None
            assert found.exposed is not None
            assert told.exposed_median == pytest.approx(found.exposed.median, rel=0.35)
