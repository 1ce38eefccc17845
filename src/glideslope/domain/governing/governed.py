"""What governs a rollout, frozen with its plan: who must approve, for how long that holds, and whose yes does not count."""

from enum import StrEnum

import msgspec

from glideslope.domain.governing.approval import Need
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
