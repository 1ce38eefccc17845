"""The part of the `Service` contract that is about who decides, and on what: agreements, emergencies, incidents, facts, people."""

from collections.abc import Callable, Sequence

from msgspec import UnsetType
from msgspec.structs import replace

from glideslope.domain.commands import (
    AnswerAgreement,
    AskGlass,
    BeginDrill,
    BreakGlass,
    CloseIncident,
    DescribePerson,
    ErasePerson,
    NoteIncident,
    RecordAdvisories,
    RecordFacts,
    ReviewAgreement,
    ReviewGlass,
    TableAgreement,
    TellDrill,
    Withdraw,
)
from glideslope.domain.errors import NotFound
from glideslope.domain.governing.agreement import Agreement
from glideslope.domain.governing.organisation import Organisation
from glideslope.domain.ids import Actor, ModelName, RolloutId, VersionName
from glideslope.engine.access import AccessView, access
from glideslope.engine.advisories import AdvisoriesView, AdvisoryDesk
from glideslope.engine.agreed import Agreed
from glideslope.engine.agreement_record import AgreementRecordView, agreement_record
from glideslope.engine.agreement_record import streams as streams_of_agreements
from glideslope.engine.agreements import Agreements, needs
from glideslope.engine.breaking import Breaking
from glideslope.engine.drilling import Drilling, DrillView, drill_views
from glideslope.engine.dues import DueView, dues
from glideslope.engine.facts import FactsDesk, FactsView, facts_view
from glideslope.engine.governing import Governing
from glideslope.engine.governing_views import (
    AgreementView,
    IncidentView,
    OwnedView,
    agreement_view,
    incident_view,
    owned_view,
)
from glideslope.engine.handlers import Handlers
from glideslope.engine.incident_record import IncidentRecordView, incident_record
from glideslope.engine.incidents import Incidents
from glideslope.engine.orphans import OrphanView, orphans
from glideslope.engine.people import People
from glideslope.engine.ports import Driver
from glideslope.engine.queries import Queries
from glideslope.engine.record import (
    AGREEMENT_PREFIX,
    Record,
    agreement_stream,
    drill_stream,
    incident_stream,
    model_stream,
)
from glideslope.engine.version_record import VersionRecordView, version_record
from glideslope.engine.views import PersonView, RolloutView


class Council:
    """Passes each command and query on; the engine assembled is one."""

    def __init__(
        self,
        *,
        record: Record,
        governing: Governing,
        handlers: Handlers,
        queries: Queries,
        people: People,
        driver: Driver,
        wake: Callable[[], None],
    ) -> None:
        self.record = record
        self.governing = governing
        self._handlers = handlers
        self._queries = queries
        self._people = people
        once = handlers.once
        self._incidents = Incidents(record, governing, once=once)
        self._breaking = Breaking(record, governing, handlers)
        self._agreements = Agreements(record, governing, once=once)
        self._facts = FactsDesk(record=record, wake=wake)
        self._drilling = Drilling(record, governing, driver, once=once)
        self._advisories = AdvisoryDesk(record, governing, once=once)

    async def withdraw(self, command: Withdraw, *, key: str) -> RolloutView:
        return self._queries.rollout(await self._handlers.withdraw(command, key=key))

    async def ask_glass(self, command: AskGlass, *, key: str) -> RolloutView:
        return self._queries.rollout(await self._breaking.ask(command, key=key))

    async def break_glass(self, command: BreakGlass, *, key: str) -> RolloutView:
        return self._queries.rollout(await self._breaking.agree(command, key=key))

    async def review_glass(self, command: ReviewGlass, *, key: str) -> RolloutView:
        return self._queries.rollout(await self._breaking.review(command, key=key))

    async def note_incident(self, command: NoteIncident, *, key: str) -> IncidentView:
        return incident_view(await self._incidents.note(command, key=key))

    async def close_incident(self, command: CloseIncident, *, key: str) -> IncidentView:
        return incident_view(await self._incidents.close(command, key=key))

    async def incidents(self) -> Sequence[IncidentView]:
        return [incident_view(each) for each in reversed(self.record.incidents())]

    async def incident(self, rollout: RolloutId) -> IncidentView:
        return incident_view(self._incidents.get(rollout))

    async def incident_record(self, rollout: RolloutId, *, as_of: int | None = None) -> IncidentRecordView:
        return incident_record(self._then(as_of, [rollout, incident_stream(rollout)]), rollout)

    async def table(self, command: TableAgreement, *, key: str) -> AgreementView:
        return self._agreed(await self._agreements.table(command, key=key))

    async def answer(self, command: AnswerAgreement, *, key: str) -> AgreementView:
        return self._agreed(await self._agreements.answer(command, key=key))

    async def review(self, command: ReviewAgreement, *, key: str) -> AgreementView:
        return self._agreed(await self._agreements.review(command, key=key))

    async def agreements(self) -> Sequence[AgreementView]:
        return [self._agreed(agreement) for agreement in self.record.agreements()]

    async def agreement(self, of: str, name: str) -> AgreementView:
        found = self.record.agreement(of, name)
        if found is None:
            raise NotFound(what=of, name=name, next_command="glideslope agree ls")
        return self._agreed(found)

    async def agreement_record(self, of: str, name: str, *, as_of: int | None = None) -> AgreementRecordView:
        record = self._then(as_of, streams_of_agreements(self.record))
        organisation, found = Agreed(record).organisation, record.agreement(of, name)
        if found is None:
            raise NotFound(what=of, name=name, next_command="glideslope agree ls")
        return agreement_record(record, agreement_view(found, needs=needs(found, organisation)), organisation)

    async def owned(self, *, owner: str, kind: str, name: str) -> Sequence[OwnedView]:
        """Return who owns what; of all there is, what fits. Raises NotFound where no organisation is in force."""
        organisation = self._organisation()
        things = organisation.owns(owner) if owner else organisation.owned
        return [
            owned_view(thing, organisation)
            for thing in things
            if kind in ("", thing.kind.value) and name in ("", thing.name)
        ]

    async def orphans(self) -> Sequence[OrphanView]:
        """Return what nobody owns who could be reached. Raises NotFound where no organisation is in force."""
        return orphans(self.record, self._organisation())

    async def access(self, *, who: str, right: str, function: str, as_of: int | None = None) -> Sequence[AccessView]:
        """Return who may do what; of all people, whom it fits. Raises NotFound where no organisation is in force."""
        then = self._then(as_of, [name for name in self.record.streams() if name.startswith(AGREEMENT_PREFIX)])
        now = self.record.now() if as_of is None else self.record.at(as_of).at
        return access(self._organisation(then), who=who, right=right, function=function, now=now)

    def comes_round(self) -> tuple[Organisation | None, Sequence[DueView]]:
        """Return the organisation in force, and what comes round by its word."""
        organisation = self.governing.organisation
        return organisation, () if organisation is None else dues(self.record, organisation, now=self.record.now())

    async def dues(self) -> Sequence[DueView]:
        """Return what comes round, overdue things first; nothing where no organisation is in force."""
        return self.comes_round()[1]

    async def begin_drill(self, command: BeginDrill, *, key: str) -> Sequence[DrillView]:
        return drill_views(await self._drilling.begin(command, key=key))

    async def tell_drill(self, command: TellDrill, *, key: str) -> Sequence[DrillView]:
        return drill_views(await self._drilling.tell(command, key=key))

    async def drills(self, model: ModelName, *, as_of: int | None = None) -> Sequence[DrillView]:
        then = self._then(as_of, [model_stream(model), drill_stream(model)])
        then.model(model)
        return drill_views(then.drills(model))

    async def record_advisories(self, command: RecordAdvisories, *, key: str) -> AdvisoriesView:
        return await self._advisories.take(command, key=key)

    async def advisories(self) -> AdvisoriesView:
        return self._advisories.show()

    def _then(self, as_of: int | None, streams: Sequence[str]) -> Record:
        """Return these streams of the record as they were right after an entry; all of it now without one. Raises NotFound."""
        if as_of is None:
            return self.record
        self.record.at(as_of)
        return self.record.until(as_of, streams)

    def _organisation(self, record: Record | None = None) -> Organisation:
        organisation = (self.governing if record is None else Agreed(record)).organisation
        if organisation is None:
            raise NotFound(what="organisation", name="in force", next_command="glideslope agree schema organisation")
        return organisation

    async def functions(self, actor: Actor) -> Sequence[str] | None:
        authority = self.governing.authority(actor)
        return None if isinstance(authority, UnsetType) else authority

    def _agreed(self, agreement: Agreement) -> AgreementView:
        view = agreement_view(agreement, needs=needs(agreement, self.governing.organisation))
        return replace(view, tag=str(self.record.version(agreement_stream(agreement.of, agreement.name))))

    async def record_facts(self, command: RecordFacts, *, key: str) -> FactsView:
        return await self._facts.take(command, key=key)

    async def facts(self, model: ModelName, version: VersionName) -> FactsView:
        return facts_view(self.record, model, version)

    async def version(self, model: ModelName, version: VersionName) -> VersionRecordView:
        return version_record(self.record, model, version)

    async def describe_person(self, command: DescribePerson, *, key: str) -> PersonView:
        return await self._people.describe(command, key=key)

    async def erase_person(self, command: ErasePerson, *, key: str) -> PersonView:
        return await self._people.erase(command, key=key)

    async def person(self, actor: Actor) -> PersonView:
        return await self._people.show(actor)

    async def people(self) -> Sequence[PersonView]:
        return await self._people.all()
