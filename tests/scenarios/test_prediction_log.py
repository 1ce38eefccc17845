"""Predictions with ids of the caller's own: logged by the sdk, joined with outcomes that come late, twice and contradicting."""

from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import msgspec
import pytest

from glideslope.adapters.logs.parquet.log import ParquetLog
from glideslope.domain.draft import Draft, GuardrailDraft, MetricDraft
from glideslope.domain.ids import WHOLE, MetricName, ModelName, RolloutId, StepName
from glideslope.domain.logged import SETTLE, Predictions
from glideslope.domain.metric import LOG_LOSS, OUTCOME_SEEN, Dimension, Kind, Metric, Origin
from glideslope.domain.observation import Outcome, Outcomes, Totals
from glideslope.domain.plan import Margin, MarginKind
from glideslope.domain.recomputation import Recompute
from glideslope.domain.traffic import Arm
from glideslope.engine.ports import Served
from glideslope.sdk.briefed import Briefed, briefed
from glideslope.sdk.notes import PredictionNotes
from glideslope.sdk.observe import Observer
from glideslope.sdk.stamps import Stamps
from glideslope.testing.traffic import SOUND
from glideslope.testing.world import ORIGIN, TICK, World, draft

DELAYS = ModelName("delays")
FALLBACK = MetricDraft(name=MetricName("fallback_used"), kind=Kind.EVENT)
LENGTH = MetricDraft(name=MetricName("output_length"), kind=Kind.SCORE, cap=500.0)
S1 = StepName("s1")
METRICS = (LOG_LOSS, Metric(name=FALLBACK.name, kind=Kind.EVENT, origin=Origin.SERVICE))
SLICES = (*ORIGIN, Dimension("carrier", ("AA", "UA")))


def what() -> Draft:
    guardrails = (
        GuardrailDraft(metric=MetricName("errors"), margin=Margin(MarginKind.ABSOLUTE, 0.05)),
        GuardrailDraft(metric=MetricName("latency"), margin=Margin(MarginKind.RELATIVE, 0.25)),
        GuardrailDraft(metric=MetricName("log_loss"), margin=Margin(MarginKind.ABSOLUTE, 0.15)),
        GuardrailDraft(metric=MetricName("wrong"), margin=Margin(MarginKind.ABSOLUTE, 0.15)),
        GuardrailDraft(metric=FALLBACK.name, margin=Margin(MarginKind.ABSOLUTE, 0.1), base_rate=0.2),
        GuardrailDraft(metric=LENGTH.name, margin=Margin(MarginKind.ABSOLUTE, 60.0), base_rate=120.0),
    )
    plain = draft("delays", "v2", guardrails=guardrails)
    return msgspec.structs.replace(
        plain,
        metrics=(FALLBACK, LENGTH),
        slices=SLICES,
        cross=(("origin", "carrier"),),
        recompute=Recompute.REQUIRED,
        logged=("region",),
    )


class Services:
    """Model servers behind the gateway: they count and note with the sdk's own code, and name each prediction themselves."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.random = Random(3)
        self.known = Briefed()
        self.sent: list[Totals] = []
        self.noted: list[Predictions] = []
        self.observer = Observer(DELAYS, source="servers", epoch=1, send=self._post)
        self.notes = PredictionNotes(DELAYS, send=self.noted.append, whose=lambda: ("ada\x1fservers", 1))
        self.observer.notes = self.notes
        self.happened: dict[str, bool] = {}
        self._seen = world.app.observer.served
        world.app.observer.served = self._served  # type: ignore[method-assign]  # the servers stand behind the gateway

    async def run(self, seconds: float, *, reporting: bool = True) -> None:
        for _ in range(round(seconds / TICK)):
            self.known = briefed(await self.world.app.briefing(DELAYS, seen="", wait=0))
            self.observer.follow(self.known)
            await self.world.pass_time(TICK)
            if reporting:
                self.observer.send_totals()
                self.notes.send_waiting()
                for message in self.noted:
                    taken = await self.world.app.predictions(message)
                    assert (taken.kept, taken.refused) == (len(message.predictions), ())
                self.noted.clear()
                await self.world.app.observe(msgspec.structs.replace(self.sent.pop(), source="ada\x1fservers"))

    def _post(self, message: Totals) -> None:
        self.sent.append(message)

    def _served(self, batch: list[Served]) -> None:
        self._seen(batch)
        for each in batch:
            name = f"order-{len(self.happened)}"
            stamps = Stamps(rollout=each.rollout, step=each.step, arm=each.arm, subject=each.subject)
            score, values = self.random.random(), {"fallback_used": float(self.random.random() < 0.2)}
            values["output_length"] = self.random.expovariate(1 / 120)
            fields = {"origin": self.random.choice(["EWR", "JFK", "ORD"]), "carrier": self.random.choice(["AA", "B6"])}
            self.happened[name] = self.random.random() < score
            with self.notes.lock:
                self.observer.observe(stamps, fields, **values)
                self.notes.note(
                    stamps,
                    prediction=name,
                    at=1_700_000_000_000,
                    briefed=self.known,
                    score=score,
                    slices=fields,
                    metrics=values,
                    attributes={"region": "eu", "email": "ada@example.org"},
                )


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[ParquetLog]:
    async with ParquetLog(tmp_path / "log") as log:
        yield log


async def started(log: ParquetLog) -> tuple[World, Services, RolloutId]:
    world = World(seed=11, log=log)
    traffic = await world.serves("delays", v1=SOUND, v2=SOUND)
    traffic.demand.arriving, traffic.demand.subjects = 0.0, 400  # no receipt ever comes back
    await world.pass_time(5)
    rollout = await world.propose(what())
    services = Services(world)
    await services.run(8)
    traffic.demand.per_second = 2.0
    return world, services, rollout


async def test_late_outcomes_end_in_the_counters_once_and_the_recount_confirms_every_cell(log: ParquetLog) -> None:
    world, services, rollout = await started(log)
    names = list(services.happened)
    services.random.shuffle(names)
    told = [Outcome(prediction=n, happened=services.happened[n], model=DELAYS, at=5) for n in names]
    wrongly = [Outcome(prediction=n, happened=not services.happened[n], model=DELAYS, at=1) for n in names[:40]]
    for batch in (told[:300], wrongly, told[300:], told[:500]):
        taken = await world.app.outcomes(Outcomes(outcomes=tuple(batch)))
        assert (taken.kept, taken.counted, taken.refused) == (len(batch), 0, ())
    scope = world.app.observer.scope(rollout)
    assert scope.bins(S1, OUTCOME_SEEN, WHOLE, Arm.CANDIDATE, size=1) == (0,)

    await services.run(SETTLE / 1000 + 10)

    seen = {arm: scope.bins(S1, OUTCOME_SEEN, WHOLE, arm, size=1)[0] for arm in Arm}
    assert seen[Arm.CANDIDATE] > 5
    assert seen[Arm.INCUMBENT] > 5
    view = await world.app.recomputation(rollout)
    assert (view.sentences, view.missing, view.unmatched, view.uncovered) == ((), 0, 0, ())
    assert view.agrees
    assert view.late == 0
    crossed = [c for c in world.app.observer.cells(world.app.record.rollout(rollout), METRICS) if "&" in c.slice]
    assert {c.metric for c in crossed} == {"log_loss", "fallback_used"}

    again = await world.app.outcomes(Outcomes(outcomes=tuple(told)))
    await services.run(SETTLE / 1000 + 6, reporting=False)  # settled anew, and known all along
    assert again.kept == len(told)
    assert {arm: scope.bins(S1, OUTCOME_SEEN, WHOLE, arm, size=1)[0] for arm in Arm} == seen


async def test_a_row_that_never_arrived_is_missed(log: ParquetLog) -> None:
    world, services, rollout = await started(log)
    services.notes.numbers[rollout] += 1
    await services.run(1)

    view = await world.app.recomputation(rollout)

    assert (view.missing, view.differing, view.agrees) == (1, 0, False)


async def test_only_what_the_plan_calls_loggable_is_kept(log: ParquetLog) -> None:
    _, _, rollout = await started(log)
    found = log._ask(
        lambda: log._rows("SELECT DISTINCT attributes FROM predictions WHERE rollout = $rollout", {"rollout": rollout})
    )
    assert await found == [({"region": "eu"},)]


@pytest.mark.slow
async def test_scores_foresee_the_losses_of_a_calibrated_service(log: ParquetLog) -> None:
    """Here each probability is what it says, so what is foreseen and what turns out differ by chance alone."""
    world, services, rollout = await started(log)
    told = [Outcome(prediction=n, happened=h, model=DELAYS) for n, h in services.happened.items()]
    await world.app.outcomes(Outcomes(outcomes=tuple(told)))
    await services.run(SETTLE / 1000 + 10, reporting=False)

    view = await world.app.recomputation(rollout)

    by = {(f.metric, f.arm): f for f in view.foreseen}
    wrong = by["wrong", "incumbent"]
    assert wrong.advisory
    assert wrong.truth is not None
    assert abs(wrong.foreseen - wrong.truth) < 4 * (0.25 / wrong.labelled) ** 0.5
    assert sum(m.labelled for m in view.maturity) > 0
