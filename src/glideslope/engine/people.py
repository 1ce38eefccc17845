"""People behind actors: personal data is kept beside the ledger, committed to in it, and erased from everywhere we reach."""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

import msgspec

from glideslope.domain.commands import DescribePerson, ErasePerson
from glideslope.domain.errors import Conflict, Invalid, KeyReused, NotFound, VersionConflict
from glideslope.domain.events import PersonDescribed, PersonErased, rfc3339
from glideslope.domain.governing.person import SALT, STREAM, Person, checked, commitment
from glideslope.domain.ids import Actor
from glideslope.engine.record import Append, Record, Recorded
from glideslope.engine.views import PersonView

RETRIES: Final = 5


class PersonalData(Protocol):
    """Keeps a few bytes per actor, and can forget them without a trace."""

    async def put(self, actor: Actor, data: bytes) -> None:
        """Keep durably, in place of what was there, of which no copy is left in any file of this store."""
        ...

    async def of(self, actor: Actor) -> bytes | None:
        """Return what is kept; None when nothing is."""
        ...

    async def actors(self) -> Sequence[Actor]:
        """Return all of whom something is kept, in order."""
        ...

    async def erase(self, actor: Actor) -> None:
        """Forget durably; afterwards no file of this store holds the bytes. Harmless when nothing is kept."""
        ...


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    salt: bytes
    person: Person


class People:
    """Describes, shows and erases persons. `random` gives that many bytes that nobody can guess."""

    def __init__(self, *, record: Record, data: PersonalData | None, random: Callable[[int], bytes]) -> None:
        self._record = record
        self._given = data
        self._random = random

    @property
    def _data(self) -> PersonalData:
        if self._given is None:
            raise Invalid("This server keeps no personal data.")
        return self._given

    async def settle(self) -> None:
        """Erase what was to be erased when the server died between the record and the deed. Raises StoreUnavailable."""
        if self._given is None:
            return
        for actor in await self._given.actors():
            last = self._last(actor)
            if last is not None and isinstance(last.event, PersonErased):
                await self._given.erase(actor)

    async def describe(self, command: DescribePerson, *, key: str) -> PersonView:
        """Keep who an actor is. Raises Invalid, KeyReused, Conflict, StoreUnavailable."""
        person = checked(command.person)
        key = f"person/{command.actor}/{key}"
        done = await self._record.known(key)
        if done is not None:
            if not isinstance(done.event, PersonDescribed) or (done.event.actor, done.event.by) != (
                command.actor,
                command.by,
            ):
                raise KeyReused
            if await self._differs(done.event, person):
                raise KeyReused
            return await self.show(command.actor)
        kept = _Kept(salt=self._random(SALT), person=person)
        committed = commitment(command.actor, person, salt=kept.salt)
        # Data without an entry can be erased by its actor; an entry whose data was lost could never be opened.
        await self._data.put(command.actor, msgspec.json.encode(kept))
        await self._append(PersonDescribed(actor=command.actor, commitment=committed, by=command.by), key)
        return await self.show(command.actor)

    async def _differs(self, done: PersonDescribed, person: Person) -> bool:
        """Tell whether an entry is about other data, as far as what it is committed to is still kept."""
        data = await self._data.of(done.actor)
        if data is None:
            return False
        kept = msgspec.json.decode(data, type=_Kept)
        holds = commitment(done.actor, kept.person, salt=kept.salt) == done.commitment
        return holds and kept.person != person

    async def erase(self, command: ErasePerson, *, key: str) -> PersonView:
        """Erase who an actor is, data and salt. Raises NotFound, Invalid, KeyReused, Conflict, StoreUnavailable."""
        if not command.why.strip():
            raise Invalid("Every act needs a reason: say it with -m.")
        key = f"person-erased/{command.actor}/{key}"
        event = PersonErased(actor=command.actor, by=command.by, why=command.why.strip())
        done = await self._record.known(key)
        if done is not None and done.event != event:
            raise KeyReused
        if done is None:
            if self._last(command.actor) is None and await self._data.of(command.actor) is None:
                raise NotFound(what="person", name=command.actor, next_command="glideslope people ls")
            await self._append(event, key)
        # After the record, as every act; killed in between, `settle` does it.
        await self._data.erase(command.actor)
        return await self.show(command.actor)

    async def show(self, actor: Actor) -> PersonView:
        """Return who an actor is, and whether that is what the ledger is committed to. Raises NotFound."""
        data, last = await self._data.of(actor), self._last(actor)
        if last is None and data is None:
            raise NotFound(what="person", name=actor, next_command="glideslope people ls")
        kept = None if data is None else msgspec.json.decode(data, type=_Kept)
        event = None if last is None else last.event
        committed = event.commitment if isinstance(event, PersonDescribed) else ""
        return PersonView(
            actor=actor,
            person=None if kept is None else kept.person,
            erased=isinstance(event, PersonErased),
            commitment=committed,
            matches=kept is not None and commitment(actor, kept.person, salt=kept.salt) == committed,
            at="" if last is None else rfc3339(last.at),
        )

    async def all(self) -> Sequence[PersonView]:
        """Return everybody of whom something is or was kept, in order."""
        told = {r.event.actor for r in self._history() if isinstance(r.event, PersonDescribed | PersonErased)}
        return [await self.show(actor) for actor in sorted({*told, *await self._data.actors()})]

    def _history(self) -> Sequence[Recorded]:
        return self._record.history(STREAM)

    def _last(self, actor: Actor) -> Recorded | None:
        about = (
            r
            for r in reversed(self._history())
            if isinstance(r.event, PersonDescribed | PersonErased) and r.event.actor == actor
        )
        return next(about, None)

    async def _append(self, event: PersonDescribed | PersonErased, key: str) -> None:
        for _ in range(RETRIES):
            append = Append(stream=STREAM, expected=self._record.version(STREAM), events=(event,), key=key)
            try:
                await self._record.append((append,))
            except VersionConflict:
                continue
            return
        raise Conflict("Others kept writing first; nothing was recorded. Look again and repeat.")
