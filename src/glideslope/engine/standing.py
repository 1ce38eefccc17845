"""Since when a rollout stands as it does, and what happens next by itself and when: read from its record and from what is in force."""

from collections.abc import Sequence
from typing import assert_never

from msgspec import UnsetType

from glideslope.domain.events import Decided, Escalated, rfc3339
from glideslope.domain.governing.glass import GlassAsked
from glideslope.domain.governing.organisation import Organisation
from glideslope.domain.plan import AtMaximum, Step
from glideslope.domain.rollout import Phase, Rollout
from glideslope.engine.record import Recorded
from glideslope.engine.views import StandingView


def standing(
    rollout: Rollout, history: Sequence[Recorded], organisation: Organisation | None, *, now: int
) -> StandingView:
    """Return how long a rollout has stood so. `now` in milliseconds since the epoch, UTC."""
    since = next(
        (r.at for r in reversed(history) if isinstance(r.event, Decided) or r.version == rollout.order),
        rollout.changed_at,
    )
    asked = next((r.at for r in reversed(history) if isinstance(r.event, GlassAsked)), None)
    told = next(((r.at, r.event.to) for r in reversed(history) if isinstance(r.event, Escalated)), None)
    ahead = [] if organisation is None else [e for e in organisation.escalations if e.after > rollout.escalated]
    following = min(ahead, key=lambda e: e.after, default=None)
    if rollout.phase is not Phase.PROPOSED or isinstance(rollout.plan.governed, UnsetType):
        following = None  # nobody is told of what needs no approval
    ends = _ends(rollout, now=now)
    return StandingView(
        since=rfc3339(since),
        deadline="" if ends is None else rfc3339(ends[0]),
        at_deadline="" if ends is None else ends[1],
        glass_asked_at="" if asked is None else rfc3339(asked),
        glass_broken_at=rfc3339(rollout.glass.broken_at) if rollout.glass is not None and rollout.glass.broken else "",
        escalated_at="" if told is None else rfc3339(told[0]),
        escalated_to=() if told is None else told[1],
        escalates_at="" if following is None else rfc3339(rollout.proposed_at + following.after),
        escalates_to=() if following is None else following.to,
    )


def _ends(rollout: Rollout, *, now: int) -> tuple[int, str] | None:
    """Return when the present step's maximum time passes and what happens then; None where nothing is ahead."""
    step = rollout.step
    if rollout.phase is not Phase.RUNNING or step is None:
        return None
    end = rollout.entered_at + step.maximum
    return None if end <= now else (end, _at_maximum(step))


def _at_maximum(step: Step) -> str:
    match step.at_maximum:
        case AtMaximum.HOLD:
            return "Then it holds for a person, if nothing was proven."
        case AtMaximum.EXTEND:
            return "Then it goes on measuring, if nothing was proven."
        case AtMaximum.ROLL_BACK:
            return "Then it is rolled back, if nothing was proven."
        case _:
            assert_never(step.at_maximum)
