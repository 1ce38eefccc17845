"""A rollout is a fold over its events; nothing else remembers anything about it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, assert_never

from glideslope.domain.decision import Advance, Decision, Hold, Promote, RollBack
from glideslope.domain.doubt import Aside
from glideslope.domain.errors import Invalid
from glideslope.domain.events import (
    AdvisoriesRecorded,
    Approved,
    Closed,
    Confirmed,
    ContractAgreed,
    Decided,
    Escalated,
    Event,
    FactsRecorded,
    Halted,
    Installed,
    Lapsed,
    PersonDescribed,
    PersonErased,
    Proposed,
    Registered,
    Resumed,
    Withdrawn,
)
from glideslope.domain.governing.agreement import (
    AgreementAnswered,
    AgreementEvent,
    AgreementInForce,
    AgreementReviewed,
    AgreementTabled,
)
from glideslope.domain.governing.approval import Approval
from glideslope.domain.governing.drill import DrillBegun, DrillEnded, DrillEvent, DrillTold
from glideslope.domain.governing.examined import Examined
from glideslope.domain.governing.glass import Glass, GlassAsked, GlassBroken, GlassEvent, GlassReviewed, break_on
from glideslope.domain.governing.incident import IncidentClosed, IncidentEvent, IncidentNoted, IncidentOpened
from glideslope.domain.ids import Actor, Digest, RolloutId
from glideslope.domain.plan import Plan, Step
from glideslope.domain.reasons import Reason
from glideslope.domain.said import NOTHING_SAID, Judged, MoreAsked, Replied, Said, SaidEvent, hear
from glideslope.domain.traffic import Exposure


class Phase(StrEnum):
    """Where a rollout is in its life."""

    PROPOSED = "proposed"  # nothing moved yet
    RUNNING = "running"
    LAPSED = "lapsed"  # exposure ended by itself; comes back only by a fresh decision
    HALTED = "halted"  # exposure withdrawn until a person resumes
    ROLLING_BACK = "rolling-back"  # decided; the data plane has not confirmed yet
    ROLLED_BACK = "rolled-back"
    PROMOTING = "promoting"
    PROMOTED = "promoted"


ENDED = frozenset({Phase.ROLLED_BACK, Phase.PROMOTED})
DECIDED = ENDED | {Phase.ROLLING_BACK, Phase.PROMOTING}
"""Nothing but confirmation can follow."""

_EXPOSABLE = frozenset({Phase.RUNNING, Phase.LAPSED, Phase.HALTED})

_FOLLOWS: Final[Mapping[type[Event], frozenset[Phase]]] = {
    Proposed: frozenset(),
    Registered: frozenset(),
    ContractAgreed: frozenset(),
    PersonDescribed: frozenset(),
    PersonErased: frozenset(),
    Installed: frozenset(),
    AgreementTabled: frozenset(),
    AgreementAnswered: frozenset(),
    AgreementInForce: frozenset(),
    AgreementReviewed: frozenset(),
    Approved: frozenset(Phase) - DECIDED,
    Withdrawn: frozenset(Phase) - DECIDED,
    Escalated: frozenset(Phase) - DECIDED,
    MoreAsked: frozenset(Phase) - DECIDED,
    Replied: frozenset(Phase) - DECIDED,
    # What is halted is resumed or rolled back; there is nothing to let go on as it is.
    Judged: frozenset({Phase.RUNNING, Phase.LAPSED}),
    GlassAsked: frozenset(Phase) - DECIDED,
    GlassBroken: frozenset(Phase) - DECIDED,
    GlassReviewed: frozenset(),
    IncidentOpened: frozenset(),
    IncidentNoted: frozenset(),
    IncidentClosed: frozenset(),
    Examined: frozenset(),
    AdvisoriesRecorded: frozenset(),
    DrillBegun: frozenset(),
    DrillEnded: frozenset(),
    DrillTold: frozenset(),
    Decided: frozenset(Phase) - DECIDED,
    # A proposal that could be halted could be resumed, past its approvals.
    Halted: _EXPOSABLE,
    Resumed: frozenset({Phase.HALTED}),
    Lapsed: _EXPOSABLE | (DECIDED - ENDED),
    Confirmed: frozenset(Phase) - ENDED,
    Closed: ENDED,
    FactsRecorded: frozenset(),
}
"""In which phases each kind of event can happen."""

_Elsewhere = (
    AgreementEvent
    | IncidentEvent
    | GlassReviewed
    | PersonDescribed
    | PersonErased
    | Examined
    | DrillEvent
    | AdvisoriesRecorded
)
"""What stands in no rollout's stream."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """One attempt, as its events tell it. Instants in milliseconds since the epoch, UTC."""

    id: RolloutId
    plan: Plan
    plan_digest: Digest
    proposed_by: Actor
    proposed_at: int
    attempt_of: RolloutId
    phase: Phase
    position: int
    """Index into the plan's steps; -1 before the first."""
    entered_at: int
    """When the present step was entered (or entered anew)."""
    changed_at: int
    granted: frozenset[Actor]
    denied: frozenset[Actor]
    last: Decision | None
    last_by: Actor
    confirmed: bool
    """The data plane has confirmed the present exposure, or the present absence of one."""
    version: int
    order: int
    """Version of the event that last said what the traffic shall do. A lease bears it: renewing one is no fresh decision."""
    aside: frozenset[Aside] = frozenset()
    """Sources whose counts are not used."""
    approvals: tuple[Approval, ...] = ()
    """Every yes in force, with the authority in which it was given; expiry is a question of the moment."""
    withdrawn: frozenset[Actor] = frozenset()
    """Who took their approval back and has not given it again."""
    limit_broken_at: int | None = None
    """When an absolute limit last withdrew the exposure; sign-offs before that say nothing about it."""
    glass: Glass | None = None
    """Whether somebody broke the glass, or asked to."""
    resumed: bool = False
    """A person let it go on and nothing was decided since: whoever is exposed then is exposed anew, not as before."""
    escalated: int = 0
    """Milliseconds after the proposal of the last escalation; 0 before any."""
    said: Said = NOTHING_SAID
    """What people asked for, were answered, and judged."""

    @property
    def step(self) -> Step | None:
        """Return the present step; None before the first."""
        return self.plan.steps[self.position] if self.position >= 0 else None


def exposure(rollout: Rollout) -> Exposure | None:
    """Return what the data plane is desired to expose; None is everybody to the incumbent."""
    step = rollout.step
    if rollout.phase not in (Phase.RUNNING, Phase.PROMOTING) or step is None or not (step.candidate or step.mirror):
        return None
    return Exposure(rollout=rollout.id, step=step.name, split=step.split, mirror=step.mirror)


def begin(id_: RolloutId, event: Event, *, at: int) -> Rollout:
    """Start the fold. Raises Invalid when the stream does not begin with a proposal."""
    if not isinstance(event, Proposed):
        raise Invalid(f"{id_} does not begin with a proposal.")
    return Rollout(
        id=id_,
        plan=event.plan,
        plan_digest=event.plan_digest,
        proposed_by=event.by,
        proposed_at=at,
        attempt_of=event.attempt_of,
        phase=Phase.PROPOSED,
        position=-1,
        entered_at=at,
        changed_at=at,
        granted=frozenset(),
        denied=frozenset(),
        last=None,
        last_by=event.by,
        confirmed=True,
        version=1,
        order=1,
    )


def apply(rollout: Rollout, event: Event, *, at: int) -> Rollout:
    """Take one more event into account. Raises Invalid for one that cannot follow."""
    version = rollout.version + 1
    after = replace(rollout, version=version, changed_at=at, order=version if _orders(event) else rollout.order)
    if rollout.phase not in _FOLLOWS[type(event)]:
        raise Invalid(f"{rollout.id} is {rollout.phase}; {type(event).__name__} cannot follow.")
    if isinstance(event, _Elsewhere):
        raise Invalid(f"{type(event).__name__} cannot follow in {rollout.id}.")
    if isinstance(event, GlassEvent):
        return replace(after, glass=break_on(rollout.glass, event, at=at))
    if isinstance(event, Approved | Withdrawn | Escalated):
        return _answered(after, event, at=at)
    if isinstance(event, SaidEvent):
        return _heard(after, event, at=at)
    match event:
        case Decided(decision=decision, by=by):
            return _decided(replace(after, last=decision, last_by=by), decision, at=at)
        case Halted(by=by):
            return replace(after, phase=Phase.HALTED, confirmed=False, last_by=by)
        case Resumed(by=by, aside=aside):
            # The step is entered anew by a decision, never by the person's word alone.
            return replace(after, phase=Phase.LAPSED, last_by=by, aside=rollout.aside.union(aside or ()), resumed=True)
        case Lapsed():
            return _lapsed(after)
        case Confirmed(exposed=exposed):
            return _confirmed(after, exposed=exposed)
        case Closed():
            return after
        case Proposed() | Registered() | Installed() | ContractAgreed() | FactsRecorded():
            raise Invalid(f"{type(event).__name__} cannot follow in {rollout.id}.")
        case _:
            assert_never(event)


def fold(id_: RolloutId, events: Iterable[tuple[int, Event]]) -> Rollout:
    """Fold (instant, event) pairs. Raises Invalid for an empty or impossible history."""
    rollout: Rollout | None = None
    for at, event in events:
        rollout = begin(id_, event, at=at) if rollout is None else apply(rollout, event, at=at)
    if rollout is None:
        raise Invalid(f"{id_} has no history.")
    return rollout


def onward(rollout: Rollout) -> int | None:
    """Return the index of the only step that may be entered next; None where none may, so that promoting is next."""
    match rollout.phase:
        case Phase.PROPOSED:
            return 0
        case Phase.LAPSED:
            return rollout.position
        case Phase.RUNNING if rollout.position + 1 < len(rollout.plan.steps):
            return rollout.position + 1
        case _:
            return None


def _orders(event: Event) -> bool:
    """Tell whether an event says anew what the traffic shall do; approvals, confirmations and holding on do not."""
    if isinstance(event, _Elsewhere | GlassEvent | SaidEvent):
        return False
    match event:
        case Decided(decision=Hold(exposed=exposed)):
            return not exposed
        case Decided() | Halted() | Resumed() | Lapsed():
            return True
        case (
            Approved()
            | Withdrawn()
            | Escalated()
            | Confirmed()
            | Closed()
            | Proposed()
            | Registered()
            | Installed()
            | ContractAgreed()
            | FactsRecorded()
        ):
            return False
        case _:
            assert_never(event)


def _answered(rollout: Rollout, event: Approved | Withdrawn | Escalated, *, at: int) -> Rollout:
    """Take what people said about it into account, or that they said nothing."""
    match event:
        case Escalated(after=waited):
            return replace(rollout, escalated=waited)
        case Approved(plan_digest=approved) if approved != rollout.plan_digest:
            raise Invalid(f"{rollout.id} rests on {rollout.plan_digest}; an approval of {approved} is none of it.")
        case Approved(by=by, granted=True, functions=functions, change=change):
            given = Approval(by=by, digest=rollout.plan_digest, functions=functions or (), at=at, change=change)
            return replace(
                rollout,
                granted=rollout.granted | {by},
                denied=rollout.denied - {by},
                withdrawn=rollout.withdrawn - {by},
                approvals=(*_of_others(rollout, by), given),
            )
        case Approved(by=by):
            return replace(
                rollout,
                denied=rollout.denied | {by},
                granted=rollout.granted - {by},
                approvals=_of_others(rollout, by),
            )
        case Withdrawn(by=by):
            return replace(
                rollout,
                granted=rollout.granted - {by},
                withdrawn=rollout.withdrawn | {by},
                approvals=_of_others(rollout, by),
            )
        case _:
            assert_never(event)


def _heard(rollout: Rollout, event: SaidEvent, *, at: int) -> Rollout:
    said = hear(rollout.said, event, at=at, version=rollout.version)
    if said is None:
        raise Invalid(f"{rollout.id} was asked nothing that this replies to.")
    return replace(rollout, said=said)


def _of_others(rollout: Rollout, by: Actor) -> tuple[Approval, ...]:
    return tuple(a for a in rollout.approvals if a.by != by)


def _decided(rollout: Rollout, decision: Decision, *, at: int) -> Rollout:
    match decision:
        case Advance(to=to):
            if to != onward(rollout):
                raise Invalid(f"{rollout.id} is {rollout.phase} at {rollout.position}; it cannot advance to {to}.")
            return replace(rollout, phase=Phase.RUNNING, position=to, entered_at=at, confirmed=False, resumed=False)
        case Hold(exposed=exposed) if exposed or rollout.phase is Phase.PROPOSED:
            # A proposal exposes nobody; waiting for approvals is not a halt that a person must lift.
            return rollout
        case Hold(reasons=reasons):
            return replace(
                rollout,
                phase=Phase.HALTED,
                confirmed=rollout.phase is Phase.HALTED and rollout.confirmed,
                limit_broken_at=at if Reason.LIMIT_BREACHED in reasons else rollout.limit_broken_at,
            )
        case RollBack():
            return replace(rollout, phase=Phase.ROLLING_BACK, confirmed=False)
        case Promote():
            if rollout.phase is not Phase.RUNNING or onward(rollout) is not None:
                raise Invalid(f"{rollout.id} is {rollout.phase} at {rollout.position}; it cannot be promoted.")
            return replace(rollout, phase=Phase.PROMOTING, confirmed=False)
        case _:
            assert_never(decision)


def _lapsed(rollout: Rollout) -> Rollout:
    """All traffic returned by itself: running must be decided anew; a halt stays a halt, a decision a decision."""
    if rollout.phase in DECIDED:
        return rollout
    if rollout.phase is Phase.HALTED:
        return replace(rollout, confirmed=True)
    return replace(rollout, phase=Phase.LAPSED, confirmed=True)


def _confirmed(rollout: Rollout, *, exposed: bool) -> Rollout:
    # While promoting, the candidate serves until it is the incumbent, so both answers confirm.
    if rollout.phase is not Phase.PROMOTING and exposed != (exposure(rollout) is not None):
        raise Invalid(
            f"{rollout.id} is {rollout.phase}; traffic {'with' if exposed else 'without'} exposure is not what that asks."
        )
    if rollout.phase is Phase.ROLLING_BACK:
        return replace(rollout, phase=Phase.ROLLED_BACK, confirmed=True)
    if rollout.phase is Phase.PROMOTING:
        return replace(rollout, phase=Phase.PROMOTED, confirmed=True)
    return replace(rollout, confirmed=True)


def news(rollout: Rollout, decision: Decision) -> bool:
    """Tell whether a decision says anything that the last one did not: only then is it recorded."""
    if rollout.phase is Phase.LAPSED and isinstance(decision, Hold) and not decision.exposed:
        # It was let go on, and is halted anew, if for the same reason: unsaid, nobody could see or resume it.
        return True
    match decision, rollout.last:
        case Hold(reasons=(Reason.HALTED,)), Hold(exposed=False):
            # A decision withdrew the exposure; why it did is what people must see until they resume.
            return False
        case Hold(reasons=now, exposed=exposed), Hold(reasons=before, exposed=was):
            return set(now) != set(before) or exposed != was
        case Hold(reasons=now), _:
            return Reason.ENDED not in now
        case _:
            return True
