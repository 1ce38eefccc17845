"""What is in force: the organisation, the calendars and the policies of the record, each document read back once."""

from collections.abc import Iterator
from typing import TypeVar

import msgspec

from glideslope.domain.governing.agreement import ORGANISATION, Agreement, Edition, agreement_digest
from glideslope.domain.governing.calendar import Calendar
from glideslope.domain.governing.envelope import Envelope
from glideslope.domain.governing.kinds import restored
from glideslope.domain.governing.organisation import Organisation
from glideslope.domain.governing.policy import Policy
from glideslope.domain.ids import Digest, ModelName
from glideslope.engine.record import Record

T = TypeVar("T", bound=msgspec.Struct)


class Agreed:
    """Reads the agreements of the record. Without an organisation in force nothing is governed, as before there was any."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._documents: dict[Digest, msgspec.Struct] = {}

    @property
    def agreement(self) -> Agreement | None:
        """Return the agreement on the organisation, if one is in force."""
        found = self._record.agreement(ORGANISATION, ORGANISATION)
        return None if found is None or found.in_force is None else found

    @property
    def organisation(self) -> Organisation | None:
        """Return the organisation in force."""
        found = self.agreement
        return None if found is None or found.in_force is None else self.organisation_of(found.in_force)

    def organisation_of(self, edition: Edition) -> Organisation:
        """Return an organisation that is in force, or was."""
        return self._document(edition, ORGANISATION, Organisation)

    @property
    def calendars(self) -> tuple[Calendar, ...]:
        """Return the calendars in force. Raises AgreementInvalid."""
        return self.in_force("calendar", Calendar)

    @property
    def policies(self) -> tuple[Policy, ...]:
        """Return the policies in force; all of them must permit what is begun or widened."""
        return self.in_force("policy", Policy)

    def envelopes(self, model: ModelName, tier: str) -> tuple[tuple[Agreement, Envelope], ...]:
        """Return the envelopes in force that speak for a model, by name; whether they have ended is theirs to say."""
        found = [
            (agreement, self._document(agreement.in_force, "envelope", Envelope))
            for agreement in self._record.agreements()
            if agreement.of == "envelope" and agreement.in_force is not None
        ]
        return tuple(sorted((each for each in found if each[1].speaks_for(model, tier)), key=lambda each: each[0].name))

    @property
    def policy(self) -> Digest | None:
        """Return the digest that stands for the policies in force: of the one, or over the digests of several."""
        digests = sorted(edition.digest for edition in self._in_force("policy"))
        if len(digests) < 2:
            return digests[0] if digests else None
        return agreement_digest({"policies": digests})

    def in_force(self, of: str, type_: type[T]) -> tuple[T, ...]:
        """Return all documents of a kind that are in force."""
        return tuple(self._document(edition, of, type_) for edition in self._in_force(of))

    def _in_force(self, of: str) -> Iterator[Edition]:
        return (a.in_force for a in self._record.agreements() if a.of == of and a.in_force is not None)

    def _document(self, edition: Edition, of: str, type_: type[T]) -> T:
        if edition.digest not in self._documents:
            self._documents[edition.digest] = restored(of, edition.document)
        found = self._documents[edition.digest]
        if not isinstance(found, type_):
            raise TypeError(found)
        return found
