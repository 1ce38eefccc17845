"""A service that remembers, without engine, state or traffic: what the doors are tried against."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import msgspec
import pytest
from click.testing import CliRunner, Result
from fastapi import FastAPI

from glideslope.domain.commands import (
    AgreeContract,
    AnswerAgreement,
    Approve,
    AskGlass,
    BreakGlass,
    CloseIncident,
    DescribePerson,
    ErasePerson,
    Halt,
    NoteIncident,
    OrderRollback,
    Propose,
    RecordFacts,
    Register,
    Resume,
    Retry,
    ReviewAgreement,
    ReviewGlass,
    TableAgreement,
    Withdraw,
)
from glideslope.domain.contract import Contract
from glideslope.domain.draft import Draft
from glideslope.domain.errors import (
    AlreadyRegistered,
    DigestChanged,
    NotFound,
    NotInPhase,
    ReceiptInvalid,
    RolloutEnded,
    RolloutInProgress,
    SelfApproval,
    TokenUnknown,
)
from glideslope.domain.events import Registered
from glideslope.domain.freeze import Baseline, freeze, plan_digest
from glideslope.domain.governing.agreement import Agreement
from glideslope.domain.governing.facts import unknown
from glideslope.domain.governing.person import Person
from glideslope.domain.governing.query import read
from glideslope.domain.identity import Identity, Role
from glideslope.domain.ids import WHOLE, Actor, Digest, MetricName, ModelName, RolloutId, SliceName, VersionName
from glideslope.domain.metric import BUILT_IN
from glideslope.domain.observation import (
    Briefing,
    FeaturesTaken,
    FeatureTotals,
    OutcomeRefusal,
    Outcomes,
    OutcomesTaken,
    ShadowAnswers,
    Totals,
    TotalsTaken,
)
from glideslope.domain.pairs import Halves
from glideslope.domain.plan import Plan
from glideslope.domain.scan import Searched, Tier
from glideslope.domain.traffic import Arm
from glideslope.engine.agreed import Agreed
from glideslope.engine.agreements import Agreements
from glideslope.engine.drifting import features_view
from glideslope.engine.facts import FactsView
from glideslope.engine.features import Held
from glideslope.engine.governing import Governing
from glideslope.engine.governing_views import (
    AgreementView,
    IncidentView,
    OwnedView,
    agreement_view,
    incident_view,
    owned_view,
)
from glideslope.engine.incidents import Incidents
from glideslope.engine.once import Once
from glideslope.engine.record import Record
from glideslope.engine.slices_display import slices_view
from glideslope.engine.version_record import EntryView, VersionRecordView
from glideslope.engine.views import (
    BasisView,
    CheckView,
    DecisionView,
    DisagreementView,
    FeaturesView,
    FleetView,
    FoundView,
    GuardrailView,
    HappeningView,
    ModelView,
    PersonView,
    PlanView,
    ReplayView,
    RolloutView,
    SearchView,
    SignalsView,
    SignalView,
    SlicesView,
    StepForecast,
    StepView,
    VersionView,
    Warning_,
)
from glideslope.interfaces.api.app import create_app
from glideslope.interfaces.cli.context import Outside
from glideslope.interfaces.cli.exits import ApiRefused
from glideslope.interfaces.cli.main import glideslope
from glideslope.ledger import packfile
from glideslope.sdk.digest import walk_folder
from glideslope.testing.clock import ManualClock
from glideslope.testing.memory import MemoryStore
from glideslope.wiring import rules
from glideslope.wiring.rebuilding import rebuild

AT = "2013-12-10T09:14:00.000Z"
VKEY = "glideslope.example/ledger+c1f4ed0a+AQ0WGvKZZqVnNrjrbk3bdyA4nxH5yZvzDg2hPqLk7tHf"
YAML = "model: late-arrival\ncandidate: v2\nowner: flights@example.com\nwhy: Fewer misses in the evening.\n"


def digest_of(letter: str) -> Digest:
    return Digest("sha256:" + letter * 64)


def guardrail(metric: str = "errors", *, word: str = "watching") -> GuardrailView:
    return GuardrailView(
        metric=metric,
        slice="all",
        kind="difference",
        incumbent=0.012,
        candidate=0.014,
        low=-0.004,
        estimate=0.002,
        high=0.008,
        margin=0.005,
        harm_wealth=1.2,
        harm_line=5.3,
        proof_wealth=2.0,
        proof_line=3.0,
        word=word,
        candidate_count=1204,
        incumbent_count=1199,
    )


DISAGREEMENT = DisagreementView(
    request="0c1d",
    at="2026-11-25T19:00:00.000Z",
    difference=0.42,
    disagree=True,
    candidate="0.8100",
    incumbent="0.3900",
    candidate_ms=4.2,
    incumbent_ms=3.1,
    other_features=True,
    slices=("origin=LGA",),
    attributes={"carrier": "UA", "passenger": "[personal]"},
)


SEARCHED = Searched(
    metric=MetricName("log_loss"),
    slice=SliceName("origin=BOS|PHL"),
    tier=Tier.UNLISTED,
    paired=False,
    wealth=12.5,
    p=0.003,
    candidate=120,
    incumbent=480,
)


class FakeService:
    """Keeps rollouts as views. `move` changes one as the governor would; `fail` makes the next call raise."""

    def __init__(self) -> None:
        self.tokens = {
            "gs_admin": Identity(Actor("ada"), Role.ADMIN),
            "gs_member": Identity(Actor("mia"), Role.MEMBER),
            "gs_source": Identity(Actor("svc"), Role.SOURCE),
            "gs_reader": Identity(Actor("rob"), Role.READER),
            "gs_fraud": Identity(Actor("fraud-svc"), Role.SOURCE, models=frozenset({ModelName("fraud")})),
        }
        self.models: dict[str, dict[str, Register]] = {}
        self.contracts: dict[str, Contract] = {}
        self.facts_: dict[tuple[str, str], FactsView] = {}
        self.packs: list[tuple[int | None, tuple[int, ...]]] = []
        self.questions: list[tuple[str, int, int | None, bool]] = []
        self.persons: dict[str, Person | None] = {}
        self.asked_as_of: int | None = None
        self.days: dict[int, dict[Arm, Held]] = {}
        self.flagged: list[SignalView] = []
        self.plans: dict[str, Plan] = {}
        self.rollouts: dict[str, RolloutView] = {}
        self.stories: dict[str, list[HappeningView]] = {}
        self.keys: dict[str, object] = {}
        self.reported: list[object] = []
        self.told_by: list[Identity | None] = []
        self.bundle: list[bytes] = [b"glideslope-ledger/1\n", b"entries\n"]
        self.vkey = VKEY
        self.checks = [CheckView(name="state", ok=True, sentence="The state is whole.")]
        self.same = True
        self.fail: Exception | None = None
        # Agreements are small enough to be the real thing.
        self.record = Record(store=MemoryStore(), clock=ManualClock())
        self.governing = Governing(self.record, Agreed(self.record))
        once = Once(self.record, wake=lambda: None)
        self.incident_desk = Incidents(self.record, self.governing, once=once)
        self.agreed = Agreements(self.record, self.governing, once=once)
        self._changed: dict[str, asyncio.Event] = {}
        self._numbers = count(1)

    def _begin(self) -> None:
        if self.fail is not None:
            error, self.fail = self.fail, None
            raise error

    def identify(self, token: str) -> Identity:
        if token not in self.tokens:
            raise TokenUnknown
        return self.tokens[token]

    async def register(self, command: Register, *, key: str) -> ModelView:
        self._begin()
        self.keys[key] = command
        versions = self.models.setdefault(command.model, {})
        known = versions.get(command.version)
        if known is not None and known.digest != command.digest:
            raise AlreadyRegistered(model=command.model, version=command.version)
        versions[command.version] = command
        return await self.model(command.model)

    async def plan(self, draft: Draft) -> PlanView:
        self._begin()
        plan = self._freeze(draft)
        return PlanView(
            plan=plan,
            digest=plan_digest(plan),
            forecast=tuple(
                StepForecast(
                    name=step.name,
                    stage=step.stage.value,
                    share=step.candidate,
                    control=step.control,
                    guardrail="errors",
                    detects=0.0123,
                    subjects_to_proof=4200,
                    seconds_to_proof=840.0,
                    subjects_at_risk=310,
                )
                for step in plan.steps
                if step.has_coin
            ),
            warnings=(Warning_(code="W-HOLDOUT", sentence="The holdout shares days with the training."),),
            traffic_per_second=12.5,
            earliest_seconds=3600.0,
        )

    async def basis(self, draft: Draft) -> BasisView:
        self._begin()
        plan = self._freeze(draft)
        baseline = Baseline(subjects_per_second=20.0, outcomes_per_second=20.0)
        return BasisView(plan=plan, digest=plan_digest(plan), baseline=baseline, starts=0.0)

    def _freeze(self, draft: Draft) -> Plan:
        versions = self.models.get(draft.model)
        if versions is None:
            raise NotFound(what="model", name=draft.model)
        incumbent = next(v for v in versions.values() if v.incumbent)
        if draft.candidate not in versions:
            raise NotFound(what="version", name=draft.candidate, next_command=f"glideslope show {draft.model}")

        def fact(of: Register) -> Registered:
            return Registered(
                model=of.model,
                version=of.version,
                digest=of.digest,
                url=of.url,
                by=of.by,
                why=of.why,
                evaluations=of.evaluations,
            )

        return freeze(draft, incumbent=fact(incumbent), candidate=fact(versions[draft.candidate]), baseline=Baseline())

    async def propose(self, command: Propose, *, key: str) -> RolloutView:
        self._begin()
        if key in self.keys:
            found = self.keys[key]
            assert isinstance(found, str)
            return self.rollouts[found]
        plan = self._freeze(command.draft)
        if command.plan_digest not in (None, plan_digest(plan)):
            raise DigestChanged(rollout="the proposal", seen=str(command.plan_digest), current=plan_digest(plan))
        for view in self.rollouts.values():
            if view.model == plan.model and not view.ended:
                raise RolloutInProgress(model=plan.model, rollout=view.id)
        view = self._started(plan, by=command.by, attempt_of="")
        self.keys[key] = view.id
        return view

    def _started(self, plan: Plan, *, by: str, attempt_of: str) -> RolloutView:
        id_ = f"{plan.model}-{next(self._numbers)}"
        waiting = plan.approvals > 0
        view = RolloutView(
            id=id_,
            model=plan.model,
            incumbent=plan.incumbent,
            candidate=plan.candidate,
            phase="proposed" if waiting else "running",
            stage="" if waiting else plan.steps[0].stage.value,
            step="" if waiting else "s1",
            share=0 if waiting else plan.steps[0].candidate,
            confirmed=True,
            reasons=("awaiting-approval",) if waiting else (),
            sentences=("Approvals are missing.",) if waiting else (),
            next="25% no earlier than 09:24.",
            owner=plan.owner,
            why=plan.why,
            proposed_by=by,
            proposed_at=AT,
            changed_at=AT,
            ended=False,
            approvals_needed=plan.approvals,
            approved_by=(),
            denied_by=(),
            plan_digest=plan_digest(plan),
            attempt_of=attempt_of,
            version=1,
            steps=tuple(
                StepView(
                    name=step.name,
                    stage=step.stage.value,
                    candidate=step.candidate,
                    control=step.control,
                    mirror=step.mirror,
                    minimum=step.minimum,
                    maximum=step.maximum,
                    state="now" if k == 0 and not waiting else "ahead",
                )
                for k, step in enumerate(plan.steps)
            ),
            guardrails=(guardrail(), guardrail("latency", word="proven")),
            candidate_subjects=1204,
            rescued=0,
            last=None,
            confirmation_ms=None,
        )
        self.plans[id_] = plan
        self.rollouts[id_] = view
        self._tell(view, "rollout-proposed", f"{by} proposed to replace {plan.incumbent} by {plan.candidate}.", by=by)
        return view

    def _tell(self, view: RolloutView, kind: str, sentence: str, *, by: str) -> None:
        story = self.stories.setdefault(view.id, [])
        story.append(
            HappeningView(version=view.version, entry=len(story) + 7, at=AT, by=by, kind=kind, sentence=sentence)
        )

    def move(self, id_: str, sentence: str = "Something happened.", **changes: object) -> RolloutView:
        view = self.rollouts[id_]
        view = msgspec.structs.replace(view, version=view.version + 1, **changes)
        self.rollouts[id_] = view
        self._tell(view, "decided", sentence, by="glideslope")
        if id_ in self._changed:
            self._changed[id_].set()
        return view

    def _open(self, id_: str) -> RolloutView:
        self._begin()
        view = self._known(id_)
        if view.ended:
            raise RolloutEnded(rollout=id_, phase=view.phase)
        return view

    def _known(self, id_: str) -> RolloutView:
        if id_ not in self.rollouts:
            raise NotFound(what="rollout", name=id_)
        return self.rollouts[id_]

    async def approve(self, command: Approve, *, key: str) -> RolloutView:
        view = self._open(command.rollout)
        self.keys[key] = command
        if command.by == view.proposed_by:
            raise SelfApproval(rollout=view.id, actor=command.by)
        if command.plan_digest != view.plan_digest:
            raise DigestChanged(rollout=view.id, seen=command.plan_digest, current=view.plan_digest)
        if not command.granted:
            return self.move(view.id, f"{command.by} denied it.", denied_by=(*view.denied_by, command.by))
        approved = (*view.approved_by, command.by)
        phase = "running" if len(approved) >= view.approvals_needed else "proposed"
        return self.move(
            view.id, f"{command.by} approved it.", approved_by=approved, phase=phase, stage="canary", step="s1"
        )

    async def withdraw(self, command: Withdraw, *, key: str) -> RolloutView:
        view = self._open(command.rollout)
        self.keys[key] = command
        left = tuple(who for who in view.approved_by if who != command.by)
        return self.move(view.id, f"{command.by} takes the approval back.", approved_by=left)

    async def ask_glass(self, command: AskGlass, *, key: str) -> RolloutView:
        self.keys[key] = command
        return self.move(self._open(command.rollout).id, f"{command.by} asks to break the glass.")

    async def break_glass(self, command: BreakGlass, *, key: str) -> RolloutView:
        self.keys[key] = command
        return self.move(self._open(command.rollout).id, f"{command.by} agrees.")

    async def review_glass(self, command: ReviewGlass, *, key: str) -> RolloutView:
        self.keys[key] = command
        return self.move(self._known(command.rollout).id, f"{command.by} reviewed it.")

    async def note_incident(self, command: NoteIncident, *, key: str) -> IncidentView:
        self._begin()
        return incident_view(await self.incident_desk.note(command, key=key))

    async def close_incident(self, command: CloseIncident, *, key: str) -> IncidentView:
        self._begin()
        return incident_view(await self.incident_desk.close(command, key=key))

    async def incidents(self) -> Sequence[IncidentView]:
        self._begin()
        return [incident_view(each) for each in self.record.incidents()]

    async def incident(self, rollout: RolloutId) -> IncidentView:
        self._begin()
        return incident_view(self.incident_desk.get(rollout))

    async def table(self, command: TableAgreement, *, key: str) -> AgreementView:
        self._begin()
        return self._agreed(await self.agreed.table(command, key=key))

    async def answer(self, command: AnswerAgreement, *, key: str) -> AgreementView:
        self._begin()
        return self._agreed(await self.agreed.answer(command, key=key))

    async def review(self, command: ReviewAgreement, *, key: str) -> AgreementView:
        self._begin()
        return self._agreed(await self.agreed.review(command, key=key))

    async def agreements(self) -> Sequence[AgreementView]:
        self._begin()
        return [self._agreed(each) for each in self.record.agreements()]

    async def agreement(self, of: str, name: str) -> AgreementView:
        self._begin()
        found = self.record.agreement(of, name)
        if found is None:
            raise NotFound(what=of, name=name)
        return self._agreed(found)

    async def owned(self, *, owner: str, kind: str, name: str) -> Sequence[OwnedView]:
        self._begin()
        organisation = self.governing.organisation
        if organisation is None:
            raise NotFound(what="organisation", name="in force")
        things = organisation.owns(owner) if owner else organisation.owned
        return [owned_view(o, organisation) for o in things if kind in ("", o.kind.value) and name in ("", o.name)]

    def _agreed(self, agreement: Agreement) -> AgreementView:
        return agreement_view(agreement, needs=self.agreed.needs(agreement))

    async def halt(self, command: Halt, *, key: str) -> RolloutView:
        self._open(command.rollout)
        self.keys[key] = command
        return self.move(command.rollout, f"{command.by} halted it: {command.why}", phase="halted", share=0)

    async def resume(self, command: Resume, *, key: str) -> RolloutView:
        view = self._open(command.rollout)
        if view.phase != "halted":
            raise NotInPhase(rollout=view.id, phase=view.phase, needs="halted")
        self.keys[key] = command
        return self.move(command.rollout, f"{command.by} resumed it.", phase="running")

    async def roll_back(self, command: OrderRollback, *, key: str) -> RolloutView:
        self._open(command.rollout)
        self.keys[key] = command
        return self.move(
            command.rollout,
            f"{command.by} ordered a rollback.",
            phase="rolled-back",
            ended=True,
            share=0,
            confirmation_ms=3.2,
        )

    async def retry(self, command: Retry, *, key: str) -> RolloutView:
        self._begin()
        view = self._known(command.rollout)
        if view.phase != "rolled-back":
            raise NotInPhase(rollout=view.id, phase=view.phase, needs="rolled-back")
        self.keys[key] = command
        plan = self.plans[view.id] if command.draft is None else self._freeze(command.draft)
        return self._started(plan, by=command.by, attempt_of=view.id)

    async def fleet(self) -> FleetView:
        self._begin()
        return FleetView(
            models=tuple([await self.model(ModelName(name)) for name in self.models]),
            rollouts=tuple(msgspec.structs.replace(v, guardrails=()) for v in reversed(self.rollouts.values())),
            entries=42,
            gateway="ready",
            time=AT,
        )

    async def model(self, name: ModelName, *, as_of: int | None = None) -> ModelView:
        self.asked_as_of = as_of
        self._begin()
        if name not in self.models:
            raise NotFound(what="model", name=name)
        versions = self.models[name].values()
        return ModelView(
            name=name,
            incumbent=next((v.version for v in versions if v.incumbent), ""),
            rollout=next((v.id for v in self.rollouts.values() if v.model == name and not v.ended), ""),
            versions=tuple(
                VersionView(
                    version=v.version,
                    digest=v.digest,
                    url=v.url,
                    by=v.by,
                    at=AT,
                    state="incumbent" if v.incumbent else "registered",
                )
                for v in versions
            ),
            requests_per_second=12.5,
            signals={"incumbent": {"requests_per_second": 12.5, "error_rate": 0.01}},
        )

    async def rollout(self, rollout: RolloutId, *, as_of: int | None = None) -> RolloutView:
        self.asked_as_of = as_of
        self._begin()
        return self._known(rollout)

    async def decisions(self, rollout: RolloutId, *, as_of: int | None = None) -> Sequence[DecisionView]:
        self.asked_as_of = as_of
        view = self._known(rollout)
        return [
            DecisionView(
                rollout=view.id,
                version=2,
                entry=8,
                at=AT,
                by="glideslope",
                decision="advance",
                step="s1",
                stage="canary",
                reasons=("guardrails-passed",),
                sentences=("Every guardrail is proven to be within its margin.",),
                findings=(),
            )
        ]

    async def story(self, rollout: RolloutId, *, after: int = 0, as_of: int | None = None) -> Sequence[HappeningView]:
        self.asked_as_of = as_of
        self._known(rollout)
        return [each for each in self.stories[rollout] if each.version > after]

    async def follow(self, rollout: RolloutId) -> AsyncIterator[RolloutView]:
        self._begin()
        yield self._known(rollout)
        while True:
            changed = self._changed[rollout] = asyncio.Event()
            await changed.wait()
            yield self._known(rollout)

    async def replay(self, rollout: RolloutId, version: int) -> ReplayView:
        self._known(rollout)
        return ReplayView(
            rollout=rollout, version=version, recorded="{}", recomputed="{}" if self.same else '{"a":1}', same=self.same
        )

    async def ledger(self) -> AsyncIterator[bytes]:
        self._begin()
        return self._lines()

    async def _lines(self) -> AsyncIterator[bytes]:
        for line in self.bundle:
            yield line

    async def verifier(self) -> str:
        return self.vkey

    async def pack(self, rollout: RolloutId, *, size: int | None = None, published: Sequence[int] = ()) -> bytes:
        self._known(rollout)
        self.packs.append((size, tuple(published)))
        return packfile.write({"summary.html": b"<p>the page</p>"})

    async def search(
        self, question: str, *, limit: int = 50, below: int | None = None, whole: bool = False
    ) -> SearchView:
        read(question)
        self.questions.append((question, limit, below, whole))
        entry = '{"kind":"approval-given"}' if whole else ""
        found = FoundView(
            entry=12 if below is None else 3,
            stream="r-0001",
            version=2,
            at=AT,
            kind="approval-given",
            by="grace",
            sentence="grace approves: fine",
            link="/v1/rollouts/r-0001?as_of=12",
            whole=entry,
        )
        return SearchView(question=question, entries=40, found=(found,), next=12 if below is None else None)

    async def describe_person(self, command: DescribePerson, *, key: str) -> PersonView:
        self.keys[key] = command
        self.persons[command.actor] = command.person
        return await self.person(command.actor)

    async def erase_person(self, command: ErasePerson, *, key: str) -> PersonView:
        self.keys[key] = command
        self.persons[command.actor] = None
        return await self.person(command.actor)

    async def person(self, actor: Actor) -> PersonView:
        if actor not in self.persons:
            raise NotFound(what="person", name=actor)
        kept = self.persons[actor]
        return PersonView(actor=actor, person=kept, erased=kept is None, commitment="", matches=kept is not None, at=AT)

    async def people(self) -> Sequence[PersonView]:
        return [await self.person(actor) for actor in self.persons]

    async def doctor(self) -> Sequence[CheckView]:
        self._begin()
        return self.checks

    async def briefing(self, model: ModelName, *, seen: str, wait: float, source: str = "") -> Briefing:
        self._begin()
        self.reported.append((model, seen, wait, source))
        return Briefing(
            model=model,
            grant=None,
            rollouts={},
            metrics=tuple(BUILT_IN.values()),
            dimensions=(),
            key_id=1,
            key=b"secret",
            tag="t1",
        )

    async def agree(self, command: AgreeContract, *, key: str) -> Contract:
        self._begin()
        self.keys[key] = command
        await self.model(command.contract.model)
        self.contracts[command.contract.model] = command.contract
        return command.contract

    async def record_facts(self, command: RecordFacts, *, key: str) -> FactsView:
        self._begin()
        self.keys[key] = command
        facts = command.facts
        await self.model(facts.model)
        self.facts_[facts.model, facts.version] = FactsView(
            model=facts.model,
            version=facts.version,
            digest=self.models[facts.model][facts.version].digest,
            facts=facts,
            unknown=unknown(facts),
            by=command.by,
            why=command.why,
            at=AT,
            entry=7,
            superseded=(),
        )
        return self.facts_[facts.model, facts.version]

    async def facts(self, model: ModelName, version: VersionName) -> FactsView:
        self._begin()
        if (model, version) not in self.facts_:
            raise NotFound(what="facts about", name=f"{model} {version}")
        return self.facts_[model, version]

    async def version(self, model: ModelName, version: VersionName) -> VersionRecordView:
        self._begin()
        known = self.models.get(model, {}).get(version)
        if known is None:
            raise NotFound(what="version of", name=f"{model} {version}")
        return VersionRecordView(
            model=model,
            version=version,
            digest=known.digest,
            registered=EntryView(entry=1, at=AT, by=known.by, what=known.why),
            evaluations=known.evaluations,
            installed=(),
            facts=self.facts_.get((model, version)),
            attempts=(),
            incumbent="",
        )

    async def contract(self, model: ModelName) -> Contract:
        self._begin()
        if model not in self.contracts:
            raise NotFound(what="data contract of", name=model)
        return self.contracts[model]

    async def drift(self, model: ModelName) -> FeaturesView:
        contract = await self.contract(model)
        return features_view(contract, self.days, today=20_000, steps=())

    async def flags(self, model: ModelName) -> SignalsView:
        await self.model(model)
        return SignalsView(
            model=model, advisory=True, budget_per_week=1.0, series=9, learning=2, flags=tuple(self.flagged)
        )

    async def feature_counts(self, totals: FeatureTotals) -> FeaturesTaken:
        self._begin()
        self.reported.append(totals)
        return FeaturesTaken(taken=len(totals.tallies), refused=0)

    async def observe(self, totals: Totals) -> TotalsTaken:
        self._begin()
        self.reported.append(totals)
        return TotalsTaken(taken=len(totals.counts), refused=0)

    async def shadow(self, answers: ShadowAnswers) -> None:
        self._begin()
        self.reported.append(answers)

    async def halves(self, halves: Halves) -> None:
        self._begin()
        self.reported.append(halves)

    async def slices(self, rollout: RolloutId) -> SlicesView:
        view = await self.rollout(rollout)
        plan = self.plans[view.id]
        return slices_view(plan, view.guardrails, view.pairs, searched=(SEARCHED,), left_out=2)

    async def disagreements(self, rollout: RolloutId, *, slice_: SliceName) -> Sequence[DisagreementView]:
        self._begin()
        await self.rollout(rollout)
        return [DISAGREEMENT] if slice_ == WHOLE else []

    async def outcomes(self, outcomes: Outcomes, *, by: Identity | None = None) -> OutcomesTaken:
        self._begin()
        self.reported.append(outcomes)
        self.told_by.append(by)
        refused = tuple(
            OutcomeRefusal(prediction=o.prediction, code=ReceiptInvalid.code, why="too short")
            for o in outcomes.outcomes
            if len(o.prediction) < 4
        )
        return OutcomesTaken(counted=len(outcomes.outcomes) - len(refused), repeated=0, unmeasured=0, refused=refused)


def with_two_versions() -> FakeService:
    found = FakeService()
    found.models["late-arrival"] = {
        name: Register(
            model=ModelName("late-arrival"),
            version=VersionName(name),
            digest=digest_of(letter),
            url=f"http://127.0.0.1:900{number}",
            by=Actor("ada"),
            why="first",
            incumbent=name == "v1",
        )
        for number, (name, letter) in enumerate((("v1", "1"), ("v2", "2")))
    }
    return found


@pytest.fixture
def service() -> FakeService:
    return with_two_versions()


class Http:
    """Calls an application as HTTP does, one request after the other; an answer is complete when its stream has ended."""

    def __init__(self, app: FastAPI, runner: asyncio.Runner) -> None:
        self.headers = {"Authorization": "Bearer gs_admin"}
        self._app = app
        self._runner = runner

    def request(self, method: str, path: str, *, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
        return self._runner.run(self._send(method, path, headers={**self.headers, **(headers or {})}, **more))

    async def _send(self, method: str, path: str, **more: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, **more)

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.request("POST", path, **more)


@pytest.fixture
def http(service: FakeService) -> Iterator[Http]:
    """The API, called as the admin."""
    keys = (f"key-{number}" for number in count(1))
    app = create_app(service, new_key=lambda: next(keys))
    with asyncio.Runner() as runner:
        yield Http(app, runner)


@pytest.fixture
def written() -> str:
    """The shortest plan."""
    return YAML


class FakeApi:
    """The API as the command line sees it, over the same application. `then` are what happens while somebody follows."""

    def __init__(self, http: Http, service: FakeService, then: list[Callable[[], object]]) -> None:
        self._http = http
        self._service = service
        self._then = then
        self.calls: list[tuple[str, str, bytes | None, Mapping[str, str]]] = []

    def call(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> bytes:
        self.calls.append((method, path, body, headers or {}))
        response = self._http.request(method, path, content=body, headers=dict(headers or {}))
        if response.status_code >= 400:
            raise ApiRefused(status=response.status_code, fields=response.json())
        return response.content

    def stream(self, path: str) -> Iterator[bytes]:
        if not path.endswith("/events"):
            yield from self.call("GET", path).splitlines()
            return
        id_ = path.split("/")[3]
        while True:
            view = self._service.rollouts[id_]
            yield from (b"event: rollout", b"id: 1", b"data: " + msgspec.json.encode(view), b"", b": a comment")
            if view.ended:
                return
            self._then.pop(0)()


class Desk:
    """A person at the command line, in an empty folder whose server is the fake one."""

    def __init__(self, http: Http, service: FakeService) -> None:
        self.http = http
        self.then: list[Callable[[], object]] = []
        self.api = FakeApi(http, service, self.then)
        self.started: list[tuple[str, dict[str, object]]] = []
        self.secrets: list[tuple[str, str]] = []
        self.scopes: list[object] = []
        self.kept: list[tuple[Path, Path]] = []
        self.connected: list[tuple[str, str]] = []
        self.trusted: list[str] = []
        self.certified: list[tuple[Path, tuple[str, ...]]] = []
        self.evaluated: list[tuple[Path, dict[str, Any]]] = []
        self.time = 0.0
        self._keys = count(1)

    def connect(self, address: str, token: str, ca: str) -> FakeApi:
        self.connected.append((address, token))
        self.trusted.append(ca)
        return self.api

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        if self.then:
            self.then.pop(0)()

    def start(self) -> Any:
        started = self.started

        class Recorder:
            def __getattr__(self, name: str) -> Callable[..., int]:
                def record(**arguments: object) -> int:
                    started.append((name, arguments))
                    return 0

                return record

        return Recorder()

    def demo(self, *, as_json: bool, keep: Path | None) -> int:
        self.started.append(("demo", {"as_json": as_json, "keep": keep}))
        return 9

    def tokens(self) -> Any:
        secrets, scopes = self.secrets, self.scopes

        class Line(msgspec.Struct):
            id: str
            actor: str
            role: str
            created_at: str
            models: tuple[str, ...] | None = None
            expires_at: str = ""
            expired: bool = False

        class Tokens:
            def create(self, _: Path, *, actor: str, role: str, **limits: object) -> str:
                secrets.append((actor, role))
                scopes.append(limits)
                return "gs_new"

            def listed(self, _: Path) -> list[Line]:
                return [
                    Line(id=str(k), actor=actor, role=role, created_at=AT) for k, (actor, role) in enumerate(secrets)
                ]

            def revoke(self, _: Path, *, token_id: str) -> None:
                if not token_id.isdigit():
                    raise NotFound(what="token", name=token_id)
                del secrets[int(token_id)]

        return Tokens()

    def credentials(self) -> Any:
        started = self.started

        class Line(msgspec.Struct):
            name: str
            folder: str
            ends: str

        class Credentials:
            def create(self, state: Path, *, name: str, out: Path, days: int) -> Line:
                started.append(("credentials", {"state": state, "name": name, "out": out, "days": days}))
                return Line(name, str(out), AT)

        return Credentials()

    def create_certificate(self, state: Path, names: Sequence[str]) -> Any:
        self.certified.append((state, tuple(names)))
        return SimpleNamespace(names=tuple(names), ca=state / "tls" / "ca.pem", until=AT)

    def evaluate(self, file: Path, **options: Any) -> int:
        self.evaluated.append((file, options))
        return 1

    def _keep(self, state: Path, folder: Path) -> str:
        self.kept.append((state, folder))
        return digest_of(str(len(list(folder.iterdir()))))

    def run(self, *arguments: str, stdin: str | bytes | None = None) -> Result:
        outside = Outside(
            connect=self.connect,
            folder_digest=lambda folder: digest_of(str(len(list(folder.iterdir())))),
            files=walk_folder,
            keep=self._keep,
            start=self.start,
            demo=self.demo,
            evaluate=self.evaluate,
            told=rules.told,
            rebuild=rebuild,
            tokens=self.tokens,
            credentials=self.credentials,
            create_certificate=self.create_certificate,
            new_key=lambda: f"cli-{next(self._keys)}",
            monotonic=lambda: self.time,
            sleep=self.sleep,
        )
        return CliRunner().invoke(glideslope, list(arguments), obj=outside, input=stdin)


@pytest.fixture
def desk(http: Http, service: FakeService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    for name in ("GLIDESLOPE_SERVER", "GLIDESLOPE_TOKEN", "GLIDESLOPE_CA", "GLIDESLOPE_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    state = tmp_path / ".glideslope"
    state.mkdir()
    (state / "address").write_text("http://127.0.0.1:8787\n")
    (state / "token").write_text("gs_admin\n")
    (tmp_path / "glideslope.yaml").write_text(YAML)
    return Desk(http, service)
