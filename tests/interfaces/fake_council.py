"""Agreements, incidents, people and facts: small enough to be the real thing, or kept as they came."""

from collections.abc import Sequence

import msgspec
from tests.interfaces.fake_rollouts import AT, FakeRollouts

from glideslope.domain.commands import (
    AnswerAgreement,
    BeginDrill,
    CloseIncident,
    DescribePerson,
    ErasePerson,
    NoteIncident,
    RecordAdvisories,
    RecordFacts,
    ReviewAgreement,
    TableAgreement,
    TellDrill,
)
from glideslope.domain.errors import (
    NotFound,
)
from glideslope.domain.governing.agreement import Agreement
from glideslope.domain.governing.facts import unknown
from glideslope.domain.governing.organisation import Organisation
from glideslope.domain.governing.person import Person
from glideslope.domain.ids import Actor, ModelName, RolloutId, VersionName
from glideslope.engine.access import AccessView, access
from glideslope.engine.advisories import AdvisoriesView, AdvisoryDesk
from glideslope.engine.agreed import Agreed
from glideslope.engine.agreement_record import AgreementRecordView, agreement_record
from glideslope.engine.agreements import Agreements, needs
from glideslope.engine.drilling import Drilling, DrillView, drill_views
from glideslope.engine.dues import DueView, dues
from glideslope.engine.explaining import ExplanationView
from glideslope.engine.facts import FactsView
from glideslope.engine.governing import Governing
from glideslope.engine.governing_views import (
    AgreementView,
    IncidentView,
    OwnedView,
    agreement_view,
    incident_view,
    owned_view,
)
from glideslope.engine.inbox import Reader, inbox
from glideslope.engine.inbox_views import InboxView
from glideslope.engine.incident_record import IncidentRecordView, incident_record
from glideslope.engine.incidents import Incidents
from glideslope.engine.once import Once
from glideslope.engine.orphans import OrphanView, orphans
from glideslope.engine.record import Record
from glideslope.engine.version_record import EntryView, VersionRecordView
from glideslope.engine.views import (
    PersonView,
)
from glideslope.testing.clock import ManualClock
from glideslope.testing.drivers import MemoryDriver
from glideslope.testing.memory import MemoryStore


class FakeCouncil(FakeRollouts):
    """Keeps what people agree on and say of themselves and of versions."""

    def __init__(self) -> None:
        super().__init__()
        self.facts_: dict[tuple[str, str], FactsView] = {}
        self.persons: dict[str, Person | None] = {}
        # Agreements are small enough to be the real thing.
        self.record = Record(store=MemoryStore(), clock=ManualClock())
        self.governing = Governing(self.record, Agreed(self.record))
        once = Once(self.record, wake=lambda: None)
        self.incident_desk = Incidents(self.record, self.governing, once=once)
        self.agreed = Agreements(self.record, self.governing, once=once)
        self.drilling = Drilling(self.record, self.governing, MemoryDriver(ManualClock()), once=once)
        self.advisory_desk = AdvisoryDesk(self.record, self.governing, once=once)

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

    async def incident_record(self, rollout: RolloutId, *, as_of: int | None = None) -> IncidentRecordView:
        self._begin()
        del as_of
        return incident_record(self.record, rollout)

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

    async def agreement_record(self, of: str, name: str, *, as_of: int | None = None) -> AgreementRecordView:
        del as_of
        return agreement_record(self.record, await self.agreement(of, name), self.governing.organisation)

    async def explain(self, rollout: RolloutId) -> ExplanationView:
        self._begin()
        raise NotFound(what="rollout", name=rollout)

    async def owned(self, *, owner: str, kind: str, name: str) -> Sequence[OwnedView]:
        self._begin()
        organisation = self._organisation()
        things = organisation.owns(owner) if owner else organisation.owned
        return [owned_view(o, organisation) for o in things if kind in ("", o.kind.value) and name in ("", o.name)]

    async def orphans(self) -> Sequence[OrphanView]:
        self._begin()
        return orphans(self.record, self._organisation())

    async def access(self, *, who: str, right: str, function: str, as_of: int | None = None) -> Sequence[AccessView]:
        self._begin()
        del as_of
        return access(self._organisation(), who=who, right=right, function=function, now=self.record.now())

    async def dues(self) -> Sequence[DueView]:
        self._begin()
        organisation = self.governing.organisation
        return () if organisation is None else dues(self.record, organisation, now=self.record.now())

    async def inbox(self, who: Actor | None = None, *, may_act: bool = True) -> InboxView:
        self._begin()
        organisation, now = self.governing.organisation, self.record.now()
        known = () if organisation is None else access(organisation, who=who or "", right="", function="", now=now)
        person = next(iter(known), None)
        return inbox(
            [msgspec.structs.replace(view, guardrails=()) for view in self.rollouts.values()],
            [self._agreed(each) for each in self.record.agreements()],
            [incident_view(each) for each in self.record.incidents()],
            await self.dues(),
            (),
            reader=None
            if who is None
            else Reader(actor=who, may_act=may_act, access=person, governed=organisation is not None),
            at=AT,
        )

    async def begin_drill(self, command: BeginDrill, *, key: str) -> Sequence[DrillView]:
        self._begin()
        return drill_views(await self.drilling.begin(command, key=key))

    async def tell_drill(self, command: TellDrill, *, key: str) -> Sequence[DrillView]:
        self._begin()
        return drill_views(await self.drilling.tell(command, key=key))

    async def drills(self, model: ModelName, *, as_of: int | None = None) -> Sequence[DrillView]:
        self._begin()
        del as_of
        self.record.model(model)
        return drill_views(self.record.drills(model))

    async def record_advisories(self, command: RecordAdvisories, *, key: str) -> AdvisoriesView:
        self._begin()
        return await self.advisory_desk.take(command, key=key)

    async def advisories(self) -> AdvisoriesView:
        self._begin()
        return self.advisory_desk.show()

    def _organisation(self) -> Organisation:
        organisation = self.governing.organisation
        if organisation is None:
            raise NotFound(what="organisation", name="in force")
        return organisation

    def _agreed(self, agreement: Agreement) -> AgreementView:
        return agreement_view(agreement, needs=needs(agreement, self.governing.organisation))

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
