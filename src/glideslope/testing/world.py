"""A whole world on a clock that stands still: apps, their store and their data plane, with callers, to tell stories in.

A story says what is given, lets time pass, and asks what came of it; after each tick the five promises are checked.

    world = World(seed=7)
    await world.serves("delays", v1=SOUND, v2=Behaviour(errors=0.2))
    rollout = await world.propose(draft("delays", "v2"))
    await world.until(rollout, phase="rolled-back", within=60)
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from typing import Final

from glideslope.domain.commands import Propose, Register
from glideslope.domain.draft import SECOND, Draft, GuardrailDraft, StageDraft
from glideslope.domain.errors import GlideslopeError
from glideslope.domain.identity import Identity
from glideslope.domain.ids import Actor, Digest, MetricName, ModelName, RolloutId, VersionName
from glideslope.domain.metric import Cross, Dimension
from glideslope.domain.observation import OutcomesTaken
from glideslope.domain.pairs import PairRules
from glideslope.domain.plan import Criterion, Evaluation, Margin, MarginKind, StageKind
from glideslope.domain.plugin import NO_PLUGINS, Plugins
from glideslope.engine.app import LOG_EVERY, App
from glideslope.engine.app import World as Outside
from glideslope.engine.ports import Counters
from glideslope.engine.prediction_log import PredictionLog
from glideslope.engine.rule_sources import RuleSource
from glideslope.engine.tracing import NO_TRACER, Tracer
from glideslope.engine.views import CheckView, RolloutView
from glideslope.ledger.cosignature import Witness
from glideslope.testing.clock import ManualClock
from glideslope.testing.drivers import MemoryDriver
from glideslope.testing.memory import MemorySigner, MemoryStore
from glideslope.testing.people import MemoryPeople
from glideslope.testing.promises import Promises
from glideslope.testing.search import MemorySearch
from glideslope.testing.traffic import KEYS, Behaviour, Traffic

ADA: Final = Actor("ada")
"""Who proposes, where a story does not care."""
GRACE: Final = Actor("grace")
"""Who approves, halts and orders."""

TICK: Final = 0.25
"""Seconds from one tick of every governor to the next."""

ORIGIN: Final = (Dimension("origin", ("EWR", "JFK", "LGA")),)

GUARDRAILS: Final = (
    GuardrailDraft(metric=MetricName("errors"), margin=Margin(MarginKind.ABSOLUTE, 0.05)),
    GuardrailDraft(metric=MetricName("latency"), margin=Margin(MarginKind.RELATIVE, 0.25)),
    GuardrailDraft(metric=MetricName("log_loss"), margin=Margin(MarginKind.ABSOLUTE, 0.15)),
)

STAGES: Final = (
    StageDraft(stage=StageKind.CANARY, shares=(1_000, 5_000), minimum=5 * SECOND, maximum=300 * SECOND),
    StageDraft(stage=StageKind.FULL, minimum=5 * SECOND, maximum=60 * SECOND),
    StageDraft(stage=StageKind.BAKE, minimum=5 * SECOND, maximum=60 * SECOND),
)

SHADOW: Final = StageDraft(stage=StageKind.SHADOW, minimum=5 * SECOND, maximum=300 * SECOND)


def draft(
    model: str,
    candidate: str,
    *,
    stages: Sequence[StageDraft] = STAGES,
    guardrails: Sequence[GuardrailDraft] = GUARDRAILS,
    slices: Sequence[Dimension] = ORIGIN,
    offline: Sequence[Criterion] = (),
    approvals: int = 0,
    pairs: PairRules | None = None,
    cross: Sequence[Cross] = (),
) -> Draft:
    """Return a change that a small world can prove or refute within a minute or two."""
    return Draft(
        model=ModelName(model),
        candidate=VersionName(candidate),
        owner="delays@example.org",
        why="Retrained with October.",
        stages=tuple(stages),
        guardrails=tuple(guardrails),
        slices=tuple(slices),
        offline=tuple(offline),
        approvals=approvals,
        pairs=pairs,
        cross=tuple(cross),
        stale_after=3 * SECOND,
        outcomes_stale_after=20 * SECOND,
        lease=2 * SECOND,
        maturity=0.5,
    )


def content(model: str, version: str) -> Digest:
    """Return the digest that a version is registered under."""
    return Digest("sha256:" + sha256(f"{model} {version}".encode()).hexdigest())


class Answering:
    """Keeps the port Probe: every server answers, but for those named in `silent`."""

    def __init__(self) -> None:
        self.silent: dict[str, str] = {}

    async def ask(self, url: str) -> str | None:
        """Return why the server at `url` does not answer, or None."""
        return self.silent.get(url)


class World:
    """One store, one data plane, any number of apps, and the callers of each model.

    `faults` may be set on `store` and `driver` as they say themselves. A governor lives while its app is among `apps`.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        driver: Callable[[ManualClock], MemoryDriver] = MemoryDriver,
        log: PredictionLog | None = None,
        plugins: Plugins = NO_PLUGINS,
        counters: Counters | None = None,
        sources: Mapping[str, RuleSource] | None = None,
        identify: Callable[[str], Identity | None] = lambda _token: None,
    ) -> None:
        self.log = log
        self._identify = identify
        self.counters = counters
        self.clock = ManualClock()
        self.store = MemoryStore()
        self.search = MemorySearch()
        self.people = MemoryPeople()
        self.signer = MemorySigner()
        self.driver = driver(self.clock)
        self.probe = Answering()
        self.apps: list[App] = []
        self.front: App | None = None
        self.tracer: Tracer = NO_TRACER
        """Of the apps that are started from now on."""
        self.plugins = plugins
        """Of the apps that are started from now on."""
        self.sources = dict(sources or {})
        """Who answers rules of policies that are not ours; of those apps too."""
        self.witnesses: tuple[Witness, ...] = ()
        """Whose cosignatures are taken in."""
        self.traffic: dict[ModelName, Traffic] = {}
        self.taken: list[OutcomesTaken] = []
        """What became of each batch of outcomes."""
        self.promises = Promises(self.signer.verifier)
        self.healthy = True
        """Whether the line to the data plane is up; say so when you cut it."""
        self.bundled = True
        """Whether the bundle is exported and verified after each stretch of time; not while the store is down."""
        self._seed = seed
        self._started = itertools.count(1)
        self._keys = itertools.count(1)
        self._alive = 0.0
        self._next_flush = 1.0
        self._next_log = LOG_EVERY

    @property
    def app(self) -> App:
        """Return the app that people, services and the gateway talk to: `front` while it lives, else the newest."""
        return self.front if self.front in self.apps else self.apps[-1]

    async def start(self) -> App:
        """Start one more app on the store; it stays until `kill`."""
        number = next(self._started)
        outside = Outside(
            store=self.store,
            leases=self.store,
            counters=self.counters or self.store,
            summaries=self.store,
            search=self.search,
            people=self.people,
            checkpoints=self.store,
            signer=self.signer,
            driver=self.driver,
            probe=self.probe,
            clock=self.clock,
            identify=self._identify,
            grants=None,
            vkey=self.signer.verifier.vkey,
            keys=KEYS,
            holder=f"app-{number}",
            checks=_nothing_to_check,
            log=self.log,
            plugins=self.plugins,
            tracer=self.tracer,
            sources=self.sources,
            witnesses=lambda: self.witnesses,
        )
        app = App(outside, epoch=number)
        await app.load()
        self.apps.append(app)
        return app

    def kill(self, app: App) -> None:
        """End an app as a power cut would: nothing is flushed, nothing given back."""
        self.apps.remove(app)

    async def serves(
        self,
        model: str,
        *,
        evaluations: Sequence[Evaluation] = (),
        per_second: float = 100.0,
        dimensions: Sequence[Dimension] = ORIGIN,
        **versions: Behaviour,
    ) -> Traffic:
        """Register a model's versions, the first as incumbent, and let callers come. Starts an app if there is none."""
        if not self.apps:
            await self.start()
        name = ModelName(model)
        for k, version in enumerate(versions):
            await self.app.register(
                Register(
                    model=name,
                    version=VersionName(version),
                    digest=content(model, version),
                    url=f"http://{model}-{version}",
                    by=ADA,
                    why="trained",
                    evaluations=tuple(evaluations) if k else (),
                    incumbent=not k,
                ),
                key=self.key(),
            )
        behaviours = {VersionName(v): b for v, b in versions.items()}
        traffic = Traffic(name, driver=self.driver, versions=behaviours, dimensions=dimensions, seed=self._seed)
        # The route must stand before anybody can be assigned.
        await self.app.governor.tick()
        traffic.demand.per_second = per_second
        self.traffic[name] = traffic
        return traffic

    async def propose(self, what: Draft, *, by: Actor = ADA) -> RolloutId:
        """Propose a change at the newest app."""
        view = await self.app.propose(Propose(draft=what, by=by), key=self.key())
        return RolloutId(view.id)

    def key(self) -> str:
        """Return an idempotency key that nobody used."""
        return f"key-{next(self._keys)}"

    async def run(self, seconds: float) -> None:
        """Let time pass, tick by tick: callers, outcomes, governors, and the promises after each."""
        await self.pass_time(seconds)
        await self._audit()

    async def pass_time(self, seconds: float) -> None:
        """Do the same, but for what takes longer the longer the record is: replaying all of it, verifying the bundle."""
        for _ in range(round(seconds / TICK)):
            await self._tick()

    async def until(self, rollout: RolloutId, *, phase: str = "", step: str = "", within: float) -> RolloutView:
        """Let time pass until a rollout is where it is expected; AssertionError when that takes longer than `within` seconds."""
        for _ in range(round(within / TICK)):
            found = self.app.record.rollout(rollout)
            if phase in ("", found.phase) and step in ("", found.step.name if found.step else None):
                await self._audit()
                return await self.app.rollout(rollout)
            await self._tick()
        await self._audit()
        told = "\n".join(h.sentence for h in await self.app.story(rollout))
        raise AssertionError(f"{rollout} is not {phase} {step} within {within} s:\n{told}")

    async def quietly(self, seconds: float, *, apps: Sequence[App] = ()) -> None:
        """Let time pass in which only the named apps live: the others hang, as a frozen process does."""
        hanging = [app for app in self.apps if app not in apps]
        self.apps = list(apps)
        try:
            await self.run(seconds)
        finally:
            self.apps = [*hanging, *apps]

    def exposed(self, model: str) -> int:
        """Return the candidate's share that the data plane has in force, in basis points."""
        exposure = self.driver.exposure(ModelName(model))
        return exposure.split.candidate if exposure else 0

    async def story(self, rollout: RolloutId) -> Sequence[str]:
        """Return the kinds of what happened, in order."""
        return [h.kind for h in await self.app.story(rollout)]

    async def _tick(self) -> None:
        await self.clock.advance(TICK)
        await self._call()
        now = self.clock.monotonic()
        for app in list(self.apps):
            try:
                await app.governor.tick()
                app.governor.trouble = ""
                if app.governor.acting:
                    self._alive = now
                await app.consulting.settle()
            except GlideslopeError as error:
                # What `Governor.run` does with it: kept for people to see, tried again at the next tick.
                app.governor.trouble = str(error)
        if now >= self._next_flush:
            self._next_flush = now + 1.0
            for app in self.apps:
                with suppress(GlideslopeError):  # what could not be saved is kept for the next time
                    await app.flush()
        if now >= self._next_log:
            self._next_log = now + LOG_EVERY
            for app in self.apps:
                with suppress(GlideslopeError):
                    await app.work_on_log()
        self.promises.read(await self.store.entries(self.promises.size), now=now)
        for name in self.traffic:
            silent = now - self._alive
            self.promises.exposure(name, self.driver.exposure(name), now=now, healthy=self.healthy, silent=silent)

    async def _call(self) -> None:
        now, wall = self.clock.monotonic(), int(self.clock.now().timestamp())
        for name, traffic in self.traffic.items():
            if self.apps:
                model, open_ = self.app.record.model(name), self.app.record.open_rollout_of(name)
                traffic.incumbent = model.incumbent or traffic.incumbent
                traffic.candidate = open_.plan.candidate if open_ else traffic.incumbent
            moment = traffic.moment(TICK, now=now, wall=wall)
            if not self.apps:
                traffic.unacknowledged(moment.outcomes, now=now)
                continue
            self.app.observer.served(moment.served)
            try:
                for answers in moment.answers:
                    await self.app.shadow(answers)
                for halves in moment.halves:
                    await self.app.halves(halves)
                if moment.outcomes.outcomes:
                    self.taken.append(await self.app.outcomes(moment.outcomes))
            except GlideslopeError:
                traffic.unacknowledged(moment.outcomes, now=now)

    async def _audit(self) -> None:
        self.promises.every_decision_replays()
        if self.apps and self.bundled:
            self.promises.a_stranger_can_check([line async for line in self.app.notary.bundle()])


async def _nothing_to_check() -> Sequence[CheckView]:
    return []
