"""Requests that the gateway sees begin and not end: they are no proof, and they keep no sound candidate waiting for ever."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from glideslope.domain.draft import GuardrailDraft, StageDraft
from glideslope.domain.metric import ERRORS
from glideslope.domain.plan import Margin, MarginKind, StageKind
from glideslope.domain.traffic import Arm
from glideslope.engine.ports import Served
from glideslope.testing.examples import SECOND
from glideslope.testing.traffic import SOUND
from glideslope.testing.world import World, draft

WIDE = (GuardrailDraft(metric=ERRORS.name, margin=Margin(MarginKind.ABSOLUTE, 0.1), base_rate=0.01),)
AT_ONCE = (
    StageDraft(stage=StageKind.CANARY, shares=(5_000,), minimum=0, maximum=300 * SECOND),
    StageDraft(stage=StageKind.FULL, minimum=5 * SECOND, maximum=60 * SECOND),
)


class Slow:
    """A gateway some of whose measured requests end later; until then it says that they are under way."""

    def __init__(self, world: World, *, share: float, seconds: float, status: int, both: bool) -> None:
        self.world, self.share, self.seconds, self.status, self.both = world, share, seconds, status, both
        self.random = Random(5)
        self.open: list[tuple[float, Served]] = []
        self._seen = world.app.observer.served
        world.app.observer.served = self._served  # type: ignore[method-assign]  # the gateway's own line

    def _served(self, batch: Sequence[Served]) -> None:
        now, told = self.world.clock.monotonic(), []
        for request in batch:
            slow = request.rollout and (self.both or request.arm is Arm.CANDIDATE) and self.random.random() < self.share
            if not slow:
                told.append(request)
                continue
            begun = replace(request, stream=f"{request.subject} {now}")
            self.open.append((now + self.seconds, begun))
            told.append(replace(begun, in_flight=True, latency_us=100_000, status=0))
        over = [request for end, request in self.open if end <= now]
        self.open = [(end, request) for end, request in self.open if end > now]
        late = round(self.seconds * 1_000_000)
        ended = [replace(r, latency_us=late, status=self.status or r.status) for r in over]
        self._seen([*told, *ended])


async def test_a_candidate_that_hangs_is_not_let_on_before_its_requests_time_out() -> None:
    """A fifth of its requests hangs for 30 s. What it answers meanwhile is good, and the step has no minimum time."""
    world = World(seed=71)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    Slow(world, share=0.2, seconds=30.0, status=504, both=False)
    rollout = await world.propose(draft("delays", "v2", guardrails=WIDE, stages=AT_ONCE))

    await world.until(rollout, step="s1", within=5)
    await world.run(25)
    waiting = await world.app.rollout(rollout)
    ended = await world.until(rollout, phase="rolled-back", within=60)

    assert (waiting.step, waiting.phase, waiting.reasons) == ("s1", "running", ("not-enough-evidence",))
    assert ended.reasons == ("guardrail-breached",)


async def test_slow_but_sound_arms_under_steady_traffic_are_promoted() -> None:
    """Every request of both arms takes 2 s, so that some two hundred are always under way."""
    world = World(seed=72)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    Slow(world, share=1.0, seconds=2.0, status=0, both=True)
    rollout = await world.propose(draft("delays", "v2", guardrails=WIDE, stages=AT_ONCE))

    await world.until(rollout, phase="promoted", within=120)
