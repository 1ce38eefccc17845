"""What is foreseen is what is simulated; what is refused cannot be proven, and what is advised can."""

import math
from random import Random

import msgspec
import pytest

from glideslope.domain.draft import DAY, MINUTE, Draft, GuardrailDraft, StageDraft
from glideslope.domain.events import Registered
from glideslope.domain.experience import DELAY_EDGES, HOURS, Experience, delay_bin, hour_of_week
from glideslope.domain.flow import WEEK, Flow, flow_of
from glideslope.domain.foresight import prospect, prospects
from glideslope.domain.freeze import Baseline, freeze
from glideslope.domain.ids import Actor, Digest, MetricName, ModelName, VersionName
from glideslope.domain.metric import ERRORS, LATENCY, LATENCY_EDGES, LOG_LOSS
from glideslope.domain.plan import DeclaredHarm, Margin, MarginKind, Plan, StageKind
from glideslope.domain.remedy import blind, remedies
from glideslope.domain.simulation import Course, End
from glideslope.domain.supposed import harms_of, scaled, suppose
from glideslope.domain.tilting import tilted
from glideslope.domain.trials import share, summed

RUNS = 80
LOSSES = tuple(round(2_000 * math.exp(-k / 5)) for k in range(32))
TIMES = tuple(round(1_000 * math.exp(-(((k - 20) / 3) ** 2))) for k in range(len(LATENCY_EDGES) + 1))
BASELINE = Baseline(
    histograms={ERRORS.name: (9_700, 300), LATENCY.name: TIMES, LOG_LOSS.name: LOSSES},
    subjects_per_second=20.0,
    outcomes_per_second=20.0,
)
MARGINS = {
    ERRORS.name: Margin(MarginKind.ABSOLUTE, 0.01),
    LATENCY.name: Margin(MarginKind.RELATIVE, 0.25),
    LOG_LOSS.name: Margin(MarginKind.ABSOLUTE, 0.08),
}


def registered(version: str, digit: str) -> Registered:
    return Registered(
        model=ModelName("delays"),
        version=VersionName(version),
        digest=Digest("sha256:" + digit * 64),
        url="http://x",
        by=Actor("ada"),
        why="trained",
    )


def draft(*metrics: MetricName, shares: tuple[int, ...] = (1_000, 5_000), least: int = 0, most: int = DAY) -> Draft:
    return Draft(
        model=ModelName("delays"),
        candidate=VersionName("v2"),
        owner="ada",
        why="why not",
        stages=(StageDraft(stage=StageKind.CANARY, shares=shares, minimum=least, maximum=most),),
        guardrails=tuple(GuardrailDraft(metric=name, margin=MARGINS[name]) for name in metrics or MARGINS),
    )


def frozen(what: Draft, baseline: Baseline = BASELINE) -> Plan:
    return freeze(what, incumbent=registered("v1", "1"), candidate=registered("v2", "2"), baseline=baseline)


@pytest.mark.parametrize(
    "metric", [ERRORS.name, *(pytest.param(name, marks=pytest.mark.slow) for name in (LATENCY.name, LOG_LOSS.name))]
)
def test_a_proof_and_a_catch_take_as_long_as_foreseen(metric: MetricName) -> None:
    """Within 15 % of the mean of simulated rollouts, and their Monte Carlo error: goal G10."""
    plan = frozen(draft(metric, shares=(2_500,)))
    flow = flow_of(BASELINE, starts=0.0)
    for harm in (None, *harms_of(plan)):
        supposed = suppose(plan, BASELINE, harm)
        course = Course.of(plan, supposed, flow)
        fates = [course.run(Random(f"{metric} {k}")) for k in range(RUNS)]
        found = summed(supposed.name, fates)
        foreseen = prospect(plan, supposed, flow)
        if harm is None:
            assert found.promoted.share > 0.95
            assert (
                abs(foreseen.steps[0].seconds - found.seconds.mean)
                < 0.15 * found.seconds.mean + 2 * found.seconds.error
            )
        else:
            assert found.exposed is not None
            assert foreseen.exposed_median == pytest.approx(found.exposed.median, rel=0.3)
            assert abs(foreseen.caught - found.caught.share) < 0.1


@pytest.mark.slow
def test_each_step_catches_what_the_simulation_catches_there() -> None:
    """Over two steps, three guardrails and late outcomes, within one in six of the rollouts."""
    delays = tuple(100 if k == 6 else 0 for k in range(len(DELAY_EDGES) + 1))
    baseline = msgspec.structs.replace(BASELINE, experience=Experience(delays=delays, exposed=100, arrived=90))
    plan = frozen(draft(least=2 * MINUTE), baseline)
    flow = flow_of(baseline, starts=0.0)
    supposed = suppose(plan, baseline, DeclaredHarm(metric=LOG_LOSS.name, size=Margin(MarginKind.ABSOLUTE, 0.12)))
    course = Course.of(plan, supposed, flow)
    found = summed("worse", [course.run(Random(k)) for k in range(RUNS)])
    foreseen = prospect(plan, supposed, flow)

    for step in foreseen.steps:
        assert abs(step.caught - found.caught_in.get(step.step, 0.0)) < 1 / 6, step


def test_the_same_chance_gives_the_same_rollout() -> None:
    plan = frozen(draft())
    course = Course.of(plan, suppose(plan, BASELINE, None), flow_of(BASELINE, starts=0.0))

    assert course.run(Random(3)) == course.run(Random(3))
    assert len({course.run(Random(k)).seconds for k in range(5)}) == 5


def test_a_sound_candidate_is_promoted_and_a_step_without_time_is_inconclusive() -> None:
    short = frozen(draft(ERRORS.name, shares=(1_000,), most=MINUTE))
    for plan, end in ((frozen(draft()), End.PROMOTED), (short, End.INCONCLUSIVE)):
        course = Course.of(plan, suppose(plan, BASELINE, None), flow_of(BASELINE, starts=0.0))
        fates = [course.run(Random(k)) for k in range(4)]

        assert sum(fate.end is end for fate in fates) >= 3, [fate.end for fate in fates]


def test_outcomes_that_come_late_make_a_step_wait_for_them() -> None:
    late = tuple(100 if k == 12 else 0 for k in range(len(DELAY_EDGES) + 1))
    plan = frozen(draft(LOG_LOSS.name, shares=(2_500,)))
    flow = flow_of(msgspec.structs.replace(BASELINE, experience=Experience(delays=late)), starts=0.0)
    fate = Course.of(plan, suppose(plan, BASELINE, None), flow).run(Random(1))

    assert fate.end is End.PROMOTED
    assert fate.seconds > 2 * 2**11.5  # half of the outcomes must have come, so as long again as they are late


def test_a_plan_that_cannot_tell_is_found_with_the_smallest_changes_that_do() -> None:
    """Each change does by itself, and the next smaller one of its kind does not."""
    what = draft(ERRORS.name, shares=(1_000,), most=8 * MINUTE)
    spot = blind(frozen(what), BASELINE, starts=0.0)

    assert spot is not None
    assert (spot.step, spot.guardrail, spot.gets) == ("s1", "errors", 960)
    assert spot.needs > 2 * spot.gets
    changes = advised(what)
    assert [change.split(":")[0] for change in changes] == ["at_most", "share", "margin"]
    assert changes[0].startswith("at_most: 20m instead of 8m"), changes
    for most, does in ((15, False), (20, True)):
        again = frozen(msgspec.structs.replace(what, stages=(longer(what, most * MINUTE),)))
        assert (blind(again, BASELINE, starts=0.0) is None) is does, most


def longer(what: Draft, most: int) -> StageDraft:
    return msgspec.structs.replace(what.stages[0], maximum=most)


def advised(what: Draft) -> tuple[str, ...]:
    spot = blind(frozen(what), BASELINE, starts=0.0)
    assert spot is not None
    work = remedies(what, spot, frozen, BASELINE, starts=0.0)
    while True:
        try:
            next(work)
        except StopIteration as done:
            found: tuple[str, ...] = done.value
            return found


@pytest.mark.parametrize(
    "baseline",
    [Baseline(), Baseline(subjects_per_second=20.0), msgspec.structs.replace(BASELINE, subjects_per_second=0.0)],
    ids=["nothing", "traffic alone", "no traffic"],
)
def test_nothing_is_refused_where_nothing_is_known(baseline: Baseline) -> None:
    assert blind(frozen(draft(most=MINUTE), baseline), baseline, starts=0.0) is None


def test_what_comes_is_what_came_at_that_hour() -> None:
    """Traffic by the hour of the week; an hour that nobody watched is like the others."""
    requests = tuple(3_600 if k == 10 else 0 for k in range(HOURS))
    watched = tuple(60 if k in (10, 11) else 0 for k in range(HOURS))
    baseline = Baseline(subjects_per_second=99.0, experience=Experience(requests=requests, watched=watched))
    flow = flow_of(baseline, starts=10 * 3_600.0)

    assert flow.subjects(0.0, 3_600.0) == pytest.approx(3_600)
    assert flow.subjects(3_600.0, 7_200.0) == 0.0
    assert flow.subjects(7_200.0, 10_800.0) == pytest.approx(1_800)
    assert flow.when(0.0, 4_500.0) == pytest.approx(7_200 + 1_800)
    assert flow.subjects(0.0, WEEK) == pytest.approx(flow.weekly)


def test_outcomes_come_as_late_as_they_did() -> None:
    flow = Flow(hourly=(1.0,) * HOURS, delays=((10.0, 0.5), (100.0, 0.5)), covered=0.8)

    assert flow.outcomes(0.0, 50.0, now=50.0) == pytest.approx(0.8 * 0.5 * 40)
    assert flow.outcomes(0.0, 50.0, now=1_000.0) == pytest.approx(0.8 * 50)


def test_instants_and_delays_find_their_bins() -> None:
    assert hour_of_week(0) == 72  # the epoch, a Thursday at midnight
    assert hour_of_week(4 * 86_400_000) == 0
    assert [delay_bin(s) for s in (-3.0, 0.5, 1.5, 1e9)] == [0, 0, 1, len(DELAY_EDGES)]


def test_the_least_visible_change_has_the_mean_that_was_asked() -> None:
    values = LOG_LOSS.values
    found = tilted(tuple(map(float, LOSSES)), values=values, mean=1.2)

    assert sum(p * v for p, v in zip(found, values, strict=True)) == pytest.approx(1.2)
    assert sum(found) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="beyond"):
        tilted(tuple(map(float, LOSSES)), values=values, mean=9.0)


def test_what_is_scaled_and_scaled_back_is_about_what_it_was() -> None:
    total = sum(TIMES)
    usual = tuple(n / total for n in TIMES)
    again = scaled(scaled(usual, edges=LATENCY_EDGES, by=1.25), edges=LATENCY_EDGES, by=0.8)

    assert max(abs(a - b) for a, b in zip(usual, again, strict=True)) < 0.05


def test_declared_harms_are_foreseen_instead_of_those_of_the_margins() -> None:
    plan = frozen(
        msgspec.structs.replace(
            draft(), harms=(DeclaredHarm(metric=ERRORS.name, size=Margin(MarginKind.RELATIVE, 2.0)),)
        )
    )
    work = prospects(plan, BASELINE, starts=0.0)
    found = None
    try:
        while True:
            next(work)
    except StopIteration as done:
        found = done.value

    assert [each.supposing for each in found] == ["healthy", "errors x3"]
    assert found[0].worst_seconds == 2 * DAY / 1000
    assert found[1].caught > 0.99


def test_chance_leaves_open_what_wilson_says() -> None:
    found = share(0, 100)

    assert (found.share, found.low) == (0.0, pytest.approx(0.0, abs=1e-9))
    assert found.high == pytest.approx(0.037, abs=0.001)


def test_an_hour_that_has_just_begun_says_nothing_yet() -> None:
    """Its first minute counts as watched from its first request on: six of them so far are no six a minute."""
    watched = [60] * 20 + [1] + [0] * (HOURS - 21)
    requests = [36_000] * 20 + [6] + [0] * (HOURS - 21)
    known = Experience(requests=tuple(requests), watched=tuple(watched))

    flow = flow_of(Baseline(subjects_per_second=10.0, experience=known), starts=20 * 3_600.0)

    assert flow.subjects(0.0, 1_200.0) == pytest.approx(12_000, rel=0.02)
