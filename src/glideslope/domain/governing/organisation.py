"""The organisation as it agreed to be: people, functions, rights, owners, tiers, and who stands in for whom.

People are known by the actor of their token. Who they are besides (name, address) lies beside the ledger and is not said here.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from glideslope.domain.errors import AgreementInvalid
from glideslope.domain.governing.approval import Approval, Need, unmet
from glideslope.domain.identity import Means, Proved
from glideslope.domain.ids import Actor, Digest, ModelName
from glideslope.domain.plan import Milliseconds, StageKind

DAY: Final = 86_400_000

BREACH: Final = (Need("product"), Need("security"), Need("compliance"))
"""Who must agree before anything goes on after a breach, whatever the tier."""

FUNCTIONS: Final = ("product", "security", "compliance", "data-science", "engineering")
"""What people are in an organisation; others may be named besides."""


class Right(StrEnum):
    """What a person may do; a closed set. To halt and to roll back needs none of them."""

    PROPOSE = "propose"
    OPERATE = "operate"  # resumes, lets a freeze be passed
    REVIEW = "review"  # approves and denies, in the functions that are the person's
    AUDIT = "audit"
    ADMINISTER = "administer"  # tables and answers changes of the organisation itself


class ArtifactKind(StrEnum):
    """What has an owner."""

    MODEL = "model"
    VERSION = "version"
    DATASET = "dataset"
    FEATURES = "features"
    METRIC = "metric"
    POLICY = "policy"
    PLAN = "plan"
    PLAYBOOK = "playbook"


class Person(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody who decides. A service is a person here too when it proposes."""

    id: Actor
    functions: tuple[str, ...] = ()
    rights: tuple[Right, ...] = ()
    team: str = ""


class Team(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """People who own things together. `reach` is where they are told: a channel, a list, a pager."""

    name: str
    reach: str


class Owned(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A thing and its owner: a team or a person."""

    kind: ArtifactKind
    name: str
    owner: str


class Delegation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`who` is away, or hands functions on, from `since` until `until` (milliseconds since the epoch, UTC; the end not included)."""

    who: Actor
    since: int
    until: int
    to: Actor | msgspec.UnsetType = msgspec.UNSET
    functions: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    """Those handed on; all of them when unset."""
    away: bool = False
    """Whoever is away approves nothing meanwhile."""


class Proving(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How lately, and by what, somebody must have proved who they are, to approve a change or to break the glass for it."""

    within: Milliseconds
    by: tuple[Means, ...]
    """Any one of these. A call of the command line or of a program shows its token anew, and nothing else."""

    def lacks(self, proved: Proved | None) -> bool:
        """Tell whether a proof does not do; what nobody knows does not."""
        return proved is None or proved.means not in self.by or proved.ago is None or proved.ago > self.within


class Tier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much care a model asks for. What a plan says itself may be stricter, never looser."""

    name: str
    approvals: tuple[Need, ...] = ()
    valid_for: Milliseconds = 14 * DAY
    alpha: float | msgspec.UnsetType = msgspec.UNSET
    alpha_pass: float | msgspec.UnsetType = msgspec.UNSET
    margin_scale: float = 1.0
    """By what every margin is multiplied: 0.5 halves what may be lost."""
    first_share: int | msgspec.UnsetType = msgspec.UNSET
    """The most that a first canary step may expose, in basis points."""
    growth: float | msgspec.UnsetType = msgspec.UNSET
    """By how much each step may be wider than the one before it: 5 allows 1 %, 5 %, 25 %."""
    minimum: Milliseconds = 0
    """How long each canary step takes at least."""
    stages: tuple[StageKind, ...] = ()
    """Stages that no plan may leave out."""
    drill_within: Milliseconds | msgspec.UnsetType = msgspec.UNSET
    keep: Milliseconds | msgspec.UnsetType = msgspec.UNSET
    """How long records are kept at least."""
    proving: Proving | msgspec.UnsetType = msgspec.UNSET
    """Unset where being signed in is enough."""


class Escalation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom to tell when a sign-off is still missing after so long."""

    after: Milliseconds
    to: tuple[str, ...]


class Organisation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everybody and everything that governance needs to know by name."""

    people: tuple[Person, ...]
    teams: tuple[Team, ...] = ()
    owned: tuple[Owned, ...] = ()
    delegations: tuple[Delegation, ...] = ()
    tiers: tuple[Tier, ...] = ()
    models: Mapping[ModelName, str] = {}
    """Model to tier."""
    usual_tier: str = ""
    """The tier of a model that is not named."""
    escalations: tuple[Escalation, ...] = ()
    agreements: Mapping[str, tuple[Need, ...]] = {}
    """Kind of agreement to who must agree to a change of it."""
    reviews: Mapping[str, Milliseconds] | msgspec.UnsetType = msgspec.UNSET
    """What is reviewed on a cadence (`access`, `policy`, `threat-model`, ...) to how long a review holds."""

    def person(self, actor: Actor) -> Person | None:
        """Return somebody by their actor."""
        return next((p for p in self.people if p.id == actor), None)

    def may(self, actor: Actor, right: Right) -> bool:
        """Tell whether somebody has a right."""
        found = self.person(actor)
        return found is not None and right in found.rights

    def tier_of(self, model: ModelName) -> Tier | None:
        """Return a model's tier; None where there are no tiers."""
        name = self.models.get(model, self.usual_tier)
        return next((t for t in self.tiers if t.name == name), None)

    def authority(self, actor: Actor, *, now: int) -> tuple[str, ...]:
        """Return the functions in which somebody may approve at an instant: their own, and those handed to them."""
        found = self.person(actor)
        if found is None or Right.REVIEW not in found.rights or self._away(actor, now=now):
            return ()
        functions = set(found.functions)
        for d in self._in_force(now):
            giver = self.person(d.who)
            if d.to == actor and giver is not None and Right.REVIEW in giver.rights:
                # Nobody hands on what they do not have.
                handed = giver.functions if isinstance(d.functions, msgspec.UnsetType) else d.functions
                functions |= set(giver.functions).intersection(handed)
        return tuple(sorted(functions))

    def _away(self, actor: Actor, *, now: int) -> bool:
        return any(d.away and d.who == actor for d in self._in_force(now))

    def _in_force(self, now: int) -> Iterable[Delegation]:
        return (d for d in self.delegations if d.since <= now < d.until)

    def is_reachable(self, owner: str) -> bool:
        """Tell whether an owner is somebody: a person, or a team that has people and says where it is reached."""
        if self.person(Actor(owner)) is not None:
            return True
        team = next((t for t in self.teams if t.name == owner), None)
        return team is not None and bool(team.reach) and any(p.team == owner for p in self.people)

    def owner_of(self, kind: ArtifactKind, name: str) -> str | None:
        """Return who owns a thing; None for an orphan."""
        return next((o.owner for o in self.owned if (o.kind, o.name) == (kind, name)), None)

    def owns(self, owner: str) -> tuple[Owned, ...]:
        """Return all that somebody owns: by themselves, and of a person what their team owns."""
        found = self.person(Actor(owner))
        names = {owner, *([found.team] if found is not None and found.team else [])}
        return tuple(o for o in self.owned if o.owner in names)


def check_organisation(organisation: Organisation) -> None:
    """Refuse what cannot decide anything or names nobody. Raises AgreementInvalid with the path of what is wrong."""
    _check_names(organisation)
    if not any(Right.ADMINISTER in p.rights for p in organisation.people):
        _refuse("people", "nobody may administer, so nobody could ever change this again")
    # People by a set: some thousand of them and as many things are checked while leases are to be renewed.
    people: set[str] = {p.id for p in organisation.people}
    for k, owned in enumerate(organisation.owned):
        if owned.owner not in people and not organisation.is_reachable(owned.owner):
            _refuse(f"owned.{k}.owner", f"{owned.owner!r} is no person, nor a team with people and a `reach`")
    _check_delegations(organisation)
    for k, e in enumerate(organisation.escalations):
        for number, who in enumerate(e.to):
            if not organisation.is_reachable(who):
                _refuse(f"escalations.{k}.to.{number}", f"{who!r} is no person, nor a team with people and a `reach`")
    _check_tiers(organisation)
    for of, within in (organisation.reviews or {}).items():
        if within < DAY:
            _refuse(f"reviews.{of}", "a review holds for a day at least")
    for of, needs in organisation.agreements.items():
        _check_needs(organisation, needs, where=f"agreements.{of}", administrators=True)


def _check_delegations(organisation: Organisation) -> None:
    people = {p.id: p for p in organisation.people}
    for k, d in enumerate(organisation.delegations):
        for field, named in (("who", d.who), ("to", d.to)):
            if not isinstance(named, msgspec.UnsetType) and named not in people:
                _refuse(f"delegations.{k}.{field}", f"{named!r} is no person of this organisation")
        if d.to == d.who:
            _refuse(f"delegations.{k}.to", "nobody hands functions on to themselves")
        if d.since >= d.until:
            _refuse(f"delegations.{k}.until", "it ends before it begins")
        if not d.away and isinstance(d.to, msgspec.UnsetType):
            _refuse(f"delegations.{k}", "say `to` whom, or `away: true`")
        giver = people.get(d.who)
        for number, function in enumerate(d.functions or ()):
            if giver is None or function not in giver.functions:
                _refuse(f"delegations.{k}.functions.{number}", f"{d.who!r} does not have the function {function!r}")


def _check_needs(
    organisation: Organisation, needs: Sequence[Need], *, where: str, administrators: bool = False
) -> None:
    able = Counter(f for p in organisation.people if Right.REVIEW in p.rights for f in set(p.functions))
    if administrators:
        able[Right.ADMINISTER.value] = sum(Right.ADMINISTER in p.rights for p in organisation.people)
    for number, need in enumerate(needs):
        if need.count < 1:
            _refuse(f"{where}.{number}", "a need is of one approval at least")
        if need.count > able[need.function]:
            who = f"only {able[need.function]}" if able[need.function] else "nobody"
            _refuse(f"{where}.{number}", f"{who} may review as {need.function!r}, so nothing could ever be approved")
    asked = {need.function for need in needs}
    yeses = [
        Approval(by=p.id, digest=Digest(""), functions=functions, at=0)
        for p in organisation.people
        if (functions := tuple(asked.intersection(_reviews_as(p, administrators=administrators))))
    ]
    if left := unmet(needs, yeses):
        lacking = ", ".join(repr(need.function) for need in left)
        _refuse(
            where, f"each person's yes counts once, and nobody is left for {lacking}, so nothing could ever be approved"
        )


def _reviews_as(person: Person, *, administrators: bool) -> tuple[str, ...]:
    functions = person.functions if Right.REVIEW in person.rights else ()
    return (*functions, Right.ADMINISTER.value) if administrators and Right.ADMINISTER in person.rights else functions


def _check_names(organisation: Organisation) -> None:
    for field, names in (
        ("people", [p.id for p in organisation.people]),
        ("teams", [t.name for t in organisation.teams]),
        ("tiers", [t.name for t in organisation.tiers]),
    ):
        seen: set[str] = set()
        for number, name in enumerate(names):
            if not name.strip():
                _refuse(f"{field}.{number}", "a name is missing")
            if not name.isprintable() or name != name.strip():
                # A line break in a name would let it speak in the lines of others, where people read what was agreed.
                _refuse(f"{field}.{number}", f"{name!r} has a space at its end, or what cannot be printed")
            if name in seen:
                _refuse(f"{field}.{number}", f"{name!r} is there twice")
            seen.add(name)
    teams = {t.name for t in organisation.teams}
    for number, person in enumerate(organisation.people):
        if person.team and person.team not in teams:
            _refuse(f"people.{number}.team", f"there is no team {person.team!r}")
        for each, function in enumerate(person.functions):
            if function == Right.ADMINISTER.value or not function.strip():
                _refuse(
                    f"people.{number}.functions.{each}", f"{function!r} is not a function; rights are under `rights`"
                )
        if person.id in teams:
            _refuse(f"people.{number}.id", f"{person.id!r} is the name of a team too")
    things: set[tuple[ArtifactKind, str]] = set()
    for number, owned in enumerate(organisation.owned):
        if (owned.kind, owned.name) in things:
            _refuse(f"owned.{number}", f"the {owned.kind.value} {owned.name!r} has two owners")
        things.add((owned.kind, owned.name))


def _check_tiers(organisation: Organisation) -> None:
    tiers = {t.name for t in organisation.tiers}
    if organisation.tiers and organisation.usual_tier not in tiers:
        _refuse("usual_tier", "say which tier a model has that is not named; it is one of " + ", ".join(sorted(tiers)))
    for model, tier in organisation.models.items():
        if tier not in tiers:
            _refuse(f"models.{model}", f"there is no tier {tier!r}")
    for number, t in enumerate(organisation.tiers):
        _check_needs(organisation, t.approvals, where=f"tiers.{number}.approvals")
        for field, value, low, high in (
            ("alpha", t.alpha, 1e-6, 0.5),
            ("alpha_pass", t.alpha_pass, 1e-6, 0.5),
            ("margin_scale", t.margin_scale, 0.01, 1.0),
            ("first_share", t.first_share, 1, 9_999),
            ("growth", t.growth, 1.1, 10_000.0),
            ("valid_for", t.valid_for, 60_000, 3_650 * DAY),
            ("minimum", t.minimum, 0, 365 * DAY),
        ):
            if not isinstance(value, msgspec.UnsetType) and not (math.isfinite(value) and low <= value <= high):
                _refuse(f"tiers.{number}.{field}", f"{value} is not between {low:g} and {high:g}")
        if not isinstance(t.proving, msgspec.UnsetType):
            _check_proving(t.proving, where=f"tiers.{number}.proving")


def _check_proving(proving: Proving, *, where: str) -> None:
    if not 60_000 <= proving.within <= DAY:
        _refuse(f"{where}.within", "a proof is good for 1 minute to 1 day")
    if not proving.by or len(set(proving.by)) < len(proving.by):
        _refuse(f"{where}.by", f"say by what, each once: {', '.join(Means)}")


def _refuse(where: str, sentence: str) -> None:
    raise AgreementInvalid(sentence, where=where)
