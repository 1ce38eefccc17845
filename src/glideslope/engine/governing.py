"""What governs now: the organisation in force, the rules that it puts on a plan, and the permit that a decision rests on."""

from collections.abc import Iterable

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from glideslope.domain.draft import Draft
from glideslope.domain.errors import Conflict, NotEntitled, OwnerUnknown
from glideslope.domain.evidence import Evidence
from glideslope.domain.governing.agreement import ORGANISATION
from glideslope.domain.governing.approval import Need, together
from glideslope.domain.governing.governed import Governed, Permit
from glideslope.domain.governing.kinds import agreed_of
from glideslope.domain.governing.organisation import BREACH, Organisation, Right
from glideslope.domain.governing.tiers import tighten
from glideslope.domain.ids import Actor, Digest, ModelName, RolloutId
from glideslope.domain.reasons import Reason
from glideslope.domain.rollout import Phase, Rollout
from glideslope.engine.record import Record


class Governing:
    """Reads the agreements of the record. Without an organisation in force nothing is governed, as before there was any."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._known: tuple[Digest, Organisation] | None = None

    @property
    def organisation(self) -> Organisation | None:
        """Return the organisation in force."""
        agreement = self._record.agreement(ORGANISATION, ORGANISATION)
        if agreement is None or agreement.in_force is None:
            return None
        digest = agreement.in_force.digest
        if self._known is None or self._known[0] != digest:
            found = agreed_of(ORGANISATION, agreement.in_force.document)
            if not isinstance(found, Organisation):
                raise TypeError(found)
            self._known = (digest, found)
        return self._known[1]

    def require(self, actor: Actor, right: Right, *, to: str) -> None:
        """Let nobody do what the organisation does not let them. Raises NotEntitled."""
        organisation = self.organisation
        if organisation is not None and not organisation.may(actor, right):
            raise NotEntitled(actor=actor, needs=f"the right to {right.value} {to}")

    def authority(self, actor: Actor, *, rollout: RolloutId) -> tuple[str, ...] | UnsetType:
        """Return the functions in which somebody approves now; UNSET where no organisation is in force. Raises NotEntitled."""
        organisation = self.organisation
        if organisation is None:
            return UNSET
        found = organisation.authority(actor, now=self._record.now())
        if not found:
            raise NotEntitled(
                actor=actor,
                needs="the right to review, in a function, and not to be away",
                next_command=f"glideslope show {rollout}",
            )
        return found

    def strict(self, draft: Draft) -> tuple[Draft, tuple[str, ...]]:
        """Return a draft as strict as its model's tier asks, with a sentence for each change."""
        organisation = self.organisation
        tier = organisation.tier_of(draft.model) if organisation is not None else None
        return (draft, ()) if tier is None else tighten(draft, tier)

    def governed(self, draft: Draft) -> Governed | UnsetType:
        """Return what governs a change that is proposed now. Raises OwnerUnknown, Conflict for sign-offs that nobody could give."""
        agreement = self._record.agreement(ORGANISATION, ORGANISATION)
        organisation = self.organisation
        if organisation is None or agreement is None or agreement.in_force is None:
            return UNSET
        if not organisation.is_reachable(draft.owner):
            raise OwnerUnknown(owner=draft.owner)
        tier = organisation.tier_of(draft.model)
        breach = self.open_breach(draft.model)
        needs = together(tier.approvals if tier else (), BREACH if breach else ())
        _check_possible(organisation, needs)
        return Governed(
            organisation=agreement.in_force.digest,
            tier=tier.name if tier else "",
            needs=needs,
            valid_for=tier.valid_for if tier else _LASTING,
            after_breach=breach.id if breach else UNSET,
        )

    def open_breach(self, model: ModelName) -> Rollout | None:
        """Return the last attempt with a model if it ended by a breach: what follows it needs sign-offs of its own."""
        of_model = [r for r in self._record.rollouts() if r.plan.model == model]
        for rollout in reversed(of_model):
            if rollout.phase is Phase.PROMOTED:
                return None
            if rollout.phase in (Phase.ROLLED_BACK, Phase.ROLLING_BACK):
                reasons = rollout.last.reasons if rollout.last is not None else ()
                if _BROKEN.intersection(reasons):
                    return rollout
        return None

    def permit(self, rollout: Rollout) -> Permit | UnsetType:
        """Return what governance says about a rollout at this moment."""
        if isinstance(rollout.plan.governed, UnsetType):
            return UNSET
        return Permit()

    def add_to(self, evidence: Evidence, rollout: Rollout) -> Evidence:
        """Return evidence with the permit of the moment."""
        permit = self.permit(rollout)
        return evidence if isinstance(permit, UnsetType) else replace(evidence, permit=permit)


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
