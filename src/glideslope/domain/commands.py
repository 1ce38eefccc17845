"""What people and services may ask for: imperatives, each carried to exactly one handler."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET, UnsetType

from glideslope.domain.contract import Contract
from glideslope.domain.draft import Draft
from glideslope.domain.governing.dossier import Advisories
from glideslope.domain.governing.drill import DrillKind
from glideslope.domain.governing.facts import Facts
from glideslope.domain.governing.glass import Emergency
from glideslope.domain.governing.incident import Remedy
from glideslope.domain.governing.person import Person
from glideslope.domain.identity import Proved
from glideslope.domain.ids import Actor, Digest, ModelName, RolloutId, VersionName
from glideslope.domain.plan import Evaluation


@dataclass(frozen=True, slots=True)
class Register:
    """Make a version known: its content, where it is served, and how it did offline."""

    model: ModelName
    version: VersionName
    digest: Digest
    url: str
    by: Actor
    why: str
    evaluations: tuple[Evaluation, ...] = ()
    incumbent: bool = False
    """Install it as the model's first incumbent; refused when there is one."""


@dataclass(frozen=True, slots=True)
class AgreeContract:
    """Say what the live input of a registered model must look like."""

    contract: Contract
    by: Actor
    why: str


@dataclass(frozen=True, slots=True)
class RecordFacts:
    """Say what is known about how a registered version was made."""

    facts: Facts
    by: Actor
    why: str


@dataclass(frozen=True, slots=True)
class Propose:
    """Ask to replace the incumbent, as drafted."""

    draft: Draft
    by: Actor
    plan_digest: Digest | None = None
    """The plan that the proposer saw; refused when freezing gives another."""
    attempt_of: RolloutId | None = None
    why: str = ""
    """Why an earlier attempt is repeated; the plan says why its change is wanted."""


@dataclass(frozen=True, slots=True)
class Seen:
    """As what a change was shown to somebody; what moved since bears on their yes."""

    version: int
    """Of the rollout's stream."""
    change: Digest | None = None
    """All that was to be agreed on then; None where nothing governed it."""


@dataclass(frozen=True, slots=True)
class Approve:
    """Say yes or no to exactly the plan with this digest, as it was seen."""

    rollout: RolloutId
    plan_digest: Digest
    granted: bool
    by: Actor
    why: str
    proved: Proved | None = None
    """By what they proved who they are, and how long ago; None is never enough where a tier asks."""
    seen: Seen | None = None
    tag: str = ""
    """The tag of the view on which this rests: refused where it has another by now. Empty for whatever it is."""


@dataclass(frozen=True, slots=True)
class AskMore:
    """Ask whoever proposed a change for more, before a yes."""

    rollout: RolloutId
    by: Actor
    why: str


@dataclass(frozen=True, slots=True)
class Reply:
    """Say what was asked for by the entry of this version of the rollout's stream."""

    rollout: RolloutId
    question: int
    by: Actor
    why: str


@dataclass(frozen=True, slots=True)
class Judge:
    """Let a rollout go on as it is, having looked at what the machine cannot judge; refused when that is something else by now."""

    rollout: RolloutId
    about: tuple[str, ...]
    by: Actor
    why: str


@dataclass(frozen=True, slots=True)
class Halt:
    """Withdraw the exposure and freeze."""

    rollout: RolloutId
    by: Actor
    why: str


@dataclass(frozen=True, slots=True)
class Resume:
    """Let a halted rollout go on, by a fresh decision."""

    rollout: RolloutId
    by: Actor
    why: str
    tag: str = ""
    """As of `Approve`."""


@dataclass(frozen=True, slots=True)
class OrderRollback:
    """Return all traffic to the incumbent, now and for good."""

    rollout: RolloutId
    by: Actor
    why: str


@dataclass(frozen=True, slots=True)
class Retry:
    """Try a rolled-back change again, linked to the earlier attempt, along the draft, without which it is refused."""

    rollout: RolloutId
    by: Actor
    why: str
    draft: Draft | None = None


@dataclass(frozen=True, slots=True)
class DescribePerson:
    """Say who an actor is."""

    actor: Actor
    person: Person
    by: Actor


@dataclass(frozen=True, slots=True)
class ErasePerson:
    """Erase who an actor is."""

    actor: Actor
    by: Actor
    why: str


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take one's own approval back."""

    rollout: RolloutId
    by: Actor
    why: str


@dataclass(frozen=True, slots=True)
class TableAgreement:
    """Ask that a document be in force in place of the one of its name."""

    of: str
    name: str
    document: Mapping[str, Any]
    text: str
    by: Actor
    why: str
    admin: bool
    """The caller's token is an administrator's; it counts while no organisation is in force."""


@dataclass(frozen=True, slots=True)
class AnswerAgreement:
    """Say yes or no to exactly the document with this digest."""

    of: str
    name: str
    digest: Digest
    granted: bool
    by: Actor
    why: str


@dataclass(frozen=True, slots=True)
class ReviewAgreement:
    """Stand by what is in force."""

    of: str
    name: str
    by: Actor
    why: str
    tag: str = ""
    """As of `Approve`."""


@dataclass(frozen=True, slots=True)
class AskGlass:
    """Ask to pass what governance forbids, in an emergency."""

    rollout: RolloutId
    emergency: Emergency
    lasting: int
    """Milliseconds."""
    by: Actor
    why: str
    proved: Proved | None = None
    """By what they proved who they are, and how long ago; None is never enough where a tier asks."""
    tag: str = ""
    """As of `Approve`."""


@dataclass(frozen=True, slots=True)
class BreakGlass:
    """Agree with whoever asked; now the glass is broken."""

    rollout: RolloutId
    by: Actor
    why: str
    proved: Proved | None = None
    """By what they proved who they are, and how long ago; None is never enough where a tier asks."""
    tag: str = ""
    """As of `Approve`."""


@dataclass(frozen=True, slots=True)
class ReviewGlass:
    """Look at it afterwards."""

    rollout: RolloutId
    justified: bool
    by: Actor
    why: str


@dataclass(frozen=True, slots=True)
class NoteIncident:
    """Say what one makes of an incident; what is UNSET stays as it was."""

    rollout: RolloutId
    by: Actor
    why: str
    gap: str | UnsetType = UNSET
    hypotheses: tuple[str, ...] | UnsetType = UNSET
    remedies: tuple[Remedy, ...] | UnsetType = UNSET
    tag: str = ""
    """As of `Approve`."""


@dataclass(frozen=True, slots=True)
class CloseIncident:
    """Say that an incident says all that it must."""

    rollout: RolloutId
    by: Actor
    why: str
    tag: str = ""
    """As of `Approve`."""


@dataclass(frozen=True, slots=True)
class BeginDrill:
    """Practise going back, on the real data plane, with the incumbent in a candidate's place."""

    model: ModelName
    kind: DrillKind
    by: Actor
    why: str


@dataclass(frozen=True, slots=True)
class TellDrill:
    """Tell of an exercise that the machine did not measure."""

    model: ModelName
    kind: str
    held_at: int
    """Milliseconds since the epoch, UTC."""
    passed: bool
    by: Actor
    why: str
    restored_in: int | UnsetType = UNSET
    """Milliseconds."""


@dataclass(frozen=True, slots=True)
class RecordAdvisories:
    """Put a file of known weaknesses of packages in place of the one before."""

    advisories: Advisories
    by: Actor
    why: str


Command = Register | Propose | Approve | Halt | Resume | OrderRollback | Retry
