"""What a plan shows before anything moves, and what it refuses."""

import pytest

from glideslope.domain.commands import Propose
from glideslope.domain.draft import SECOND, GuardrailDraft, StageDraft
from glideslope.domain.errors import Conflict, EndpointUnreachable, FeatureMissing, PlanCannotDetect, PlanChanged
from glideslope.domain.ids import Digest, MetricName
from glideslope.domain.plan import Margin, MarginKind, StageKind
from glideslope.engine.ports import Feature
from glideslope.testing.clock import ManualClock
from glideslope.testing.drivers import MemoryDriver
from glideslope.testing.traffic import SOUND
from glideslope.testing.world import ADA, SHADOW, STAGES, World, draft

NARROW = GuardrailDraft(metric=MetricName("errors"), margin=Margin(MarginKind.ABSOLUTE, 0.002))
SHORT = StageDraft(stage=StageKind.CANARY, shares=(1_000,), minimum=0, maximum=30 * SECOND)


async def test_a_plan_that_cannot_detect_its_margin_is_refused() -> None:
    """When traffic is known and too small, it says what is needed and what there is; nothing was recorded."""
    world = World(seed=61)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.run(10)
    size = len(await world.store.entries())

    with pytest.raises(PlanCannotDetect, match="errors"):
        await world.propose(draft("delays", "v2", stages=(SHORT, *STAGES[1:]), guardrails=(NARROW,)))

    assert len(await world.store.entries()) == size


async def test_the_plan_that_was_seen_is_the_plan_that_starts() -> None:
    """Planning changes nothing and shows every step with traffic; a plan that changed since is refused."""
    world = World(seed=62)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.run(30)
    change = draft("delays", "v2")
    shown = await world.app.plan(change)

    assert shown.traffic_per_second == pytest.approx(100, rel=0.05)
    assert {(f.name, f.guardrail) for f in shown.forecast} == {
        (step, guardrail) for step in ("s1", "s2") for guardrail in ("errors", "latency", "log_loss")
    }
    other = Digest("sha256:" + "0" * 64)
    with pytest.raises(PlanChanged):
        await world.app.propose(Propose(draft=change, by=ADA, plan_digest=other), key=world.key())
    view = await world.app.propose(Propose(draft=change, by=ADA, plan_digest=shown.digest), key=world.key())
    assert view.plan_digest == shown.digest


async def test_a_candidate_that_does_not_answer_is_refused() -> None:
    """Nobody is sent to a server that is not there."""
    world = World(seed=63)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    world.probe.silent["http://delays-v2"] = "connection refused"

    with pytest.raises(EndpointUnreachable, match="connection refused"):
        await world.propose(draft("delays", "v2"))


async def test_a_plan_that_needs_more_than_the_driver_can_is_refused() -> None:
    """A shadow without a mirror is refused when proposed, not found out in the middle."""
    only = frozenset({Feature.STICKY, Feature.OBSERVE})

    def simple(clock: ManualClock) -> MemoryDriver:
        return MemoryDriver(clock, features=only)

    world = World(seed=64, driver=simple)
    await world.serves("delays", v1=SOUND, v2=SOUND)

    with pytest.raises(FeatureMissing, match="mirror"):
        await world.propose(draft("delays", "v2", stages=(SHADOW, *STAGES)))


async def test_a_second_incumbent_by_registration_is_refused() -> None:
    """Another version becomes the incumbent by a rollout and by nothing else."""
    world = World(seed=65)
    await world.serves("delays", v1=SOUND)

    with pytest.raises(Conflict, match="by a rollout"):
        await world.serves("delays", v2=SOUND)


async def test_a_rollout_takes_little_room_in_the_ledger() -> None:
    """Evidence stands inline in every decision, and a whole rollout with slices still is a small file."""
    world = World(seed=66)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.run(10)
    before = sum(map(len, await world.store.entries()))

    rollout = await world.propose(draft("delays", "v2", stages=(SHADOW, *STAGES)))
    await world.until(rollout, phase="promoted", within=300)

    entries = await world.store.entries()
    assert sum(map(len, entries)) - before < 100_000
    assert len(entries) < 40
