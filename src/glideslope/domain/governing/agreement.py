"""Agreements: documents that people table, answer and review, each in force until another of its name replaces it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final

import msgspec

from glideslope.domain.governing.approval import Approval
from glideslope.domain.ids import Actor, Digest
from glideslope.ledger import canonical

ORGANISATION: Final = "organisation"


class AgreementTabled(
    msgspec.Struct, frozen=True, kw_only=True, tag="agreement-tabled", tag_field="kind", forbid_unknown_fields=True
):
    """Somebody asks that this document be in force. A later one of the name takes its place unanswered."""

    of: str
    """What it is about: `organisation`, `policy`, ..."""
    name: str
    document: Mapping[str, Any]
    """Its meaning, as it is hashed."""
    digest: Digest
    text: str
    """As it was written, with comments."""
    by: Actor
    why: str


class AgreementAnswered(
    msgspec.Struct, frozen=True, kw_only=True, tag="agreement-answered", tag_field="kind", forbid_unknown_fields=True
):
    """Somebody's yes or no to exactly this document."""

    digest: Digest
    granted: bool
    functions: tuple[str, ...]
    """In which they had authority at that moment."""
    by: Actor
    why: str


class AgreementInForce(
    msgspec.Struct, frozen=True, kw_only=True, tag="agreement-in-force", tag_field="kind", forbid_unknown_fields=True
):
    """What was needed is there; from now on this document holds."""

    digest: Digest
    by: Actor
    why: str = ""


class AgreementReviewed(
    msgspec.Struct, frozen=True, kw_only=True, tag="agreement-reviewed", tag_field="kind", forbid_unknown_fields=True
):
    """Somebody looked at what is in force and stands by it; the next review is due a cadence later."""

    digest: Digest
    by: Actor
    why: str


AgreementEvent = AgreementTabled | AgreementAnswered | AgreementInForce | AgreementReviewed


@dataclass(frozen=True, slots=True)
class Edition:
    """A document as tabled. `at` in milliseconds since the epoch, UTC."""

    digest: Digest
    document: Mapping[str, Any]
    text: str
    by: Actor
    why: str
    at: int
    granted: tuple[Approval, ...] = ()
    denied: frozenset[Actor] = frozenset()


@dataclass(frozen=True, slots=True)
class Agreement:
    """All editions of one name, folded."""

    of: str
    name: str
    in_force: Edition | None = None
    tabled: Edition | None = None
    """What waits for answers."""
    since: int = 0
    """When what is in force came into force."""
    reviewed_at: int = 0
    """When somebody last stood by it: when it came into force, or later."""
    reviewed_by: Actor | None = None
    """Who last stood by what is in force; None before anybody did."""
    former: tuple[Edition, ...] = ()
    """What was in force before, oldest first."""
    version: int = 0


def agreement_digest(document: Mapping[str, Any]) -> Digest:
    """Return SHA-256 over a document's canonical bytes (RFC 8785)."""
    return Digest("sha256:" + sha256(canonical.encode(dict(document))).hexdigest())


def fold(before: Agreement | None, event: AgreementEvent, *, at: int) -> Agreement:
    """Take one more event into account. An answer to what is in force gives a yes to it anew or takes it back; it stays in force.

    An answer to what is neither tabled nor in force changes nothing.
    """
    if isinstance(event, AgreementTabled):
        agreement = before or Agreement(of=event.of, name=event.name)
        edition = Edition(
            digest=event.digest, document=event.document, text=event.text, by=event.by, why=event.why, at=at
        )
        return replace(agreement, tabled=edition, version=agreement.version + 1)
    if before is None:
        msg = "an agreement begins with what was tabled"
        raise ValueError(msg)
    after = replace(before, version=before.version + 1)
    tabled = before.tabled if before.tabled is not None and before.tabled.digest == event.digest else None
    match event:
        case AgreementAnswered() if tabled is not None:
            return replace(after, tabled=_answered(tabled, event, at=at))
        case AgreementAnswered() if before.in_force is not None and before.in_force.digest == event.digest:
            return replace(after, in_force=_answered(before.in_force, event, at=at))
        case AgreementInForce() if tabled is not None:
            former = before.former if before.in_force is None else (*before.former, before.in_force)
            return replace(
                after, in_force=tabled, tabled=None, since=at, reviewed_at=at, reviewed_by=None, former=former
            )
        case AgreementReviewed(by=by) if before.in_force is not None and before.in_force.digest == event.digest:
            return replace(after, reviewed_at=at, reviewed_by=by)
        case _:
            return after


def _answered(edition: Edition, event: AgreementAnswered, *, at: int) -> Edition:
    others = tuple(a for a in edition.granted if a.by != event.by)
    if not event.granted:
        return replace(edition, granted=others, denied=edition.denied | {event.by})
    given = Approval(by=event.by, digest=event.digest, functions=event.functions, at=at)
    return replace(edition, granted=(*others, given), denied=edition.denied - {event.by})
