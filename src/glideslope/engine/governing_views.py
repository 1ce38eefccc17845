"""Agreements and permissions as interfaces show them: plain values, nothing that acts."""

import msgspec

from glideslope.domain.events import rfc3339
from glideslope.domain.governing.agreement import Agreement, Edition
from glideslope.domain.governing.approval import Need
from glideslope.domain.governing.governed import Governed, counting, missing
from glideslope.domain.governing.organisation import Organisation, Owned
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
    policy: str
    """Digest of the policy that must permit it; empty where none is in force."""


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
    )


def governed_view(rollout: Rollout, *, now: int) -> GovernedView | None:
    """Return what governs a rollout, as of `now`; None where nothing does."""
    governed = rollout.plan.governed
    if not isinstance(governed, Governed):
        return None
    found = counting(
        governed,
        rollout.approvals,
        digest=rollout.plan_digest,
        proposer=rollout.proposed_by,
        since=0,
        now=now,
    )
    lacking = missing(
        governed,
        rollout.approvals,
        digest=rollout.plan_digest,
        proposer=rollout.proposed_by,
        since=0,
        now=now,
    )
    return GovernedView(
        tier=governed.tier,
        needs=_needs(governed.needs),
        missing=_needs(lacking),
        approvals=tuple(
            GrantView(by=a.by, functions=a.functions, at=rfc3339(a.at), until=rfc3339(a.at + governed.valid_for))
            for a in found
        ),
        makers=governed.makers,
        withdrawn=tuple(sorted(rollout.withdrawn)),
        after_breach=governed.after_breach or "",
        policy=governed.policy or "",
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
