"""The desk for advisories: known weaknesses of packages from a file, for policies that ask whether a candidate has any."""

import msgspec

from glideslope.domain.commands import RecordAdvisories
from glideslope.domain.errors import NotFound
from glideslope.domain.events import AdvisoriesRecorded, rfc3339
from glideslope.domain.governing.dossier import check_advisories
from glideslope.domain.governing.organisation import Right
from glideslope.engine.governing import Governing
from glideslope.engine.handlers import reason
from glideslope.engine.once import Once, require_same
from glideslope.engine.record import ADVISORIES, Append, Record, Recorded


class AdvisoriesView(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of weaknesses, and as of when."""

    source: str
    as_of: str
    """When whoever gathered them asked."""
    digest: str
    entries: int
    by: str
    at: str
    """When it was recorded."""


class AdvisoryDesk:
    """Takes advisories down, and says which are known."""

    def __init__(self, record: Record, governing: Governing, *, once: Once) -> None:
        self._record = record
        self._governing = governing
        self._once = once

    async def take(self, command: RecordAdvisories, *, key: str) -> AdvisoriesView:
        """Record them in place of those before. Raises NotEntitled, DossierInvalid for what cannot be, KeyReused."""
        self._governing.require(command.by, Right.OPERATE, to="advisories")
        check_advisories(command.advisories, now=self._record.now())
        event = AdvisoriesRecorded(advisories=command.advisories, by=command.by, why=reason(command.why))
        key = f"{ADVISORIES}/{key}"

        def same(done: Recorded) -> AdvisoriesView:
            require_same(done.event, event)
            return self.show()

        async def once() -> AdvisoriesView:
            expected = self._record.version(ADVISORIES)
            (recorded,) = await self._record.append(
                (Append(stream=ADVISORIES, expected=expected, events=(event,), key=key),)
            )
            return same(recorded)

        return await self._once.carry_out(key, same=same, act=lambda: self._once.persist(once))

    def show(self) -> AdvisoriesView:
        """Return which are known. Raises NotFound before any were recorded."""
        history = self._record.history(ADVISORIES)
        last = history[-1] if history else None
        if last is None or not isinstance(last.event, AdvisoriesRecorded):
            raise NotFound(
                what="advisories", name="recorded", next_command="glideslope advisories record advisories.json -m WHY"
            )
        found = last.event.advisories
        return AdvisoriesView(
            source=found.source,
            as_of=rfc3339(found.as_of),
            digest=found.digest,
            entries=len(found.entries),
            by=last.event.by,
            at=rfc3339(last.at),
        )
