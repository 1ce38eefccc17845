"""The engine assembled: `App` keeps the `Service` contract over one record, one data plane and one set of counters."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b

import msgspec

from glideslope.domain.commands import Approve, Halt, OrderRollback, Propose, Register, Resume, Retry
from glideslope.domain.decision import Decision
from glideslope.domain.draft import Draft
from glideslope.domain.errors import GlideslopeError, TokenUnknown
from glideslope.domain.forecast import Forecast, forecast, warnings
from glideslope.domain.freeze import plan_digest
from glideslope.domain.identity import Identity
from glideslope.domain.ids import ModelName, RolloutId
from glideslope.domain.metric import BUILT_IN
from glideslope.domain.observation import Briefing, Grant, Outcomes, OutcomesTaken, ShadowAnswers, Totals
from glideslope.domain.receipt import ReceiptKey
from glideslope.domain.replay import replay_decision
from glideslope.domain.rollout import ENDED
from glideslope.engine.governor import Governor
from glideslope.engine.handlers import Handlers
from glideslope.engine.notary import Notary
from glideslope.engine.observer import Observer
from glideslope.engine.outcomes import OutcomeDesk
from glideslope.engine.ports import Checkpoints, Clock, Counters, Driver, Leases, Probe, Signer, Store
from glideslope.engine.queries import Queries
from glideslope.engine.reconciler import Reconciler
from glideslope.engine.record import Record, rollout_number
from glideslope.engine.views import (
    CheckView,
    DecisionView,
    FleetView,
    HappeningView,
    ModelView,
    PlanView,
    ReplayView,
    RolloutView,
    StepForecast,
    Warning_,
)
from glideslope.ledger import canonical
from glideslope.ledger import entry as ledger_entry

FLUSH_EVERY = 1.0
"""Seconds of gateway observations that a kill -9 may lose; both arms alike."""

SIGN_EVERY = 5.0
FOLLOW_EVERY = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything outside that the engine touches, each behind its port."""

    store: Store
    leases: Leases
    counters: Counters
    checkpoints: Checkpoints
    signer: Signer
    driver: Driver
    probe: Probe
    clock: Clock
    identify: Callable[[str], Identity | None]
    grant: Callable[[ModelName], Grant | None]
    """What a service that assigns in process may obey now; None with a data plane of its own."""
    vkey: str
    keys: Mapping[int, ReceiptKey]
    holder: str
    """Unique per start of a server."""
    checks: Callable[[], Coroutine[object, object, Sequence[CheckView]]]
    """What `doctor` looks at beyond the engine."""


class App:
    """A running engine. Use `running` to start and stop it."""

    def __init__(self, world: World, *, epoch: int) -> None:
        self._world = world
        self.record = Record(store=world.store, clock=world.clock)
        self.observer = Observer(record=self.record, counters=world.counters, clock=world.clock, epoch=epoch)
        self._desk = OutcomeDesk(record=self.record, observer=self.observer, counters=world.counters, keys=world.keys)
        self.reconciler = Reconciler(record=self.record, driver=world.driver, clock=world.clock)
        self.governor = Governor(
            record=self.record,
            observer=self.observer,
            reconciler=self.reconciler,
            leases=world.leases,
            clock=world.clock,
            holder=world.holder,
            ended=self._forget,
        )
        self._handlers = Handlers(
            record=self.record,
            observer=self.observer,
            driver=world.driver,
            probe=world.probe,
            wake=self.governor.wake,
        )
        self._queries = Queries(
            record=self.record, observer=self.observer, reconciler=self.reconciler, clock=world.clock
        )
        self.notary = Notary(store=world.store, checkpoints=world.checkpoints, signer=world.signer)
        self._trouble: dict[str, str] = {}

    async def load(self) -> None:
        """Read the record and the counters; once, before anything else."""
        await self.record.load()
        await self.observer.load()

    async def flush(self) -> None:
        """Save what was counted. Raises StoreUnavailable."""
        await self.observer.flush()

    def identify(self, token: str) -> Identity:
        found = self._world.identify(token)
        if found is None:
            raise TokenUnknown
        return found

    async def register(self, command: Register, *, key: str) -> ModelView:
        return self._queries.model(await self._handlers.register(command, key=key))

    async def plan(self, draft: Draft) -> PlanView:
        plan, baseline = self._handlers.resolve(draft)
        known = baseline.subjects_per_second > 0
        return PlanView(
            plan=plan,
            digest=plan_digest(plan),
            forecast=tuple(_shown(f) for f in forecast(plan, baseline)),
            warnings=tuple(Warning_(code=w.code, sentence=w.sentence) for w in warnings(plan, baseline)),
            traffic_per_second=baseline.subjects_per_second if known else None,
            earliest_seconds=sum(s.minimum for s in plan.steps) / 1000,
        )

    async def propose(self, command: Propose, *, key: str) -> RolloutView:
        return self._queries.rollout(await self._handlers.propose(command, key=key))

    async def approve(self, command: Approve, *, key: str) -> RolloutView:
        return self._queries.rollout(await self._handlers.approve(command, key=key))

    async def halt(self, command: Halt, *, key: str) -> RolloutView:
        return self._queries.rollout(await self._handlers.halt(command, key=key))

    async def resume(self, command: Resume, *, key: str) -> RolloutView:
        return self._queries.rollout(await self._handlers.resume(command, key=key))

    async def roll_back(self, command: OrderRollback, *, key: str) -> RolloutView:
        return self._queries.rollout(await self._handlers.roll_back(command, key=key))

    async def retry(self, command: Retry, *, key: str) -> RolloutView:
        return self._queries.rollout(await self._handlers.retry(command, key=key))

    async def fleet(self) -> FleetView:
        return self._queries.fleet()

    async def model(self, name: ModelName) -> ModelView:
        return self._queries.model(name)

    async def rollout(self, rollout: RolloutId) -> RolloutView:
        return self._queries.rollout(rollout)

    async def decisions(self, rollout: RolloutId) -> Sequence[DecisionView]:
        return self._queries.decisions(rollout)

    async def story(self, rollout: RolloutId, *, after: int = 0) -> Sequence[HappeningView]:
        return self._queries.story(rollout, after=after)

    async def follow(self, rollout: RolloutId) -> AsyncIterator[RolloutView]:
        """Yield the rollout now, then whenever something about it changes; ends with the rollout."""
        shown: RolloutView | None = None
        while True:
            view = self._queries.rollout(rollout)
            if view != shown:
                yield view
                shown = view
            if view.ended:
                return
            await self._world.clock.sleep(FOLLOW_EVERY)

    async def replay(self, rollout: RolloutId, version: int) -> ReplayView:
        """Make one decision again from the record. Raises NotFound."""
        entries = [ledger_entry.decode(data) for data in await self._world.store.stream(rollout)]
        replayed = replay_decision(entries, stream=rollout, version=version)
        recorded = _canonical(replayed.recorded.decision)
        return ReplayView(
            rollout=rollout,
            version=version,
            recorded=recorded,
            recomputed=recorded if replayed.recomputed is None else _canonical(replayed.recomputed),
            same=replayed.same,
        )

    async def ledger(self) -> AsyncIterator[bytes]:
        """Return the bundle, line by line, up to a fresh checkpoint."""
        return self.notary.bundle()

    async def verifier(self) -> str:
        return self._world.vkey

    async def doctor(self) -> Sequence[CheckView]:
        """Look at everything that could be wrong."""
        own = [
            _check("governor", self.governor.trouble, fine="governs"),
            _check("gateway", self.reconciler.trouble, fine="obeys"),
            *(_check(name, trouble, fine="works") for name, trouble in sorted(self._trouble.items())),
        ]
        return [*own, *await self._world.checks()]

    async def briefing(self, model: ModelName, *, seen: str, wait: float) -> Briefing:
        """Return what a service needs; with `seen`, wait up to `wait` seconds for something new. Raises NotFound."""
        deadline = self._world.clock.monotonic() + wait
        while True:
            briefing = self._briefing(model)
            if briefing.tag != seen or self._world.clock.monotonic() >= deadline:
                return briefing
            await self._world.clock.sleep(min(0.05, max(0.0, deadline - self._world.clock.monotonic())))

    async def observe(self, totals: Totals) -> None:
        self.observer.totals(totals)
        await self._world.counters.save(self.observer.as_totals(totals))

    async def shadow(self, answers: ShadowAnswers) -> None:
        await self._desk.answers(answers)

    async def outcomes(self, outcomes: Outcomes) -> OutcomesTaken:
        return await self._desk.take(outcomes)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["App"]:
        """Load, then govern, flush and sign until left."""
        await self.load()
        tasks = [
            asyncio.create_task(self.governor.run()),
            asyncio.create_task(self._every(FLUSH_EVERY, "counters", self.observer.flush)),
            asyncio.create_task(self._every(SIGN_EVERY, "notary", self.notary.sign)),
        ]
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with suppress(GlideslopeError):
                await self.observer.flush()
                await self.notary.sign()
                await self.governor.release()

    async def _every(self, seconds: float, name: str, act: Callable[[], Coroutine[object, object, object]]) -> None:
        while True:
            await self._world.clock.sleep(seconds)
            try:
                await act()
                self._trouble.pop(name, None)
            except GlideslopeError as error:
                self._trouble[name] = str(error)

    def _briefing(self, model: ModelName) -> Briefing:
        known = self.record.model(model)
        open_ = self.record.open_rollout_of(known.name)
        key = self._world.keys[max(self._world.keys)]
        briefing = Briefing(
            model=model,
            grant=self._world.grant(model),
            rollouts={
                r.id: rollout_number(r.id)
                for r in self.record.rollouts()
                if r.plan.model == model and r.phase not in ENDED
            },
            metrics=tuple(g.metric for g in open_.plan.guardrails) if open_ else tuple(BUILT_IN.values()),
            dimensions=open_.plan.dimensions if open_ else (),
            key_id=key.id,
            key=key.secret,
            tag="",
        )
        return msgspec.structs.replace(briefing, tag=_tag(briefing))

    def _forget(self, rollout: RolloutId) -> None:
        self.observer.forget(rollout)
        self._desk.forget(rollout)


def _tag(briefing: Briefing) -> str:
    """Hash what matters; the time left of a lease changes always and matters to nobody who waits."""
    grant = briefing.grant and msgspec.structs.replace(briefing.grant, lease_ms=0)
    content = msgspec.json.encode(msgspec.structs.replace(briefing, grant=grant), order="deterministic")
    return blake2b(content, digest_size=8).hexdigest()


def _canonical(decision: Decision) -> str:
    return canonical.encode(msgspec.to_builtins(decision)).decode()


def _shown(f: Forecast) -> StepForecast:
    return StepForecast(
        name=f.step.name,
        stage=f.step.stage.value,
        share=f.step.candidate,
        control=f.step.control,
        guardrail=f.guardrail.metric.name,
        detects=f.detects or 0.0,
        subjects_to_proof=f.subjects_to_proof or 0,
        seconds_to_proof=f.seconds_to_proof,
        subjects_at_risk=f.subjects_at_risk,
    )


def _check(name: str, trouble: str, *, fine: str) -> CheckView:
    return CheckView(name=name, ok=not trouble, sentence=trouble or f"The {name} {fine}.")
