"""Acts that are carried out once: the same key sent again is answered, and whoever was overtaken in writing tries again."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from glideslope.domain.errors import Conflict, KeyReused, Refused, VersionConflict
from glideslope.domain.events import Approved, Decided, Event, Resumed, kind_of
from glideslope.domain.governing.agreement import AgreementAnswered, AgreementReviewed, AgreementTabled
from glideslope.domain.governing.glass import GlassBroken
from glideslope.domain.said import Judged, MoreAsked
from glideslope.engine.record import Record, Recorded

RETRIES: Final = 5
"""How often a command is tried again when somebody else wrote first."""

T = TypeVar("T")


class Once:
    """The door of every act of people and services on one record."""

    def __init__(self, record: Record, *, wake: Callable[[], None]) -> None:
        self._record = record
        self._wake = wake

    async def carry_out(self, key: str, *, same: Callable[[Recorded], T], act: Callable[[], Awaitable[T]]) -> T:
        """Do what was not done under this key yet: the same act sent again is answered, not refused because it has worked."""
        if (done := await self._record.known(key)) is not None:
            return same(done)
        # What others recorded meanwhile: nobody is refused for what was true a second ago.
        await self._record.refresh()
        try:
            return await act()
        except (Conflict, Refused):
            # Sent twice at once, it may have worked by the other way since we asked.
            if (done := await self._record.known(key)) is None:
                raise
            return same(done)

    async def persist(self, once: Callable[[], Awaitable[T]]) -> T:
        """Write, and read and write again while others write first. Raises Conflict when they do not stop."""
        for _ in range(RETRIES):
            try:
                done = await once()
            except VersionConflict:
                continue
            self._wake()
            return done
        raise Conflict("Others kept writing first; nothing was recorded. Look again and repeat.")


def require_same(done: Event, *asked: Event) -> None:
    """Raise KeyReused when a key stands for another act than one of those asked for now."""
    if not any(_act(done) == _act(event) for event in asked):
        raise KeyReused


def _act(event: Event) -> object:
    # An order carries the evidence of its moment; what was ordered, and by whom, is the same the second time.
    # So does a resumption, of the sources that were set aside, and an approval, of its giver's authority.
    if isinstance(event, Decided):
        return (event.decision, event.by, event.why)
    if isinstance(event, Approved):
        return (event.granted, event.by, event.why, event.plan_digest)
    if isinstance(event, AgreementTabled):
        # Read back from JSON a document's tuples are lists; its digest knows no difference.
        return (event.of, event.name, event.digest, event.text, event.by, event.why)
    if isinstance(event, AgreementAnswered):
        return (event.granted, event.by, event.why, event.digest)
    if isinstance(event, MoreAsked | Judged):
        return (kind_of(event), event.by, event.why)
    # Nor does it matter until when a broken glass stays broken, and a review is of what was in force then.
    alike = Resumed | GlassBroken | AgreementReviewed
    return (kind_of(event), event.by, event.why) if isinstance(event, alike) else event
