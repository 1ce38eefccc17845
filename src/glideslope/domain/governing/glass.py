"""Break-glass: what governance forbids may go on for a while when two people say so, and somebody else must look at it afterwards.

It passes approvals, policy and freezes. It passes no statistics: a proof is still a proof, and harm is still withdrawn.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

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


class GlassBroken(
    msgspec.Struct, frozen=True, kw_only=True, tag="glass-broken", tag_field="kind", forbid_unknown_fields=True
):
    """A second person agrees, so it is passed until `until` (milliseconds since the epoch, UTC)."""

    by: Actor
    until: int
    why: str


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
    second: Actor | None = None
    until: int = 0

    @property
    def broken(self) -> bool:
        """Tell whether it ever was: then somebody must look at it."""
        return self.second is not None

    def passes(self, now: int) -> bool:
        """Tell whether it is broken at this instant."""
        return self.broken and now < self.until


def break_on(glass: Glass | None, event: GlassEvent) -> Glass | None:
    """Take one more event into account."""
    match event:
        case GlassAsked():
            return Glass(asked=event)
        case GlassBroken(by=by, until=until) if glass is not None:
            return Glass(asked=glass.asked, second=by, until=until)
        case _:
            return glass
