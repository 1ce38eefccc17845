"""Which envelope speaks for a change, how it classifies it, and whose approval it brings."""

from dataclasses import dataclass

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from glideslope.domain.governing.agreement import Agreement, Edition, agreement_digest
from glideslope.domain.governing.approval import Approval
from glideslope.domain.governing.dossier import Dossier, proof_of
from glideslope.domain.governing.envelope import Classification, Envelope, Standing, classify
from glideslope.domain.governing.envelope.wording import blocks
from glideslope.domain.governing.governed import Answered, Block, Governed, Lane
from glideslope.domain.governing.kinds import document_of
from glideslope.domain.ids import Actor, Digest, ModelName
from glideslope.domain.plan import Plan
from glideslope.engine.agreed import Agreed

Spoken = tuple[Agreement, Envelope]


@dataclass(frozen=True, slots=True)
class Classified:
    """How a change is classified at one moment."""

    lane: Lane | UnsetType = UNSET
    """UNSET where no envelope spoke for it when it was proposed."""
    found: Classification | UnsetType = UNSET
    """What the envelope answered; UNSET where it is in force no more, so that nothing was asked."""


def speaking(agreed: Agreed, model: ModelName, tier: str, *, now: int) -> Digest | UnsetType:
    """Return the envelope that speaks for a model: one that has not ended before one that has, and then by name."""
    found = agreed.envelopes(model, tier)
    chosen = min(found, key=lambda each: (each[1].until <= now, each[0].name), default=None)
    return UNSET if chosen is None or chosen[0].in_force is None else chosen[0].in_force.digest


def classified(agreed: Agreed, governed: Governed, dossier: Dossier) -> Classified:
    """Classify a change by the edition of the envelope that spoke for it when it was proposed, as far as that is in force."""
    if isinstance(governed.envelope, UnsetType):
        return Classified()
    spoken = agreed.envelopes(dossier.change.model, governed.tier)
    for agreement, envelope in spoken:
        if agreement.in_force is not None and agreement.in_force.digest == governed.envelope:
            others = tuple(
                other.name for other, its in spoken if other.name != agreement.name and dossier.now < its.until
            )
            return by_envelope(envelope, agreement.in_force, dossier, reviewed_at=agreement.reviewed_at, others=others)
    why = "the envelope that spoke for it when it was proposed is in force no more; propose it again to be classified anew"
    gone = Block(rule="envelope", answer=Answered.FAIL, why=why)
    return Classified(Lane(envelope=governed.envelope, name="", left=(gone,)))


def by_envelope(
    envelope: Envelope, edition: Edition, dossier: Dossier, *, reviewed_at: int, others: tuple[str, ...] = ()
) -> Classified:
    """Classify a change by an edition of an envelope."""
    standing = Standing(envelope=edition.digest, name=envelope.name, reviewed_at=reviewed_at, others=others)
    found = classify(envelope, standing, dossier)
    lane = Lane(
        envelope=edition.digest,
        name=envelope.name,
        given=tuple(_given(envelope, edition)),
        falls_away=envelope.falls_away,
        remains=envelope.remains,
        left=blocks(found),
    )
    return Classified(lane, found)


def as_if_agreed(envelope: Envelope, dossier: Dossier, plan: Plan) -> Classified:
    """Classify a change by an envelope that is not in force, as if all whose approval falls away had agreed to it now."""
    if not isinstance(dossier.plan, UnsetType):
        # It is told of a plan where an envelope spoke for it, which this one did not.
        dossier = replace(dossier, plan=replace(dossier.plan, proof=proof_of(plan)))
    document, now = document_of(envelope), dossier.now
    yeses = tuple(
        Approval(
            by=Actor(f"{need.function} {k + 1}"), digest=agreement_digest(document), functions=(need.function,), at=now
        )
        for need in envelope.falls_away
        for k in range(need.count)
    )
    edition = Edition(
        digest=agreement_digest(document), document=document, text="", by=Actor(""), why="", at=now, granted=yeses
    )
    return by_envelope(envelope, edition, dossier, reviewed_at=now)


def _given(envelope: Envelope, edition: Edition) -> list[Approval]:
    """Return the yeses with which it was agreed on, each in the functions whose approval falls away."""
    functions = {need.function for need in envelope.falls_away}
    found = (
        replace(each, functions=tuple(f for f in each.functions if f in functions))
        for each in sorted(edition.granted, key=lambda each: each.by)
    )
    return [each for each in found if each.functions]
