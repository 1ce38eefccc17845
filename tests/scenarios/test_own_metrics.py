"""What services count by themselves is briefed, binned, judged on the whole and on slices, and missed when they fall silent."""

from collections.abc import Sequence
from random import Random

import pytest

from glideslope.domain.draft import Draft, GuardrailDraft, MetricDraft
from glideslope.domain.ids import MetricName, ModelName, RolloutId
from glideslope.domain.metric import Kind
from glideslope.domain.observation import Totals
from glideslope.domain.pairs import PairKind, PairLimit, PairRules
from glideslope.domain.plan import Margin, MarginKind
from glideslope.domain.traffic import Arm
from glideslope.engine.ports import Served
from glideslope.sdk.briefed import briefed
from glideslope.sdk.observe import Observer
from glideslope.sdk.stamps import Stamps
from glideslope.testing.traffic import SOUND
from glideslope.testing.world import ORIGIN, SHADOW, STAGES, TICK, World, draft

DELAYS = ModelName("delays")
FALLBACK = MetricDraft(name=MetricName("fallback_used"), kind=Kind.EVENT)
LENGTH = MetricDraft(name=MetricName("output_length"), kind=Kind.SCORE, cap=500.0)
GUARDRAILS = (
    GuardrailDraft(metric=FALLBACK.name, margin=Margin(MarginKind.ABSOLUTE, 0.1), base_rate=0.2),
    GuardrailDraft(metric=LENGTH.name, margin=Margin(MarginKind.ABSOLUTE, 60.0), base_rate=120.0),
)


def what() -> Draft:
    plain = draft("delays", "v2", guardrails=GUARDRAILS)
    return Draft(**{name: getattr(plain, name) for name in plain.__struct_fields__} | {"metrics": (FALLBACK, LENGTH)})


class Services:
    """The model servers behind the gateway: they see its stamps, and count with the sdk's own observer."""

    def __init__(self, world: World, *, worse_in: str = "", longer: float = 1.0) -> None:
        self.world = world
        self.worse_in = worse_in
        self.longer = longer
        self.waiting: list[Totals] = []
        self.observer = Observer(DELAYS, source="servers", epoch=1, send=self._post)
        self.random = Random(3)
        self.silent = False
        self._seen = world.app.observer.served
        world.app.observer.served = self._served  # type: ignore[method-assign]  # the servers stand behind the gateway

    async def run(self, seconds: float) -> None:
        for _ in range(round(seconds / TICK)):
            self.observer.follow(briefed(await self.world.app.briefing(DELAYS, seen="", wait=0)))
            await self.world.run(TICK)
            if not self.silent:
                self.observer.send_totals()
                taken = await self.world.app.observe(self.waiting.pop())
                assert taken.refused == 0, taken

    async def until(self, rollout: RolloutId, phase: str, *, within: float) -> None:
        for _ in range(round(within)):
            if (await self.world.app.rollout(rollout)).phase == phase:
                return
            await self.run(1)
        raise AssertionError("\n".join(h.sentence for h in await self.world.app.story(rollout)))

    def _post(self, message: Totals) -> None:
        self.waiting.append(message)

    def _served(self, batch: Sequence[Served]) -> None:
        self._seen(batch)
        for request in batch:
            origin = self.random.choice(ORIGIN[0].values)
            candidate = request.arm is Arm.CANDIDATE
            rate = 0.2
            if candidate and self.worse_in:
                # On the whole as ever: only the slice can tell.
                rate = 0.6 if origin == self.worse_in else 0.0
            self.observer.observe(
                Stamps(rollout=request.rollout, step=request.step, arm=request.arm, subject=request.subject),
                {"origin": origin},
                fallback_used=self.random.random() < rate,
                output_length=self.random.gauss(120, 30) * (self.longer if candidate else 1.0),
            )


async def test_a_candidate_that_is_no_worse_in_them_is_promoted() -> None:
    world = World(seed=61)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    services = Services(world)

    rollout = await world.propose(what())

    await services.until(rollout, "promoted", within=120)


async def test_harm_in_one_slice_of_an_event_is_found_there() -> None:
    world = World(seed=62)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    services = Services(world, worse_in="JFK")

    rollout = await world.propose(what())
    await services.until(rollout, "rolled-back", within=120)

    last = world.app.record.rollout(rollout).last
    assert last is not None
    assert {(f.subject, f.slice) for f in last.findings} == {("fallback_used", "origin=JFK")}


async def test_a_score_beyond_its_margin_rolls_back() -> None:
    world = World(seed=63)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    services = Services(world, longer=2.5)

    rollout = await world.propose(what())
    await services.until(rollout, "rolled-back", within=120)

    last = world.app.record.rollout(rollout).last
    assert last is not None
    assert {f.subject for f in last.findings} == {"output_length"}


@pytest.mark.parametrize("spoken", [False, True], ids=["never heard", "fallen silent"])
async def test_without_word_from_the_services_nothing_advances(spoken: bool) -> None:
    world = World(seed=64)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    services = Services(world)
    services.silent = not spoken

    rollout = await world.propose(what())
    await services.run(3)
    services.silent = True
    await services.run(4)
    before = await world.app.rollout(rollout)
    await services.run(40)

    view = await world.app.rollout(rollout)
    assert view.step == before.step
    assert view.reasons == (("evidence-stale",) if spoken else ("no-evidence",))


async def test_what_no_shadow_can_count_does_not_keep_a_rollout_in_it_and_is_named_there() -> None:
    """Mirrored copies are not counted by services, so nothing of theirs can be fresh in a shadow; the canary judges it."""
    world = World(seed=67)
    traffic = await world.serves("delays", v1=SOUND, v2=SOUND)
    traffic.demand.halves = True
    services = Services(world)
    rules = PairRules(limits=(PairLimit(kind=PairKind.DISAGREEMENT, limit=0.2),))
    plain = draft("delays", "v2", guardrails=GUARDRAILS, stages=(SHADOW, *STAGES), pairs=rules)
    asked = Draft(**{name: getattr(plain, name) for name in plain.__struct_fields__} | {"metrics": (FALLBACK, LENGTH)})

    rollout = await world.propose(asked)
    await world.until(rollout, step="s1", within=5)
    shown = {g.metric: g.word for g in (await world.app.rollout(rollout)).guardrails}
    await services.until(rollout, "promoted", within=180)

    assert shown == {"fallback_used": "not in a shadow", "output_length": "not in a shadow"}
