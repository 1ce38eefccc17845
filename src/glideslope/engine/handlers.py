"""One method per command: load, ask the domain, record, wake the governor. Nothing is done before it is recorded.

Long because every command of a rollout passes the same door, which makes it idempotent.
"""

from collections.abc import Callable, Collection, Sequence
from collections.abc import Set as AbstractSet
from typing import TypeVar

import msgspec
from msgspec import UNSET

from glideslope.domain.commands import (
    AgreeContract,
    Approve,
    Halt,
    OrderRollback,
    Propose,
    Register,
    Resume,
    Retry,
    Seen,
    Withdraw,
)
from glideslope.domain.consent import answered_for, rested_on_envelope, unapproved, unsigned
from glideslope.domain.contract import check_contract
from glideslope.domain.decision import DECIDER, RollBack, Verdict
from glideslope.domain.doubt import Aside, is_settled
from glideslope.domain.draft import Draft
from glideslope.domain.errors import (
    AlreadyRegistered,
    ChangeMoved,
    Conflict,
    DigestChanged,
    EndpointUnreachable,
    FeatureMissing,
    Invalid,
    KeyReused,
    MakerMayNotApprove,
    NotInPhase,
    PlanCannotDetect,
    PlanChanged,
    RolloutEnded,
    RolloutInProgress,
    SelfApproval,
    SignOffMissing,
)
from glideslope.domain.events import (
    Approved,
    ContractAgreed,
    Decided,
    Event,
    Halted,
    Installed,
    Proposed,
    Registered,
    Resumed,
    Withdrawn,
    kind_of,
)
from glideslope.domain.flow import second_of_week
from glideslope.domain.freeze import Baseline, freeze, plan_digest
from glideslope.domain.governing.governed import Governed
from glideslope.domain.governing.organisation import Right
from glideslope.domain.ids import Actor, Digest, ModelName, RolloutId
from glideslope.domain.moved import moved
from glideslope.domain.plan import Evaluation, Plan, StageKind
from glideslope.domain.plugin import Plugins
from glideslope.domain.reasons import Reason
from glideslope.domain.remedy import blind, remedies
from glideslope.domain.rollout import DECIDED, Phase, Rollout, fold
from glideslope.engine.addresses import host_and_port
from glideslope.engine.asking import Asking
from glideslope.engine.doubts import aside
from glideslope.engine.governing import Governing
from glideslope.engine.learning import experience, taught
from glideslope.engine.observer import Observer
from glideslope.engine.once import Once, require_same
from glideslope.engine.ports import Driver, Feature, Probe
from glideslope.engine.record import Append, Model, Record, Recorded, model_stream, proposal
from glideslope.engine.stale import require_rollout
from glideslope.engine.turns import by_turns
from glideslope.ledger.canonical import LARGEST_INTEGER

OPEN = frozenset(Phase) - DECIDED
"""Where something can still be decided."""

SHOWN = 256
"""How many plans that were shown may still be proposed as they were."""


Name = TypeVar("Name", ModelName, RolloutId)


class Handlers:
    """Commands of people and services. `key` makes each idempotent."""

    def __init__(
        self,
        *,
        record: Record,
        observer: Observer,
        driver: Driver,
        probe: Probe,
        plugins: Plugins,
        governing: Governing,
        asking: Asking,
        wake: Callable[[], None],
    ) -> None:
        self._record = record
        self._governing = governing
        self._asking = asking
        self._observer = observer
        self._driver = driver
        self._probe = probe
        self._plugins = plugins
        self.once = Once(record, wake=wake)
        self._asked: dict[str, Draft] = {}
        """What was proposed lately, by its key."""
        self._shown: dict[Digest, Baseline] = {}
        """The traffic on which each plan rested that was shown lately: it moves on between looking and proposing."""

    async def register(self, command: Register, *, key: str) -> ModelName:
        """Make a version known. The same content under the same name again is no error.

        Raises AlreadyRegistered, KeyReused, Conflict, Invalid for an evaluation that cannot be, and NameInvalid for an address
        that no data plane could carry: met later, it would keep all models' traffic from its shape.
        """
        host_and_port(command.url)
        _require_counted(command.evaluations)
        key = f"register/{command.model}/{key}"

        def same(done: Recorded) -> ModelName:
            require_same(done.event, _registered(command), _installed(command))
            return command.model

        async def once() -> ModelName:
            events = self._registration(command)
            if events:
                stream = model_stream(command.model)
                expected = self._record.version(stream)
                appends = (Append(stream=stream, expected=expected, events=events, key=key),)
                require_same((await self._record.append(appends))[0].event, events[0])
            return command.model

        return await self.once.carry_out(key, same=same, act=lambda: self.once.persist(once))

    def _registration(self, command: Register) -> Sequence[Event]:
        """Return what there is to record: nothing for what is known. Raises AlreadyRegistered, Conflict."""
        model = self._record.find_model(command.model)
        known = model.versions.get(command.version) if model else None
        if known is not None and known.digest != command.digest:
            raise AlreadyRegistered(model=command.model, version=command.version)
        if command.incumbent and model is not None and model.incumbent not in (None, command.version):
            raise Conflict(
                f"{command.model} is served by {model.incumbent} already; another version becomes the incumbent by a rollout.",
                next_command="glideslope plan",
            )
        event = _registered(command)
        events: list[Event] = [] if known == event else [event]
        if known is not None and known.url != command.url:
            self._governing.require(command.by, Right.OPERATE, to="where a version is served")
        if command.incumbent and (model is None or model.incumbent is None):
            self._governing.require(command.by, Right.OPERATE, to="what a model serves first")
            events.append(_installed(command))
        return events

    async def agree(self, command: AgreeContract, *, key: str) -> ModelName:
        """Record a data contract. The same that is in force already is recorded once. Raises NotFound, KeyReused, ContractInvalid."""
        check_contract(command.contract)
        name = command.contract.model
        key = f"contract/{name}/{key}"
        event = ContractAgreed(contract=command.contract, by=command.by, why=reason(command.why))

        def same(done: Recorded) -> ModelName:
            require_same(done.event, event)
            return name

        async def once() -> ModelName:
            if self._record.model(name).contract != command.contract:
                stream = model_stream(name)
                expected = self._record.version(stream)
                appends = (Append(stream=stream, expected=expected, events=(event,), key=key),)
                require_same((await self._record.append(appends))[0].event, event)
            return name

        return await self.once.carry_out(key, same=same, act=lambda: self.once.persist(once))

    def resolve(self, draft: Draft, *, seen: Digest | None = None) -> tuple[Plan, Baseline]:
        """Freeze a draft against what is registered and recent, or against the traffic on which the plan `seen` rested.

        Raises PlanInvalid, NotFound, Conflict.
        """
        draft, _ = self._governing.strict(draft)
        model = self._record.model(draft.model)
        governed = self._governing.governed(draft, makers=self._makers(draft))
        if model.incumbent is None:
            raise Conflict(
                f"{model.name} has no incumbent yet; register its first version with --incumbent.",
                next_command=f"glideslope register {model.name} VERSION --incumbent",
            )
        baseline = self._shown.get(seen) if seen is not None else None
        if baseline is None:
            known = experience(model, self._record, self._observer.scope)
            baseline = msgspec.structs.replace(self._observer.baseline(model.name), experience=known)
        plan = freeze(
            draft,
            incumbent=model.version(model.incumbent),
            candidate=model.version(draft.candidate),
            baseline=baseline,
            plugins=self._plugins,
            governed=governed,
        )
        more = taught(baseline, plan, model, self._record, self._observer.scope)
        if more is not baseline:
            baseline = more
            plan = freeze(
                draft,
                incumbent=model.version(model.incumbent),
                candidate=model.version(draft.candidate),
                baseline=baseline,
                plugins=self._plugins,
                governed=governed,
            )
        self._remember(plan, baseline)
        return plan, baseline

    def _makers(self, draft: Draft) -> Collection[Actor]:
        """Return who registered the candidate, also under another name: whoever did so first does not stop being its maker."""
        registered = [
            r.event for r in self._record.history(model_stream(draft.model)) if isinstance(r.event, Registered)
        ]
        contents = {event.digest for event in registered if event.version == draft.candidate}
        return {event.by for event in registered if event.digest in contents}

    def _remember(self, plan: Plan, baseline: Baseline) -> None:
        digest = plan_digest(plan)
        self._shown.pop(digest, None)
        self._shown[digest] = baseline
        if len(self._shown) > SHOWN:
            del self._shown[next(iter(self._shown))]

    async def propose(self, command: Propose, *, key: str) -> RolloutId:
        """Record a proposal with its frozen plan. Raises what `resolve` does, RolloutInProgress, PlanCannotDetect and others."""
        key = f"propose/{key}"

        def same(done: Recorded) -> RolloutId:
            # The record holds what became of a draft with the traffic of its moment; the draft itself is known to who took it.
            if self._asked.get(key, command.draft) != command.draft:
                raise KeyReused
            _require_same_proposal(done.event, command)
            return RolloutId(done.stream)

        done = await self.once.carry_out(key, same=same, act=lambda: self._propose(command, key=key))
        self._asked.setdefault(key, command.draft)
        if len(self._asked) > SHOWN:
            del self._asked[next(iter(self._asked))]
        return done

    async def _propose(self, command: Propose, *, key: str) -> RolloutId:
        self._governing.require(command.by, Right.PROPOSE, to="a change")
        plan, baseline = self.resolve(command.draft, seen=command.plan_digest)
        digest = plan_digest(plan)
        if command.plan_digest is not None and command.plan_digest != digest:
            raise PlanChanged(model=plan.model, seen=command.plan_digest, current=digest)
        model = self._record.model(plan.model)
        self._check_free(plan)
        self._check_features(plan)
        await self._check_sight(self._governing.strict(command.draft)[0], plan, baseline)
        await self._check_reachable(model, plan)
        learned = self._learned(command.attempt_of, why=command.why)
        event = Proposed(
            plan=plan,
            plan_digest=digest,
            by=command.by,
            attempt_of=command.attempt_of or RolloutId(""),
            learned=learned,
        )

        async def once() -> RolloutId:
            # Again, since much may have happened while the candidate was asked whether it answers.
            self._check_free(plan)
            id_, at = self._record.next_rollout(), self._record.now()
            classified = self._asking.proposed(id_, event, key=key, at=at)
            append = Append(stream=id_, expected=0, events=(event,), key=key)
            recorded, *_ = await self._record.append((append, *classified), at=at)
            _require_same_proposal(recorded.event, command)
            return RolloutId(recorded.stream)

        return await self.once.persist(once)

    async def _check_sight(self, draft: Draft, plan: Plan, baseline: Baseline) -> None:
        """Refuse a plan that cannot detect its own margin, and say what would do. Raises PlanCannotDetect."""
        starts = second_of_week(self._record.now())
        spot = blind(plan, baseline, starts=starts)
        if spot is None:
            return
        model = self._record.model(plan.model)
        incumbent, candidate = model.version(plan.incumbent), model.version(plan.candidate)

        def again(changed: Draft) -> Plan:
            return freeze(changed, incumbent=incumbent, candidate=candidate, baseline=baseline, plugins=self._plugins)

        changes = await by_turns(remedies(draft, spot, again, baseline, starts=starts))
        raise PlanCannotDetect(
            step=spot.step, guardrail=spot.guardrail, needs=spot.needs, gets=spot.gets, changes=changes
        )

    async def approve(self, command: Approve, *, key: str) -> RolloutId:
        """Record a yes or no. Raises SelfApproval, DigestChanged, ChangeMoved, NotInPhase, NotFound."""
        why = reason(command.why)

        def check(rollout: Rollout) -> None:
            if command.by == rollout.proposed_by:
                raise SelfApproval(rollout=rollout.id, actor=command.by)
            if command.plan_digest != rollout.plan_digest:
                raise DigestChanged(rollout=rollout.id, seen=command.plan_digest, current=rollout.plan_digest)
            governed = rollout.plan.governed
            if isinstance(governed, Governed) and command.by in governed.makers:
                raise MakerMayNotApprove(rollout=rollout.id, actor=command.by)
            self._governing.require_authority(command.by, rollout=rollout.id)
            if command.granted:
                # A no is said as easily as a halt.
                self._governing.require_proof(rollout.plan.model, command.proved)
            if command.granted and command.seen is not None:
                self._check_unmoved(rollout, command.seen)

        def approved(rollout: Rollout) -> Approved:
            return Approved(
                by=command.by,
                granted=command.granted,
                plan_digest=command.plan_digest,
                why=why,
                functions=self._governing.authority(command.by),
                change=self._asking.change(rollout),
                proved=self._governing.proved_by(rollout.plan.model, command.proved)
                if command.granted
                else msgspec.UNSET,
            )

        def phases(rollout: Rollout) -> AbstractSet[Phase]:
            # Only where approvals expire are they given again while it runs.
            return OPEN if isinstance(rollout.plan.governed, Governed) else {Phase.PROPOSED}

        return await self.append(
            command.rollout, Approved, approved, key=key, phases=phases, check=check, seen=command.tag
        )

    def _check_unmoved(self, rollout: Rollout, seen: Seen) -> None:
        """Let no yes count that was given to what a change was before. Raises ChangeMoved."""
        history = [(r.at, r.event) for r in self._record.history(rollout.id) if r.version <= max(1, seen.version)]
        since = moved(
            fold(rollout.id, history), rollout, blocks=self._asking.differing(rollout, since=seen.change or UNSET)
        )
        if since:
            raise ChangeMoved(rollout=rollout.id, since=since)

    async def withdraw(self, command: Withdraw, *, key: str) -> RolloutId:
        """Take an approval back; without it a governed rollout exposes nobody. Raises NotInPhase, RolloutEnded, NotFound, Conflict."""
        event = Withdrawn(by=command.by, why=reason(command.why))

        def check(rollout: Rollout) -> None:
            if command.by not in rollout.granted:
                raise Conflict(
                    f"{command.by} has not approved {rollout.id}, so there is nothing to take back.",
                    next_command=f"glideslope show {rollout.id}",
                )

        return await self.append(command.rollout, Withdrawn, lambda _: event, key=key, phases=OPEN, check=check)

    async def halt(self, command: Halt, *, key: str) -> RolloutId:
        """Withdraw the exposure and freeze. Raises NotInPhase, RolloutEnded, NotFound."""
        event = Halted(by=command.by, why=reason(command.why))
        phases = {Phase.RUNNING, Phase.LAPSED}
        return await self.append(command.rollout, Halted, lambda _: event, key=key, phases=phases)

    async def resume(self, command: Resume, *, key: str) -> RolloutId:
        """Let it go on, by a fresh decision, without what sources counted that it was halted for.

        Raises NotInPhase, RolloutEnded, NotFound.
        """
        why = reason(command.why)
        self._governing.require(command.by, Right.OPERATE, to="a rollout")

        def resumed(rollout: Rollout) -> Resumed:
            return Resumed(by=command.by, why=why, aside=self.not_credible(rollout) or msgspec.UNSET)

        check, seen = self.check_signed_off, command.tag
        return await self.append(
            command.rollout, Resumed, resumed, key=key, phases={Phase.HALTED}, check=check, seen=seen
        )

    async def roll_back(self, command: OrderRollback, *, key: str) -> RolloutId:
        """Return all traffic to the incumbent. Always possible until the rollout is decided. Raises RolloutEnded, NotFound."""
        why = reason(command.why)

        def ordered(rollout: Rollout) -> Decided:
            return Decided(
                decision=RollBack(reasons=(Reason.ORDERED,)),
                evidence=self._observer.evidence(rollout, in_force=False),
                decider=DECIDER,
                by=command.by,
                why=why,
            )

        return await self.append(command.rollout, Decided, ordered, key=key, phases=OPEN)

    def check_signed_off(self, rollout: Rollout) -> None:
        """Say at once for which approvals `decide` would hold it. Raises SignOffMissing."""
        governed = rollout.plan.governed
        if not isinstance(governed, Governed):
            return
        now, change = self._record.now(rollout.id), self._asking.change(rollout)
        answered, lane = answered_for(rollout, governed, now=now), self._asking.lane(rollout, now=now)
        if lacking := unsigned(rollout, governed, now=now):
            why = "A limit was broken"
        elif lacking := unapproved(rollout, answered, now=now, change=change, lane=lane):
            if rollout.withdrawn or rollout.denied:
                why = "An approval was taken back"
            elif rested_on_envelope(rollout, answered):
                why = "Approvals that were given with an envelope count no longer"
            elif unapproved(rollout, answered, now=now):
                why = "Approvals have run out"
            else:
                why = "What was approved has changed since"
        else:
            return
        raise SignOffMissing(rollout=rollout.id, functions=[need.function for need in lacking], why=why)

    def not_credible(self, rollout: Rollout) -> tuple[Aside, ...]:
        """Return the sources that the last decision found not credible, and any found since."""
        recorded = rollout.last.findings if rollout.last is not None else ()
        doubts = [f.doubt for f in recorded if f.doubt and f.verdict is Verdict.INVALID]
        now = self._observer.evidence(rollout, in_force=False).doubts or ()
        found = {aside(doubt) for doubt in (*doubts, *(doubt for doubt in now if is_settled(doubt)))}
        return tuple(sorted(one for one in found if one is not None and one not in rollout.aside))

    async def retry(self, command: Retry, *, key: str) -> RolloutId:
        """Propose a rolled-back change again, linked to the earlier attempt. Raises NotInPhase and what `propose` does."""
        await self._record.refresh()
        earlier = self._record.rollout(command.rollout)
        if earlier.phase is not Phase.ROLLED_BACK:
            raise NotInPhase(rollout=earlier.id, phase=earlier.phase.value, needs=Phase.ROLLED_BACK.value)
        if command.draft is None:
            raise Invalid(
                "Say what to try: the file of the earlier attempt, adjusted.",
                next_command="glideslope retry ID -f FILE",
            )
        draft = command.draft
        if draft.model != earlier.plan.model:
            raise Conflict(f"{earlier.id} was about {earlier.plan.model}, not {draft.model}.")
        again = Propose(draft=draft, by=command.by, attempt_of=earlier.id, why=reason(command.why))
        return await self.propose(again, key=key)

    async def append(
        self,
        id_: RolloutId,
        kind: type[Event],
        make: Callable[[Rollout], Event],
        *,
        key: str,
        phases: AbstractSet[Phase] | Callable[[Rollout], AbstractSet[Phase]],
        check: Callable[[Rollout], None] | None = None,
        seen: str = "",
    ) -> RolloutId:
        """Record what `make` makes of the rollout as it is; what `check` raises refuses it, unless it was done already.

        With `seen` it rests on the rollout as its tag says, and on nothing later. Raises PageStale.
        """
        key = f"{kind_of(kind)}/{id_}/{key}"

        def same(done: Recorded) -> RolloutId:
            require_same(done.event, make(self._record.rollout(id_)))
            return id_

        async def once() -> RolloutId:
            rollout = self._record.rollout(id_)
            require_rollout(self._record, rollout, seen=seen, change=self._asking.change)
            if check is not None:
                check(rollout)
            event = make(rollout)
            require_phase(rollout, phases(rollout) if callable(phases) else phases)
            (recorded,) = await self._record.append(
                (Append(stream=id_, expected=rollout.version, events=(event,), key=key),)
            )
            require_same(recorded.event, event)
            return id_

        return await self.once.carry_out(key, same=same, act=lambda: self.once.persist(once))

    def _check_free(self, plan: Plan) -> None:
        """One at a time, and against the incumbent that serves. Raises RolloutInProgress, Conflict."""
        open_ = self._record.open_rollout_of(plan.model)
        if open_ is not None:
            raise RolloutInProgress(model=plan.model, rollout=open_.id)
        incumbent = self._record.model(plan.model).incumbent
        if incumbent != plan.incumbent:
            raise Conflict(
                f"{plan.model} is served by {incumbent} by now, not by {plan.incumbent}. Look at the plan again.",
                next_command="glideslope plan",
            )

    def _check_features(self, plan: Plan) -> None:
        needed = {Feature.STICKY, Feature.OBSERVE}
        if any(s.stage is StageKind.SHADOW for s in plan.steps):
            needed.add(Feature.MIRROR)
        for feature in sorted(needed - self._driver.features):
            raise FeatureMissing(driver=self._driver.name, feature=feature.value)

    async def _check_reachable(self, model: Model, plan: Plan) -> None:
        candidate = model.version(plan.candidate)
        why = await self._probe.ask(candidate.url)
        if why is not None:
            raise EndpointUnreachable(version=f"{model.name} {candidate.version}", url=candidate.url, why=why)

    def _learned(self, attempt_of: RolloutId | None, *, why: str) -> str:
        if attempt_of is None:
            return ""
        earlier = self._record.rollout(attempt_of)
        proposal(self._record.history(attempt_of))
        last = earlier.last
        reasons = ", ".join(r.value for r in last.reasons) if last is not None else "nothing decided"
        ended = f"{earlier.id} of {earlier.plan.candidate} ended {earlier.phase.value}: {reasons}."
        return f"{ended} Tried again: {why}" if why else ended


def _require_counted(evaluations: Sequence[Evaluation]) -> None:
    """Refuse an evaluation that can rest on no such number of rows. Raises Invalid."""
    for evaluation in evaluations:
        if not 0 <= evaluation.count <= LARGEST_INTEGER:
            raise Invalid(
                f"The evaluation of {evaluation.metric!r} cannot rest on {evaluation.count} rows; expected 0 to {LARGEST_INTEGER}."
            )


def _registered(command: Register) -> Registered:
    return Registered(
        model=command.model,
        version=command.version,
        digest=command.digest,
        url=command.url,
        by=command.by,
        why=command.why,
        evaluations=command.evaluations,
    )


def _installed(command: Register) -> Installed:
    return Installed(model=command.model, version=command.version, by=command.by, why=command.why)


def _require_same_proposal(done: Event, command: Propose) -> None:
    """Compare what was asked; what became of it depends on the traffic of the moment. Raises KeyReused."""
    draft = command.draft
    asked = (draft.model, draft.candidate, draft.owner, draft.why, command.by, command.attempt_of or RolloutId(""))
    if isinstance(done, Proposed):
        plan = done.plan
        if asked == (plan.model, plan.candidate, plan.owner, plan.why, done.by, done.attempt_of):
            return
    raise KeyReused


def require_phase(rollout: Rollout, phases: AbstractSet[Phase]) -> None:
    """Let a command through in these phases alone. Raises RolloutEnded, NotInPhase."""
    if rollout.phase in phases:
        return
    if rollout.phase in DECIDED:
        raise RolloutEnded(rollout=rollout.id, phase=rollout.phase.value)
    needs = " or ".join(sorted(p.value for p in phases))
    raise NotInPhase(rollout=rollout.id, phase=rollout.phase.value, needs=needs)


def reason(why: str) -> str:
    """Return why something is done. Raises Invalid without a reason."""
    if not why.strip():
        raise Invalid("Every act needs a reason: say it with -m.")
    return why.strip()
