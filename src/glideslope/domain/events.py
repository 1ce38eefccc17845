"""Facts in the past tense. Each is stored once, as a ledger entry, and can be read for ever.

An event's kind and fields never change meaning; a new meaning is a new kind.
"""

from datetime import UTC, datetime
from typing import Any

import msgspec

from glideslope.domain.contract import Contract
from glideslope.domain.decision import Decision
from glideslope.domain.doubt import Aside
from glideslope.domain.errors import EventUnknown, Invalid
from glideslope.domain.evidence import Evidence
from glideslope.domain.governing.agreement import (
    AgreementAnswered,
    AgreementInForce,
    AgreementReviewed,
    AgreementTabled,
)
from glideslope.domain.governing.approval import Need
from glideslope.domain.governing.dossier import Advisories
from glideslope.domain.governing.drill import DrillBegun, DrillEnded, DrillTold
from glideslope.domain.governing.examined import Examined
from glideslope.domain.governing.facts import Facts
from glideslope.domain.governing.glass import GlassAsked, GlassBroken, GlassReviewed
from glideslope.domain.governing.incident import IncidentClosed, IncidentNoted, IncidentOpened
from glideslope.domain.identity import Means
from glideslope.domain.ids import Actor, Digest, ModelName, RolloutId, StepName, VersionName
from glideslope.domain.plan import Evaluation, Plan
from glideslope.domain.said import Judged, MoreAsked, Replied


class Registered(
    msgspec.Struct, frozen=True, kw_only=True, tag="version-registered", tag_field="kind", forbid_unknown_fields=True
):
    """A version exists, with this content, served here."""

    model: ModelName
    version: VersionName
    digest: Digest
    url: str
    by: Actor
    why: str
    evaluations: tuple[Evaluation, ...] = ()


class Installed(
    msgspec.Struct, frozen=True, kw_only=True, tag="incumbent-installed", tag_field="kind", forbid_unknown_fields=True
):
    """A version serves: the model's first, or one that a rollout promoted."""

    model: ModelName
    version: VersionName
    by: Actor
    rollout: RolloutId = RolloutId("")
    why: str = ""


class ContractAgreed(
    msgspec.Struct, frozen=True, kw_only=True, tag="contract-agreed", tag_field="kind", forbid_unknown_fields=True
):
    """What the live input of a model must look like from now on, in place of what was agreed before."""

    contract: Contract
    by: Actor
    why: str


class Proposed(
    msgspec.Struct, frozen=True, kw_only=True, tag="rollout-proposed", tag_field="kind", forbid_unknown_fields=True
):
    """Somebody asks to replace the incumbent, along this frozen plan."""

    plan: Plan
    plan_digest: Digest
    by: Actor
    attempt_of: RolloutId = RolloutId("")
    """The earlier attempt that this one learns from."""
    learned: str = ""
    """What the earlier attempt ended with, and why it is tried again."""


class Approved(
    msgspec.Struct, frozen=True, kw_only=True, tag="approval-given", tag_field="kind", forbid_unknown_fields=True
):
    """A person's yes or no to exactly this plan."""

    by: Actor
    granted: bool
    plan_digest: Digest
    why: str
    functions: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    """In which the person had authority at that moment; absent where no organisation was in force."""
    change: Digest | msgspec.UnsetType = msgspec.UNSET
    """All that was to be agreed on at that moment; absent with them."""
    proved: Means | msgspec.UnsetType = msgspec.UNSET
    """By what they proved who they are just before; absent where the model's tier did not ask for it."""


class Decided(msgspec.Struct, frozen=True, kw_only=True, tag="decided", tag_field="kind", forbid_unknown_fields=True):
    """A decision, with all that it rests on. The entry's time is the decision's `now`."""

    decision: Decision
    evidence: Evidence
    decider: int
    by: Actor
    """`glideslope` when `decide` returned it; a person when a person ordered it."""
    why: str = ""


class Halted(msgspec.Struct, frozen=True, kw_only=True, tag="halted", tag_field="kind", forbid_unknown_fields=True):
    """A person withdrew the exposure and froze the rollout."""

    by: Actor
    why: str


class Resumed(msgspec.Struct, frozen=True, kw_only=True, tag="resumed", tag_field="kind", forbid_unknown_fields=True):
    """A person let it go on; the step's clock starts anew."""

    by: Actor
    why: str
    aside: tuple[Aside, ...] | msgspec.UnsetType = msgspec.UNSET
    """Sources found not credible, whose counts are not used from now on; absent when there are none."""


class Lapsed(
    msgspec.Struct, frozen=True, kw_only=True, tag="lease-lapsed", tag_field="kind", forbid_unknown_fields=True
):
    """The exposure was not renewed in time, so the data plane returned all traffic to the incumbent by itself."""

    step: StepName
    why: str


class Confirmed(
    msgspec.Struct, frozen=True, kw_only=True, tag="traffic-confirmed", tag_field="kind", forbid_unknown_fields=True
):
    """The data plane itself reports that what was decided is in force."""

    exposed: bool
    step: StepName
    milliseconds: float
    """From the commit of the decision to the confirmation."""


class Closed(
    msgspec.Struct, frozen=True, kw_only=True, tag="stream-closed", tag_field="kind", forbid_unknown_fields=True
):
    """The stream ends here: how many entries came before, and their RFC 6962 root, so that omission shows."""

    count: int
    root: str


class FactsRecorded(
    msgspec.Struct, frozen=True, kw_only=True, tag="facts-recorded", tag_field="kind", forbid_unknown_fields=True
):
    """What is known about how a version was made, in place of what was known before."""

    facts: Facts
    by: Actor
    why: str


class AdvisoriesRecorded(
    msgspec.Struct, frozen=True, kw_only=True, tag="advisories-recorded", tag_field="kind", forbid_unknown_fields=True
):
    """A file of known weaknesses of packages, in place of the one before."""

    advisories: Advisories
    by: Actor
    why: str


class PersonDescribed(
    msgspec.Struct, frozen=True, kw_only=True, tag="person-described", tag_field="kind", forbid_unknown_fields=True
):
    """Somebody said who an actor is; what they said lies beside the ledger, and this binds it without telling it."""

    actor: Actor
    commitment: Digest
    by: Actor


class PersonErased(
    msgspec.Struct, frozen=True, kw_only=True, tag="person-erased", tag_field="kind", forbid_unknown_fields=True
):
    """What lay beside the ledger about an actor is gone, and the salt of its commitment with it."""

    actor: Actor
    by: Actor
    why: str


class Withdrawn(
    msgspec.Struct, frozen=True, kw_only=True, tag="approval-withdrawn", tag_field="kind", forbid_unknown_fields=True
):
    """A person took their approval back."""

    by: Actor
    why: str


class Escalated(
    msgspec.Struct, frozen=True, kw_only=True, tag="escalated", tag_field="kind", forbid_unknown_fields=True
):
    """A sign-off was still missing after so long, so these are told. Silence is never consent: nothing moves by it."""

    to: tuple[str, ...]
    needs: tuple[Need, ...]
    after: int
    """Milliseconds since it was proposed, as the organisation says."""


Event = (
    Registered
    | Installed
    | ContractAgreed
    | Proposed
    | Approved
    | Decided
    | Halted
    | Resumed
    | Lapsed
    | Confirmed
    | Closed
    | Withdrawn
    | AgreementTabled
    | AgreementAnswered
    | AgreementInForce
    | AgreementReviewed
    | Escalated
    | MoreAsked
    | Replied
    | Judged
    | GlassAsked
    | GlassBroken
    | GlassReviewed
    | IncidentOpened
    | IncidentNoted
    | IncidentClosed
    | Examined
    | FactsRecorded
    | AdvisoriesRecorded
    | DrillBegun
    | DrillEnded
    | DrillTold
    | PersonDescribed
    | PersonErased
)

_KINDS: dict[str, type[Event]] = {
    str(kind.__struct_config__.tag): kind
    for kind in (
        Registered,
        Installed,
        ContractAgreed,
        Proposed,
        Approved,
        Decided,
        Halted,
        Resumed,
        Lapsed,
        Confirmed,
        Closed,
        Withdrawn,
        AgreementTabled,
        AgreementAnswered,
        AgreementInForce,
        AgreementReviewed,
        Escalated,
        MoreAsked,
        Replied,
        Judged,
        GlassAsked,
        GlassBroken,
        GlassReviewed,
        IncidentOpened,
        IncidentNoted,
        IncidentClosed,
        Examined,
        FactsRecorded,
        AdvisoriesRecorded,
        DrillBegun,
        DrillEnded,
        DrillTold,
        PersonDescribed,
        PersonErased,
    )
}


def kind_of(event: Event | type[Event]) -> str:
    """Return an event's kind as it stands in the ledger."""
    return str(event.__struct_config__.tag)


def body_of(event: Event) -> dict[str, Any]:
    """Return the event as plain JSON values, without its kind."""
    body: dict[str, Any] = msgspec.to_builtins(event)
    del body["kind"]
    return body


def event_of(kind: str, body: Any) -> Event:  # noqa: ANN401 - JSON as it came from the ledger
    """Read an event back. Raises EventUnknown for a kind we do not know, Invalid for a body that is not of its kind."""
    known = _KINDS.get(kind)
    if known is None:
        raise EventUnknown(kind)
    try:
        return msgspec.convert({**body, "kind": kind}, type=known)
    except (msgspec.ValidationError, TypeError) as error:
        raise Invalid(f"A ledger entry of kind {kind} cannot be read: {error}") from error


def rfc3339(instant: int) -> str:
    """Write milliseconds since the epoch as RFC 3339 in UTC, with milliseconds."""
    seconds, millis = divmod(instant, 1000)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{millis:03d}Z"


def instant(text: str) -> int:
    """Read RFC 3339 in UTC as milliseconds since the epoch. Raises Invalid."""
    try:
        moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise Invalid(f"{text!r} is not a time like 2026-01-31T09:00:00.000Z.") from error
    found = round(moment.timestamp() * 1000)
    if rfc3339(found) != text:
        raise Invalid(f"{text!r} is not a time like 2026-01-31T09:00:00.000Z.")
    return found
