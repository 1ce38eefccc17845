"""Metrics that the plan writes down itself: evaluated where their last input is known, judged, named when they have no value."""

import itertools
import math
from random import Random

import msgspec
import pytest

from glideslope.domain.draft import Draft, GuardrailDraft, MetricDraft
from glideslope.domain.expression import Type
from glideslope.domain.formula import Attribute, Moment
from glideslope.domain.ids import WHOLE, MetricName, ModelName, RolloutId
from glideslope.domain.metric import Better, Kind
from glideslope.domain.observation import Outcome, Outcomes
from glideslope.domain.plan import Margin, MarginKind
from glideslope.domain.receipt import SCORE_LEVELS, read
from glideslope.domain.traffic import Arm
from glideslope.domain.value import ValueDraft
from glideslope.interfaces.document import reading, showing
from glideslope.sdk.briefed import briefed
from glideslope.sdk.formulas import values_of
from glideslope.testing.traffic import KEYS, SOUND, Behaviour, Traffic
from glideslope.testing.world import ORIGIN, World, draft

DELAYS = ModelName("delays")
FALSE_ALARM = MetricDraft(
    name=MetricName("false_alarm"), kind=Kind.EVENT, expression="prediction >= 0.5 and not happened"
)
LOST = MetricDraft(name=MetricName("lost"), kind=Kind.MEAN, cap=500.0, expression="amount * abs(happened - prediction)")
AMOUNT = Attribute(name="amount", type=Type.NUMBER)
VALUE = ValueDraft(currency="EUR", hit=20.0, miss=-200.0, false_alarm=-5.0, each={MetricName("errors"): -0.5})


def absolute(metric: str, size: float, **more: object) -> GuardrailDraft:
    return GuardrailDraft(metric=MetricName(metric), margin=Margin(MarginKind.ABSOLUTE, size), **more)  # type: ignore[arg-type]


def what(*guardrails: GuardrailDraft, **changes: object) -> Draft:
    return msgspec.structs.replace(draft("delays", "v2", guardrails=guardrails), **changes)


def judged_by_formulas(**changes: object) -> Draft:
    return what(
        absolute("false_alarm", 0.1, base_rate=0.13),
        absolute("lost", 40.0, base_rate=60.0),
        metrics=(FALSE_ALARM, LOST),
        attributes=(AMOUNT,),
        **changes,
    )


def an_amount(outcome: Outcome, random: Random) -> Outcome:
    return msgspec.structs.replace(outcome, attributes={"amount": math.floor(random.uniform(50, 450))})


async def world_with(candidate: Behaviour = SOUND, *, seed: int) -> tuple[World, Traffic]:
    world = World(seed=seed)
    traffic = await world.serves("delays", v1=SOUND, v2=candidate)
    traffic.brings = an_amount
    await world.run(5)
    return world, traffic


async def broken_by(world: World, rollout: RolloutId) -> set[str]:
    last = world.app.record.rollout(rollout).last
    assert last is not None
    return {f.subject for f in last.findings}


async def test_a_candidate_that_is_no_worse_by_the_plans_own_formulas_is_promoted() -> None:
    world, _ = await world_with(seed=71)

    rollout = await world.propose(judged_by_formulas())

    await world.until(rollout, phase="promoted", within=300)


async def test_false_alarms_that_an_expression_counts_roll_back() -> None:
    """Its probabilities are worthless, so more of what did not happen was called likely."""
    world, _ = await world_with(Behaviour(noise=1.5), seed=72)

    rollout = await world.propose(judged_by_formulas())
    await world.until(rollout, phase="rolled-back", within=300)

    assert await broken_by(world, rollout) <= {"false_alarm", "lost"}


async def test_every_outcome_is_counted_in_the_bin_that_its_receipt_gives() -> None:
    """Against a recount from the receipts themselves, whole and in slices, arm by arm."""
    world, traffic = await world_with(seed=73)
    told: list[Outcome] = []
    traffic.brings = lambda outcome, random: told.append(an_amount(outcome, random)) or told[-1]  # type: ignore[func-returns-value]
    rollout = await world.propose(judged_by_formulas())
    await world.until(rollout, step="s1", within=5)
    await world.run(10)
    traffic.demand.per_second = 0.0
    await world.run(30)

    keys = {2: KEYS[2].of(DELAYS)}
    found = {}
    for outcome in told:
        receipt = read(outcome.prediction, keys=keys)
        if receipt.rollout == 0:
            continue
        alarm = int(receipt.probability >= 0.5 and outcome.happened is False)
        for slice_ in (WHOLE, f"origin={ORIGIN[0].values[receipt.slices[0]]}"):
            key = (f"s{receipt.step}", receipt.arm, slice_, alarm)
            found[key] = found.get(key, 0) + 1
    counted = {
        (c.step, arm, c.slice, bin_): count
        for c in world.app.observer.counts(world.app.record.rollout(rollout))[0]
        if c.metric == "false_alarm"
        for arm, bins in ((Arm.CANDIDATE, c.candidate), (Arm.INCUMBENT, c.incumbent))
        for bin_, count in enumerate(bins)
        if count
    }
    assert counted
    assert counted == found


async def test_what_has_no_value_is_named_and_counted_nowhere() -> None:
    world, traffic = await world_with(seed=74)
    odd = MetricDraft(name=MetricName("odd"), kind=Kind.MEAN, cap=10.0, expression="1 / (amount - 100)")
    bring = itertools.cycle([100.0, 101.0, "much", 102.0, True])

    def brings(outcome: Outcome, _random: Random) -> Outcome:
        return msgspec.structs.replace(outcome, attributes={"amount": next(bring)})

    plan = what(absolute("errors", 0.05), absolute("odd", 1.0, required=False), metrics=(odd,), attributes=(AMOUNT,))
    rollout = await world.propose(plan)
    await world.until(rollout, step="s1", within=5)
    traffic.demand.per_second, traffic.demand.delay = 0.0, 0.0
    await world.run(10)
    traffic.demand.per_second, traffic.brings = 40.0, brings
    world.taken.clear()
    await world.run(3)

    codes = [one.code for taken in world.taken for one in taken.undefined]
    assert set(codes) == {"division-by-zero", "wrong-type"}
    counts = [c for c in world.app.observer.counts(world.app.record.rollout(rollout))[0] if c.metric == "odd"]
    seen = sum(sum(c.candidate) + sum(c.incumbent) for c in counts if c.slice == WHOLE)
    measured = sum(taken.counted for taken in world.taken)
    # What the outcome says of other metrics counts: only the one without a value is left out.
    assert seen == measured - len(codes)
    assert not [refusal for taken in world.taken for refusal in taken.refused]


async def test_an_outcome_of_which_nothing_can_be_counted_is_refused_by_itself() -> None:
    world, traffic = await world_with(seed=75)
    traffic.brings = lambda outcome, _: msgspec.structs.replace(
        outcome, happened=msgspec.UNSET, attributes={"amount": 5.0}
    )
    rollout = await world.propose(judged_by_formulas())
    await world.until(rollout, step="s1", within=5)
    world.taken.clear()
    await world.run(5)

    refused = [refusal for taken in world.taken for refusal in taken.refused]
    assert {refusal.code for refusal in refused} == {"outcome-incomplete"}
    assert "lost has no value, since happened is missing" in refused[0].why
    nothing = await world.app.outcomes(Outcomes(outcomes=(Outcome(prediction=refused[0].prediction),)))
    assert [refusal.code for refusal in nothing.refused] == ["invalid"]


async def test_a_complaint_and_the_truth_may_come_apart() -> None:
    """A proof on either waits until enough of that one has come: the other's outcomes are no substitute."""
    complained = MetricDraft(name=MetricName("complained"), kind=Kind.EVENT, expression="thumbs_down")
    world = World(seed=76)
    traffic = await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.run(5)
    plan = what(
        absolute("complained", 0.1, base_rate=0.05),
        metrics=(complained,),
        attributes=(Attribute(name="thumbs_down", type=Type.BOOLEAN),),
    )
    rollout = await world.propose(plan)
    await world.until(rollout, step="s1", within=5)
    await world.run(30)

    assert "outcomes-not-mature" in (await world.app.rollout(rollout)).reasons

    traffic.brings = lambda outcome, random: msgspec.structs.replace(
        outcome, happened=msgspec.UNSET, attributes={"thumbs_down": random.random() < 0.05}
    )
    await world.until(rollout, phase="promoted", within=400)


async def test_value_is_judged_like_any_other_metric_and_shown_beside_it() -> None:
    """A candidate that misses twice as much loses money, though no technical metric has a guardrail that says so."""
    world, _ = await world_with(Behaviour(noise=1.0), seed=77)
    plan = what(absolute("errors", 0.05), absolute("value", 8.0, base_rate=-10.0), value=VALUE)
    rollout = await world.propose(plan)
    view = await world.until(rollout, phase="rolled-back", within=300)

    assert await broken_by(world, rollout) == {"value"}
    whole = next(v for v in view.values if v.slice == WHOLE)
    assert whole.currency == "EUR"
    assert whole.candidate < whole.incumbent
    assert whole.high is not None
    assert whole.high < 0
    errors = next(g for g in view.guardrails if g.metric == "errors")
    assert errors.worth == pytest.approx(-0.5 * 1000 * ((errors.candidate or 0) - (errors.incumbent or 0)))


async def test_value_is_only_shown_where_no_guardrail_asks_for_it() -> None:
    world, _ = await world_with(Behaviour(noise=1.0), seed=78)
    rollout = await world.propose(what(absolute("errors", 0.05), value=VALUE))
    view = await world.until(rollout, phase="promoted", within=300)

    assert view.values
    assert {g.metric for g in view.guardrails} == {"errors"}


async def test_a_formula_without_an_outcome_is_evaluated_where_the_prediction_is_made() -> None:
    """By the service, at the level that a receipt would carry: the same score falls on the same side of a threshold."""
    world, _ = await world_with(seed=79)
    sure = MetricDraft(name=MetricName("unsure"), kind=Kind.EVENT, expression="abs(prediction - 0.5) < 0.25")
    long = MetricDraft(
        name=MetricName("long"), kind=Kind.MEAN, cap=900.0, expression="tokens if origin == 'JFK' else 0"
    )
    await world.propose(
        what(
            absolute("unsure", 0.1, base_rate=0.5),
            absolute("long", 100.0, base_rate=50.0),
            metrics=(sure, long),
            attributes=(Attribute(name="tokens", type=Type.NUMBER, comes=Moment.PREDICTION),),
        )
    )
    ready = briefed(await world.app.briefing(DELAYS, seen="", wait=0))

    assert set(ready.formulas) == {"unsure", "long"}
    edge = round(0.25 * SCORE_LEVELS) / SCORE_LEVELS
    for score in (0.25, edge, math.nextafter(edge, 0), math.nextafter(0.25, 1)):
        values, lost = values_of(ready, score=score, slices={"origin": "JFK"}, attributes={"tokens": 7})
        assert (values, lost) == ({"unsure": float(abs(edge - 0.5) < 0.25), "long": 7.0}, 0)
    values, lost = values_of(ready, score=0.9, slices={"origin": "OSL"}, attributes={"tokens": math.nan})
    assert (values, lost) == ({"unsure": 0.0}, 1)


def test_a_plan_that_says_all_this_reads_back_the_same() -> None:
    plan = judged_by_formulas(value=VALUE)
    plan = msgspec.structs.replace(plan, metrics=(FALSE_ALARM, msgspec.structs.replace(LOST, better=Better.HIGHER)))

    assert reading.read(showing.show(plan), file="shown.yaml").draft == plan
