"""What callers write in the bodies of commands. Unknown members are refused, nothing is converted."""

from typing import Annotated

import msgspec

from glideslope.domain.governing.dossier import Advisory
from glideslope.domain.governing.drill import DrillKind
from glideslope.domain.governing.facts import LAST
from glideslope.domain.governing.glass import Emergency
from glideslope.domain.governing.incident import Remedy
from glideslope.domain.plan import Evaluation


class VersionBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A version to register: its content's digest, and where it is served."""

    version: str
    digest: str
    url: str
    why: str
    evaluations: tuple[Evaluation, ...] = ()
    incumbent: bool = False
    """Install it as the model's first incumbent."""


class DocumentBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A plan as written."""

    text: str
    """The content of `glideslope.yaml`."""
    file: str = "glideslope.yaml"
    """What its author calls the file; errors name it."""


class PlanBody(DocumentBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A plan as written, and by which envelope to classify it."""

    envelope: str = ""
    """The content of an envelope that is not in force; without it the one that speaks for the model is asked."""
    envelope_file: str = "envelope.yaml"
    """What its author calls that file."""


class ContractBody(DocumentBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A data contract as written, to be in force from now on."""

    why: str
    file: str = "contract.yaml"


class FactsBody(DocumentBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Facts about a version as written, in place of those before."""

    why: str
    file: str = "facts.yaml"


class ProposalBody(DocumentBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A plan to carry out."""

    plan_digest: str | None = None
    """The plan that the proposer saw; refused when the same text now gives another."""


class ApprovalBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A yes or no to exactly the plan with this digest."""

    plan_digest: str
    why: str
    granted: bool = True
    seen: Annotated[int, msgspec.Meta(ge=1, le=LAST)] | None = None
    """As of which version of the rollout's stream it was shown; a yes is refused when it has moved since."""
    change: str | None = None
    """The digest of the change that was shown, `governed.change`."""


class JudgementBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was judged, and why it goes on as it is."""

    about: tuple[str, ...]
    """The `grounds` of the item in the inbox, all of them: refused when others are there by now."""
    why: str


class AgreementBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A document to be agreed on, as written."""

    text: str
    file: str
    why: str


class AnswerBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A yes or no to exactly the document with this digest."""

    digest: str
    granted: bool
    why: str


class GlassBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why the glass should be broken, and for how long."""

    emergency: Emergency
    minutes: Annotated[int, msgspec.Meta(ge=1, le=1440)]
    why: str


class GlassReviewBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody thinks of it afterwards."""

    justified: bool
    why: str


class DrillBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to practise."""

    drill: DrillKind
    why: str


class ToldDrillBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An exercise that the machine did not measure."""

    drill: str
    """`rollback`, `lapse`, or another word that a policy uses."""
    held_at: Annotated[int, msgspec.Meta(ge=0, le=LAST)]
    """Milliseconds since the epoch, UTC."""
    passed: bool
    why: str
    restored_in: Annotated[int, msgspec.Meta(ge=0, le=LAST)] | msgspec.UnsetType = msgspec.UNSET
    """Milliseconds until all traffic was back, where somebody took them."""


class AdvisoriesBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Known weaknesses of packages, and who gathered them when."""

    source: str
    as_of: Annotated[int, msgspec.Meta(ge=0, le=LAST)]
    """Milliseconds since the epoch, UTC."""
    entries: tuple[Advisory, ...]
    why: str


class NoteBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody makes of an incident; an absent part stays as it was, a present one replaces it."""

    why: str
    gap: str | msgspec.UnsetType = msgspec.UNSET
    hypotheses: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    remedies: tuple[Remedy, ...] | msgspec.UnsetType = msgspec.UNSET


class ReasonBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a person orders something; it stands in the ledger."""

    why: str


class RetryBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to try now, and why it may go better; without a text it is refused."""

    why: str
    text: str | None = None
    file: str = "glideslope.yaml"


class CosignaturesBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What witnesses answered: signature lines of C2SP tlog-cosignature, of the checkpoint over `size` entries."""

    size: int
    lines: str


class ReplayChannelBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From where a channel is told again."""

    start: Annotated[int, msgspec.Meta(ge=0, le=LAST)]
    """A ledger entry."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A refusal (RFC 9457), with what to do about it."""

    type: str
    """`urn:glideslope:error:` and the code."""
    title: str
    status: int
    detail: str
    """What happened, as a sentence."""
    code: str
    """Never changes meaning; `glideslope explain CODE` says more."""
    traffic: str
    """What became of the traffic."""
    next_command: str
    """Can be pasted; may be empty."""
    file: str = ""
    where: str = ""
    """The part of the plan: `guardrails.0.margin`."""
    line: int = 0
    """From 1; 0 when the refusal is not about a place in a file. So do the following belong to files."""
    column: int = 0
    width: int = 0
    source: str = ""
    """The line itself."""
    suggestion: str = ""
    allowed: tuple[str, ...] = ()
    """The keys that are known there."""
