"""Whose yes a governed rollout has at an instant, and whose it still lacks: functions of a rollout and what governs it."""

from collections.abc import Iterable

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from glideslope.domain.governing.approval import Approval, Need, standing, together, unmet
from glideslope.domain.governing.governed import Governed, Lane
from glideslope.domain.governing.organisation import BREACH
from glideslope.domain.ids import Actor, Digest
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
        barred=_barred(rollout, governed),
        valid_for=governed.valid_for,
        since=since,
        now=now,
        change=change,
    )


def unapproved(
    rollout: Rollout,
    governed: Governed,
    *,
    since: int = 0,
    now: int,
    change: Digest | UnsetType = UNSET,
    lane: Lane | UnsetType = UNSET,
) -> tuple[Need, ...]:
    """Return which approvals are still needed at an instant; none when it may go on. Arguments as of `counting`.

    Those that were given with an envelope count beside them, while its fast lane is open to the rollout.
    """
    own = counting(rollout, governed, since=since, now=now, change=change)
    if isinstance(lane, UnsetType) or closed(rollout, governed, lane, now=now, change=change):
        return unmet(governed.needs, own)
    # What an envelope brings stands for so many of a function as fall away, and for nobody who must approve each candidate.
    own_needs = together(_beyond(governed.needs, lane.falls_away), lane.remains)
    joined = tuple(_by_person((*own, *lent(rollout, governed, lane))))
    return together(unmet(own_needs, own), unmet(together(governed.needs, lane.remains), joined))


def lent(rollout: Rollout, governed: Governed, lane: Lane) -> tuple[Approval, ...]:
    """Return the approvals that an envelope brings to a rollout inside it: of none who may not approve this one."""
    barred = _barred(rollout, governed)
    return tuple(approval for approval in lane.given if approval.by not in barred)


def closed(rollout: Rollout, governed: Governed, lane: Lane, *, now: int, change: Digest | UnsetType = UNSET) -> str:
    """Return why an envelope's fast lane is closed to a rollout at an instant; empty while it is open."""
    if lane.envelope != governed.envelope:
        return "another envelope spoke for the model when it was proposed"
    if lane.left:
        return "it is outside"
    if said_no := sorted(rollout.denied | rollout.withdrawn):
        # Somebody has looked at this one, so what was agreed on for all of them no longer stands for it.
        return f"{', '.join(said_no)} said no to it, or took an approval back"
    breached = replace(governed, needs=BREACH)
    if governed.after_breach and unapproved(rollout, breached, now=now, change=change):
        return f"{governed.after_breach} ended by a breach, until product, security and compliance have approved"
    if unsigned(rollout, governed, now=now):
        return "a limit was broken, until product, security and compliance have approved"
    return "the glass is broken" if passed(rollout, now=now) else ""


def rested_on_envelope(rollout: Rollout, governed: Governed) -> bool:
    """Tell whether people have not given all approvals for this change itself, so that it is under way by an envelope's."""
    return not isinstance(governed.envelope, UnsetType) and bool(unmet(governed.needs, rollout.approvals))


def _beyond(needs: Iterable[Need], falls_away: Iterable[Need]) -> tuple[Need, ...]:
    less = {need.function: need.count for need in falls_away}
    left = (Need(need.function, need.count - less.get(need.function, 0)) for need in needs)
    return tuple(need for need in left if need.count > 0)


def _barred(rollout: Rollout, governed: Governed) -> frozenset[Actor]:
    return frozenset({rollout.proposed_by, *governed.makers})


def _by_person(approvals: Iterable[Approval]) -> Iterable[Approval]:
    """Join what somebody gave with an envelope and for the change itself: it stays one person's yes."""
    found: dict[Actor, Approval] = {}
    for each in approvals:
        before = found.get(each.by)
        functions = each.functions if before is None else tuple(sorted({*before.functions, *each.functions}))
        found[each.by] = replace(each, functions=functions)
    return found.values()


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
