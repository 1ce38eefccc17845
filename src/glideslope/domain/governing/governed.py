"""What governs a rollout, frozen with its plan: who must approve, for how long that holds, and whose yes does not count."""

from enum import StrEnum

import msgspec

from glideslope.domain.governing.approval import Approval, Need
from glideslope.domain.ids import Actor, Digest


class Governed(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True, forbid_unknown_fields=True):
    """The rules under which a plan was frozen; part of the plan, so that approvals bind to them too."""

    organisation: Digest
    """The organisation that was in force."""
    tier: str = ""
    needs: tuple[Need, ...] = ()
    valid_for: int = 0
    """Milliseconds for which an approval counts."""
    makers: tuple[Actor, ...] = ()
    """Who made the candidate, its data or its evaluation, as far as is known; none of them may approve."""
    policy: Digest | msgspec.UnsetType = msgspec.UNSET
    """The policy that must permit it; unset where none is in force."""
    after_breach: str | msgspec.UnsetType = msgspec.UNSET
    """The earlier attempt whose breach asks for its own sign-offs."""
    envelope: Digest | msgspec.UnsetType = msgspec.UNSET
    """The envelope that spoke for its model when it was proposed; unset where none did. No other one ever speaks for it."""


class Answered(StrEnum):
    """What a policy's rule says; the same four words everywhere."""

    PASS = "pass"  # noqa: S105 - an answer, not a password
    FAIL = "fail"
    NO_EVIDENCE = "no-evidence"
    NOT_APPLICABLE = "not-applicable"


class Block(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule that does not permit it."""

    rule: str
    answer: Answered
    why: str


class Lane(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the envelope that speaks for a change classifies it at one moment, and whose approval it brings."""

    envelope: Digest
    name: str
    given: tuple[Approval, ...] = ()
    """The approvals that were given with the envelope, in the functions whose approval falls away."""
    falls_away: tuple[Need, ...] = ()
    """How many of each function's approvals these may stand for."""
    remains: tuple[Need, ...] = ()
    """Who must approve each candidate inside all the same."""
    left: tuple[Block, ...] = ()
    """The clauses that the change left or that were not shown to hold; none for one inside."""


class Freeze(StrEnum):
    """What a freeze window asks of a rollout that is under way."""

    FINISH = "finish"  # goes on to its end
    HOLD = "hold"  # stays where it is, widens no further
    RETURN = "return"  # goes back to the incumbent until a person resumes


class Window(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A time in which nothing is begun or widened. `until` in milliseconds since the epoch, UTC."""

    name: str
    asks: Freeze
    until: int


class Permit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What governance knows at the moment of a decision; no permit is no permission."""

    policy: Digest | msgspec.UnsetType = msgspec.UNSET
    """The policy that was asked; unset where none is in force."""
    dossier: Digest | msgspec.UnsetType = msgspec.UNSET
    """What it was asked about."""
    change: Digest | msgspec.UnsetType = msgspec.UNSET
    """All that is to be agreed on at this moment; approvals of anything else are void."""
    blocks: tuple[Block, ...] = ()
    window: Window | msgspec.UnsetType = msgspec.UNSET
    lane: Lane | msgspec.UnsetType = msgspec.UNSET
    """How the change is classified; unset where no envelope spoke for it when it was proposed."""
