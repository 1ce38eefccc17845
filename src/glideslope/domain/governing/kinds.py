"""What can be agreed on: each kind of document with its type and the check that refuses what could not govern."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from glideslope.domain.errors import AgreementInvalid, PolicyInvalid
from glideslope.domain.governing.calendar import Calendar, check_calendar
from glideslope.domain.governing.edits import Changes, Said
from glideslope.domain.governing.envelope import Envelope, check_envelope
from glideslope.domain.governing.envelope.wording import changes as of_envelopes
from glideslope.domain.governing.envelope.wording import says as says_envelope
from glideslope.domain.governing.organisation import Organisation, check_organisation
from glideslope.domain.governing.policy import Policy, check_policy
from glideslope.domain.governing.policy.comparing import changes as of_policies
from glideslope.domain.governing.policy.wording import says as says_policy
from glideslope.domain.governing.threats import ThreatModel, check_threat_model
from glideslope.domain.governing.wording import (
    calendars,
    organisations,
    says_calendar,
    says_organisation,
    says_threats,
    threat_models,
)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of agreement. `check` raises AgreementInvalid with the path of what is wrong."""

    type: type[msgspec.Struct]
    check: Callable[[Any], None]
    says: Callable[[Any], Iterable[Said]]
    """Says it part by part, for people."""
    changes: Callable[[Any, Any], Changes]
    """Says what an edit changes, and which way each goes."""
    single: bool = False
    """There is one alone, named like its kind."""
    beside: tuple[str, ...] = ()
    """Keys of its file that are not agreed on: cases that try it out."""


def _check_policy(policy: Policy) -> None:
    try:
        check_policy(policy)
    except PolicyInvalid as error:
        raise AgreementInvalid(error.sentence, where=error.where) from None


def _check_organisation(organisation: Organisation) -> None:
    check_organisation(organisation)
    for of in organisation.agreements:
        if of not in KINDS:
            raise AgreementInvalid(
                f"there is no agreement of the kind {of!r}; there are {', '.join(sorted(KINDS))}",
                where=f"agreements.{of}",
            )
    for of in organisation.reviews or ():
        if of not in REVIEWED:
            raise AgreementInvalid(
                f"nothing is reviewed as {of!r}; there are {', '.join(sorted(REVIEWED))}", where=f"reviews.{of}"
            )


KINDS: Final[Mapping[str, Kind]] = {
    "organisation": Kind(Organisation, _check_organisation, says_organisation, organisations, single=True),
    "calendar": Kind(Calendar, check_calendar, says_calendar, calendars),
    "envelope": Kind(Envelope, check_envelope, says_envelope, of_envelopes),
    "policy": Kind(Policy, _check_policy, says_policy, of_policies, beside=("cases",)),
    "threat-model": Kind(ThreatModel, check_threat_model, says_threats, threat_models),
}


REVIEWED: Final[Mapping[str, str]] = {"access": "organisation", **{of: of for of in KINDS if of != "organisation"}}
"""What is reviewed on a cadence, by the word for it: each kind of agreement, of which the organisation says who has access."""


def kind_of(of: str) -> Kind:
    """Return a kind by its name. Raises AgreementInvalid."""
    found = KINDS.get(of)
    if found is None:
        raise AgreementInvalid(f"There is no agreement of the kind {of!r}; there are {', '.join(sorted(KINDS))}.")
    return found


def document_of(agreed: msgspec.Struct) -> Mapping[str, Any]:
    """Return a document's meaning as plain JSON values, as it is hashed."""
    found: Mapping[str, Any] = msgspec.to_builtins(agreed)
    return found


def agreed_of(of: str, document: Mapping[str, Any]) -> msgspec.Struct:
    """Read a document that somebody asks to be in force. Raises AgreementInvalid."""
    found = restored(of, document)
    kind_of(of).check(found)
    return found


def restored(of: str, document: Mapping[str, Any]) -> msgspec.Struct:
    """Read a document back from the record. Raises AgreementInvalid.

    It is not checked again: a check that has become stricter since must not void what is in force.
    """
    try:
        found: msgspec.Struct = msgspec.convert(document, type=kind_of(of).type)
    except msgspec.ValidationError as error:
        raise AgreementInvalid(f"The {of} cannot be read: {error}") from error
    return found
