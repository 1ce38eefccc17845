"""Commands about incidents: note what people make of one, and close it when it says all that it must."""

from datetime import date

import msgspec

from glideslope.domain.commands import CloseIncident, NoteIncident
from glideslope.domain.errors import Conflict, IncidentIncomplete, Invalid, NotEntitled, NotFound, OwnerUnknown
from glideslope.domain.governing.incident import Incident, IncidentClosed, IncidentNoted, Remedy
from glideslope.domain.governing.organisation import Right
from glideslope.domain.ids import RolloutId
from glideslope.engine.governing import Governing
from glideslope.engine.handlers import reason
from glideslope.engine.once import Once, require_same
from glideslope.engine.record import Append, Record, Recorded, incident_stream
from glideslope.engine.stale import require_stream

MOST = 50
LONGEST = 4_000


class Incidents:
    """One per rollout that was rolled back for cause."""

    def __init__(self, record: Record, governing: Governing, *, once: Once) -> None:
        self._record = record
        self._governing = governing
        self._once = once

    async def note(self, command: NoteIncident, *, key: str) -> Incident:
        """Say what one makes of it. Raises NotFound, NotEntitled, OwnerUnknown, Invalid, Conflict for a closed one."""
        organisation = self._governing.organisation
        if organisation is None or organisation.person(command.by) is None:
            raise NotEntitled(actor=command.by, needs="a person of the organisation")
        if not isinstance(command.remedies, msgspec.UnsetType):
            for remedy in command.remedies:
                _check_remedy(remedy)
                if not organisation.is_reachable(remedy.owner):
                    raise OwnerUnknown(owner=remedy.owner)
        for listed in (command.hypotheses or (), command.remedies or ()):
            if len(listed) > MOST:
                raise Invalid(f"An incident holds up to {MOST} hypotheses and remedies each.")
        for text in (command.gap, *(command.hypotheses or ())):
            if isinstance(text, str) and not 0 < len(text.strip()) <= LONGEST:
                raise Invalid(f"What is noted has 1 to {LONGEST:,} characters.")
        event = IncidentNoted(
            by=command.by,
            why=reason(command.why),
            gap=command.gap,
            hypotheses=command.hypotheses,
            remedies=command.remedies,
        )
        return await self._append(command.rollout, event, key=f"note/{key}", seen=command.tag)

    async def close(self, command: CloseIncident, *, key: str) -> Incident:
        """Close it. Raises NotFound, NotEntitled, IncidentIncomplete with what is lacking, Conflict for a closed one."""
        self._governing.require(command.by, Right.REVIEW, to="an incident")
        if command.by == self._record.rollout(command.rollout).proposed_by:
            raise NotEntitled(actor=command.by, needs="somebody who did not propose what failed")
        event = IncidentClosed(by=command.by, why=reason(command.why))
        return await self._append(command.rollout, event, key=f"close/{key}", seen=command.tag)

    def get(self, rollout: RolloutId) -> Incident:
        """Return a rollout's incident. Raises NotFound."""
        found = self._record.incident(rollout)
        if found is None:
            raise NotFound(what="incident of", name=rollout, next_command="glideslope incident ls")
        return found

    async def _append(
        self, rollout: RolloutId, event: IncidentNoted | IncidentClosed, *, key: str, seen: str
    ) -> Incident:
        stream = incident_stream(rollout)
        key = f"{stream}/{key}"

        def same(done: Recorded) -> Incident:
            require_same(done.event, event)
            return self.get(rollout)

        async def once() -> Incident:
            found = self.get(rollout)
            what, look = f"The incident of {rollout}", f"glideslope incident show {rollout}"
            require_stream(self._record, stream, seen=seen, what=what, next_command=look)
            if found.closed_by is not None:
                raise Conflict(f"The incident of {rollout} was closed by {found.closed_by}.")
            if isinstance(event, IncidentClosed) and found.lacking:
                raise IncidentIncomplete(rollout=rollout, lacking=found.lacking)
            append = Append(stream=stream, expected=found.version, events=(event,), key=key)
            (recorded,) = await self._record.append((append,))
            return same(recorded)

        return await self._once.carry_out(key, same=same, act=lambda: self._once.persist(once))


def _check_remedy(remedy: Remedy) -> None:
    if not 0 < len(remedy.what.strip()) <= LONGEST:
        raise Invalid("A remedy says what is to be done.")
    try:
        date.fromisoformat(remedy.due)
    except ValueError:
        raise Invalid(f"{remedy.due!r} is no day; write it like 2026-12-24.") from None
