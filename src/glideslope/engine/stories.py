"""Events as sentences: what a person reads in a terminal, on a page, in an announcement."""

from typing import assert_never

from msgspec import UnsetType

from glideslope.domain.budget import Measure
from glideslope.domain.decision import Advance, Decision, Finding, Hold, Promote, Question, RollBack, Verdict
from glideslope.domain.doubt import Aside
from glideslope.domain.doubt import sentence as doubted
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
    rfc3339,
)
from glideslope.domain.governing.agreement import (
    AgreementAnswered,
    AgreementEvent,
    AgreementInForce,
    AgreementReviewed,
    AgreementTabled,
)
from glideslope.domain.governing.drill import DrillBegun, DrillEnded, DrillEvent, DrillTold
from glideslope.domain.governing.examined import Examined
from glideslope.domain.governing.glass import GlassAsked, GlassBroken, GlassEvent, GlassReviewed
from glideslope.domain.governing.governed import Permit
from glideslope.domain.governing.incident import IncidentClosed, IncidentEvent, IncidentNoted, IncidentOpened
from glideslope.domain.ids import MACHINE, WHOLE, Actor
from glideslope.domain.plan import Plan
from glideslope.domain.reasons import Reason
from glideslope.domain.recomputation import sentence as differing
from glideslope.domain.said import Judged, MoreAsked, Replied, SaidEvent


def sentence(event: Event, *, plan: Plan | None) -> str:
    """Return one event as a sentence; only a decision needs its rollout's plan for it."""
    if isinstance(event, AgreementEvent):
        return agreed(event)
    if isinstance(event, GlassEvent):
        return _glass(event)
    if isinstance(event, IncidentEvent):
        return incident(event)
    if isinstance(event, Examined):
        return _examined(event)
    if isinstance(event, Approved | Withdrawn | Escalated | SaidEvent):
        return _answered(event)
    if isinstance(event, PersonDescribed | PersonErased):
        return _of_person(event)
    match event:
        case Proposed(by=by, plan=proposed, learned=learned):
            wanted = f"{by} proposes {proposed.model} {proposed.incumbent} -> {proposed.candidate}: {proposed.why}"
            return f"{wanted} {learned}".strip()
        case Decided(decision=decision, by=by, why=why):
            ordered = f" Ordered by {by}: {why}" if by != MACHINE else ""
            said = decision.__class__.__name__ if plan is None else decided(decision, plan=plan)
            return f"{said}{_left(event)}{ordered}"
        case Halted(by=by, why=why):
            return f"{by} halts it; nobody is exposed. {why}"
        case Resumed(by=by, why=why, aside=aside):
            return f"{by} resumes it. {why}{_set_aside(aside or ())}"
        case Lapsed() | Confirmed() | Closed():
            return _observed(event)
        case Registered() | Installed() | ContractAgreed() | FactsRecorded() | GlassReviewed():
            return of_model(event)
        case DrillBegun() | DrillEnded() | DrillTold() | AdvisoriesRecorded():
            return of_upkeep(event)
        case _:
            assert_never(event)


def _examined(event: Examined) -> str:
    told = (
        f"{len(event.answers)} rules answered about {event.rollout}; {sum(a.blocks for a in event.answers)} block it."
    )
    found = event.classified
    if isinstance(found, UnsetType):
        return told
    left = ", ".join(answer.rule for answer in found.left)
    return f"{told} It is {f'outside {found.standing.name} by {left}' if left else f'inside {found.standing.name}'}."


def _left(event: Decided) -> str:
    """Return by what a change waits for people that an envelope could have brought in, each with both values."""
    permit = event.evidence.permit
    if not isinstance(permit, Permit) or isinstance(permit.lane, UnsetType) or not permit.lane.left:
        return ""
    if not {Reason.AWAITING_APPROVAL, Reason.ENVELOPE_LEFT}.intersection(event.decision.reasons):
        return ""
    return " Outside its envelope: " + "; ".join(f"{block.rule}: {block.why}" for block in permit.lane.left) + "."


def _answered(event: Approved | Withdrawn | Escalated | SaidEvent) -> str:
    match event:
        case MoreAsked() | Replied() | Judged():
            return _said(event)
        case Approved(by=by, granted=True, why=why, functions=functions):
            return f"{by} approves{_in(functions or ())}: {why}"
        case Approved(by=by, why=why):
            return f"{by} denies: {why}"
        case Withdrawn(by=by, why=why):
            return f"{by} takes the approval back: {why}"
        case Escalated(to=to, needs=needs):
            return f"Still missing: {', '.join(n.function for n in needs)}. {', '.join(to)} should know."
        case _:
            assert_never(event)


def _said(event: SaidEvent) -> str:
    match event:
        case MoreAsked(by=by, why=why, functions=functions):
            return f"{by} asks for more{_in(functions or ())}: {why}"
        case Replied(by=by, why=why):
            return f"{by} replies to what was asked: {why}"
        case Judged(by=by, about=about, why=why):
            return f"{by} judges {', '.join(about)} and lets it go on as it is: {why}"
        case _:
            assert_never(event)


def incident(event: IncidentEvent) -> str:
    """Return one event of an incident as a sentence."""
    match event:
        case IncidentOpened(rollout=rollout, candidate=candidate, exposed=exposed, reasons=reasons):
            why = " ".join(r.sentence for r in reasons)
            return f"{rollout} of {candidate} was rolled back after {exposed:,} subjects met it. {why}"
        case IncidentNoted(by=by, why=why):
            return f"{by} notes: {why}"
        case IncidentClosed(by=by, why=why):
            return f"{by} closes it: {why}"
        case _:
            assert_never(event)


def of_upkeep(event: DrillEvent | AdvisoriesRecorded) -> str:
    """Return what was practised, or recorded of weaknesses, as a sentence."""
    match event:
        case AdvisoriesRecorded(by=by, advisories=known, why=why):
            return f"{by} records {len(known.entries):,} advisories of {known.source}: {why}"
        case DrillBegun(drill=kind, by=by, why=why):
            return f"{by} asks for a {kind.value} drill: {why}"
        case DrillEnded(passed=True, restored_in=float(took)):
            return f"The drill passed: all traffic was back after {took:.0f} ms."
        case DrillEnded(why=why):
            return f"The drill failed: {why}"
        case DrillTold(drill=named, by=by, passed=passed, why=why):
            return f"{by} tells of a {named} drill that {'passed' if passed else 'failed'}: {why}"
        case _:
            assert_never(event)


def _glass(event: GlassEvent) -> str:
    match event:
        case GlassAsked(by=by, emergency=emergency, lasting=lasting, why=why):
            return f"{by} asks to break the glass for {lasting / 60_000:g} minutes ({emergency.value}): {why}"
        case GlassBroken(by=by, until=until, why=why):
            return f"{by} agrees: THE GLASS IS BROKEN until {rfc3339(until)}. Somebody must review it. {why}"
        case _:
            assert_never(event)


def _observed(event: Lapsed | Confirmed | Closed) -> str:
    match event:
        case Lapsed(step=step, why=why):
            return f"The lease of {step} lapsed; all traffic returned to the incumbent by itself ({why})."
        case Confirmed(exposed=True, step=step, milliseconds=milliseconds):
            return f"The data plane confirms {step} after {milliseconds:.0f} ms."
        case Confirmed(milliseconds=milliseconds):
            return f"The data plane confirms it after {milliseconds:.0f} ms: nobody is exposed to a candidate."
        case Closed(count=count):
            return f"The story ends after {count} entries."
        case _:
            assert_never(event)


def _of_person(event: PersonDescribed | PersonErased) -> str:
    match event:
        case PersonDescribed(actor=actor, by=by):
            return f"{by} says who {actor} is."
        case PersonErased(actor=actor, by=by, why=why):
            return f"{by} erases who {actor} is: {why}"
        case _:
            assert_never(event)


def of_model(event: Registered | Installed | ContractAgreed | FactsRecorded | GlassReviewed) -> str:
    """Return what was recorded about a model as a sentence."""
    match event:
        case Registered(model=model, version=version, by=by, why=why):
            return f"{by} registers {model} {version}: {why}"
        case Installed(version=version, by=by, rollout=rollout, why=why):
            return f"{by} installs {version} as the incumbent{f' by {rollout}' if rollout else ''}: {why}"
        case ContractAgreed(contract=contract, by=by):
            return f"{by} registers the data contract {contract.short} of {len(contract.features)} features."
        case GlassReviewed(rollout=rollout, by=by, justified=justified, why=why):
            said = "justified" if justified else "not justified"
            return f"{by} reviewed the broken glass of {rollout} and calls it {said}: {why}"
        case FactsRecorded(facts=facts, by=by):
            return f"{by} records how {facts.model} {facts.version} was made, facts {facts.short}."
        case _:
            assert_never(event)


def agreed(event: AgreementEvent) -> str:
    """Return one event of an agreement as a sentence."""
    match event:
        case AgreementTabled(of=of, name=name, by=by, why=why):
            return f"{by} tables the {of} {name}: {why}"
        case AgreementAnswered(by=by, granted=granted, why=why, functions=functions):
            return f"{by} {'agrees' if granted else 'does not agree'}{_in(functions)}: {why}"
        case AgreementInForce(digest=digest):
            return f"{digest[:19]} is in force."
        case AgreementReviewed(by=by, why=why):
            return f"{by} stands by it: {why}"
        case _:
            assert_never(event)


def _in(functions: tuple[str, ...]) -> str:
    return f" as {', '.join(functions)}" if functions else ""


def decided(decision: Decision, *, plan: Plan) -> str:
    """Return a decision as a sentence, with the finding that carried it."""
    why = " ".join(reason.sentence for reason in decision.reasons)
    match decision:
        case Advance(to=to):
            step = plan.steps[to]
            share = f" ({step.candidate / 100:g}%)" if step.candidate else ""
            return f"Advance to {step.name} {step.stage.value}{share}. {why}"
        case Hold(exposed=True):
            return f"Hold. {why}{_lie(decision)}"
        case Hold():
            return f"Hold, nobody exposed. {why}{_cause(decision)}"
        case RollBack():
            return f"Roll back to {plan.incumbent}. {why}{_cause(decision)}"
        case Promote():
            return f"Promote {plan.candidate}. {why}"
        case _:
            assert_never(decision)


def cause(decision: Decision) -> Finding | None:
    """Return the finding that carried a decision against the candidate: the one furthest beyond its line."""
    bad = [f for f in decision.findings if f.verdict in (Verdict.FAIL, Verdict.INVALID)]
    return max(bad, key=lambda f: f.wealth - f.line, default=None)


def _cause(decision: Decision) -> str:
    found = cause(decision)
    if lie := _lie(decision):
        return lie
    if found is None:
        return ""
    where = "" if found.slice == WHOLE else f" on {found.slice}"
    if found.spending:
        return f" {budget_words(found)}"
    if found.question is Question.OFFLINE:
        return f" {found.subject}{where}, n {found.candidate:,}."
    return (
        f" {found.subject}{where}: evidence {found.wealth:.2f} of {found.line:.2f} nats, "
        f"{found.candidate:,} candidate and {found.incumbent:,} incumbent subjects."
    )


def budget_words(found: Finding) -> str:
    """Return how much of a harm budget is spent, as a sentence."""
    if not found.spending:
        return ""
    spending = found.spending
    what = "harmful outcomes" if spending.measure == Measure.COUNT else "more than the incumbent would have cost"
    return f"{found.subject}: {spending.spent:,.6g} {what} of {spending.size:,.6g}, n {found.candidate:,}."


def _lie(decision: Decision) -> str:
    """Return the first thing that a source said and that cannot be true."""
    told = (doubted(f.doubt) if f.doubt else differing(f.difference) if f.difference else "" for f in decision.findings)
    return next((f" {words}" for words in told if words), "")


def _set_aside(sources: tuple[Aside, ...]) -> str:
    names = ", ".join(f"{a.actor}/{a.source}" if a.actor else a.source for a in sources)
    return f" What {names} counted so far is set aside." if sources else ""


def actor_of(event: Event) -> Actor:
    """Return who did it; glideslope itself where nobody else did."""
    if isinstance(event, IncidentOpened | Examined | DrillEnded):
        return MACHINE
    if isinstance(event, AgreementEvent | GlassEvent | IncidentEvent | DrillEvent | AdvisoriesRecorded):
        return event.by
    if isinstance(event, GlassReviewed | SaidEvent):
        return event.by
    match event:
        case (
            Proposed()
            | Approved()
            | Decided()
            | Halted()
            | Resumed()
            | Registered()
            | Installed()
            | ContractAgreed()
            | FactsRecorded()
        ):
            return event.by
        case Withdrawn() | PersonDescribed() | PersonErased():
            return event.by
        case Lapsed() | Confirmed() | Closed() | Escalated():
            return MACHINE
        case _:
            assert_never(event)
