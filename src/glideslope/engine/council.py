"""The part of the `Service` contract that is about who decides, and on what: agreements, emergencies, incidents, facts, people."""

from collections.abc import Callable, Sequence

from glideslope.domain.commands import (
    AnswerAgreement,
    AskGlass,
    BreakGlass,
    CloseIncident,
    DescribePerson,
    ErasePerson,
    NoteIncident,
    RecordFacts,
    ReviewAgreement,
    ReviewGlass,
    TableAgreement,
    Withdraw,
)
from glideslope.domain.errors import NotFound
from glideslope.domain.governing.agreement import Agreement
from glideslope.domain.ids import Actor, ModelName, RolloutId, VersionName
from glideslope.engine.agreements import Agreements
from glideslope.engine.breaking import Breaking
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
from glideslope.engine.incidents import Incidents
from glideslope.engine.people import People
from glideslope.engine.queries import Queries
from glideslope.engine.record import Record
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

    async def owned(self, *, owner: str, kind: str, name: str) -> Sequence[OwnedView]:
        """Return who owns what; of all there is, what fits. Raises NotFound where no organisation is in force."""
        organisation = self.governing.organisation
        if organisation is None:
            raise NotFound(what="organisation", name="in force", next_command="glideslope agree schema organisation")
        things = organisation.owns(owner) if owner else organisation.owned
        return [
            owned_view(thing, organisation)
            for thing in things
            if kind in ("", thing.kind.value) and name in ("", thing.name)
        ]

    def _agreed(self, agreement: Agreement) -> AgreementView:
        return agreement_view(agreement, needs=self._agreements.needs(agreement))

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
