"""Services that assign in process: granted, counted as the gateway, told of promotions, and back with the incumbent in time."""

import asyncio
from collections.abc import Callable, Sequence
from random import Random

import pytest

from glideslope.adapters.drivers.inprocess import InProcessDriver
from glideslope.domain.commands import Propose, Register
from glideslope.domain.draft import SECOND, GuardrailDraft
from glideslope.domain.errors import Invalid
from glideslope.domain.ids import MetricName, ModelName, RolloutId, VersionName
from glideslope.domain.metric import LATENCY, Origin
from glideslope.domain.observation import Totals, TotalsTaken
from glideslope.domain.plan import Margin, MarginKind
from glideslope.domain.rollout import Phase
from glideslope.domain.traffic import Arm
from glideslope.engine.app import App
from glideslope.engine.app import World as Outside
from glideslope.engine.views import CheckView
from glideslope.sdk.assign import Assigned, Assigner
from glideslope.sdk.briefed import briefed
from glideslope.sdk.observe import Observer
from glideslope.sdk.stamps import of
from glideslope.testing.clock import ManualClock
from glideslope.testing.memory import MemorySigner, MemoryStore
from glideslope.testing.traffic import KEY
from glideslope.testing.world import ADA, STAGES, Answering, content, draft

DELAYS = ModelName("delays")
GUARDRAILS = (
    GuardrailDraft(metric=MetricName("errors"), margin=Margin(MarginKind.ABSOLUTE, 0.05), base_rate=0.01),
    GuardrailDraft(metric=MetricName("latency"), margin=Margin(MarginKind.RELATIVE, 0.25)),
)
TICK = 0.25


async def nothing_to_check() -> Sequence[CheckView]:
    return []


class Service:
    """The sdk's parts in one process, asking by hand instead of by thread."""

    def __init__(self, app: App, clock: ManualClock, *, source: str) -> None:
        self.app = app
        self.source = source
        self.assigner = Assigner(clock=clock.monotonic)
        self.waiting: list[Totals] = []
        self.observer = Observer(DELAYS, source=source, epoch=1, send=self._post)
        self.tag = ""
        self.now = clock.monotonic

    async def poll(self, *, wait: float = 0.0) -> None:
        asked = self.now()
        briefing = await self.app.briefing(DELAYS, seen=self.tag, wait=wait, source=self.source)
        if briefing.tag != self.tag:
            self.observer.follow(briefed(briefing))
        self.assigner.obey(briefing.grant, asked=asked, incumbent=briefing.incumbent, candidate=briefing.candidate)
        self.tag = briefing.tag

    def _post(self, message: Totals) -> None:
        self.waiting.append(message)

    async def tell(self) -> TotalsTaken:
        self.observer.send_totals()
        return await self.app.observe(self.waiting.pop())


class Bench:
    """One app over the in-process driver, and two services whose subjects never end."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore()
        self.driver = InProcessDriver(clock=self.clock)
        self.random = Random(5)
        self.served: list[Assigned] = []
        self.count = 0
        self.app = self.another_app(1)
        self.services = [Service(self.app, self.clock, source=name) for name in ("one", "two")]

    def another_app(self, number: int, *, in_process: bool = True) -> App:
        return App(
            Outside(
                store=self.store,
                leases=self.store,
                counters=self.store,
                checkpoints=self.store,
                signer=MemorySigner(),
                driver=self.driver,
                probe=Answering(),
                clock=self.clock,
                identify=lambda _token: None,
                grants=self.driver if in_process else None,
                vkey="",
                keys={KEY.id: KEY},
                holder=f"app-{number}",
                checks=nothing_to_check,
            ),
            epoch=number,
        )

    async def begin(self) -> None:
        await self.app.load()
        for version in ("v1", "v2"):
            command = Register(
                model=DELAYS,
                version=VersionName(version),
                digest=content("delays", version),
                url="http://delays",
                by=ADA,
                why="trained",
                incumbent=version == "v1",
            )
            await self.app.register(command, key=version)
        await self.app.governor.tick()

    async def propose(self, key: str = "p") -> RolloutId:
        what = draft("delays", "v2", guardrails=GUARDRAILS, stages=STAGES, slices=())
        return RolloutId((await self.app.propose(Propose(draft=what, by=ADA), key=key)).id)

    async def tick(self, *, errors: float = 0.01, slower: float = 1.0) -> None:
        await self.clock.advance(TICK)
        for service in self.services:
            await service.poll()
            for _ in range(60):
                self.count += 1
                assigned = service.assigner.assign(f"u{self.count}")
                self.served.append(assigned)
                new = assigned.version == "v2"
                bad = self.random.random() < (errors if new else 0.01)
                latency = self.random.lognormvariate(3.0, 0.3) * (slower if new else 1.0)
                stamps = of(assigned, subject=f"u{self.count}")
                service.observer.observe(stamps, exposure=1, errors=bad, latency=latency)
            await service.tell()
        await self.app.governor.tick()

    async def until(self, rollout: RolloutId, phase: Phase, *, within: float, **how: float) -> None:
        for _ in range(round(within / TICK)):
            if self.app.record.rollout(rollout).phase is phase:
                return
            await self.tick(**how)
        told = "\n".join(h.sentence for h in await self.app.story(rollout))
        raise AssertionError(f"{rollout} is not {phase} within {within} s:\n{told}")


@pytest.fixture
async def bench() -> Bench:
    made = Bench()
    await made.begin()
    for _ in range(20):
        await made.tick()
    return made


async def test_a_sound_candidate_is_promoted_and_then_served_as_the_incumbent(bench: Bench) -> None:
    rollout = await bench.propose()

    await bench.until(rollout, Phase.PROMOTED, within=120)
    for service in bench.services:
        await service.poll()

    assert {service.assigner.assign("anna") for service in bench.services} == {
        Assigned(Arm.INCUMBENT, measured=False, version=VersionName("v2"))
    }
    evidence = bench.app.observer.evidence(bench.app.record.rollout(rollout), in_force=True)
    assert {f.origin for f in evidence.freshness if f.age >= 0} == {Origin.GATEWAY.value}


@pytest.mark.parametrize("how", [{"errors": 0.3}, {"slower": 2.0}], ids=["failing", "slow"])
async def test_a_bad_candidate_is_rolled_back_by_what_services_counted(bench: Bench, how: dict[str, float]) -> None:
    rollout = await bench.propose()

    await bench.until(rollout, Phase.ROLLED_BACK, within=120, **how)
    bench.served.clear()
    await bench.tick()

    assert {assigned.version for assigned in bench.served} == {"v1"}
    assert (await bench.app.rollout(rollout)).reasons == ("guardrail-breached",)


async def test_a_candidate_slower_within_its_margin_is_not_called_slow(bench: Bench) -> None:
    """Its latency is divided by its tolerance in the services, as the gateway would."""
    rollout = await bench.propose()

    for _ in range(160):
        await bench.tick(slower=1.15)

    assert bench.app.record.rollout(rollout).phase is not Phase.ROLLED_BACK


async def test_a_long_poll_is_answered_at_once_when_something_is_granted_or_recorded(bench: Bench) -> None:
    """No time passes in this story: the clock stands still."""
    service = bench.services[0]
    await service.poll()
    polling = asyncio.create_task(service.poll(wait=20))
    await asyncio.sleep(0)

    await bench.propose()
    await asyncio.wait_for(polling, timeout=5)
    polling = asyncio.create_task(service.poll(wait=20))
    await asyncio.sleep(0)
    await bench.app.governor.tick()
    await asyncio.wait_for(polling, timeout=5)
    while not service.assigner.remaining:  # a recorded decision may be told before its grant
        await asyncio.wait_for(service.poll(wait=20), timeout=5)

    assert service.assigner.remaining == 2.0


async def test_a_poll_that_waited_in_vain_brings_the_lease_as_it_is_by_then(bench: Bench) -> None:
    service = bench.services[0]
    await bench.propose()
    await bench.app.governor.tick()
    await service.poll()
    polling = asyncio.create_task(bench.app.briefing(DELAYS, seen=service.tag, wait=0.5, source="one"))
    await asyncio.sleep(0)

    await bench.clock.advance(0.25)
    held = not polling.done()
    await bench.clock.advance(0.25)
    briefing = await asyncio.wait_for(polling, timeout=5)

    assert held
    assert briefing.tag == service.tag
    assert briefing.grant is not None
    assert briefing.grant.lease_ms == 1_500


async def test_a_rollback_is_confirmed_when_every_service_has_heard_of_it(bench: Bench) -> None:
    rollout = await bench.propose()
    await bench.until(rollout, Phase.ROLLING_BACK, within=120, errors=0.4)
    silent, heard = bench.services

    await bench.clock.advance(0.1)
    await heard.poll()
    await heard.poll()
    await bench.app.governor.tick()
    before = bench.app.record.rollout(rollout).phase
    await silent.poll()
    await silent.poll()
    await bench.app.governor.tick()

    assert (before, bench.app.record.rollout(rollout).phase) == (Phase.ROLLING_BACK, Phase.ROLLED_BACK)


def totals(*cells: str, source: str = "one", epoch: int = 1) -> Totals:
    return Totals(source=source, epoch=epoch, model=DELAYS, counts=dict.fromkeys(cells, 3))


REFUSED: dict[str, Callable[[str], str]] = {
    "a rollout that never was": lambda _: "r-0077/s1/candidate/errors/all/0",
    "a step that the plan has not": lambda r: f"{r}/s9/candidate/errors/all/0",
    "a metric that the plan has not": lambda r: f"{r}/s1/candidate/clicked/all/0",
    "a slice that the plan has not": lambda r: f"{r}/s1/candidate/errors/origin=LGA/0",
    "a bin that the metric has not": lambda r: f"{r}/s1/candidate/errors/all/2",
    "what only servers count": lambda r: f"{r}/s1/candidate/outcome/all/0",
    "no cell at all": lambda _: "what is this?",
}


@pytest.mark.parametrize("what", REFUSED)
async def test_a_count_that_cannot_be_is_refused_by_itself_and_said(bench: Bench, what: str) -> None:
    """A service one rollout behind, or ahead, loses none of its other counts."""
    rollout = await bench.propose()
    await bench.app.governor.tick()
    good, bad = f"{rollout}/s1/candidate/errors/all/0", REFUSED[what](rollout)

    taken = await bench.app.observe(totals(good, bad))

    assert (taken.taken, taken.refused) == (1, 1)
    assert [(r.cell, bool(r.code), bool(r.why)) for r in taken.refusals] == [(bad, True, True)]
    assert [(t.cell, t.count) for t in await bench.store.load(f"{rollout}/")] == [(good, 3)]


async def test_counts_for_a_rollout_that_has_ended_are_taken_without_a_word(bench: Bench) -> None:
    rollout = await bench.propose()
    await bench.until(rollout, Phase.ROLLED_BACK, within=120, errors=0.4)

    taken = await bench.app.observe(totals(f"{rollout}/s1/candidate/errors/all/0", source="late"))

    assert taken == TotalsTaken(taken=1, refused=0)


@pytest.mark.parametrize("source", ["", "gateway", "outcomes", "x" * 201])
async def test_nobody_counts_under_a_name_of_the_servers_own(bench: Bench, source: str) -> None:
    rollout = await bench.propose()

    with pytest.raises(Invalid, match="source"):
        await bench.app.observe(totals(f"{rollout}/s1/candidate/errors/all/0", source=source))


async def test_where_a_gateway_counts_services_cannot_count_in_its_place(bench: Bench) -> None:
    """Else every request would count twice, and a silent gateway would look alive."""
    behind = bench.another_app(2, in_process=False)
    await behind.load()
    rollout = await bench.propose()
    await behind.record.refresh()
    cells = [f"{rollout}/s1/candidate/{name}/all/0" for name in ("errors", "latency", "exposure")]

    taken = await behind.observe(totals(*cells, "base.delays/-/incumbent/errors/all/0"))

    assert (taken.taken, taken.refused) == (0, 4)
    evidence = behind.observer.evidence(behind.record.rollout(rollout), in_force=True)
    assert {f.age for f in evidence.freshness} == {-1}


async def test_ordinary_traffic_tells_the_next_plan_what_is_usual(bench: Bench) -> None:
    """Without it a latency guardrail would know nothing of the incumbent, and could never be proven."""
    what = draft("delays", "v2", guardrails=GUARDRAILS, slices=())

    plan = await bench.app.plan(what)

    (errors, latency) = plan.plan.guardrails
    assert errors.base_rate == 0.01
    assert sum(latency.reference) == 20 * 2 * 60
    assert max(range(41), key=lambda k: latency.reference[k]) == LATENCY.bin(20.0)
    assert plan.traffic_per_second is not None
    assert plan.traffic_per_second > 100


@pytest.mark.parametrize(
    "cell",
    [
        "base.delays/-/candidate/errors/all/0",
        "base.delays/s1/incumbent/errors/all/0",
        "base.delays/-/incumbent/log_loss/all/0",
        "base.delays/-/incumbent/errors/origin=LGA/0",
        "base.delays/-/incumbent/errors/all/2",
        "base.weather/-/incumbent/errors/all/0",
    ],
)
async def test_ordinary_traffic_is_the_incumbents_and_nothing_else(bench: Bench, cell: str) -> None:
    taken = await bench.app.observe(totals(cell))

    assert (taken.taken, taken.refused) == (0, 1)


async def test_a_service_without_anything_new_to_count_is_not_silent(bench: Bench) -> None:
    """Its subjects have all been counted; that it says so every second is what matters."""
    rollout = await bench.propose()
    await bench.until(rollout, Phase.RUNNING, within=5)
    await bench.tick()
    await bench.tick()

    for _ in range(40):
        await bench.clock.advance(TICK)
        for service in bench.services:
            await service.poll()
            await service.tell()
        await bench.app.governor.tick()

    evidence = bench.app.observer.evidence(bench.app.record.rollout(rollout), in_force=True)
    ages = {f.origin: f.age for f in evidence.freshness}
    assert 0 <= ages[Origin.GATEWAY.value] <= SECOND
    assert ages[Origin.SERVICE.value] == -1
