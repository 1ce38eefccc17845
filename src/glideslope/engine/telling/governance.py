"""What is told beyond rollouts: agreements, incidents, drills, versions, and what comes round and was not done."""

from typing import assert_never

from glideslope.domain.events import AdvisoriesRecorded, ContractAgreed, FactsRecorded, Installed, Registered, instant
from glideslope.domain.governing.agreement import (
    AgreementAnswered,
    AgreementEvent,
    AgreementInForce,
    AgreementReviewed,
    AgreementTabled,
)
from glideslope.domain.governing.approval import unmet
from glideslope.domain.governing.drill import DrillBegun, DrillEnded, DrillEvent, DrillTold
from glideslope.domain.governing.glass import GlassReviewed
from glideslope.domain.governing.incident import IncidentClosed, IncidentEvent, IncidentNoted, IncidentOpened
from glideslope.domain.governing.kinds import REVIEWED
from glideslope.domain.governing.organisation import Organisation
from glideslope.domain.telling.message import Audience, Happening, Matter, Message, Severity
from glideslope.engine.dues import DueView
from glideslope.engine.stories import agreed, of_upkeep
from glideslope.engine.stories import incident as of_incident
from glideslope.engine.stories import of_model as told_of_model
from glideslope.engine.telling.moment import Moment, owners
from glideslope.engine.telling.said import Said


def agreement(event: AgreementEvent, moment: Moment) -> Said:
    """Tell what is asked to be in force, what people answer, and what is."""
    found = moment.tabled
    name = "" if found is None else found.of if found.of == found.name else f"{found.of} {found.name}"
    told = agreed(event)
    match event:
        case AgreementTabled(by=by):
            functions = _needed(moment)
            return Said(
                happening=Happening.AGREEMENT,
                severity=Severity.NOTICE,
                title=f"{name} is tabled",
                happened=told,
                done="What was in force stays in force meanwhile.",
                asked=f"Agree to it or do not: {', '.join(functions)}." if functions else "Agree to it or do not.",
                matter=Matter.OPEN,
                people=(by,),
                functions=functions,
            )
        case AgreementAnswered(by=by, granted=granted):
            return Said(
                happening=Happening.AGREEMENT,
                severity=Severity.INFO if granted else Severity.WARNING,
                title=f"{name}: {by} {'agrees' if granted else 'does not agree'}",
                happened=told,
                matter=Matter.TAKEN,
                people=(by,),
            )
        case AgreementInForce():
            return Said(
                happening=Happening.AGREEMENT,
                severity=Severity.NOTICE,
                title=f"{name} is in force",
                happened=told,
                settled=f"Answers to {name} were asked for earlier and are no longer.",
                matter=Matter.SETTLED,
            )
        case AgreementReviewed(by=by):
            return Said(
                happening=Happening.AGREEMENT,
                severity=Severity.INFO,
                title=f"{name} was reviewed",
                happened=told,
                matter=Matter.SETTLED,
                people=(by,),
            )
        case _:
            assert_never(event)


def _needed(moment: Moment) -> tuple[str, ...]:
    """Return the functions of whose people an answer to what is tabled is asked."""
    found, organisation = moment.tabled, moment.organisation
    if found is None or found.tabled is None or organisation is None:
        return ()
    needs = organisation.agreements.get(found.of, ())
    return tuple(need.function for need in unmet(needs, found.tabled.granted))


def incident(event: IncidentEvent, moment: Moment) -> Said:
    """Tell that a breach is to be looked into, and what came of that."""
    del moment
    told = of_incident(event)
    match event:
        case IncidentOpened():
            return Said(
                happening=Happening.INCIDENT,
                severity=Severity.WARNING,
                title="an incident is open",
                happened=told,
                asked="Say what should have been otherwise, why, and what is done; then somebody who reviews closes it.",
                matter=Matter.OPEN,
            )
        case IncidentNoted(by=by):
            return Said(
                happening=Happening.INCIDENT,
                severity=Severity.INFO,
                title="the incident is looked into",
                happened=told,
                matter=Matter.TAKEN,
                people=(by,),
            )
        case IncidentClosed(by=by):
            return Said(
                happening=Happening.INCIDENT,
                severity=Severity.NOTICE,
                title="the incident is closed",
                happened=told,
                settled="Remedies were asked for earlier and are no longer.",
                matter=Matter.SETTLED,
                people=(by,),
            )
        case _:
            assert_never(event)


def drill(event: DrillEvent, moment: Moment) -> Said:
    """Tell of a drill."""
    del moment
    told = of_upkeep(event)
    match event:
        case DrillBegun(by=by):
            return Said(
                happening=Happening.DRILL, severity=Severity.INFO, title="a drill begins", happened=told, people=(by,)
            )
        case DrillEnded(passed=passed):
            return Said(
                happening=Happening.DRILL,
                severity=Severity.INFO if passed else Severity.WARNING,
                title="the drill passed" if passed else "the drill failed",
                happened=told,
                done="Nobody met anything but the incumbent by it.",
                asked="" if passed else "Find out why, and hold it again.",
            )
        case DrillTold(by=by, passed=passed):
            return Said(
                happening=Happening.DRILL,
                severity=Severity.INFO if passed else Severity.WARNING,
                title="a drill was held",
                happened=told,
                people=(by,),
            )
        case _:
            assert_never(event)


def of_model(
    event: Registered | Installed | FactsRecorded | ContractAgreed | AdvisoriesRecorded | GlassReviewed, moment: Moment
) -> Said | None:
    """Tell what was recorded about a model's versions."""
    del moment
    match event:
        case Registered(version=version, by=by):
            return _version(f"{version} is registered", told_of_model(event), by)
        case Installed(rollout=rollout) if rollout:
            return None  # its promotion was told
        case Installed(version=version, by=by):
            return _version(f"{version} is the incumbent", told_of_model(event), by)
        case FactsRecorded(facts=facts, by=by):
            return _version(f"facts about {facts.version} are recorded", told_of_model(event), by)
        case ContractAgreed(by=by):
            return _upkeep("a data contract is registered", told_of_model(event), by)
        case AdvisoriesRecorded(by=by):
            return _upkeep("advisories are recorded", of_upkeep(event), by)
        case GlassReviewed(by=by, justified=justified):
            return Said(
                happening=Happening.GLASS,
                severity=Severity.NOTICE if justified else Severity.WARNING,
                title="the broken glass was reviewed",
                happened=told_of_model(event),
                settled="A review was asked for earlier and is no longer.",
                matter=Matter.SETTLED,
                people=(by,),
            )
        case _:
            assert_never(event)


def _version(title: str, told: str, by: str) -> Said:
    return Said(happening=Happening.VERSION, severity=Severity.INFO, title=title, happened=told, people=(by,))


def _upkeep(title: str, told: str, by: str) -> Said:
    return Said(happening=Happening.UPKEEP, severity=Severity.INFO, title=title, happened=told, people=(by,))


def overdue_key(due: DueView) -> str:
    """Return what tells one time that something was not done from any other."""
    return f"{due.what}/{due.of}/{due.name}/{due.due or due.last}"


def overdue(due: DueView, organisation: Organisation, *, id_: str, now: int) -> Message:
    """Tell that something that comes round was not done. It stands in no entry: time alone brought it about."""
    name = f"{due.of} {due.name}".strip()
    if due.what == "drill":
        functions: tuple[str, ...] = ()
        owned, page = owners(organisation, due.name), f"/models/{due.name}"
    else:
        needs = organisation.agreements.get(REVIEWED.get(due.of, ""), ())
        functions, owned, page = tuple(need.function for need in needs), (), "/"
    last = f"It was last done {due.last[:10]} by {due.by}." if due.last else "It was never done."
    return Message(
        id=id_,
        entry=None,
        at=instant(due.due) if due.due else now,
        happening=Happening.OVERDUE,
        severity=Severity.WARNING,
        thread=f"{due.what}.{due.of}.{due.name}",
        model=due.name if due.what == "drill" else "",
        title=f"{name}: a {due.what} is overdue",
        happened=f"The {due.what} of {name} is overdue{f' since {due.due[:10]}' if due.due else ''}. {last}",
        done="Nothing moves by it.",
        asked=f"Do it: {due.next_command}",
        matter=Matter.OPEN,
        page=page,
        audience=Audience(people=(due.by,) if due.by else (), functions=functions, owners=owned),
    )
