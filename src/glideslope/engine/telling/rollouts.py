"""What is told of a rollout: its proposal, people's answers, decisions, and what the data plane did."""

from typing import assert_never

from msgspec import UnsetType

from glideslope.domain.consent import unapproved
from glideslope.domain.decision import Advance, Hold, Promote, RollBack
from glideslope.domain.events import (
    Approved,
    Confirmed,
    Decided,
    Escalated,
    Halted,
    Lapsed,
    Proposed,
    Resumed,
    Withdrawn,
    rfc3339,
)
from glideslope.domain.governing.approval import Need
from glideslope.domain.governing.glass import GlassAsked, GlassBroken, GlassEvent
from glideslope.domain.governing.incident import OPENING
from glideslope.domain.ids import MACHINE
from glideslope.domain.plan import StageKind
from glideslope.domain.reasons import FOR_PEOPLE, Reason
from glideslope.domain.rollout import Phase, Rollout
from glideslope.domain.said import Judged, MoreAsked, Replied, SaidEvent
from glideslope.domain.telling.message import Happening, Matter, Severity
from glideslope.engine.stories import sentence
from glideslope.engine.telling.moment import Moment
from glideslope.engine.telling.said import Said

_EARLIER = "was asked for earlier and is no longer."


def proposed(event: Proposed, moment: Moment, after: Rollout) -> Said:
    """Tell that somebody asks to replace the incumbent, and whose yes is waited for."""
    needs, asked = _missing(after, at=moment.recorded.at)
    return Said(
        happening=Happening.PROPOSED,
        severity=Severity.NOTICE,
        title="waits for approval" if asked else "proposed",
        happened=sentence(event, plan=event.plan),
        done="Nothing has moved.",
        asked=asked,
        matter=Matter.OPEN if asked else Matter.NONE,
        people=(event.by,),
        functions=tuple(need.function for need in needs),
    )


def spoken(event: SaidEvent, after: Rollout) -> Said:
    """Tell what was asked for, replied or judged; nothing moves by any of it."""
    told = sentence(event, plan=after.plan)
    match event:
        case MoreAsked():
            return Said(
                happening=Happening.ASKED,
                severity=Severity.NOTICE,
                title="a reviewer asks for more",
                happened=told,
                asked=f"A reply of {after.proposed_by}, or of whoever had a part in making it.",
                people=(after.proposed_by,),
            )
        case Replied(question=question):
            asked = after.said.question(question)
            return Said(
                happening=Happening.REPLIED,
                severity=Severity.INFO,
                title="what was asked for was answered",
                happened=told,
                people=(after.proposed_by,) if asked is None else (asked.by,),
            )
        case Judged():
            return Said(
                happening=Happening.JUDGED,
                severity=Severity.NOTICE,
                title="a person judged what the machine cannot",
                happened=told,
                done="It goes on as it is.",
                people=(after.proposed_by,),
            )
        case _:
            assert_never(event)


def answered(event: Approved | Withdrawn | Escalated, moment: Moment, after: Rollout) -> Said:
    """Tell what somebody answered, and whose yes is still waited for."""
    needs, asked = _missing(after, at=moment.recorded.at)
    functions = tuple(need.function for need in needs)
    told = sentence(event, plan=after.plan)
    begun = after.phase is not Phase.PROPOSED
    match event:
        case Approved(granted=True):
            settled = f"Approval {_EARLIER} {event.by} gave what was missing." if not asked and not begun else ""
            return Said(
                happening=Happening.APPROVED,
                severity=Severity.INFO,
                title="approved" if not asked else "approved by one, more is missing",
                happened=told,
                asked=asked,
                settled=settled,
                matter=Matter.TAKEN if asked else Matter.SETTLED,
                people=(after.proposed_by,),
                functions=functions,
            )
        case Approved():
            return Said(
                happening=Happening.DENIED,
                severity=Severity.WARNING,
                title="denied",
                happened=told,
                settled=f"Approval {_EARLIER} {event.by} denied it.",
                matter=Matter.SETTLED,
                people=(after.proposed_by,),
            )
        case Withdrawn():
            return Said(
                happening=Happening.WITHDRAWN,
                severity=Severity.WARNING,
                title="an approval was taken back",
                happened=told,
                asked=asked,
                matter=Matter.OPEN if asked else Matter.NONE,
                people=(after.proposed_by,),
                functions=functions,
            )
        case Escalated(to=to, needs=lacking):
            return Said(
                happening=Happening.ESCALATED,
                severity=Severity.WARNING,
                title="approval is waited for too long",
                happened=told,
                done="Nothing moves by it: silence is never consent.",
                asked=_asks(lacking),
                matter=Matter.OPEN,
                people=to,
                functions=tuple(need.function for need in lacking),
            )
        case _:
            assert_never(event)


def decided(event: Decided, moment: Moment, before: Rollout | None, after: Rollout) -> Said | None:
    """Tell a decision, what it does to the traffic, and what is waited for."""
    told, plan = sentence(event, plan=after.plan), after.plan
    waited = before is not None and before.phase is Phase.PROPOSED and _asked_before(before, moment)
    ordered = event.by if event.by != MACHINE else ""
    settled = f"Approval {_EARLIER} It was decided." if waited else ""
    match event.decision:
        case Hold():
            return _held(event, event.decision, moment, before, after)
        case Advance(to=to):
            step = plan.steps[to]
            if step.candidate:
                done = f"From now on {step.candidate / 100:g} % of the subjects meet {plan.candidate}."
            elif step.stage is StageKind.SHADOW:
                done = f"{plan.candidate} answers copies of requests; nobody meets its answers."
            else:
                done = "Nobody meets the candidate."
            if before is not None and _stuck(before):
                settled = "Somebody who looks was asked for earlier and is no longer: it goes on."
            return Said(
                happening=Happening.ADVANCED,
                severity=Severity.NOTICE,
                title=f"goes on to {step.stage.value}{f' {step.candidate / 100:g} %' if step.candidate else ''}",
                happened=told,
                done=done,
                settled=settled,
                matter=Matter.SETTLED,
                people=(after.proposed_by,),
            )
        case RollBack(reasons=reasons):
            cause = bool(OPENING.intersection(reasons))
            return Said(
                happening=Happening.ROLLED_BACK,
                severity=Severity.CRITICAL if cause else Severity.WARNING,
                title="rolled back",
                happened=told,
                done=f"All traffic returns to {plan.incumbent}{f', ordered by {ordered}' if ordered else ', by the machine'}.",
                settled=settled or ("What was asked for earlier is no longer: it is over." if _open(before) else ""),
                # An incident asks for what governance wants to know; without it nobody else would ask.
                asked="Find out why, before it is tried again."
                if cause and isinstance(plan.governed, UnsetType)
                else "",
                matter=Matter.OPEN if cause else Matter.SETTLED,
                people=(after.proposed_by, ordered),
            )
        case Promote():
            return Said(
                happening=Happening.PROMOTED,
                severity=Severity.NOTICE,
                title="promoted",
                happened=told,
                done=f"{plan.candidate} serves everybody from now on. Going back is a new proposal.",
                settled=settled,
                matter=Matter.SETTLED,
                people=(after.proposed_by,),
            )
        case _:
            assert_never(event.decision)


def _held(event: Decided, hold: Hold, moment: Moment, before: Rollout | None, after: Rollout) -> Said | None:
    reasons = set(hold.reasons)
    if reasons in ({Reason.AWAITING_APPROVAL}, {Reason.HALTED}):
        return None  # the proposal asked for it already, or the halt told it
    told = sentence(event, plan=after.plan)
    withdrawn = after.phase is Phase.HALTED
    if withdrawn:
        limit = Reason.LIMIT_BREACHED in reasons
        return Said(
            happening=Happening.HELD,
            severity=Severity.CRITICAL if limit else Severity.WARNING,
            title="held, nobody is exposed",
            happened=told,
            done=f"{after.plan.incumbent} serves everybody until somebody resumes it.",
            asked="Resume it, or roll it back.",
            matter=Matter.OPEN,
            people=(after.proposed_by,),
        )
    if FOR_PEOPLE & reasons:
        return Said(
            happening=Happening.HELD,
            severity=Severity.WARNING,
            title="stays where it is until somebody looks",
            happened=told,
            done="The traffic stays as it is.",
            asked="Look at it, and let it go on, halt it or roll it back.",
            matter=Matter.OPEN,
            people=(after.proposed_by,),
        )
    needs, asked = _missing(after, at=moment.recorded.at)
    wanted = bool({Reason.APPROVALS_RUN_OUT, Reason.ENVELOPE_LEFT, Reason.SIGN_OFF_MISSING} & reasons)
    return Said(
        happening=Happening.HELD,
        severity=Severity.WARNING if wanted else Severity.INFO,
        title="waits for approval" if wanted else "holds",
        happened=told,
        done="The traffic stays as it is." if after.phase is not Phase.PROPOSED else "Nothing has moved.",
        asked=asked if wanted else "",
        settled="Somebody who looks was asked for earlier and is no longer." if _stuck(before) else "",
        matter=Matter.OPEN if wanted else Matter.SETTLED if _stuck(before) else Matter.NONE,
        people=(after.proposed_by,),
        functions=tuple(need.function for need in needs) if wanted else (),
    )


def moved(event: Halted | Resumed | Lapsed, moment: Moment, after: Rollout) -> Said:
    """Tell what people, or a lapse, did to the exposure."""
    del moment
    told, plan = sentence(event, plan=after.plan), after.plan
    match event:
        case Halted(by=by):
            return Said(
                happening=Happening.HALTED,
                severity=Severity.WARNING,
                title="halted",
                happened=told,
                done=f"{plan.incumbent} serves everybody until somebody resumes it.",
                asked="Resume it, or roll it back.",
                matter=Matter.OPEN,
                people=(after.proposed_by, by),
            )
        case Resumed(by=by):
            return Said(
                happening=Happening.RESUMED,
                severity=Severity.NOTICE,
                title="resumed",
                happened=told,
                done="The exposure comes back by a fresh decision, on the evidence of that moment.",
                settled=f"Somebody who resumes it was asked for earlier and is no longer: {by} did.",
                matter=Matter.SETTLED,
                people=(after.proposed_by, by),
            )
        case Lapsed():
            ends = after.phase in (Phase.ROLLED_BACK, Phase.ROLLING_BACK, Phase.PROMOTED, Phase.PROMOTING)
            return Said(
                happening=Happening.LAPSED,
                severity=Severity.WARNING,
                title="the lease lapsed",
                happened=told,
                done=f"{plan.incumbent} serves everybody. The exposure comes back by a fresh decision alone.",
                matter=Matter.NONE if ends or after.phase is Phase.HALTED else Matter.OPEN,
                people=(after.proposed_by,),
            )
        case _:
            assert_never(event)


def confirmed(event: Confirmed, moment: Moment, after: Rollout) -> Said:
    """Tell that the data plane itself reports what was decided."""
    del moment
    return Said(
        happening=Happening.CONFIRMED,
        severity=Severity.INFO,
        title="the data plane confirms it",
        happened=sentence(event, plan=after.plan),
    )


def glass(event: GlassEvent, moment: Moment) -> Said:
    """Tell that what governance forbids is to be passed, or is."""
    assert moment.after is not None  # noqa: S101 - it stands in a rollout's stream
    told, after = sentence(event, plan=moment.after.plan), moment.after
    match event:
        case GlassAsked(by=by):
            return Said(
                happening=Happening.GLASS,
                severity=Severity.CRITICAL,
                title="break-glass is asked for",
                happened=told,
                done="Nothing is passed before a second person agrees.",
                asked="Agree to it, or do not: somebody who neither proposed nor asked.",
                matter=Matter.OPEN,
                people=(after.proposed_by, by),
            )
        case GlassBroken(by=by, until=until):
            return Said(
                happening=Happening.GLASS,
                severity=Severity.CRITICAL,
                title="THE GLASS IS BROKEN",
                happened=told,
                done=f"What governance forbids is passed until {rfc3339(until)}.",
                asked="Review it afterwards: somebody who was neither of the two.",
                matter=Matter.TAKEN,
                people=(after.proposed_by, by),
            )
        case _:
            assert_never(event)


def _missing(rollout: Rollout, *, at: int) -> tuple[tuple[Need, ...], str]:
    """Return whose approval is missing at an instant, and that as a sentence; nothing where none is."""
    governed, plan = rollout.plan.governed, rollout.plan
    if isinstance(governed, UnsetType):
        others = rollout.granted - {rollout.proposed_by}
        left = plan.approvals - len(others)
        if left <= 0 or rollout.phase is not Phase.PROPOSED:
            return (), ""
        return (), f"Approve or deny it: {left} approval{'s are' if left != 1 else ' is'} missing."
    needs = unapproved(rollout, governed, now=at)
    if not needs:
        return (), ""
    unless = "" if isinstance(governed.envelope, UnsetType) else " Unless it is inside its envelope, which brings some."
    return needs, _asks(needs) + unless


def _asks(needs: tuple[Need, ...]) -> str:
    return f"Approve or deny it: {', '.join(f'{need.count} of {need.function}' for need in needs)} missing."


def _asked_before(before: Rollout, moment: Moment) -> bool:
    return bool(_missing(before, at=moment.recorded.at)[1])


def _stuck(rollout: Rollout | None) -> bool:
    last = None if rollout is None else rollout.last
    return (
        rollout is not None
        and rollout.phase is Phase.RUNNING
        and isinstance(last, Hold)
        and bool(FOR_PEOPLE.intersection(last.reasons))
    )


def _open(before: Rollout | None) -> bool:
    return _stuck(before) or (before is not None and before.phase is Phase.HALTED)
