"""A budget of harm ends its rollout when it is spent, whatever the tests say; by how much it can be exceeded is measured."""

import itertools
from collections.abc import Sequence

import msgspec
import pytest

from glideslope.domain.budget import Budget, Measure
from glideslope.domain.decision import RollBack
from glideslope.domain.draft import MINUTE, Draft, GuardrailDraft, StageDraft
from glideslope.domain.ids import MetricName, RolloutId
from glideslope.domain.plan import Margin, MarginKind, StageKind
from glideslope.domain.reasons import Reason
from glideslope.domain.traffic import Arm
from glideslope.domain.value import ValueDraft
from glideslope.engine.ports import Served
from glideslope.engine.views import BudgetView
from glideslope.testing.traffic import Behaviour
from glideslope.testing.world import TICK, World, draft

FAILING = Behaviour(errors=0.2)
"""As bad as its incumbent: no test may blame it, and a budget may be spent all the same."""

SLOW = (StageDraft(stage=StageKind.CANARY, shares=(1_000, 5_000), minimum=30 * MINUTE, maximum=60 * MINUTE),)


def what(*budgets: tuple[str, Measure, float], value: ValueDraft | None = None, guardrail: str = "errors") -> Draft:
    """Return a change that stays at 10 % for half an hour."""
    margin = Margin(MarginKind.ABSOLUTE, 0.2)
    plain = draft(
        "delays", "v2", stages=SLOW, guardrails=(GuardrailDraft(metric=MetricName(guardrail), margin=margin),)
    )
    return msgspec.structs.replace(
        plain,
        harm_budget=tuple(
            Budget(metric=MetricName(name), measure=measure, size=size) for name, measure, size in budgets
        ),
        value=value,
    )


async def spent_by(world: World, rollout: RolloutId) -> BudgetView:
    (budget,) = (await world.app.rollout(rollout)).budgets
    return budget


async def test_a_budget_of_failures_ends_the_rollout_within_one_tick_of_them() -> None:
    """Of what the gateway counts, the excess is what one tick of traffic brings: no more than was on its way."""
    world = World(seed=81)
    await world.serves("delays", v1=FAILING, v2=FAILING)
    await world.run(2)
    bad: list[int] = []
    seen = world.app.observer.served

    def served(batch: Sequence[Served]) -> None:
        # Every subject is new, so each failure of a candidate's request is one.
        bad.append(sum(r.arm is Arm.CANDIDATE and bool(r.rollout) and r.status == 500 for r in batch))
        seen(batch)

    world.app.observer.served = served  # type: ignore[method-assign]  # what the data plane saw, noted on its way
    rollout = await world.propose(what(("errors", Measure.COUNT, 40)))
    view = await world.until(rollout, phase="rolled-back", within=120)
    await world.run(10)
    budget = await spent_by(world, rollout)

    assert "harm-budget-spent" in view.reasons
    assert budget.spent == sum(bad)
    assert 40 <= budget.spent <= 40 + max(bad) - 1
    # The tick in which the last was spent is the last one with any.
    before = list(itertools.accumulate(bad))
    assert next(k for k, total in enumerate(before) if total >= 40) == max(k for k, count in enumerate(bad) if count)


@pytest.mark.parametrize("delay", [0.5, 5.0])
async def test_a_budget_over_late_outcomes_can_be_exceeded_by_those_that_wait(delay: float) -> None:
    """Who met the candidate before the end is not unmet: the gauge says how many outcomes may still come, and that bounds it."""
    world = World(seed=82)
    traffic = await world.serves("delays", v1=Behaviour(noise=0.4), v2=Behaviour(noise=0.4))
    traffic.demand.delay = delay
    await world.run(2)
    rollout = await world.propose(what(("wrong", Measure.COUNT, 30)))
    for _ in range(round(120 / TICK)):
        if world.app.record.rollout(rollout).phase == "rolled-back":
            break
        await world.pass_time(TICK)
    at_the_end = await spent_by(world, rollout)
    await world.run(10 * delay)
    final = await spent_by(world, rollout)

    assert at_the_end.spent is not None
    assert final.spent is not None
    assert 30 <= at_the_end.spent <= final.spent
    assert final.spent - at_the_end.spent <= at_the_end.waiting
    # About as many as came in the mean delay at 10 requests a second; not more than in three.
    assert at_the_end.waiting <= 10 * 3 * delay + 10
    assert final.waiting < at_the_end.waiting


async def test_an_excess_is_spent_by_the_worse_only() -> None:
    """Twice as many failures as the incumbent: 30 more than its rate would have given, and no guardrail of harm in the way."""
    world = World(seed=83)
    await world.serves("delays", v1=Behaviour(errors=0.1), v2=Behaviour(errors=0.25))
    await world.run(2)
    rollout = await world.propose(what(("errors", Measure.EXCESS, 30), guardrail="log_loss"))
    await world.until(rollout, phase="rolled-back", within=120)

    last = world.app.record.rollout(rollout).last
    assert isinstance(last, RollBack)
    assert last.reasons == (Reason.BUDGET_SPENT,)


async def test_money_lost_ends_it_too() -> None:
    world = World(seed=84)
    await world.serves("delays", v1=Behaviour(noise=0.05), v2=Behaviour(noise=1.5))
    await world.run(2)
    value = ValueDraft(currency="EUR", hit=20.0, miss=-200.0, false_alarm=-5.0)
    rollout = await world.propose(what(("value", Measure.EXCESS, 3_000.0), value=value))
    view = await world.until(rollout, phase="rolled-back", within=120)

    assert "harm-budget-spent" in view.reasons
    (budget,) = view.budgets
    assert budget.unit == "EUR"
    assert budget.spent is not None
    assert budget.spent >= 3_000
    assert "value: 3," in " ".join(view.sentences)


async def test_a_spent_budget_stays_spent_over_a_restart() -> None:
    """The counts are the evidence: another server that reads them back shows the same, and the decision replays."""
    world = World(seed=85)
    await world.serves("delays", v1=FAILING, v2=FAILING)
    await world.run(2)
    rollout = await world.propose(what(("errors", Measure.COUNT, 20)))
    await world.until(rollout, phase="rolled-back", within=120)
    await world.run(3)
    before = await spent_by(world, rollout)
    world.kill(world.app)
    await world.start()

    assert await spent_by(world, rollout) == before
    version = world.app.record.rollout(rollout).version
    decided = [d.version for d in await world.app.decisions(rollout)]
    assert all([(await world.app.replay(rollout, v)).same for v in decided if v <= version])


async def test_without_a_budget_the_same_candidate_goes_on() -> None:
    world = World(seed=81)
    await world.serves("delays", v1=FAILING, v2=FAILING)
    await world.run(2)
    rollout = await world.propose(what())
    await world.run(60)

    assert (await world.app.rollout(rollout)).phase == "running"
