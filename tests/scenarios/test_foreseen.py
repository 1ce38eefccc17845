"""What earlier rollouts teach the next plan, and what another plan would have decided on them."""

import msgspec

from glideslope.domain.backtest import backtest, frozen_for
from glideslope.domain.events import Event
from glideslope.domain.experience import DELAY, DELAY_EDGES
from glideslope.domain.ids import WHOLE, MetricName, RolloutId, VersionName
from glideslope.domain.metric import LOG_LOSS
from glideslope.domain.plan import Margin, MarginKind
from glideslope.domain.traffic import Arm
from glideslope.testing.traffic import SOUND, Behaviour
from glideslope.testing.world import GUARDRAILS, STAGES, World, draft


def history(world: World, rollout: RolloutId) -> list[tuple[int, Event]]:
    return [(r.at, r.event) for r in world.app.record.history(rollout)]


async def test_the_next_forecast_learns_from_the_last_rollout() -> None:
    """How late outcomes were and how losses spread, and it says from which rollout; what came is what is counted."""
    world = World(seed=71)
    await world.serves("delays", v1=SOUND, v2=SOUND, v3=SOUND)
    await world.run(10)
    first = await world.app.plan(draft("delays", "v2"))
    assert not [each for each in first.lessons if each.source != "traffic"]

    rollout = await world.propose(draft("delays", "v2"))
    await world.until(rollout, phase="promoted", within=300)
    scope = world.app.observer.scope(rollout)
    late = [scope.bins(s, DELAY, WHOLE, arm, size=len(DELAY_EDGES) + 1) for s in ("s1", "s2") for arm in Arm]
    then = await world.app.plan(draft("delays", "v3"))

    assert sum(map(sum, late)) > 100
    learned = {each.about: each.source for each in then.lessons}
    assert learned["outcome delays"] == rollout
    assert then.prospects[0].supposing == "healthy"
    assert {each.supposing.split()[0] for each in then.prospects[1:]} == {"errors", "latency", "log_loss"}
    rate = next(g.base_rate for g in then.plan.guardrails if g.metric == LOG_LOSS)
    assert 0.2 < rate < 0.8


async def test_the_same_plan_decides_what_it_decided() -> None:
    """Over a promotion and a rollback, at every recorded decision."""
    world = World(seed=72)
    await world.serves("delays", v1=SOUND, v2=SOUND, v3=Behaviour(errors=0.3))
    await world.run(10)
    for candidate, phase in (("v2", "promoted"), ("v3", "rolled-back")):
        change = draft("delays", candidate, slices=())
        rollout = await world.propose(change)
        await world.until(rollout, phase=phase, within=300)
        plan = world.app.record.rollout(rollout).plan
        found = backtest(frozen_for(change, plan), rollout, history(world, rollout))

        assert found.moments
        assert not [m for m in found.moments if m.differs], found
        assert found.recorded_end == phase
        if phase == "rolled-back":
            assert (found.broke, found.exposed_then) == ("errors", found.exposed)


async def test_another_plan_is_held_against_the_record_and_what_it_cannot_know_is_said() -> None:
    """A tighter margin would have gone unproven; a metric that was not counted and a split that was not tried are unknown."""
    world = World(seed=73)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.run(10)
    rollout = await world.propose(draft("delays", "v2", slices=()))
    await world.until(rollout, phase="promoted", within=300)
    recorded = world.app.record.rollout(rollout).plan
    events = history(world, rollout)

    tight = tuple(
        msgspec.structs.replace(g, margin=Margin(MarginKind.ABSOLUTE, 0.001)) if g.metric == "errors" else g
        for g in GUARDRAILS
    )
    strict = backtest(frozen_for(draft("delays", "v2", slices=(), guardrails=tight), recorded), rollout, events)
    assert strict.would_end.startswith("unknown")
    assert any(m.recorded == "advance to s2" and m.decided == "hold" and m.differs for m in strict.moments)
    assert any("after the recorded end" in sentence for sentence in strict.unknown)

    # The second recorded step is this plan's first: the same split under another name.
    late = (msgspec.structs.replace(STAGES[0], shares=(5_000,)), *STAGES[1:])
    joined = backtest(frozen_for(draft("delays", "v2", slices=(), stages=late), recorded), rollout, events)
    assert joined.would_end == "promoted"
    assert [m.decided for m in joined.moments if m.recorded_step == "s1"][-1] == "unknown"
    assert {m.step for m in joined.moments if m.recorded_step == "s2"} == {"s1"}
    assert "advance to s2" in {m.decided for m in joined.moments if m.recorded_step == "s2"}

    stages = (msgspec.structs.replace(STAGES[0], shares=(1_000, 2_000)), *STAGES[1:])
    rails = (*GUARDRAILS, msgspec.structs.replace(GUARDRAILS[0], metric=MetricName("wrong")))
    other = frozen_for(draft("delays", "v2", slices=(), stages=stages, guardrails=rails), recorded)
    found = backtest(other, rollout, events)
    assert any("wrong was not counted then" in sentence for sentence in found.unknown)
    assert any("20% against" in sentence and "not known" in sentence for sentence in found.unknown)
    assert VersionName("v2") == other.candidate
