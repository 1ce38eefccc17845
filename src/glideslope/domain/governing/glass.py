"""Break-glass: what governance forbids may go on for a while when two people say so, and somebody else must look at it afterwards.

It passes approvals, policy and freezes. It passes no statistics: a proof is still a proof, and harm is still withdrawn.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

import msgspec

from glideslope.domain.identity import Means
from glideslope.domain.ids import Actor, RolloutId


class Emergency(StrEnum):
    """Why the glass may be broken; a closed list."""

    OUTAGE = "outage"  # the incumbent fails its callers
    SECURITY = "security"  # a weakness must be closed now
    SAFETY = "safety"  # somebody may be hurt
    LEGAL = "legal"  # an authority asks for it


LONGEST: Final = 24 * 3_600_000
"""Milliseconds for which it may stay broken."""


class GlassAsked(
    msgspec.Struct, frozen=True, kw_only=True, tag="glass-asked", tag_field="kind", forbid_unknown_fields=True
):
    """One person asks to pass what forbids this rollout; nothing is passed before a second agrees."""

    by: Actor
    emergency: Emergency
    lasting: int
    """Milliseconds, from when the second agrees."""
    why: str
    proved: Means | msgspec.UnsetType = msgspec.UNSET
    """By what they proved who they are just before; absent where the model's tier did not ask for it."""


class GlassBroken(
    msgspec.Struct, frozen=True, kw_only=True, tag="glass-broken", tag_field="kind", forbid_unknown_fields=True
):
    """A second person agrees, so it is passed until `until` (milliseconds since the epoch, UTC)."""

    by: Actor
    until: int
    why: str
    proved: Means | msgspec.UnsetType = msgspec.UNSET
    """By what they proved who they are just before; absent where the model's tier did not ask for it."""


class GlassReviewed(
    msgspec.Struct, frozen=True, kw_only=True, tag="glass-reviewed", tag_field="kind", forbid_unknown_fields=True
):
    """Somebody who was neither of the two looked at it afterwards. In the model's stream: the rollout's may be closed."""

    rollout: RolloutId
    by: Actor
    justified: bool
    why: str


GlassEvent = GlassAsked | GlassBroken


@dataclass(frozen=True, slots=True)
class Glass:
    """Where it stands in one rollout."""

    asked: GlassAsked
    """Who asked last."""
    second: Actor | None = None
    """Who agreed to what was asked last; None while nobody has."""
    until: int = 0
    broken_at: int = 0
    """When it was broken last (milliseconds since the epoch, UTC): what was looked at before says nothing about it."""
    breakers: frozenset[Actor] = frozenset()
    """Everybody who ever had a part in breaking it. Asking anew does not undo that."""

    @property
    def broken(self) -> bool:
        """Tell whether it ever was: then somebody must look at it."""
        return bool(self.breakers)

    def passes(self, now: int) -> bool:
        """Tell whether it is broken at this instant."""
        return now < self.until


def break_on(glass: Glass | None, event: GlassEvent, *, at: int) -> Glass | None:
    """Take one more event into account."""
    match event:
        case GlassAsked():
            return Glass(asked=event) if glass is None else replace(glass, asked=event, second=None)
        case GlassBroken(by=by, until=until) if glass is not None:
            both = glass.breakers | {glass.asked.by, by}
            return replace(glass, second=by, until=until, broken_at=at, breakers=both)
        case _:
            return glass
