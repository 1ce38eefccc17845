"""The engine assembled: `App` keeps the `Service` contract over one record, one data plane and one set of counters.

Long because each command and each query of the contract is named here once; none does more than pass on.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

import msgspec

from glideslope.domain.commands import (
    AgreeContract,
    Approve,
    Halt,
    OrderRollback,
    Propose,
    Register,
    Resume,
    Retry,
)
from glideslope.domain.contract import Contract
from glideslope.domain.decision import Decision
from glideslope.domain.draft import Draft
from glideslope.domain.errors import GlideslopeError, LogAbsent, NotFound, TokenExpired, TokenUnknown
from glideslope.domain.events import Proposed
from glideslope.domain.flow import second_of_week
from glideslope.domain.forecast import forecast, outlooks, warnings
from glideslope.domain.foresight import impossible, prospects
from glideslope.domain.freeze import plan_digest
from glideslope.domain.governing.dossier import Dossier
from glideslope.domain.governing.envelope import Envelope
from glideslope.domain.identity import Identity
from glideslope.domain.ids import NOBODY, Actor, ModelName, RolloutId, SliceName
from glideslope.domain.logged import SETTLE
from glideslope.domain.pair_foresight import pair_prospects, unseen_in_shadow
from glideslope.domain.plugin import NO_PLUGINS, Plugins
from glideslope.domain.receipt import ReceiptKey
from glideslope.domain.replay import replay_decision
from glideslope.engine.agreed import Agreed
from glideslope.engine.asking import Asking
from glideslope.engine.baselines import UsualView
from glideslope.engine.briefings import Briefings
from glideslope.engine.calendars import HolidaysOf, no_holidays
from glideslope.engine.consulting import Consulting
from glideslope.engine.council import Council
from glideslope.engine.courses import Courses, CourseView, ProposalView, PulseView, ServedView
from glideslope.engine.drifting import features_view
from glideslope.engine.drill_player import DrillPlayer
from glideslope.engine.explaining import Explaining, ExplanationView
from glideslope.engine.features import Features
from glideslope.engine.forecast_views import budget_forecast, step_forecast
from glideslope.engine.governing import Governing
from glideslope.engine.governing_views import block_sentence
from glideslope.engine.governor import Governor
from glideslope.engine.handlers import Handlers
from glideslope.engine.inboxes import Inboxes
from glideslope.engine.intake import Intake
from glideslope.engine.live import EVERY as LIVE_EVERY
from glideslope.engine.live import LiveView
from glideslope.engine.log_desk import KEEP, LogDesk
from glideslope.engine.notary import Notary
from glideslope.engine.observer import Observer
from glideslope.engine.outcomes import OutcomeDesk
from glideslope.engine.packing import Packer
from glideslope.engine.pair_desk import PairDesk
from glideslope.engine.people import People, PersonalData
from glideslope.engine.ports import (
    Checkpoints,
    Clock,
    Counters,
    Driver,
    Grants,
    Leases,
    Probe,
    Signer,
    Store,
    Summaries,
)
from glideslope.engine.prediction_log import PredictionLog
from glideslope.engine.queries import Queries
from glideslope.engine.questioning import Questioning
from glideslope.engine.reception import Reception
from glideslope.engine.reconciler import Reconciler
from glideslope.engine.record import Record
from glideslope.engine.repository import Repository, Told
from glideslope.engine.requests import Requests
from glideslope.engine.rule_sources import RuleSource
from glideslope.engine.search_index import SearchIndex
from glideslope.engine.searching import Searching
from glideslope.engine.self_check import InclusionView, SelfCheck, VerifiedView
from glideslope.engine.signals import EVERY as LOOK_EVERY
from glideslope.engine.signals import Signals
from glideslope.engine.telemetry.chain import EVERY as CHAIN_EVERY
from glideslope.engine.telemetry.families import Telling
from glideslope.engine.telemetry.meters import Meters
from glideslope.engine.telling.bulletin import Bulletin
from glideslope.engine.telling.herald import Herald
from glideslope.engine.telling.ports import Outlets
from glideslope.engine.tracing import NO_TRACER, Tracer
from glideslope.engine.turns import by_turns
from glideslope.engine.views import (
    BasisView,
    CheckpointView,
    CheckView,
    DecisionView,
    DisagreementView,
    FeaturesView,
    FleetView,
    HappeningView,
    ModelView,
    PlanView,
    ReplayView,
    RolloutView,
    SearchView,
    SignalsView,
    SlicesView,
    Warning_,
)
from glideslope.engine.watching import Watching
from glideslope.engine.weighing import Weighing
from glideslope.engine.witnessing import Witnessing
from glideslope.ledger import canonical
from glideslope.ledger import entry as ledger_entry
from glideslope.ledger.cosignature import Witness

T = TypeVar("T")

FLUSH_EVERY = 1.0
"""Seconds of gateway observations that a kill -9 may lose; both arms alike."""

SIGN_EVERY = 5.0
INDEX_EVERY = 5.0
SUMMARISE_EVERY = 15.0
"""Seconds of what people alone look at that a kill -9 may lose until services send it again."""
FOLLOW_EVERY = 0.25
BUSY = 5.0
"""Seconds after the last request for which figures move."""
CHAIN_FIRST = 15.0
"""Seconds after a start until the ledger is read back for the first time."""
LOG_EVERY = 5.0
LOG_REST = 4.0
"""Times what the last work on the prediction log took: so it takes a fifth of one core at most."""


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
    summaries: Summaries | None = None
    """Where what people look at outlives a restart; without it that is kept in memory alone."""
    grants: Grants | None
    """What services that assign in process may obey; None with a data plane of its own."""
    vkey: str
    keys: Mapping[int, ReceiptKey]
    holder: str
    """Unique per start of a server."""
    checks: Callable[[], Coroutine[object, object, Sequence[CheckView]]]
    """What `doctor` looks at beyond the engine."""
    log: PredictionLog | None = None
    """None where no predictions are kept: then every outcome needs its receipt, and nothing is recomputed."""
    settle: int = SETTLE
    """Milliseconds for which an outcome for an id of a caller's own may be corrected before it counts."""
    keep: timedelta = KEEP
    """How long the prediction log keeps rows."""
    people: PersonalData | None = None
    """None where no personal data is kept."""
    outlets: Outlets | None = None
    """None where nobody is told of anything."""
    random: Callable[[int], bytes] = secrets.token_bytes
    """Bytes that nobody can guess: salts."""
    search: SearchIndex | None = None
    """None where nothing is searched."""
    holidays: HolidaysOf = no_holidays
    """Public holidays, for calendars that name a country."""
    sources: Mapping[str, RuleSource] = field(default_factory=dict)
    """Who answers rules of a policy that are not ours, by the kind of rule; without anybody they block."""
    witnesses: Callable[[], Sequence[Witness]] = tuple
    """Whose cosignatures on checkpoints are taken in."""
    plugins: Plugins = NO_PLUGINS
    """Metrics that installed packages provide."""
    tracer: Tracer = NO_TRACER


class App(Bulletin, Reception, Council, Intake):
    """A running engine. Use `running` to start and stop it."""

    def __init__(self, world: World, *, epoch: int) -> None:
        self._world = world
        self._counters = world.counters
        self.record = Record(store=world.store, clock=world.clock, tracer=world.tracer)
        self.meters = Meters()
        self.observer = Observer(
            record=self.record,
            meters=self.meters,
            counters=world.counters,
            clock=world.clock,
            epoch=epoch,
            in_process=world.grants is not None,
        )
        self.log = LogDesk(
            record=self.record,
            observer=self.observer,
            counters=world.counters,
            clock=world.clock,
            log=world.log,
            in_process=world.grants is not None,
            settle=world.settle,
            keep=world.keep,
            plugins=world.plugins,
        )
        if world.log is not None:
            self.observer.requests = Requests(world.log, clock=world.clock)
            self.observer.recomputed = self.log.evidence
        self.features = Features(record=self.record, clock=world.clock, summaries=world.summaries)
        self.signals = Signals(
            record=self.record,
            observer=self.observer,
            features=self.features,
            clock=world.clock,
            summaries=world.summaries,
        )
        self._searching = Searching(record=self.record, observer=self.observer)
        self._desk = OutcomeDesk(
            record=self.record,
            observer=self.observer,
            searching=self._searching,
            counters=world.counters,
            keys=world.keys,
            log=self.log,
            plugins=world.plugins,
        )
        self._briefings = Briefings(
            record=self.record, clock=world.clock, keys=world.keys, grants=world.grants, has_log=self.log.has_log
        )
        self._pairs = PairDesk(record=self.record, observer=self.observer)
        agreed = Agreed(self.record)
        self.governing = Governing(self.record, agreed, holidays=world.holidays)
        self.consulting = Consulting(world.sources, clock=world.clock, wake=self._answered)
        self._asking = Asking(self.record, agreed, self.consulting, holidays=world.holidays)
        self.reconciler = Reconciler(
            record=self.record, driver=world.driver, clock=world.clock, meters=self.meters, tracer=world.tracer
        )
        self.governor = Governor(
            record=self.record,
            observer=self.observer,
            governing=self.governing,
            asking=self._asking,
            reconciler=self.reconciler,
            drills=DrillPlayer(
                record=self.record, driver=world.driver, clock=world.clock, drilled=self.observer.drilled
            ),
            leases=world.leases,
            clock=world.clock,
            holder=world.holder,
            ended=self._forget,
            meters=self.meters,
            tracer=world.tracer,
        )
        self._handlers = Handlers(
            record=self.record,
            observer=self.observer,
            driver=world.driver,
            probe=world.probe,
            plugins=world.plugins,
            governing=self.governing,
            asking=self._asking,
            wake=self.governor.wake,
        )
        self._queries = Queries(
            record=self.record,
            observer=self.observer,
            searching=self._searching,
            reconciler=self.reconciler,
            permit=self._asking.permit,
            policies=lambda: agreed.policies,
            organisation=lambda: agreed.organisation,
            clock=world.clock,
        )
        super().__init__(
            record=self.record,
            governing=self.governing,
            handlers=self._handlers,
            queries=self._queries,
            people=People(record=self.record, data=world.people, random=world.random),
            driver=world.driver,
            wake=self.governor.wake,
        )
        self.notary = Notary(store=world.store, checkpoints=world.checkpoints, signer=world.signer)
        self._packer = Packer(
            record=self.record,
            store=world.store,
            checkpoints=world.checkpoints,
            signer=world.signer,
            notary=self.notary,
        )
        self._witnessing = Witnessing(
            checkpoints=world.checkpoints, notary=self.notary, packer=self._packer, witnesses=world.witnesses
        )
        self.repository = Repository(record=self.record, store=world.store, index=world.search, clock=world.clock)
        self._courses = Courses(self.record)
        self.questioning = Questioning(self.governing, self._handlers)
        self.weighing = Weighing(self.record, self.observer, self._asking, self._handlers)
        self.inboxes = Inboxes(
            record=self.record,
            queries=self._queries,
            organisation=lambda: agreed.organisation,
            agreements=self.agreements,
            flags=self.signals.view,
        )
        self._self_check = SelfCheck(
            store=world.store,
            notary=self.notary,
            packer=self._packer,
            vkey=world.vkey,
            monotonic=world.clock.monotonic,
        )
        self.herald = Herald(record=self.record, outlets=world.outlets, clock=world.clock, dues=self.comes_round)
        self._trouble: dict[str, str] = {}
        self._parts: list[str] = []
        """What works by itself."""
        self.watching = Watching(
            record=self.record,
            observer=self.observer,
            queries=self._queries,
            governor=self.governor,
            reconciler=self.reconciler,
            notary=self.notary,
            signals=self.signals,
            meters=self.meters,
            clock=world.clock,
            store=world.store,
            checkpoints=world.checkpoints,
            dues=self.dues,
            troubles=lambda: self.all_troubles,
            pairs_waiting=self._pairs.waiting,
        )

    @property
    def troubles(self) -> Mapping[str, str]:
        """Return why a part that works by itself did not the last time, by its name."""
        return dict(self._trouble)

    @property
    def all_troubles(self) -> Mapping[str, str]:
        """Return every part that works by itself with why it did not; empty where it did."""
        own = {"governor": self.governor.trouble, "gateway": self.reconciler.trouble}
        return own | dict.fromkeys(self._parts, "") | self._trouble

    async def ready(self) -> bool:
        return (self.governor.lease_left or 0.0) > 0 and not self.governor.trouble

    async def load(self) -> None:
        """Read the record and the counters; once, before anything else."""
        await self.record.load()
        await self.observer.load()
        await self.features.load()
        await self.signals.load()
        await self._people.settle()

    async def flush(self) -> None:
        """Save what was counted. Raises StoreUnavailable."""
        await self.observer.flush()

    def identify(self, token: str) -> Identity:
        found = self._world.identify(token)
        if found is None:
            raise TokenUnknown
        if found.expires_at is not None and found.expired(now=self._world.clock.now()):
            raise TokenExpired(actor=found.actor, expired_at=found.expires_at.isoformat(timespec="seconds"))
        return found

    async def register(self, command: Register, *, key: str) -> ModelView:
        return self._queries.model(await self._handlers.register(command, key=key))

    async def agree(self, command: AgreeContract, *, key: str) -> Contract:
        return await self.contract(await self._handlers.agree(command, key=key))

    async def plan(self, draft: Draft, *, by: Actor | None = None, envelope: Envelope | None = None) -> PlanView:
        self._require_log(draft)
        plan, baseline = self._handlers.resolve(draft)
        digest = plan_digest(plan)
        known = baseline.subjects_per_second > 0
        foreseen = await by_turns(prospects(plan, baseline, starts=self._starts()))
        proposed = Proposed(plan=plan, plan_digest=digest, by=by or NOBODY)
        return PlanView(
            plan=plan,
            digest=digest,
            lane=self._asking.would_be(proposed, envelope),
            blocks=tuple(block_sentence(block) for block in self._asking.would_forbid(proposed)),
            forecast=tuple(step_forecast(f) for f in forecast(plan, baseline)),
            warnings=(
                *(Warning_(code="tightened", sentence=sentence) for sentence in self.governing.strict(draft)[1]),
                *(Warning_(code=w.code, sentence=w.sentence) for w in warnings(plan, baseline)),
                *(Warning_(code="not-foreseen", sentence=sentence) for sentence in impossible(plan, baseline)),
                *(Warning_(code="not-in-shadow", sentence=sentence) for sentence in unseen_in_shadow(plan)),
            ),
            traffic_per_second=baseline.subjects_per_second if known else None,
            earliest_seconds=sum(s.minimum for s in plan.steps) / 1000,
            prospects=foreseen,
            pair_prospects=pair_prospects(plan, baseline, starts=self._starts()),
            lessons=baseline.experience.lessons,
            budgets=tuple(budget_forecast(o) for o in outlooks(plan)),
        )

    async def basis(self, draft: Draft) -> BasisView:
        plan, baseline = self._handlers.resolve(draft)
        return BasisView(plan=plan, digest=plan_digest(plan), baseline=baseline, starts=self._starts())

    def _starts(self) -> float:
        return second_of_week(self.record.now())

    async def propose(self, command: Propose, *, key: str) -> RolloutView:
        self._require_log(command.draft)
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

    async def contract(self, model: ModelName) -> Contract:
        """Return the data contract in force. Raises NotFound."""
        found = self.record.model(model).contract
        if found is None:
            raise NotFound(what="data contract of", name=model, next_command="glideslope contract infer")
        return found

    async def drift(self, model: ModelName) -> FeaturesView:
        """Hold a model's live input against its data contract. Raises NotFound."""
        contract = await self.contract(model)
        open_ = self.record.open_rollout_of(model)
        steps = (
            []
            if open_ is None
            else [
                (step, self.features.compared(open_.id, step.name, model, contract))
                for step in open_.plan.steps
                if step.has_coin
            ]
        )
        days = self.features.days(model, contract)
        # Some hundred features take tenths of a second, in which the loop must go on renewing leases.
        return await asyncio.to_thread(features_view, contract, days, today=self.features.today, steps=steps)

    async def flags(self, model: ModelName) -> SignalsView:
        """Return what was flagged outside the criteria. Raises NotFound."""
        return self.signals.view(model)

    async def look(self) -> None:
        """Look once at every series, if this server governs: two would flag everything twice. Raises StoreUnavailable."""
        if self.governor.acting:
            self.signals.look()
            await self.signals.flush()

    async def fleet(self, *, ended: int | None = None) -> FleetView:
        overdue = sum(due.overdue for due in await self.dues())
        return msgspec.structs.replace(self._queries.fleet(ended=ended), overdue=overdue)

    async def listed(
        self, *, model: ModelName | None = None, below: int | None = None, limit: int
    ) -> Sequence[RolloutView]:
        return self._queries.rollouts(model=model, below=below, limit=limit)

    def entries(self, *, start: int | None, model: ModelName | None, kinds: Collection[str]) -> AsyncIterator[Told]:
        return self.repository.entries(start=start, model=model, kinds=kinds)

    async def model(self, name: ModelName, *, as_of: int | None = None) -> ModelView:
        queries = self._queries if as_of is None else self.repository.as_of(as_of, model=name)
        return queries.model(name)

    async def rollout(self, rollout: RolloutId, *, as_of: int | None = None) -> RolloutView:
        return self._at(rollout, as_of).rollout(rollout)

    async def decisions(self, rollout: RolloutId, *, as_of: int | None = None) -> Sequence[DecisionView]:
        return self._at(rollout, as_of).decisions(rollout)

    async def story(self, rollout: RolloutId, *, after: int = 0, as_of: int | None = None) -> Sequence[HappeningView]:
        return self._at(rollout, as_of).story(rollout, after=after)

    def _at(self, rollout: RolloutId, as_of: int | None) -> Queries:
        return self._queries if as_of is None else self.repository.as_of(as_of, rollout=rollout)

    async def proposal(self, rollout: RolloutId) -> ProposalView:
        return self._courses.proposal(rollout)

    async def course(self, rollout: RolloutId, *, as_of: int | None = None) -> CourseView:
        return self._courses.course(rollout, as_of=as_of)

    async def served(self, model: ModelName) -> Sequence[ServedView]:
        return self._courses.served(model)

    async def usual(self, model: ModelName) -> Sequence[UsualView]:
        return self.signals.usual(model)

    async def live(self, model: ModelName) -> LiveView:
        return self.watching.live(model)

    async def pulse(self) -> PulseView:
        return msgspec.structs.replace(self._courses.pulse(), busy=self.observer.busy(within=BUSY))

    async def telemetry(self) -> Telling:
        return await self.watching.telemetry()

    async def search(
        self, question: str, *, limit: int = 50, below: int | None = None, whole: bool = False
    ) -> SearchView:
        return await self.repository.search(question, limit=limit, below=below, whole=whole)

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

    async def pack(self, rollout: RolloutId, *, size: int | None = None, published: Sequence[int] = ()) -> bytes:
        return (await self._packer.pack(rollout, size=size, published=published)).data

    async def explain(self, rollout: RolloutId) -> ExplanationView:
        return Explaining(self.record, self._asking).explain(rollout)

    async def dossier(self, rollout: RolloutId) -> Dossier:
        return self._asking.dossier(self.record.rollout(rollout))

    async def checkpoint(self, *, size: int | None = None, cosigned: int = 0) -> CheckpointView:
        return await self._witnessing.checkpoint(size=size, cosigned=cosigned)

    async def witness_request(self, *, older: int, size: int | None = None) -> str:
        return await self._witnessing.request(size=size, older=older)

    async def cosign(self, *, size: int, lines: str) -> CheckpointView:
        return await self._witnessing.cosign(size=size, lines=lines)

    async def verifier(self) -> str:
        return self._world.vkey

    async def verified(self) -> VerifiedView:
        return await self._self_check.check(entries=self.record.size())

    async def inclusion(self, entry: int) -> InclusionView:
        return await self._self_check.inclusion(entry)

    async def doctor(self) -> Sequence[CheckView]:
        """Look at everything that could be wrong."""
        own = [
            _check("governor", self.governor.trouble, fine="governs"),
            _check("gateway", self.reconciler.trouble, fine="obeys"),
            *(_check(name, trouble, fine="works") for name, trouble in sorted(self._trouble.items())),
        ]
        return [*own, *self.herald.checks(), *await self._world.checks()]

    async def slices(self, rollout: RolloutId) -> SlicesView:
        return self._queries.slices(rollout)

    async def disagreements(self, rollout: RolloutId, *, slice_: SliceName) -> Sequence[DisagreementView]:
        return self._pairs.worst(rollout, slice_)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["App"]:
        """Load, then govern, flush and sign until left."""
        await self.load()
        tasks = [
            asyncio.create_task(self.governor.run()),
            asyncio.create_task(self._every(FLUSH_EVERY, "counters", self.observer.flush)),
            asyncio.create_task(self._every(SIGN_EVERY, "notary", self._sign)),
            asyncio.create_task(self._every(LIVE_EVERY, "live", self.watching.recent.look, first=0.0)),
            asyncio.create_task(self._every(CHAIN_EVERY, "chain", self.watching.chain.look, first=CHAIN_FIRST)),
            asyncio.create_task(self._every(SUMMARISE_EVERY, "features", self.features.flush)),
            asyncio.create_task(self._every(LOOK_EVERY, "signals", self.look)),
            asyncio.create_task(self._every(INDEX_EVERY, "search", self.repository.follow)),
            asyncio.create_task(self.consulting.run()),
            asyncio.create_task(self.herald.run()),
        ]
        if self.log.has_log:
            tasks.append(asyncio.create_task(self._every(LOG_EVERY, "prediction log", self._work_within_bounds)))
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for last in (
                self.observer.flush,
                self.features.flush,
                self.signals.flush,
                self.notary.sign,
                self.governor.release,
            ):
                with suppress(GlideslopeError):
                    await last()

    async def _work_within_bounds(self) -> None:
        """Do the log's work, and rest for longer than it took: it is there for the record, not to heat the room."""
        began = self._world.clock.monotonic()
        await self.work_on_log()
        await self._world.clock.sleep(LOG_REST * (self._world.clock.monotonic() - began))

    async def _sign(self) -> None:
        if await self.notary.sign() is not None:
            self.meters.signed_at = self._world.clock.now().timestamp()

    async def _every(
        self,
        seconds: float,
        name: str,
        act: Callable[[], Coroutine[object, object, object]],
        *,
        first: float | None = None,
    ) -> None:
        self._parts.append(name)
        pause = seconds if first is None else first
        while True:
            await self._world.clock.sleep(pause)
            pause = seconds
            try:
                await act()
                self._trouble.pop(name, None)
            except GlideslopeError as error:
                self._trouble[name] = str(error)
            except Exception as error:  # noqa: BLE001 - the boundary of a task that nobody awaits: it must go on, and tell
                self._trouble[name] = f"{type(error).__name__}: {error}"

    def _answered(self) -> None:
        self.governor.wake()

    def _forget(self, rollout: RolloutId) -> None:
        self.observer.forget(rollout)
        self._desk.forget(rollout)
        self._pairs.forget(rollout)
        self._searching.forget(rollout)
        self.log.forget(rollout)

    def _require_log(self, draft: Draft) -> None:
        """Refuse a plan that could never advance here. Raises LogAbsent."""
        asked = draft.recompute is not None or any(own.no_outcome_within for own in draft.metrics)
        if asked and not self.log.has_log:
            raise LogAbsent


def _canonical(decision: Decision) -> str:
    return canonical.encode(msgspec.to_builtins(decision)).decode()


def _check(name: str, trouble: str, *, fine: str) -> CheckView:
    return CheckView(name=name, ok=not trouble, sentence=trouble or f"The {name} {fine}.")
