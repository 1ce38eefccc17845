"""Agreements and permissions as interfaces show them: plain values, nothing that acts."""

from collections.abc import Iterator, Sequence

import msgspec

from glideslope.domain.consent import closed, counting, lent, unapproved
from glideslope.domain.events import rfc3339
from glideslope.domain.governing.agreement import Agreement, Edition
from glideslope.domain.governing.approval import Need
from glideslope.domain.governing.edits import told
from glideslope.domain.governing.envelope import Classification
from glideslope.domain.governing.governed import Block, Governed, Lane, Permit
from glideslope.domain.governing.incident import Incident
from glideslope.domain.governing.kinds import kind_of, restored
from glideslope.domain.governing.organisation import Organisation, Owned, Proving
from glideslope.domain.governing.policy import Policy
from glideslope.domain.governing.policy.wording import asked, because, word
from glideslope.domain.ids import Digest
from glideslope.domain.rollout import Rollout


class NeedView(msgspec.Struct, frozen=True, kw_only=True):
    """So many approvals by people of a function."""

    function: str
    count: int


class GrantView(msgspec.Struct, frozen=True, kw_only=True):
    """An approval, in which functions it was given, and until when it counts."""

    by: str
    functions: tuple[str, ...]
    at: str
    until: str
    """Empty for an agreement, where answers do not expire."""


class EditionView(msgspec.Struct, frozen=True, kw_only=True):
    """A document as it was tabled."""

    digest: str
    text: str
    by: str
    why: str
    at: str
    granted: tuple[GrantView, ...]
    denied: tuple[str, ...]


class AgreementView(msgspec.Struct, frozen=True, kw_only=True):
    """An agreement: what is in force, and what waits for answers."""

    of: str
    name: str
    in_force: EditionView | None
    since: str
    reviewed_at: str
    tabled: EditionView | None
    needs: tuple[NeedView, ...]
    """Whose yes is still missing to what is tabled."""
    former: tuple[str, ...]
    """Digests of what was in force before, oldest first."""
    differences: tuple[str, ...] = ()
    """What is tabled changes about what is in force, each with the way in which it goes: `stricter`, `looser`, `other`.

    Where nothing is in force yet, all that it says, each as `new`.
    """
    tag: str = ""


class ClauseView(msgspec.Struct, frozen=True, kw_only=True):
    """A clause of an envelope and what it answered."""

    clause: str
    answer: str
    """`pass`, `fail` or `no-evidence`."""
    why: str


class LaneView(msgspec.Struct, frozen=True, kw_only=True):
    """How an envelope classifies a change, and what people must still approve."""

    envelope: str
    """Its name; empty where the one that spoke for it is in force no more."""
    digest: str
    inside: bool
    left: tuple[ClauseView, ...]
    """The clauses that it left, or that were not shown to hold."""
    held: tuple[ClauseView, ...]
    """The clauses that were shown to hold, as far as they are told here."""
    closed: str
    """Why the approvals that were given with the envelope do not count; empty where they do."""
    given: tuple[GrantView, ...]
    """Those that do."""
    missing: tuple[NeedView, ...]
    """Who must still approve it."""


class RuleView(msgspec.Struct, frozen=True, kw_only=True):
    """A rule of a policy that does not let a change go on, in words."""

    rule: str
    answer: str
    """`fail` or `no-evidence`."""
    why: str
    """What it found, or for want of what it was not shown."""
    asks: str
    mend: str


class VoidView(msgspec.Struct, frozen=True, kw_only=True):
    """An approval that was given, and why it does not count now."""

    by: str
    functions: tuple[str, ...]
    at: str
    why: str


class ProvingView(msgspec.Struct, frozen=True, kw_only=True):
    """How somebody must have proved who they are, to approve it or to break its glass."""

    within: float
    """Seconds."""
    by: tuple[str, ...]


class GovernedView(msgspec.Struct, frozen=True, kw_only=True):
    """Under which rules a rollout stands, and what is missing at this moment."""

    tier: str
    needs: tuple[NeedView, ...]
    missing: tuple[NeedView, ...]
    approvals: tuple[GrantView, ...]
    """Those that count now."""
    makers: tuple[str, ...]
    withdrawn: tuple[str, ...]
    after_breach: str
    """The earlier attempt whose breach asks for sign-offs; empty otherwise."""
    glass: str
    """In words: nobody asked, somebody asks, broken until when and by whom, owes a review; empty for nothing."""
    blocks: tuple[str, ...]
    """What does not permit it at this moment, as sentences: rules, freezes, its turn."""
    policy: str
    """Digest of the policy that must permit it; empty where none is in force."""
    lane: LaneView | None = None
    """How it is classified at this moment; None where no envelope spoke for it when it was proposed."""
    rules: tuple[RuleView, ...] = ()
    """Those among `blocks` that are rules of a policy, with what each asks."""
    asked: int = 0
    """How many rules the policies in force have."""
    void: tuple[VoidView, ...] = ()
    """Approvals that were given and do not count now."""
    glass_asked_by: str = ""
    """Who asks to break the glass while a second person must agree; empty otherwise."""
    glass_owed_by: tuple[str, ...] = ()
    """Who broke it, while somebody else must review that."""
    proving: ProvingView | None = None
    """None where being signed in is enough."""
    change: str = ""
    """Digest of all that people are asked to agree on at this moment; empty where that is not known."""


class BreachView(msgspec.Struct, frozen=True, kw_only=True):
    """A guardrail that broke."""

    metric: str
    slice: str
    wealth: float
    line: float
    candidate: int
    incumbent: int


class RemedyView(msgspec.Struct, frozen=True, kw_only=True):
    """Something to be done, by somebody, until a day."""

    what: str
    owner: str
    due: str
    done: bool


class IncidentView(msgspec.Struct, frozen=True, kw_only=True):
    """What a breach measured, what people make of it, and what is lacking before it can be closed."""

    rollout: str
    model: str
    incumbent: str
    candidate: str
    opened_at: str
    sentences: tuple[str, ...]
    breaches: tuple[BreachView, ...]
    step: str
    exposed: int
    lasted_seconds: float
    gap: str
    hypotheses: tuple[str, ...]
    remedies: tuple[RemedyView, ...]
    lacking: tuple[str, ...]
    closed_by: str
    """Empty while it is open."""
    closed_at: str
    tag: str = ""
    """Stands for what an act on it rests on; so does the one of an agreement."""


class OwnedView(msgspec.Struct, frozen=True, kw_only=True):
    """A thing and who owns it."""

    kind: str
    name: str
    owner: str
    reach: str
    """Where its owner is told; empty for a person."""


def agreement_view(agreement: Agreement, *, needs: tuple[Need, ...]) -> AgreementView:
    """Return an agreement as it is shown."""
    held = agreement.in_force
    return AgreementView(
        of=agreement.of,
        name=agreement.name,
        in_force=None if held is None else _edition(held),
        since=rfc3339(agreement.since) if held else "",
        reviewed_at=rfc3339(agreement.reviewed_at) if held else "",
        tabled=None if agreement.tabled is None else _edition(agreement.tabled),
        needs=_needs(needs),
        former=tuple(e.digest for e in agreement.former),
        differences=_differences(agreement),
    )


def _differences(agreement: Agreement) -> tuple[str, ...]:
    if agreement.tabled is None:
        return ()
    kind, after = kind_of(agreement.of), restored(agreement.of, agreement.tabled.document)
    if agreement.in_force is None:
        return tuple(f"new: {' '.join(part for part in (s.about, s.sentence) if part)}" for s in kind.says(after))
    return tuple(told(kind.changes(restored(agreement.of, agreement.in_force.document), after)))


def governed_view(
    rollout: Rollout,
    *,
    now: int,
    reviewed: bool,
    permit: Permit | msgspec.UnsetType,
    policies: Sequence[Policy],
    proving: Proving | msgspec.UnsetType = msgspec.UNSET,
) -> GovernedView | None:
    """Return what governs a rollout, as of `now`; None where nothing does. `policies` are those that gave the permit."""
    governed = rollout.plan.governed
    if not isinstance(governed, Governed):
        return None
    glass = rollout.glass
    change, lane = (permit.change, permit.lane) if isinstance(permit, Permit) else (msgspec.UNSET, msgspec.UNSET)
    return GovernedView(
        tier=governed.tier,
        needs=_needs(governed.needs),
        missing=_needs(unapproved(rollout, governed, now=now, change=change, lane=lane)),
        approvals=tuple(
            GrantView(by=a.by, functions=a.functions, at=rfc3339(a.at), until=rfc3339(a.at + governed.valid_for))
            for a in counting(rollout, governed, now=now, change=change)
        ),
        makers=governed.makers,
        withdrawn=tuple(sorted(rollout.withdrawn)),
        after_breach=governed.after_breach or "",
        glass=_glass(rollout, now=now, reviewed=reviewed),
        blocks=_blocks(permit),
        policy=governed.policy or "",
        lane=lane_view(rollout, governed, lane, msgspec.UNSET, now=now, change=change),
        rules=tuple(_rules(permit, policies)),
        asked=sum(len(policy.rules) for policy in policies),
        void=tuple(_void(rollout, governed, now=now, change=change)),
        glass_asked_by="" if glass is None or glass.second is not None else glass.asked.by,
        glass_owed_by=() if glass is None or reviewed else tuple(sorted(glass.breakers)),
        proving=None
        if isinstance(proving, msgspec.UnsetType)
        else ProvingView(within=proving.within / 1000, by=tuple(means.value for means in proving.by)),
        change=change or "",
    )


def _rules(permit: Permit | msgspec.UnsetType, policies: Sequence[Policy]) -> Iterator[RuleView]:
    """Say of each rule that blocks what it asks. Where policies name rules alike, all of that name are told."""
    for block in () if isinstance(permit, msgspec.UnsetType) else permit.blocks:
        rules = [rule for policy in policies for rule in policy.rules if rule.id == block.rule]
        if rules:
            yield RuleView(
                rule=block.rule,
                answer=block.answer.value,
                why=block.why,
                asks=" ".join(dict.fromkeys(asked(rule) for rule in rules)),
                mend=" ".join(dict.fromkeys(rule.mend() for rule in rules)),
            )


def _void(rollout: Rollout, governed: Governed, *, now: int, change: Digest | msgspec.UnsetType) -> Iterator[VoidView]:
    """Say of each approval that does not count why: it was of something else, its time is over, its giver may not approve."""
    count = counting(rollout, governed, now=now, change=change)
    of_any = counting(rollout, governed, now=now)
    for a in rollout.approvals:
        if a in count:
            continue
        if a in of_any or a.digest != rollout.plan_digest:
            why = "the change is no longer what was approved"
        elif now - a.at >= governed.valid_for:
            why = f"it counted until {rfc3339(a.at + governed.valid_for)}"
        else:
            why = f"{a.by} may not approve it"
        yield VoidView(by=a.by, functions=a.functions, at=rfc3339(a.at), why=why)


def lane_view(
    rollout: Rollout,
    governed: Governed,
    lane: Lane | msgspec.UnsetType,
    found: Classification | msgspec.UnsetType,
    *,
    now: int,
    change: Digest | msgspec.UnsetType,
) -> LaneView | None:
    """Return how a rollout is classified, as it is shown; None where no envelope speaks for it."""
    if isinstance(lane, msgspec.UnsetType):
        return None
    shut = closed(rollout, governed, lane, now=now, change=change)
    held = () if isinstance(found, msgspec.UnsetType) else (a for a in found.answers if not a.blocks)
    return LaneView(
        envelope=lane.name,
        digest=lane.envelope,
        inside=not lane.left,
        left=tuple(ClauseView(clause=b.rule, answer=b.answer.value, why=b.why) for b in lane.left),
        held=tuple(ClauseView(clause=a.rule, answer=word(a.outcome), why="; ".join(because(a.outcome))) for a in held),
        closed=shut,
        given=()
        if shut
        else tuple(
            GrantView(by=a.by, functions=a.functions, at=rfc3339(a.at), until="") for a in lent(rollout, governed, lane)
        ),
        missing=_needs(unapproved(rollout, governed, now=now, change=change, lane=lane)),
    )


def block_sentence(block: Block) -> str:
    """Say what does not permit a change, and why."""
    return f"{block.rule}: {block.why} ({block.answer.value})"


def _blocks(permit: Permit | msgspec.UnsetType) -> tuple[str, ...]:
    if isinstance(permit, msgspec.UnsetType):
        return ("whether it is permitted is not known",)
    told = [block_sentence(block) for block in permit.blocks]
    if permit.window:
        told.append(f"{permit.window.name}, until {rfc3339(permit.window.until)} ({permit.window.asks.value})")
    return tuple(told)


def _glass(rollout: Rollout, *, now: int, reviewed: bool) -> str:
    glass = rollout.glass
    if glass is None:
        return ""
    asks = f"{glass.asked.by} asks to break the glass ({glass.asked.emergency.value}); a second person must agree"
    if not glass.broken:
        return asks
    state = f"broken until {rfc3339(glass.until)}" if glass.passes(now) else "was broken"
    review = "reviewed" if reviewed else "owes a review"
    told = f"{state} by {' and '.join(sorted(glass.breakers))} ({glass.asked.emergency.value}); {review}"
    return told if glass.second is not None else f"{told}; {asks}"


def incident_view(incident: Incident) -> IncidentView:
    """Return an incident as it is shown."""
    opened = incident.opened
    return IncidentView(
        rollout=opened.rollout,
        model=opened.model,
        incumbent=opened.incumbent,
        candidate=opened.candidate,
        opened_at=rfc3339(incident.opened_at),
        sentences=tuple(r.sentence for r in opened.reasons),
        breaches=tuple(
            BreachView(
                metric=b.metric,
                slice=b.slice,
                wealth=b.wealth,
                line=b.line,
                candidate=b.candidate,
                incumbent=b.incumbent,
            )
            for b in opened.breaches
        ),
        step=opened.step,
        exposed=opened.exposed,
        lasted_seconds=opened.lasted / 1000,
        gap=incident.gap,
        hypotheses=incident.hypotheses,
        remedies=tuple(RemedyView(what=r.what, owner=r.owner, due=r.due, done=r.done) for r in incident.remedies),
        lacking=() if incident.closed_by else incident.lacking,
        closed_by=incident.closed_by or "",
        closed_at=rfc3339(incident.closed_at) if incident.closed_by else "",
        tag=str(incident.version),
    )


def owned_view(thing: Owned, organisation: Organisation) -> OwnedView:
    """Return a thing with where its owner is reached."""
    reach = next((t.reach for t in organisation.teams if t.name == thing.owner), "")
    return OwnedView(kind=thing.kind.value, name=thing.name, owner=thing.owner, reach=reach)


def _edition(edition: Edition) -> EditionView:
    return EditionView(
        digest=edition.digest,
        text=edition.text,
        by=edition.by,
        why=edition.why,
        at=rfc3339(edition.at),
        granted=tuple(GrantView(by=a.by, functions=a.functions, at=rfc3339(a.at), until="") for a in edition.granted),
        denied=tuple(sorted(edition.denied)),
    )


def _needs(needs: tuple[Need, ...]) -> tuple[NeedView, ...]:
    return tuple(NeedView(function=n.function, count=n.count) for n in needs)
