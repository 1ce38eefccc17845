"""What governs now: the organisation in force, the rules that it puts on a plan, and the permit that a decision rests on."""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from glideslope.domain.decide import unapproved
from glideslope.domain.decision import Decision, RollBack
from glideslope.domain.draft import Draft
from glideslope.domain.errors import AgreementInvalid, Conflict, NotEntitled, OwnerUnknown
from glideslope.domain.events import Escalated
from glideslope.domain.evidence import Evidence
from glideslope.domain.governing.agreement import ORGANISATION, Edition, agreement_digest
from glideslope.domain.governing.approval import Need, together
from glideslope.domain.governing.calendar import Calendar
from glideslope.domain.governing.dossier import Dossier, dossier_digest
from glideslope.domain.governing.examined import Examined
from glideslope.domain.governing.governed import Answered, Block, Governed, Permit
from glideslope.domain.governing.incident import open_incident
from glideslope.domain.governing.kinds import restored
from glideslope.domain.governing.organisation import BREACH, Organisation, Right
from glideslope.domain.governing.policy import Policy, examine
from glideslope.domain.governing.policy.wording import blocks as rules_that_block
from glideslope.domain.governing.tiers import tighten
from glideslope.domain.ids import Actor, Digest, ModelName, RolloutId
from glideslope.domain.reasons import Reason
from glideslope.domain.rollout import Phase, Rollout
from glideslope.engine.calendars import HolidaysOf, check_zone, no_holidays, queues, window
from glideslope.engine.dossiers import dossier
from glideslope.engine.record import Append, Record, examination_stream, incident_stream


class Governing:
    """Reads the agreements of the record. Without an organisation in force nothing is governed, as before there was any."""

    def __init__(self, record: Record, *, holidays: HolidaysOf = no_holidays) -> None:
        self._record = record
        self._holidays = holidays
        self._known: dict[Digest, Organisation] = {}
        self._read: dict[Digest, Calendar] = {}
        self._queued: tuple[tuple[int, int], Mapping[RolloutId, Block]] | None = None
        """Which proposals wait for their turn, and as of which entry and second."""
        self._policies: dict[Digest, Policy] = {}

    @property
    def organisation(self) -> Organisation | None:
        """Return the organisation in force."""
        agreement = self._record.agreement(ORGANISATION, ORGANISATION)
        if agreement is None or agreement.in_force is None:
            return None
        return self._organisation(agreement.in_force)

    def _organisation(self, edition: Edition) -> Organisation:
        if edition.digest not in self._known:
            found = restored(ORGANISATION, edition.document)
            if not isinstance(found, Organisation):
                raise TypeError(found)
            self._known[edition.digest] = found
        return self._known[edition.digest]

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

    def strict(self, draft: Draft) -> tuple[Draft, tuple[str, ...]]:
        """Return a draft as strict as its model's tier asks, with a sentence for each change."""
        organisation = self.organisation
        tier = organisation.tier_of(draft.model) if organisation is not None else None
        return (draft, ()) if tier is None else tighten(draft, tier)

    def governed(self, draft: Draft, *, makers: Collection[Actor]) -> Governed | UnsetType:
        """Return what governs a change that is proposed now. Raises OwnerUnknown, Conflict for sign-offs that nobody could give."""
        agreement = self._record.agreement(ORGANISATION, ORGANISATION)
        organisation = self.organisation
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
            policy=self.policy or UNSET,
            after_breach=breach.id if breach else UNSET,
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
                if _BROKEN.intersection(reasons) or self._limit_stands(rollout):
                    return rollout
        return None

    def _limit_stands(self, rollout: Rollout) -> bool:
        """Tell whether a limit broke that nobody signed off: rolling back by hand and proposing again does not leave that behind."""
        if rollout.limit_broken_at is None:
            return False
        governed = rollout.plan.governed
        if isinstance(governed, UnsetType):
            return True
        anew = replace(governed, needs=BREACH)
        return bool(unapproved(anew, rollout, since=rollout.limit_broken_at, now=rollout.changed_at))

    def incident(self, rollout: Rollout, decision: Decision, evidence: Evidence, *, at: int) -> tuple[Append, ...]:
        """Return what a rollback for cause of a governed rollout opens, to be recorded with it."""
        if isinstance(rollout.plan.governed, UnsetType) or not isinstance(decision, RollBack):
            return ()
        step = rollout.step.name if rollout.step else ""
        lasted = at - rollout.proposed_at
        event = open_incident(rollout.id, rollout.plan, decision, evidence, step=step, lasted=lasted)
        stream = incident_stream(rollout.id)
        return () if event is None else (Append(stream=stream, expected=0, events=(event,), key=f"{stream}/opened"),)

    def escalation(self, rollout: Rollout) -> Escalated | None:
        """Return whom to tell now that a sign-off has been missing for so long; None when nobody is due."""
        governed, organisation = rollout.plan.governed, self.organisation
        if isinstance(governed, UnsetType) or organisation is None or not organisation.escalations:
            return None
        now = self._record.now(rollout.id)
        waited = now - rollout.proposed_at
        due = [e for e in organisation.escalations if rollout.escalated < e.after <= waited]
        if rollout.phase is not Phase.PROPOSED or not due:
            return None
        lacking = unapproved(governed, rollout, since=0, now=now)
        last = max(due, key=lambda e: e.after)
        return Escalated(to=last.to, needs=lacking, after=last.after) if lacking else None

    def permit(self, rollout: Rollout) -> Permit | UnsetType:
        """Return what governance says about a rollout at this moment; UNSET where nothing governs it, or nothing is known."""
        outrun = self._outrun(rollout) if rollout.phase is Phase.PROPOSED else None
        if isinstance(rollout.plan.governed, UnsetType):
            return UNSET if outrun is None else Permit(blocks=(outrun,))
        try:
            calendars = self.calendars
            found = window(calendars, rollout, now=self._record.now(rollout.id), holidays=self._holidays)
        except (AgreementInvalid, ValueError, OverflowError):
            # A zone or a country that is known no more, a moment that no date can say: not knowing is not a yes.
            return UNSET
        blocks: tuple[Block, ...] = ()
        if rollout.phase is Phase.PROPOSED:
            waits = self._waits(calendars).get(rollout.id)
            blocks = tuple(b for b in (outrun, waits, self._owed(rollout)) if b is not None)
        known = self.dossier(rollout)
        if known is None:
            return UNSET
        policies = self.policies
        answers = [answer for policy in policies for answer in examine(policy, known)]
        return Permit(
            policy=self.policy or UNSET,
            dossier=dossier_digest(known) if policies else UNSET,
            change=known.change.digest,
            blocks=(*blocks, *rules_that_block(answers)),
            window=found or UNSET,
        )

    def change(self, rollout: Rollout) -> Digest | UnsetType:
        """Return all that is to be agreed on about a rollout at this moment, as one digest."""
        known = None if isinstance(rollout.plan.governed, UnsetType) else self.dossier(rollout)
        return UNSET if known is None else known.change.digest

    def dossier(self, rollout: Rollout) -> Dossier | None:
        """Return all that is known about a rollout's change at this moment; None where no organisation is in force."""
        organisation = self.organisation
        if organisation is None:
            return None
        return dossier(self._record, rollout, organisation, now=self._record.now(rollout.id))

    @property
    def policies(self) -> tuple[Policy, ...]:
        """Return the policies in force; all of them must permit what is begun or widened."""
        found = []
        for agreement in self._record.agreements():
            if agreement.of == POLICY and agreement.in_force is not None:
                edition = agreement.in_force
                if edition.digest not in self._policies:
                    policy = restored(POLICY, edition.document)
                    if not isinstance(policy, Policy):
                        raise TypeError(policy)
                    self._policies[edition.digest] = policy
                found.append(self._policies[edition.digest])
        return tuple(found)

    @property
    def policy(self) -> Digest | None:
        """Return the digest that stands for the policies in force: of the one, or over the digests of several."""
        digests = sorted(
            a.in_force.digest for a in self._record.agreements() if a.of == POLICY and a.in_force is not None
        )
        if len(digests) < 2:
            return digests[0] if digests else None
        return agreement_digest({"policies": digests})

    def examination(self, rollout: Rollout, evidence: Evidence) -> tuple[Append, ...]:
        """Return what the policies were asked about for a decision, and what they answered, to be recorded with it."""
        permit = evidence.permit
        if isinstance(permit, UnsetType) or isinstance(permit.policy, UnsetType):
            return ()
        known = self.dossier(rollout)
        if known is None or dossier_digest(known) != permit.dossier:
            return ()  # it moved on between the two; the next decision will tell
        answers = tuple(answer for policy in self.policies for answer in examine(policy, known))
        event = Examined(rollout=rollout.id, policy=permit.policy, dossier=known, answers=answers)
        stream = examination_stream(rollout.id)
        expected = self._record.version(stream)
        return (Append(stream=stream, expected=expected, events=(event,), key=f"{stream}/{expected}"),)

    def _waits(self, calendars: tuple[Calendar, ...]) -> Mapping[RolloutId, Block]:
        """Return which proposals wait for their turn; asked for each of them, and found once as long as nothing happens."""
        now = self._record.now()
        as_of = (self._record.size(), now // 1000)
        if self._queued is None or self._queued[0] != as_of:
            self._queued = as_of, queues(calendars, self._record.open_rollouts(), now=now)
        return self._queued[1]

    @property
    def calendars(self) -> tuple[Calendar, ...]:
        """Return the calendars in force."""
        held = [a.in_force for a in self._record.agreements() if a.of == CALENDAR and a.in_force is not None]
        return tuple(self._calendar(edition) for edition in held)

    def _calendar(self, edition: Edition) -> Calendar:
        if edition.digest not in self._read:
            found = restored(CALENDAR, edition.document)
            if not isinstance(found, Calendar):
                raise TypeError(found)
            self._read[edition.digest] = found
        return self._read[edition.digest]

    def check(self, agreed: msgspec.Struct) -> None:
        """Refuse what only the world outside shows to be impossible: zones and holidays. Raises AgreementInvalid."""
        if isinstance(agreed, Calendar):
            check_zone(agreed, self._holidays, year=instant_year(self._record.now()))

    def _owed(self, rollout: Rollout) -> Block | None:
        """Return what blocks a proposal while somebody must still look at how an earlier one was pushed through."""
        earlier = self._record.glass_owed(rollout.plan.model)
        if earlier is None:
            return None
        why = f"the broken glass of {earlier.id} has not been reviewed"
        return Block(rule="break-glass/review", answer=Answered.NO_EVIDENCE, why=why)

    def _outrun(self, rollout: Rollout) -> Block | None:
        """Return what blocks a proposal that was frozen under rules that no longer hold for its model: it was approved by those."""
        agreement, organisation = self._record.agreement(ORGANISATION, ORGANISATION), self.organisation
        if agreement is None or agreement.in_force is None or organisation is None:
            return None
        governed, model = rollout.plan.governed, rollout.plan.model
        if isinstance(governed, UnsetType):
            why = "it was proposed before the organisation was in force; roll it back and propose it again"
            return Block(rule="organisation/since", answer=Answered.FAIL, why=why)
        if governed.organisation == agreement.in_force.digest:
            return None
        then = next((e for e in reversed(agreement.former) if e.digest == governed.organisation), None)
        if then is not None and self._organisation(then).tier_of(model) == organisation.tier_of(model):
            return None
        why = f"the tier of {model} has changed since it was proposed; roll it back and propose it again"
        return Block(rule="organisation/tier", answer=Answered.FAIL, why=why)

    def add_to(self, evidence: Evidence, rollout: Rollout) -> Evidence:
        """Return evidence with the permit of the moment."""
        permit = self.permit(rollout)
        return evidence if isinstance(permit, UnsetType) else replace(evidence, permit=permit)


CALENDAR = "calendar"
POLICY = "policy"


def instant_year(now: int) -> int:
    """Return the year of an instant, UTC."""
    return datetime.fromtimestamp(now / 1000, UTC).year


_LASTING = 3_650 * 86_400_000
_BROKEN = frozenset({Reason.BREACHED, Reason.BUDGET_SPENT, Reason.DIGEST_DIFFERS})


def _check_possible(organisation: Organisation, needs: Iterable[Need]) -> None:
    able = [f for p in organisation.people if Right.REVIEW in p.rights for f in p.functions]
    lacking = sorted(need.function for need in needs if able.count(need.function) < need.count)
    if lacking:
        raise Conflict(
            f"This needs approval by {', '.join(lacking)}, and the organisation has too few people who may give it. "
            "Add them to it first.",
            next_command="glideslope agree show organisation",
        )
