"""An outcome that never comes says something too: whoever waits in vain is counted, judged like any rate, and no sooner than due."""

from random import Random

import pytest

from glideslope.domain.errors import LogAbsent
from glideslope.domain.ids import WHOLE, MetricName, ModelName, RolloutId, StepName
from glideslope.domain.logged import Prediction, Predictions
from glideslope.domain.observation import Outcome, Outcomes
from glideslope.domain.receipt import subject_hash
from glideslope.domain.traffic import Arm
from glideslope.engine.ports import Served
from glideslope.interfaces.document.reading import read
from glideslope.testing.logs import MemoryLog
from glideslope.testing.traffic import SOUND
from glideslope.testing.world import TICK, World

DELAYS = ModelName("delays")
PLAN = """\
model: delays
candidate: v2
owner: delays@example.org
why: Retrained with October.
stages:
  - canary: {shares: [50%], for: 5s, at_most: 5m}
  - full: {for: 5s, at_most: 1m}
metrics:
  unanswered: {no_outcome_within: 4s}
guardrails:
  - {metric: errors, margin: 5pp}
  - {metric: unanswered, margin: 10pp, base_rate: 0.1}
slices: {origin: [EWR, JFK]}
stale_after: 3s
outcomes_stale_after: 20s
"""


class Services:
    """Servers that name each prediction and log it; the truth comes within two seconds, or late, or never."""

    def __init__(self, world: World, *, silent: float) -> None:
        self.world, self.silent, self.random = world, silent, Random(4)
        self.noted: list[Prediction] = []
        self.coming: list[tuple[float, str]] = []
        self.numbers = 0
        self._seen = world.app.observer.served
        world.app.observer.served = self._served  # type: ignore[method-assign]  # the servers stand behind the gateway

    async def run(self, seconds: float) -> None:
        for _ in range(round(seconds / TICK)):
            await self.world.pass_time(TICK)
            if self.noted:
                message = Predictions(source="servers", epoch=1, model=DELAYS, predictions=tuple(self.noted))
                assert (await self.world.app.predictions(message)).refused == ()
                self.noted.clear()
            now = self.world.clock.monotonic()
            due = tuple(Outcome(prediction=p, happened=True, model=DELAYS) for at, p in self.coming if at <= now)
            self.coming = [(at, p) for at, p in self.coming if at > now]
            assert (await self.world.app.outcomes(Outcomes(outcomes=due))).refused == ()

    async def until(self, rollout: RolloutId, phase: str, *, within: float) -> None:
        for _ in range(round(within)):
            if (await self.world.app.rollout(rollout)).phase == phase:
                return
            await self.run(1)
        raise AssertionError("\n".join(h.sentence for h in await self.world.app.story(rollout)))

    def _served(self, batch: list[Served]) -> None:
        self._seen(batch)
        for each in batch:
            if not each.rollout:
                continue
            self.numbers += 1
            name = f"order-{self.numbers}"
            self.noted.append(
                Prediction(
                    prediction=name,
                    at=0,
                    number=self.numbers,
                    rollout=each.rollout,
                    step=each.step,
                    arm=each.arm,
                    subject=subject_hash(each.subject),
                    slices={"origin": self.random.choice(("EWR", "JFK"))},
                )
            )
            in_vain = self.random.random() < (self.silent if each.arm is Arm.CANDIDATE else 0.1)
            after = self.random.choice((6.0, 1e9)) if in_vain else 2 * self.random.random()
            self.coming.append((self.world.clock.monotonic() + after, name))


async def given(*, silent: float) -> tuple[World, Services, RolloutId]:
    world = World(seed=21, log=MemoryLog())
    traffic = await world.serves("delays", v1=SOUND, v2=SOUND)
    traffic.demand.arriving = 0.0
    services = Services(world, silent=silent)
    return world, services, await world.propose(read(PLAN, file="glideslope.yaml").draft)


async def test_a_candidate_whose_outcomes_stay_away_is_rolled_back_by_it() -> None:
    world, services, rollout = await given(silent=0.6)

    await services.until(rollout, "rolled-back", within=60)

    last = world.app.record.rollout(rollout).last
    assert last is not None
    assert "unanswered" in {f.subject for f in last.findings}


async def test_a_candidate_that_is_answered_as_often_is_promoted() -> None:
    _, services, rollout = await given(silent=0.1)

    await services.until(rollout, "promoted", within=120)


async def test_nobody_is_counted_before_the_time_is_over_and_nobody_twice() -> None:
    world, services, rollout = await given(silent=0.1)
    await services.run(4)
    scope, name = world.app.observer.scope(rollout), MetricName("unanswered")
    assert not any(key[1] == name for key in scope.keys())  # noqa: SIM118 - a scope is no mapping

    world.traffic[DELAYS].demand.per_second = 0
    await services.run(15)

    subjects = {(p.step, p.subject) for p in world.log.predictions}  # type: ignore[union-attr]  # the log in memory
    steps = {step for step, _ in subjects}
    counted = [scope.bins(StepName(s), name, WHOLE, arm, size=2) for s in steps for arm in Arm]
    assert sum(map(sum, counted)) == len(subjects)
    sliced = [
        scope.bins(StepName(s), name, f"origin={o}", arm, size=2) for s in steps for arm in Arm for o in ("EWR", "JFK")
    ]  # type: ignore[arg-type]  # a slice's name
    assert tuple(map(sum, zip(*sliced, strict=True))) == tuple(map(sum, zip(*counted, strict=True)))


async def test_without_a_prediction_log_such_a_plan_is_refused() -> None:
    world = World(seed=22)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    with pytest.raises(LogAbsent):
        await world.propose(read(PLAN, file="glideslope.yaml").draft)
