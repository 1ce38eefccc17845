"""Each kind of metric from the plan to the end of a rollout: counted, judged, shown; a bad candidate falls by it, a sound one passes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import msgspec
import pytest

from glideslope.domain.draft import Draft, GuardrailDraft, MetricDraft
from glideslope.domain.ids import WHOLE, MetricName, ModelName, RolloutId, StepName
from glideslope.domain.metric import Better, Kind
from glideslope.domain.observation import Totals
from glideslope.domain.plan import HarmNull, Margin, MarginKind
from glideslope.domain.traffic import Arm
from glideslope.engine.ports import Served
from glideslope.engine.views import GuardrailView
from glideslope.sdk.briefed import briefed
from glideslope.sdk.observe import Observer
from glideslope.sdk.stamps import Stamps
from glideslope.testing.traffic import SOUND, Behaviour
from glideslope.testing.world import TICK, World, draft

DELAYS = ModelName("delays")
Values = Callable[[Random, bool], Mapping[str, float]]
"""What a service counts of one request, told whether the candidate serves it."""


def relative(size: float) -> Margin:
    return Margin(MarginKind.RELATIVE, size)


def absolute(size: float) -> Margin:
    return Margin(MarginKind.ABSOLUTE, size)


def judged(name: str, margin: Margin, **more: Any) -> GuardrailDraft:
    return GuardrailDraft(metric=MetricName(name), margin=margin, **more)


def own(name: str, kind: Kind, **more: Any) -> MetricDraft:
    return MetricDraft(name=MetricName(name), kind=kind, **more)


def what(guardrails: Sequence[GuardrailDraft], metrics: Sequence[MetricDraft] = ()) -> Draft:
    return msgspec.structs.replace(
        draft("delays", "v2", guardrails=guardrails, slices=()), metrics=tuple(metrics), slices=()
    )


class Counting:
    """A world with a model server behind its gateway, which counts by the sdk's own observer."""

    def __init__(self, world: World, values: Values) -> None:
        self.world = world
        self.waiting: list[Totals] = []
        self.observer = Observer(DELAYS, source="servers", epoch=1, send=self.waiting.append)  # type: ignore[arg-type]
        self.random = Random(5)
        self.values = values
        self._seen = world.app.observer.served
        world.app.observer.served = self._served  # type: ignore[method-assign]  # the server stands behind the gateway

    async def until(self, rollout: RolloutId, *, phase: str, within: float) -> None:
        for _ in range(round(within / TICK)):
            if self.world.app.record.rollout(rollout).phase == phase:
                return
            self.observer.follow(briefed(await self.world.app.briefing(DELAYS, seen="", wait=0)))
            await self.world.pass_time(TICK)
            self.observer.send_totals()
            taken = await self.world.app.observe(self.waiting.pop())
            assert taken.refused == 0, taken
        raise AssertionError("\n".join(h.sentence for h in await self.world.app.story(rollout)))

    def _served(self, batch: Sequence[Served]) -> None:
        self._seen(batch)
        for request in batch:
            stamps = Stamps(rollout=request.rollout, step=request.step, arm=request.arm, subject=request.subject)
            self.observer.observe(stamps, **self.values(self.random, request.arm is Arm.CANDIDATE))


async def shown(world: World, rollout: RolloutId) -> Mapping[str, GuardrailView]:
    return {g.metric: g for g in (await world.app.rollout(rollout)).guardrails if g.slice == "all"}


def blamed(world: World, rollout: RolloutId) -> set[str]:
    last = world.app.record.rollout(rollout).last
    assert last is not None
    return {f.subject for f in last.findings}


RETRIES = own("retries", Kind.COUNT)
TOKENS = own("tokens", Kind.MEAN, cap=1_000.0)
REVENUE = own("revenue", Kind.MEAN, cap=50.0, floor=-10.0, better=Better.HIGHER)
MARGIN_OF_SALES = own("sales", Kind.MEAN, cap=50.0, better=Better.HIGHER)
QUEUE = own("queue_ms", Kind.LATENCY)


def retries(random: Random, *, often: float) -> float:
    return 0 if random.random() > often else 1 + int(random.expovariate(0.7))


def of_services(random: Random, worse: bool) -> Mapping[str, float]:
    return {
        "retries": retries(random, often=0.5 if worse else 0.1),
        "tokens": random.expovariate(1 / (400 if worse else 200)),
        "revenue": random.gauss(5 if worse else 12, 8),
        "sales": random.expovariate(1 / (5 if worse else 12)),
        "queue_ms": 10 * random.lognormvariate(0, 0.4) * (5 if worse and random.random() < 0.15 else 1),
    }


SERVICES = [
    (RETRIES, judged("retries", relative(0.5), base_rate=0.2)),
    (RETRIES, judged("retries", absolute(0.2), base_rate=0.2, harm=HarmNull.BEYOND_MARGIN)),
    (TOKENS, judged("tokens", relative(0.25), base_rate=200.0)),
    (TOKENS, judged("tokens", absolute(50.0), base_rate=200.0)),
    (REVENUE, judged("revenue", absolute(2.0), base_rate=12.0)),
    (MARGIN_OF_SALES, judged("sales", relative(0.2), base_rate=12.0)),
    (QUEUE, judged("queue_ms", relative(0.25), quantile=0.95, base_rate=19.3)),
]


@pytest.mark.parametrize(
    ("metric", "guardrail"), SERVICES, ids=[f"{own.name}-{g.margin.kind.value}" for own, g in SERVICES]
)
async def test_what_services_count_fells_a_bad_candidate_and_passes_a_sound_one(
    metric: MetricDraft, guardrail: GuardrailDraft
) -> None:
    for worse, phase in ((True, "rolled-back"), (False, "promoted")):
        world = World(seed=71)
        await world.serves("delays", v1=SOUND, v2=SOUND, dimensions=())
        counting = Counting(world, lambda random, candidate: of_services(random, candidate and worse))  # noqa: B023
        rollout = await world.propose(what([guardrail], [metric]))
        name = world.app.record.rollout(rollout).plan.guardrails[0].metric.name

        await counting.until(rollout, phase=phase, within=200)

        assert counting.observer.dropped == 0
        view = (await shown(world, rollout))[name]
        assert view.candidate is not None
        assert view.incumbent is not None
        if worse:
            assert view.word == "harm"
            assert blamed(world, rollout) == {name}
            more_is_better = metric.better is Better.HIGHER
            assert (view.candidate < view.incumbent) == more_is_better
            assert view.estimate is not None
            assert (view.estimate < (view.kind == "ratio")) == more_is_better
        if view.low is not None and view.high is not None and view.estimate is not None:
            assert view.low <= view.estimate <= view.high


async def test_an_unbounded_mean_is_shown_as_asymptotic_and_moves_nothing() -> None:
    world = World(seed=72)
    await world.serves("delays", v1=SOUND, v2=SOUND, dimensions=())
    counting = Counting(world, lambda random, candidate: {"cost": random.expovariate(0.1) * (3 if candidate else 1)})
    cost = own("cost", Kind.UNBOUNDED, unit=0.01)
    rollout = await world.propose(what([judged("cost", absolute(1.0)), judged("errors", absolute(0.05))], [cost]))

    await counting.until(rollout, phase="promoted", within=200)

    view = (await shown(world, rollout))["cost"]
    assert view.word == "asymptotic, advisory"
    assert view.low is not None
    assert view.low > 10
    assert (view.harm_line, view.proof_line) == (0.0, 0.0)


async def test_a_quantile_of_the_gateways_latency_is_judged_beside_the_whole() -> None:
    """One request in seven takes ten times as long: the median hardly moves, the p90 does."""
    for slow, phase in ((True, "rolled-back"), (False, "promoted")):
        world = World(seed=73)
        await world.serves("delays", v1=SOUND, v2=SOUND, dimensions=())
        await world.run(10)  # so that the incumbent's p90 is known
        seen, random = world.app.observer.served, Random(4)

        def served(batch: Sequence[Served], *, slow: bool = slow, seen: Any = seen, random: Random = random) -> None:
            hit = [slow and r.arm is Arm.CANDIDATE and random.random() < 0.15 for r in batch]
            seen([replace(r, latency_us=10 * r.latency_us) if h else r for r, h in zip(batch, hit, strict=True)])

        world.app.observer.served = served  # type: ignore[method-assign]
        rollout = await world.propose(
            what([judged("latency", relative(0.25), quantile=0.9), judged("latency", relative(0.5), required=False)])
        )
        plan = world.app.record.rollout(rollout).plan
        assert [g.metric.name for g in plan.guardrails] == ["latency_p90", "latency"]
        assert 25 < plan.guardrails[0].threshold < 40  # type: ignore[operator]

        await world.until(rollout, phase=phase, within=300)

        if slow:
            assert blamed(world, rollout) <= {"latency_p90", "latency"}
            view = (await shown(world, rollout))["latency_p90"]
            assert view.candidate is not None
            assert view.incumbent is not None
            assert view.candidate > 3 * view.incumbent


async def test_a_quantile_that_nobody_has_seen_is_asked_for() -> None:
    world = World(seed=74)
    await world.serves("delays", v1=SOUND, v2=SOUND, dimensions=())

    with pytest.raises(Exception, match="Nobody has seen the incumbent's p99"):
        await world.propose(what([judged("latency", relative(0.25), quantile=0.99)]))


@pytest.mark.parametrize("name", ["auc", "average_precision"])
async def test_a_worse_order_rolls_back_and_an_equal_one_is_proven(name: str) -> None:
    for noise, phase in ((1.5, "rolled-back"), (SOUND.noise, "promoted")):
        world = World(seed=75)
        await world.serves("delays", v1=SOUND, v2=Behaviour(noise=noise), dimensions=())
        rollout = await world.propose(what([judged(name, absolute(0.2))]))

        await world.until(rollout, phase=phase, within=300)

        view = (await shown(world, rollout))[name]
        assert view.candidate is not None
        assert view.incumbent is not None
        assert (view.candidate < view.incumbent - 0.1) == (phase == "rolled-back")
        if phase == "rolled-back":
            assert blamed(world, rollout) == {name}
            assert view.high is not None
            assert view.high < 0


async def test_a_miscalibrated_candidate_pauses_and_nobody_is_blamed() -> None:
    world = World(seed=76)
    await world.serves("delays", v1=SOUND, v2=Behaviour(noise=0.6), dimensions=())
    rollout = await world.propose(what([judged("calibration", absolute(0.05)), judged("errors", absolute(0.05))]))

    await world.until(rollout, phase="halted", within=200)

    last = world.app.record.rollout(rollout).last
    assert last is not None
    assert last.reasons == ("absolute-limit-breached",)
    view = (await shown(world, rollout))["calibration"]
    assert view.word == "beyond its limit"
    assert view.candidate is not None
    assert view.candidate > 0.1


async def test_a_calibrated_candidate_is_promoted_past_its_guard() -> None:
    world = World(seed=77)
    await world.serves("delays", v1=SOUND, v2=SOUND, dimensions=())
    rollout = await world.propose(what([judged("calibration", absolute(0.08)), judged("errors", absolute(0.05))]))

    view = await world.until(rollout, phase="promoted", within=200)

    assert {g.word for g in view.guardrails} <= {"proven", "watching"}


async def test_requests_that_never_end_are_counted_as_late_once_their_age_says_so() -> None:
    """The gateway tells of them with their age; when they end, or are told of again, nobody counts twice."""
    world = World(seed=78)
    await world.serves("delays", v1=SOUND, v2=SOUND, dimensions=())
    await world.run(10)
    guardrail = judged("latency", relative(0.25), quantile=0.9)
    rollout = await world.propose(what([guardrail]))
    await world.until(rollout, step="s1", within=10)
    metric = world.app.record.rollout(rollout).plan.guardrails[0].metric
    observer = world.app.observer

    def told(age: float, *, subject: str = "hung", in_flight: bool = True) -> Served:
        return Served(
            model=DELAYS,
            rollout=rollout,
            step=StepName("s1"),
            arm=Arm.CANDIDATE,
            subject=subject,
            status=0 if in_flight else 200,
            latency_us=round(age * 1e6),
            rescued=False,
            in_flight=in_flight,
            stream="7",
        )

    def counted() -> int:
        return sum(observer.scope(rollout).bins(StepName("s1"), metric.name, WHOLE, Arm.CANDIDATE, size=metric.bins))

    before = counted()
    observer.served([told(0.001)])
    assert counted() == before, "too young to be late"
    observer.served([told(0.5), told(1.0), told(1.2, in_flight=False)])
    assert counted() == before + 1
    observer.served([told(0.5, subject=""), told(1.0, subject=""), told(1.2, subject="", in_flight=False)])
    assert counted() == before + 2
