"""Whose yes a governed rollout has at an instant, and whose it still lacks: functions of a rollout and what governs it."""

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from glideslope.domain.governing.approval import Approval, Need, standing, unmet
from glideslope.domain.governing.governed import Governed
from glideslope.domain.governing.organisation import BREACH
from glideslope.domain.ids import Digest
from glideslope.domain.rollout import Rollout


def counting(
    rollout: Rollout, governed: Governed, *, since: int = 0, now: int, change: Digest | UnsetType = UNSET
) -> tuple[Approval, ...]:
    """Return the approvals that count at an instant: given after `since`, of what is to be agreed on (`change`), by no maker.

    Instants in milliseconds since the epoch, UTC.
    """
    return standing(
        rollout.approvals,
        digest=rollout.plan_digest,
        barred={rollout.proposed_by, *governed.makers},
        valid_for=governed.valid_for,
        since=since,
        now=now,
        change=change,
    )


def unapproved(
    rollout: Rollout, governed: Governed, *, since: int = 0, now: int, change: Digest | UnsetType = UNSET
) -> tuple[Need, ...]:
    """Return which approvals are still needed at an instant; none when it may go on. Arguments as of `counting`."""
    return unmet(governed.needs, counting(rollout, governed, since=since, now=now, change=change))


def unsigned(rollout: Rollout, governed: Governed, *, now: int) -> tuple[Need, ...]:
    """Return which sign-offs are needed since a limit broke; none where none did."""
    if rollout.limit_broken_at is None:
        return ()
    return unapproved(rollout, replace(governed, needs=BREACH), since=rollout.limit_broken_at, now=now)


def answered_for(rollout: Rollout, governed: Governed, *, now: int) -> Governed:
    """Return what is asked for while two people answer for the rest: what follows a breach nothing but its sign-offs let go on."""
    if not passed(rollout, now=now):
        return governed
    return replace(governed, needs=BREACH if governed.after_breach else ())


def passed(rollout: Rollout, *, now: int) -> bool:
    """Tell whether the glass is broken at an instant."""
    return rollout.glass is not None and rollout.glass.passes(now)
