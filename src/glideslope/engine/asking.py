"""The permit that a decision rests on: what calendars, policies, envelopes and earlier attempts say about a rollout at an instant."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from glideslope.domain.errors import AgreementInvalid, Conflict
from glideslope.domain.events import Proposed
from glideslope.domain.governing.calendar import Calendar
from glideslope.domain.governing.dossier import Dossier, covered_parts, dossier_digest
from glideslope.domain.governing.envelope import Envelope
from glideslope.domain.governing.examined import Examined
from glideslope.domain.governing.governed import Answered, Block, Governed, Lane, Permit
from glideslope.domain.governing.policy import examine
from glideslope.domain.governing.policy.wording import blocks as rules_that_block
from glideslope.domain.ids import Actor, Digest, RolloutId
from glideslope.domain.rollout import ENDED, Phase, Rollout, begin
from glideslope.engine.agreed import Agreed
from glideslope.engine.calendars import HolidaysOf, no_holidays, queues, window
from glideslope.engine.consulting import Consulting
from glideslope.engine.dossiers import dossier, with_approvals
from glideslope.engine.dues import drill_overdue
from glideslope.engine.enveloping import Classified, as_if_agreed, classified
from glideslope.engine.governing_views import LaneView, lane_view
from glideslope.engine.record import Append, Record, examination_stream


@dataclass(frozen=True, slots=True)
class Asked:
    """What governance was asked about one rollout at one instant."""

    permit: Permit | UnsetType
    """UNSET where nothing governs it, or nothing is known."""
    examined: Examined | None = None
    """What the policies in force and the envelope were asked, and what they answered; None where there are none."""
    pending: bool = False
    """Somebody else's answer is not there yet, and may still come: what blocks now need not block in a moment."""


NOT_ASKED = Asked(UNSET)

SHOWN: Final = 256
"""Digests of changes of which one can still say what is otherwise."""

PARTS: Final[Mapping[str, str]] = {
    "change": "what is proposed",
    "tier": "the model's tier",
    "policy": "the policy",
    "plan": "the plan",
    "candidate": "what is known about the candidate",
    "evaluations": "the evaluations",
    "contract": "the data contract",
}
"""What the parts of a change are called in sentences."""


class Asking:
    """Asks what is in force about each rollout, at most once a second as long as nothing happens."""

    def __init__(
        self, record: Record, agreed: Agreed, consulting: Consulting, *, holidays: HolidaysOf = no_holidays
    ) -> None:
        self._record = record
        self._agreed = agreed
        self._consulting = consulting
        self._holidays = holidays
        self._queued: tuple[tuple[int, int], Mapping[RolloutId, Block]] | None = None
        """Which proposals wait for their turn, and as of which entry and second."""
        self._classified: dict[RolloutId, tuple[tuple[int, int, Digest, Actor], tuple[Dossier, Classified]]] = {}
        """How each open rollout is classified, as of which entry and second; one that is only thought of has no id of its own."""
        self._parts: dict[Digest, Mapping[str, Digest]] = {}
        """Of what each digest is that somebody may have been shown lately."""
        self._known: dict[RolloutId, tuple[tuple[int, int, int], Asked]] = {}
        """What was asked about each open rollout, and as of which entry, second and answer of others."""

    def permit(self, rollout: Rollout) -> Permit | UnsetType:
        """Return what governance says about a rollout now."""
        return self.ask(rollout, now=self._record.now(rollout.id)).permit

    def ask(self, rollout: Rollout, *, now: int) -> Asked:
        """Ask about a rollout at an instant: the permit, and the examination that it rests on.

        Both come of one dossier, so that whoever has a decision's permit finds by its digest what the policies were told.
        """
        as_of = self._record.size(), now // 1000, self._consulting.answered
        known = self._known.get(rollout.id)
        if known is None or known[0] != as_of:
            known = as_of, self._ask(rollout, now=now)
            if rollout.phase not in ENDED:
                self._known[rollout.id] = known
        return known[1]

    def dossier(self, rollout: Rollout) -> Dossier:
        """Return all that is known about a rollout's change now, as a policy is shown it. Raises Conflict."""
        found = self._classify(rollout, now=self._record.now(rollout.id))
        if found is None:
            raise Conflict(
                "No organisation is in force, so nobody owns anything and no tier asks for anything: there is no dossier.",
                next_command="glideslope agree schema organisation",
            )
        return with_approvals(found[0], rollout, found[1].lane)

    def forget(self, rollout: RolloutId) -> None:
        """Drop what is known about a rollout that has ended."""
        self._known.pop(rollout, None)
        self._consulting.forget(rollout)
        self._classified.pop(rollout, None)

    def change(self, rollout: Rollout) -> Digest | UnsetType:
        """Return all that is to be agreed on about a rollout at this moment, as one digest."""
        permit = UNSET if isinstance(rollout.plan.governed, UnsetType) else self.permit(rollout)
        return UNSET if isinstance(permit, UnsetType) else permit.change

    def differing(self, rollout: Rollout, *, since: Digest | UnsetType) -> tuple[str, ...]:
        """Return which parts of what people agree on are others than when their digest was `since`; none where nothing governs."""
        now = self.change(rollout)
        if isinstance(now, UnsetType) or isinstance(since, UnsetType) or now == since:
            return ()
        before, after = self._parts.get(since), self._parts.get(now)
        if before is None or after is None:
            return ("the facts, evaluations, data contract, policy or plan",)
        return tuple(PARTS.get(name, name) for name in {**before, **after} if before.get(name) != after.get(name))

    def recorded(self, asked: Asked) -> tuple[Append, ...]:
        """Return what policies were asked and answered for a decision, to be recorded with it."""
        if asked.examined is None:
            return ()
        stream = examination_stream(asked.examined.rollout)
        expected = self._record.version(stream)
        return (Append(stream=stream, expected=expected, events=(asked.examined,), key=f"{stream}/{expected}"),)

    def _ask(self, rollout: Rollout, *, now: int) -> Asked:
        outrun = self._outrun(rollout) if rollout.phase is Phase.PROPOSED else None
        if isinstance(rollout.plan.governed, UnsetType):
            return NOT_ASKED if outrun is None else Asked(Permit(blocks=(outrun,)))
        try:
            calendars = self._agreed.calendars
            found = window(calendars, rollout, now=now, holidays=self._holidays)
        except (AgreementInvalid, ValueError, OverflowError):
            # A zone or a country that is known no more, a moment that no date can say: not knowing is not a yes.
            return NOT_ASKED
        blocks: tuple[Block, ...] = ()
        if rollout.phase is Phase.PROPOSED:
            waits = self._waits(calendars, now=now).get(rollout.id)
            blocks = tuple(
                b for b in (outrun, waits, self._owed(rollout), self._undrilled(rollout, now=now)) if b is not None
            )
        laned = self._classify(rollout, now=now)
        if laned is None:
            return NOT_ASKED
        known, lane = with_approvals(laned[0], rollout, laned[1].lane), laned[1].lane
        policy, policies, answered = self._agreed.policy or UNSET, self._agreed.policies, laned[1].found
        if isinstance(policy, UnsetType) and isinstance(answered, UnsetType):
            return Asked(Permit(change=known.change.digest, blocks=blocks, window=found or UNSET, lane=lane))
        found_out = self._consulting.consult(rollout.id, policies, known)
        if found_out.dossier is not known and isinstance(rollout.plan.governed, Governed):
            # All that is recorded together is about the one dossier that others were sent.
            known = found_out.dossier
            answered = classified(self._agreed, rollout.plan.governed, known).found
        answers = tuple(
            answer
            for policy, told in zip(policies, found_out.told, strict=True)
            for answer in examine(policy, known, told)
        )
        permit = Permit(
            policy=policy,
            dossier=dossier_digest(known),
            change=known.change.digest,
            blocks=(*blocks, *rules_that_block(answers)),
            window=found or UNSET,
            lane=lane,
        )
        examined = Examined(rollout=rollout.id, policy=policy, dossier=known, answers=answers, classified=answered)
        return Asked(permit, examined, pending=found_out.pending)

    def lane(self, rollout: Rollout, *, now: int) -> Lane | UnsetType:
        """Return how a rollout is classified at an instant."""
        found = self._classify(rollout, now=now)
        return UNSET if found is None else found[1].lane

    def proposed(self, id_: RolloutId, event: Proposed, *, key: str, at: int) -> tuple[Append, ...]:
        """Return how a change is classified as it is proposed, to be recorded with that; nothing where no envelope speaks for it."""
        governed = event.plan.governed
        if isinstance(governed, UnsetType) or isinstance(governed.envelope, UnsetType):
            return ()
        examined = self._ask(begin(id_, event, at=at), now=at).examined
        if examined is None or isinstance(examined.classified, UnsetType):
            return ()
        stream = examination_stream(id_)
        return (
            Append(stream=stream, expected=self._record.version(stream), events=(examined,), key=f"{key}/examined"),
        )

    def would_be(self, event: Proposed, envelope: Envelope | None) -> LaneView | None:
        """Return how a change would be classified if it were proposed now: by the envelope in force, or by one that is not yet."""
        now = self._record.now()
        rollout, governed = begin(self._record.next_rollout(), event, at=now), event.plan.governed
        found = self._classify(rollout, now=now)
        if found is None or isinstance(governed, UnsetType):
            return None
        told, spoken = found
        if envelope is not None:
            spoken = as_if_agreed(envelope, told, event.plan)
            governed = replace(governed, envelope=spoken.lane.envelope if spoken.lane else UNSET)
        view = lane_view(rollout, governed, spoken.lane, spoken.found, now=now, change=told.change.digest)
        # Who would agree to an envelope that is not in force is not known by name.
        return view if view is None or envelope is None else replace(view, given=())

    def would_forbid(self, event: Proposed) -> tuple[Block, ...]:
        """Return what would not let a change go on if it were proposed now; a rule that others answer has not been asked."""
        now = self._record.now()
        rollout = begin(self._record.next_rollout(), event, at=now)
        found = self._classify(rollout, now=now)
        if found is None or isinstance(event.plan.governed, UnsetType):
            return ()
        known = with_approvals(found[0], rollout, found[1].lane)
        # To ask others takes a rollout that their answers belong to.
        answers = (answer for policy in self._agreed.policies for answer in examine(policy, known, {}))
        stands = (self._owed(rollout), self._undrilled(rollout, now=now))
        return (*(block for block in stands if block is not None), *rules_that_block(answers))

    def _classify(self, rollout: Rollout, *, now: int) -> tuple[Dossier, Classified] | None:
        """Return all that is known about a rollout's change, and how it is classified; None where no organisation is in force."""
        as_of = self._record.size(), now // 1000, rollout.plan_digest, rollout.proposed_by
        known = self._classified.get(rollout.id)
        if known is None or known[0] != as_of:
            organisation, governed = self._agreed.organisation, rollout.plan.governed
            if organisation is None:
                return None
            told = dossier(self._record, rollout, organisation, now=now)
            speaks = Classified() if isinstance(governed, UnsetType) else classified(self._agreed, governed, told)
            known = as_of, (told, speaks)
            self._remember(told)
            if rollout.phase not in ENDED:
                self._classified[rollout.id] = known
        return known[1]

    def _remember(self, told: Dossier) -> None:
        if told.change.digest not in self._parts:
            self._parts[told.change.digest] = covered_parts(told)
            if len(self._parts) > SHOWN:
                del self._parts[next(iter(self._parts))]

    def _waits(self, calendars: tuple[Calendar, ...], *, now: int) -> Mapping[RolloutId, Block]:
        """Return which proposals wait for their turn; asked for each of them, and found once as long as nothing happens."""
        as_of = self._record.size(), now // 1000
        if self._queued is None or self._queued[0] != as_of:
            lane = partial(self.lane, now=now)
            self._queued = as_of, queues(calendars, self._record.open_rollouts(), now=now, lane=lane)
        return self._queued[1]

    def _owed(self, rollout: Rollout) -> Block | None:
        """Return what blocks a proposal while somebody must still look at how an earlier one was pushed through."""
        earlier = self._record.glass_owed(rollout.plan.model)
        if earlier is None:
            return None
        why = f"the broken glass of {earlier.id} has not been reviewed"
        return Block(rule="break-glass/review", answer=Answered.NO_EVIDENCE, why=why)

    def _undrilled(self, rollout: Rollout, *, now: int) -> Block | None:
        """Return what blocks a proposal whose model's tier asks for a drill that nobody held lately."""
        organisation = self._agreed.organisation
        tier = None if organisation is None else organisation.tier_of(rollout.plan.model)
        why = drill_overdue(self._record, rollout.plan.model, tier, now=now)
        return Block(rule="drill/overdue", answer=Answered.NO_EVIDENCE, why=why) if why else None

    def _outrun(self, rollout: Rollout) -> Block | None:
        """Return what blocks a proposal that was frozen under rules that no longer hold for its model: it was approved by those."""
        agreement, organisation = self._agreed.agreement, self._agreed.organisation
        if agreement is None or agreement.in_force is None or organisation is None:
            return None
        governed, model = rollout.plan.governed, rollout.plan.model
        if isinstance(governed, msgspec.UnsetType):
            why = "it was proposed before the organisation was in force; roll it back and propose it again"
            return Block(rule="organisation/since", answer=Answered.FAIL, why=why)
        if governed.organisation == agreement.in_force.digest:
            return None
        then = next((e for e in reversed(agreement.former) if e.digest == governed.organisation), None)
        if then is not None and self._agreed.organisation_of(then).tier_of(model) == organisation.tier_of(model):
            return None
        why = f"the tier of {model} has changed since it was proposed; roll it back and propose it again"
        return Block(rule="organisation/tier", answer=Answered.FAIL, why=why)
