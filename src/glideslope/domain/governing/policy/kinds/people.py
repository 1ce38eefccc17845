"""Rules about people: who must agree and who may not, who answers for what, what was practised and looked at again."""

from collections.abc import Iterator
from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from glideslope.domain.governing.approval import Approval, Need, standing, unmet
from glideslope.domain.governing.dossier import Dossier, Drill
from glideslope.domain.governing.facts import LAST
from glideslope.domain.governing.policy.answers import Beside, Missing, Shown, Sight, Wrong
from glideslope.domain.governing.policy.rule import (
    ByTier,
    Duration,
    Name,
    Rule,
    Words,
    ago,
    known,
    listed,
    milliseconds,
    of_tier,
    per_tier,
    spoken,
    too_old,
)
from glideslope.domain.ids import Actor

Part = Literal["proposer", "trained_by", "data_by", "evaluated_by", "code_by"]
PARTS: Final[tuple[Part, ...]] = ("proposer", "trained_by", "data_by", "evaluated_by", "code_by")

DID: Final[dict[Part, str]] = {
    "proposer": "proposed it",
    "trained_by": "trained it",
    "data_by": "made its data",
    "evaluated_by": "evaluated it",
    "code_by": "wrote its code",
}


def _makers(dossier: Dossier, parts: tuple[Part, ...] = PARTS) -> Iterator[tuple[Actor, Part]]:
    """Yield who had which part in making the candidate, as far as that is known."""
    facts = known(dossier.candidate)
    makers = None if facts is None else known(facts.makers)
    for part in parts:
        if part == "proposer":
            yield dossier.change.proposer, part
        elif makers is not None:
            for actor in known(getattr(makers, part)) or ():
                yield actor, part


class MakersMayNotApprove(Rule, frozen=True, kw_only=True, tag="makers_may_not_approve"):
    """Nobody who proposed it or had a part in making it approved it."""

    who: Annotated[tuple[Part, ...], msgspec.Meta(min_length=1)] = PARTS

    def look(self, dossier: Dossier) -> Iterator[Sight]:
        approvals, facts = known(dossier.approvals), known(dossier.candidate)
        makers = None if facts is None else known(facts.makers)
        for part in self.who:
            if part != "proposer" and (makers is None or not known(getattr(makers, part))):
                yield Missing(f"who {DID[part]}")
        if not approvals:
            yield Missing("any approval")
        own: dict[str, list[str]] = {}
        for actor, part in _makers(dossier, self.who):
            own.setdefault(actor, []).append(DID[part])
        for actor in dict.fromkeys(approval.by for approval in approvals or ()):
            if actor in own:
                yield Wrong(f"{actor} approved, and {listed(tuple(own[actor]))}")
            else:
                yield Shown(f"{actor} had no part in it")

    def asks(self) -> str:
        return f"Nobody approves a change who {listed(tuple(DID[part] for part in self.who), last='or')}."

    def mend(self) -> str:
        return "Let somebody else approve, who had no part in making it."


class ApprovedBy(Rule, frozen=True, kw_only=True, tag="approved_by"):
    """Each function approved exactly this change or an envelope it is inside, lately, each by somebody with no part in making it."""

    need: ByTier[tuple[Name, ...]]
    """Functions. One that is named twice needs two people."""
    valid_for: ByTier[Duration] = "14d"

    def look(self, dossier: Dossier) -> Iterator[Sight]:
        functions, valid_for = of_tier(self.need, dossier), of_tier(self.valid_for, dossier)
        if functions is None or valid_for is None:
            yield Missing("what the policy asks of this tier")
            return
        yield from (Wrong(f"{actor} said no") for actor in known(dossier.denied_by) or ())
        if known(dossier.denied_by) is None:
            yield Missing("whether anybody said no")
        if not functions:
            yield Beside(f"nobody must approve at tier {known(dossier.tier)}")
            return
        approvals = known(dossier.approvals)
        if approvals is None:
            yield Missing("any approval")
            return
        barred = {actor for actor, _ in _makers(dossier)}
        own = standing(
            [each for each in approvals if known(each.envelope) is None],
            digest=dossier.change.digest,
            barred=barred,
            valid_for=milliseconds(valid_for),
            since=dossier.change.proposed_at,
            now=dossier.now,
        )
        # What was given with an envelope counts for whatever is inside it until that ends, which is asked elsewhere.
        given = standing(
            [each for each in approvals if known(each.envelope) is not None],
            digest=dossier.change.digest,
            barred=barred,
            valid_for=LAST,
            since=0,
            now=dossier.now,
        )
        counted = (*own, *given)
        needs = tuple(Need(function, functions.count(function)) for function in dict.fromkeys(functions))
        left = unmet(needs, counted)
        yield from (Shown(f"{approval.by}, {listed(approval.functions)}") for approval in own)
        yield from (Shown(f"{approval.by}, {listed(approval.functions)}, with the envelope") for approval in given)
        for need in left:
            why = tuple(
                reason for each in approvals if need.function in each.functions and each not in counted
                for reason in (self._void(each, dossier, barred),)
            )  # fmt: skip
            number = f"{need.count} approvals" if need.count > 1 else "an approval"
            yield Wrong(f"{number} by {need.function} is missing" + (f" ({'; '.join(why)})" if why else ""))

    @staticmethod
    def _void(approval: Approval, dossier: Dossier, barred: set[Actor]) -> str:
        if approval.digest != dossier.change.digest:
            return f"{approval.by} approved {approval.digest[7:19]}, which is another change"
        if approval.by in barred:
            return f"{approval.by} had a part in making it"
        return f"that of {approval.by} is from {ago(approval.at, dossier.now)}, too long ago or before it was proposed"

    def asks(self) -> str:
        return (
            f"Approved by {per_tier(self.need, lambda f: listed(f) if f else 'nobody')}; each person counts once, for "
            f"{per_tier(self.valid_for, spoken)}, for exactly this change or an envelope that it is inside, and only who had no "
            "part in making it."
        )

    def mend(self) -> str:
        return "Ask the functions that are missing; what they see is the change as it is now."


class DrilledWithin(Rule, frozen=True, kw_only=True, tag="drilled_within"):
    """Going back was practised, not too long ago, and worked."""

    within: ByTier[Duration]
    drills: Words = ("rollback",)
    """Kinds of drill, each of which is needed."""
    restored_in: Duration | UnsetType = UNSET
    """How long the last one may have taken."""
    measured: bool | UnsetType = UNSET
    """The machine must have measured it: one that somebody tells of does not count."""

    def look(self, dossier: Dossier) -> Iterator[Sight]:
        within = of_tier(self.within, dossier)
        if within is None:
            yield Missing("what the policy asks of this tier")
            return
        for kind in self.drills:
            found = [drill for drill in known(dossier.drills) or () if drill.kind == kind and self._counts(drill)]
            last = max(found, key=lambda drill: drill.drilled_at, default=None)
            if last is None:
                yield Missing(f"a {kind} drill{' that the machine measured' if known(self.measured) else ''}")
                continue
            yield too_old(f"the last {kind} drill", last.drilled_at, within, dossier)
            if not last.passed:
                yield Wrong(f"the last {kind} drill failed")
            limit, took = known(self.restored_in), known(last.restored_in)
            if limit is not None and took is None:
                yield Missing(f"how long the last {kind} drill took")
            elif limit is not None and took is not None and took > milliseconds(limit):
                yield Wrong(f"the last {kind} drill took {took / 1000:g} seconds, more than {spoken(limit)}")

    def _counts(self, drill: Drill) -> bool:
        return not known(self.measured) or isinstance(drill.told_by, UnsetType)

    def asks(self) -> str:
        quick = known(self.restored_in)
        took = f" and took at most {spoken(quick)}" if quick else ""
        by_whom = ", as the machine measured it" if known(self.measured) else ""
        return f"A {listed(self.drills)} drill passed within the last {per_tier(self.within, spoken)}{took}{by_whom}."

    def mend(self) -> str:
        return "Hold the drill: glideslope drill run MODEL -m WHY."


OwnedKind = Literal["model", "version", "dataset", "features", "metric", "policy", "plan", "playbook"]


class Owned(Rule, frozen=True, kw_only=True, tag="owned"):
    """Whatever has a part in the change has an owner who can be reached."""

    of: Annotated[tuple[OwnedKind, ...], msgspec.Meta(min_length=1)]
    """Datasets, features and metrics each by name, from the facts and the plan; of the others one of the kind."""

    def look(self, dossier: Dossier) -> Iterator[Sight]:
        owners = known(dossier.owners)
        if owners is None:
            yield Missing("who owns what")
            return
        for kind in self.of:
            names = self._named(kind, dossier)
            if names is None:
                yield Missing(f"which {kind} has a part in the change")
            for name in names or ():
                found = [o for o in owners if o.kind == kind and name in {o.name, ""}]
                if not found:
                    yield Missing(f"the owner of the {kind} {name}".rstrip())
                for owner in found:
                    told = f"{owner.owner}, owner of the {kind} {owner.name},"
                    yield Shown(told.rstrip(",")) if owner.reachable else Wrong(f"{told} cannot be reached")

    @staticmethod
    def _named(kind: OwnedKind, dossier: Dossier) -> tuple[str, ...] | None:
        """Return the names of a kind that need an owner; an empty name stands for any of the kind."""
        facts, plan = known(dossier.candidate), known(dossier.plan)
        match kind:
            case "model":
                return (dossier.change.model,)
            case "version":
                return (dossier.change.candidate,)
            case "dataset":
                found = None if facts is None else known(facts.datasets)
                return tuple(dict.fromkeys(d.name for d in found)) if found else None
            case "features":
                pipelines = None if facts is None else known(facts.pipelines)
                return tuple(p.name for p in pipelines) if pipelines else None
            case "metric":
                return plan.guardrails if plan is not None and plan.guardrails else None
            case _:
                return ("",)

    def asks(self) -> str:
        return f"Every {listed(self.of)} that has a part in it has an owner who can be reached."

    def mend(self) -> str:
        return "Name an owner in the organisation, with a place where they are reached."


class ReviewedWithin(Rule, frozen=True, kw_only=True, tag="reviewed_within"):
    """What is reviewed on a cadence was reviewed in time."""

    of: Annotated[dict[Name, Duration], msgspec.Meta(min_length=1)]
    """`policy`, `threat-model`, `access`, ..., each with how long a review holds."""

    def look(self, dossier: Dossier) -> Iterator[Sight]:
        for what, within in self.of.items():
            found = [review.reviewed_at for review in known(dossier.reviews) or () if review.of == what]
            if not found:
                yield Missing(f"a review of the {what}")
            else:
                yield too_old(f"the last review of the {what}", max(found), within, dossier)

    def asks(self) -> str:
        each = tuple(f"the {what} within {spoken(within)}" for what, within in self.of.items())
        return f"Somebody reviewed {listed(each)}."

    def mend(self) -> str:
        return "Hold the review."


class NoOpenIncident(Rule, frozen=True, kw_only=True, tag="no_open_incident"):
    """The model has no open incident, or those who must have agreed to go on."""

    as_of_within: Duration = "1h"
    """How old the look-up may be."""
    unless_agreed_by: Words | UnsetType = UNSET
    """Functions that must all have agreed to go on while it is open."""

    def look(self, dossier: Dossier) -> Iterator[Sight]:
        incidents = known(dossier.incidents)
        if incidents is None:
            yield Missing("whether an incident is open")
            return
        yield too_old("the look-up of incidents", incidents.as_of, self.as_of_within, dossier)
        needed = known(self.unless_agreed_by)
        for incident in incidents.open:
            lacking = tuple(function for function in needed or () if function not in incident.agreed_by)
            if needed is None:
                yield Wrong(f"{incident.id} is open")
            elif lacking:
                yield Wrong(f"{incident.id} is open, and {listed(lacking)} has not agreed to go on")
            else:
                yield Shown(f"{incident.id} is open, and {listed(needed)} agreed to go on")

    def asks(self) -> str:
        needed = known(self.unless_agreed_by)
        return f"The model has no open incident{f', unless {listed(needed)} agreed to go on' if needed else ''}."

    def mend(self) -> str:
        return "Close the incident, or ask those who must agree to go on."


__all__ = [
    "ApprovedBy",
    "DrilledWithin",
    "MakersMayNotApprove",
    "NoOpenIncident",
    "Owned",
    "ReviewedWithin",
]
