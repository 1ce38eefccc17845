"""What the organisation in force lets people do, puts on a plan, and asks for after a breach."""

from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from glideslope.domain.consent import unapproved, unsigned
from glideslope.domain.decision import Decision, RollBack
from glideslope.domain.draft import Draft
from glideslope.domain.errors import AgreementInvalid, Conflict, NotEntitled, OwnerUnknown, ProofTooOld
from glideslope.domain.events import Escalated, rfc3339
from glideslope.domain.evidence import Evidence
from glideslope.domain.governing.approval import Need, together
from glideslope.domain.governing.calendar import Calendar
from glideslope.domain.governing.envelope import Envelope
from glideslope.domain.governing.envelope.document import LONGEST
from glideslope.domain.governing.governed import Governed, Lane
from glideslope.domain.governing.incident import OPENING, open_incident
from glideslope.domain.governing.organisation import BREACH, DAY, Organisation, Proving, Right
from glideslope.domain.governing.tiers import tighten
from glideslope.domain.identity import Means, Proved
from glideslope.domain.ids import Actor, ModelName, RolloutId
from glideslope.domain.rollout import Phase, Rollout
from glideslope.engine.agreed import Agreed
from glideslope.engine.calendars import HolidaysOf, check_zone, no_holidays
from glideslope.engine.enveloping import speaking
from glideslope.engine.record import Append, Record, incident_stream

_LASTING: Final = 3_650 * 86_400_000
"""Milliseconds for which an approval counts where no tier says: ten years."""


class Governing:
    """Puts on people and plans what is in force. Where nothing is, nothing is asked."""

    def __init__(self, record: Record, agreed: Agreed, *, holidays: HolidaysOf = no_holidays) -> None:
        self._record = record
        self._agreed = agreed
        self._holidays = holidays

    @property
    def organisation(self) -> Organisation | None:
        """Return the organisation in force."""
        return self._agreed.organisation

    def require(self, actor: Actor, right: Right, *, to: str) -> None:
        """Let nobody do what the organisation does not let them. Raises NotEntitled."""
        organisation = self.organisation
        if organisation is not None and not organisation.may(actor, right):
            raise NotEntitled(actor=actor, needs=f"the right to {right.value} {to}")

    def authority(self, actor: Actor) -> tuple[str, ...] | UnsetType:
        """Return the functions in which somebody approves now; UNSET where no organisation is in force."""
        organisation = self.organisation
        return UNSET if organisation is None else organisation.authority(actor, now=self._record.now())

    def require_authority(self, actor: Actor, *, rollout: RolloutId) -> None:
        """Let nobody approve who has no function to do it in. Raises NotEntitled."""
        if self.authority(actor) == ():
            raise NotEntitled(
                actor=actor,
                needs="the right to review, in a function, and not to be away",
                next_command=f"glideslope show {rollout}",
            )

    def proving(self, model: ModelName) -> Proving | UnsetType:
        """Return how somebody must have proved who they are to approve a change of a model; UNSET where nothing is asked."""
        organisation = self.organisation
        tier = organisation.tier_of(model) if organisation is not None else None
        return UNSET if tier is None else tier.proving

    def require_proof(self, model: ModelName, proved: Proved | None) -> None:
        """Let nobody approve who did not prove who they are as the model's tier asks. Raises ProofTooOld."""
        proving = self.proving(model)
        if not isinstance(proving, UnsetType) and proving.lacks(proved):
            raise ProofTooOld(within=proving.within, by=proving.by, had=_had(proved))

    def proved_by(self, model: ModelName, proved: Proved | None) -> Means | UnsetType:
        """Return what the record says of a proof: by what, where the model's tier asks for one."""
        asked = not isinstance(self.proving(model), UnsetType)
        return proved.means if asked and proved is not None else UNSET

    def strict(self, draft: Draft) -> tuple[Draft, tuple[str, ...]]:
        """Return a draft as strict as its model's tier asks, with a sentence for each change."""
        organisation = self.organisation
        tier = organisation.tier_of(draft.model) if organisation is not None else None
        return (draft, ()) if tier is None else tighten(draft, tier)

    def governed(self, draft: Draft, *, makers: Collection[Actor]) -> Governed | UnsetType:
        """Return what governs a change that is proposed now. Raises OwnerUnknown, Conflict for sign-offs that nobody could give."""
        agreement, organisation = self._agreed.agreement, self.organisation
        if organisation is None or agreement is None or agreement.in_force is None:
            return UNSET
        if not organisation.is_reachable(draft.owner):
            raise OwnerUnknown(owner=draft.owner)
        tier = organisation.tier_of(draft.model)
        makers = {*makers, *self._makers(draft)}
        breach = self.open_breach(draft.model)
        needs = together(tier.approvals if tier else (), BREACH if breach else ())
        _check_possible(organisation, needs)
        return Governed(
            organisation=agreement.in_force.digest,
            tier=tier.name if tier else "",
            needs=needs,
            valid_for=tier.valid_for if tier else _LASTING,
            makers=tuple(sorted(makers)),
            policy=self._agreed.policy or UNSET,
            after_breach=breach.id if breach else UNSET,
            envelope=speaking(self._agreed, draft.model, tier.name if tier else "", now=self._record.now()),
        )

    def _makers(self, draft: Draft) -> tuple[Actor, ...]:
        """Return who had a part in making the candidate, as far as its facts say."""
        model = self._record.find_model(draft.model)
        facts = None if model is None else model.facts.get(draft.candidate)
        if facts is None or isinstance(facts.makers, UnsetType):
            return ()
        return tuple(sorted(facts.makers.everybody()))

    def open_breach(self, model: ModelName) -> Rollout | None:
        """Return the last attempt with a model if it ended by a breach: what follows it needs sign-offs of its own."""
        of_model = [r for r in self._record.rollouts() if r.plan.model == model]
        for rollout in reversed(of_model):
            if rollout.phase is Phase.PROMOTED:
                return None
            if rollout.phase in (Phase.ROLLED_BACK, Phase.ROLLING_BACK):
                reasons = rollout.last.reasons if rollout.last is not None else ()
                if OPENING.intersection(reasons) or self._limit_stands(rollout):
                    return rollout
        return None

    def _limit_stands(self, rollout: Rollout) -> bool:
        """Tell whether a limit broke that nobody signed off: rolling back by hand and proposing again does not leave that behind."""
        governed = rollout.plan.governed
        if isinstance(governed, UnsetType):
            return rollout.limit_broken_at is not None
        return bool(unsigned(rollout, governed, now=rollout.changed_at))

    def incident(self, rollout: Rollout, decision: Decision, evidence: Evidence, *, at: int) -> tuple[Append, ...]:
        """Return what a rollback for cause of a governed rollout opens, to be recorded with it."""
        if isinstance(rollout.plan.governed, UnsetType) or not isinstance(decision, RollBack):
            return ()
        step = rollout.step.name if rollout.step else ""
        lasted = at - rollout.proposed_at
        event = open_incident(rollout.id, rollout.plan, decision, evidence, step=step, lasted=lasted)
        stream = incident_stream(rollout.id)
        return () if event is None else (Append(stream=stream, expected=0, events=(event,), key=f"{stream}/opened"),)

    def escalation(self, rollout: Rollout, *, lane: Callable[[Rollout], Lane | UnsetType]) -> Escalated | None:
        """Return whom to tell now that a sign-off has been missing for so long; None when nobody is due."""
        governed, organisation = rollout.plan.governed, self.organisation
        if isinstance(governed, UnsetType) or organisation is None or not organisation.escalations:
            return None
        now = self._record.now(rollout.id)
        waited = now - rollout.proposed_at
        due = [e for e in organisation.escalations if rollout.escalated < e.after <= waited]
        if rollout.phase is not Phase.PROPOSED or not due:
            return None
        lacking = unapproved(rollout, governed, now=now, lane=lane(rollout))
        last = max(due, key=lambda e: e.after)
        return Escalated(to=last.to, needs=lacking, after=last.after) if lacking else None

    def check(self, agreed: msgspec.Struct) -> None:
        """Refuse what only the world outside shows to be impossible: zones and holidays. Raises AgreementInvalid."""
        if isinstance(agreed, Calendar):
            check_zone(agreed, self._holidays, year=instant_year(self._record.now()))
        if isinstance(agreed, Envelope) and self.organisation is not None:
            self._check_envelope(agreed, self.organisation)

    def _check_envelope(self, envelope: Envelope, organisation: Organisation) -> None:
        """Refuse an envelope that would never, or for ever, or not alone speak for its models. Raises AgreementInvalid."""
        now = self._record.now()
        if not now < envelope.until <= now + LONGEST:
            _refuse(
                "until", f"it ends later than now, and within {LONGEST // DAY} days: {rfc3339(envelope.until)} does not"
            )
        tiers = {tier.name for tier in organisation.tiers}
        for number, tier in enumerate(envelope.tiers):
            if tier not in tiers:
                _refuse(f"tiers.{number}", f"the organisation has no tier {tier!r}")
        for where in ("falls_away", "remains"):
            for number, need in enumerate(getattr(envelope, where)):
                able = [p for p in organisation.people if Right.REVIEW in p.rights and need.function in p.functions]
                if len(able) < need.count:
                    _refuse(f"{where}.{number}", f"only {len(able)} may review as {need.function!r}")
        for other in self._agreed.in_force("envelope", Envelope):
            both = _overlap(envelope, other, organisation)
            if other.name != envelope.name and now < other.until and both:
                _refuse(
                    both[0], f"the envelope {other.name!r} speaks for {both[1]} already; of two neither would count"
                )


def _overlap(one: Envelope, other: Envelope, organisation: Organisation) -> tuple[str, str] | None:
    """Return where one envelope names what another speaks for already, and what that is."""
    for number, model in enumerate(one.models):
        tier = organisation.tier_of(model)
        if other.speaks_for(model, tier.name if tier else ""):
            return f"models.{number}", model
    for number, name in enumerate(one.tiers):
        of_tier = [m for m in other.models if (tier := organisation.tier_of(m)) is not None and tier.name == name]
        if name in other.tiers or of_tier:
            return f"tiers.{number}", f"tier {name}" if name in other.tiers else of_tier[0]
    return None


def _refuse(where: str, sentence: str) -> None:
    raise AgreementInvalid(sentence, where=where)


def instant_year(now: int) -> int:
    """Return the year of an instant, UTC."""
    return datetime.fromtimestamp(now / 1000, UTC).year


def _check_possible(organisation: Organisation, needs: Iterable[Need]) -> None:
    able = [f for p in organisation.people if Right.REVIEW in p.rights for f in p.functions]
    lacking = sorted(need.function for need in needs if able.count(need.function) < need.count)
    if lacking:
        raise Conflict(
            f"This needs approval by {', '.join(lacking)}, and the organisation has too few people who may give it. "
            "Add them to it first.",
            next_command="glideslope agree show organisation",
        )


def _had(proved: Proved | None) -> str:
    if proved is None:
        return "none"
    since = "nobody knows how long ago" if proved.ago is None else f"{proved.ago / 60_000:.0f} minutes ago"
    return f"a {proved.means.value}, {since}"
