"""Rankings and calibration are foreseen by what they are judged by: blocks, and the candidate's own outcomes."""

import math
from random import Random

import pytest

from glideslope.domain.draft import DAY, MINUTE, Draft, GuardrailDraft, StageDraft
from glideslope.domain.events import Registered
from glideslope.domain.flow import flow_of
from glideslope.domain.foresight import impossible, prospect
from glideslope.domain.freeze import Baseline, freeze
from glideslope.domain.ids import Actor, Digest, MetricName, ModelName, VersionName
from glideslope.domain.metric import AUC, AVERAGE_PRECISION, CALIBRATION, DIFFERENCE_BINS, ERRORS, Kind
from glideslope.domain.orders import area, blurred, orders_of, shifted, usual_joint, worth
from glideslope.domain.plan import Margin, MarginKind, Plan, StageKind
from glideslope.domain.remedy import blind, remedies
from glideslope.domain.simulation import Course, End
from glideslope.domain.supposed import harms_of, suppose

JOINT = usual_joint(CALIBRATION.edges)
BASELINE = Baseline(
    histograms={ERRORS.name: (9_700, 300), CALIBRATION.name: tuple(round(100_000 * p) for p in JOINT)},
    subjects_per_second=20.0,
    outcomes_per_second=20.0,
)
VALUES = [(k - DIFFERENCE_BINS // 2) / (DIFFERENCE_BINS // 2) for k in range(DIFFERENCE_BINS)]


def what(*guardrails: tuple[MetricName, float], share: int = 2_500, least: int = 0, most: int = DAY) -> Draft:
    return Draft(
        model=ModelName("delays"),
        candidate=VersionName("v2"),
        owner="ada",
        why="why not",
        stages=(StageDraft(stage=StageKind.CANARY, shares=(share,), minimum=least, maximum=most),),
        guardrails=tuple(
            GuardrailDraft(metric=name, margin=Margin(MarginKind.ABSOLUTE, size)) for name, size in guardrails
        ),
    )


def frozen(draft: Draft) -> Plan:
    versions = [
        Registered(
            model=ModelName("delays"),
            version=VersionName(f"v{k}"),
            digest=Digest("sha256:" + str(k) * 64),
            url="http://x",
            by=Actor("ada"),
            why="trained",
        )
        for k in (1, 2)
    ]
    return freeze(draft, incumbent=versions[0], candidate=versions[1], baseline=BASELINE)


def test_scores_that_nobody_saw_are_those_of_a_calibrated_model() -> None:
    assert math.fsum(JOINT) == pytest.approx(1.0)
    for k, edge in enumerate(CALIBRATION.edges):
        did, not_ = JOINT[2 * k + 1], JOINT[2 * k]
        assert edge - 1 / 40 <= did / (did + not_) <= edge
    assert 0.7 < area(JOINT) < 0.85


@pytest.mark.parametrize("kind", [Kind.AUC, Kind.AVERAGE_PRECISION])
@pytest.mark.parametrize("by", [0.01, 0.1, 0.2])
def test_a_bad_order_is_worse_by_what_was_declared_and_its_scores_spread_as_before(kind: Kind, by: float) -> None:
    bad = blurred(kind, JOINT, by=by)

    assert worth(kind, bad) == pytest.approx(worth(kind, JOINT) - by, abs=1e-9)
    for k in range(len(CALIBRATION.edges)):
        assert bad[2 * k] + bad[2 * k + 1] == pytest.approx(JOINT[2 * k] + JOINT[2 * k + 1])


def test_no_order_is_worse_than_one_that_tells_nothing() -> None:
    with pytest.raises(ValueError, match=r"scores that tell nothing have 0\.5"):
        blurred(Kind.AUC, JOINT, by=0.4)


def test_whatever_the_score_it_happens_more_often() -> None:
    bad = shifted(JOINT, by=0.1)
    assert math.fsum(bad) == pytest.approx(1.0)
    assert bad[5] / (bad[4] + bad[5]) == pytest.approx(JOINT[5] / (JOINT[4] + JOINT[5]) + 0.1)


@pytest.mark.parametrize("weights", [(1, 19), (1, 3), (1, 1)])
def test_blocks_differ_by_nothing_where_the_arms_are_equal_and_by_the_harm_where_not(weights: tuple[int, int]) -> None:
    for by in (0.0, 0.1):
        bad = blurred(Kind.AUC, JOINT, by=by) if by else JOINT
        found = orders_of(Kind.AUC, candidate=bad, incumbent=JOINT, weights=weights)

        assert math.fsum(p * v for p, v in zip(found.gaps, VALUES, strict=True)) == pytest.approx(by, abs=1e-6)
        assert math.fsum(found.gaps) == pytest.approx(1.0)
        assert 0.6 < found.comparable <= 1.0


@pytest.mark.parametrize(("metric", "margin"), [(AUC.name, 0.1), (AVERAGE_PRECISION.name, 0.12)])
def test_orders_are_proven_and_caught_about_when_it_was_foreseen(metric: MetricName, margin: float) -> None:
    plan, flow = frozen(what((metric, margin))), flow_of(BASELINE, starts=0.0)
    for harm, ends in ((None, End.PROMOTED), (harms_of(plan)[0], End.CAUGHT)):
        supposed = suppose(plan, BASELINE, harm)
        seen = prospect(plan, supposed, flow)
        course = Course.of(plan, supposed, flow)
        fates = [course.run(Random(k)) for k in range(15)]
        times = sorted(fate.seconds for fate in fates if fate.end is ends)
        foreseen = seen.steps[0].proofs[0].seconds if harm is None else seen.seconds_to_catch

        assert len(times) >= 12
        assert foreseen == pytest.approx(times[len(times) // 2], rel=0.4)


def test_a_miscalibrated_candidate_is_foreseen_to_be_stopped_and_is_simulated_to_be() -> None:
    draft = what((ERRORS.name, 0.1), (CALIBRATION.name, 0.05), share=5_000, least=DAY)
    plan, flow = frozen(draft), flow_of(BASELINE, starts=0.0)
    harm = next(h for h in harms_of(plan) if h.metric == CALIBRATION.name)
    supposed = suppose(plan, BASELINE, harm)

    fate = Course.of(plan, supposed, flow).run(Random(1))

    assert prospect(plan, supposed, flow).caught > 0.95
    assert prospect(plan, suppose(plan, BASELINE, None), flow).caught < 0.1
    assert (fate.end, fate.guardrail) == (End.PAUSED, CALIBRATION.name)


def test_a_plan_that_cannot_tell_orders_apart_is_refused_with_the_smallest_change() -> None:
    draft = what((ERRORS.name, 0.1), (AUC.name, 0.1), share=2_500, most=2 * MINUTE)
    spot = blind(frozen(draft), BASELINE, starts=0.0)
    assert spot is not None
    assert (spot.step, spot.guardrail) == ("s1", "auc")

    work, said = remedies(draft, spot, frozen, BASELINE, starts=0.0), ()
    while True:
        try:
            next(work)
        except StopIteration as done:
            said = done.value
            break

    assert said[0] == "at_most: 5m instead of 2m in the stage canary"
    assert any(change.startswith("margin: ") and "for auc" in change for change in said)


def test_scores_that_were_never_seen_are_said_to_be_supposed_and_refuse_nobody() -> None:
    plan = frozen(what((ERRORS.name, 0.1), (AUC.name, 0.001), most=2 * MINUTE))
    unseen = Baseline(histograms={ERRORS.name: (9_700, 300)}, subjects_per_second=20.0, outcomes_per_second=20.0)

    assert blind(plan, unseen, starts=0.0) is None
    assert any("auc were never seen" in sentence for sentence in impossible(plan, unseen))
    assert not any("auc" in sentence for sentence in impossible(plan, BASELINE))
