"""Who has which right, looked up both ways, as the organisation in force says it at this moment."""

from collections.abc import Sequence

import msgspec
from msgspec import UnsetType

from glideslope.domain.events import rfc3339
from glideslope.domain.governing.organisation import Delegation, Organisation, Person, Right


class AccessView(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody may do."""

    actor: str
    team: str
    rights: tuple[str, ...]
    functions: tuple[str, ...]
    """Their own."""
    reviews_as: tuple[str, ...]
    """The functions in which they may approve now: their own and those handed to them; none while they are away."""
    delegations: tuple[str, ...]
    """What is handed on or to them, and when they are away, as sentences; also what lies ahead."""
    owns: tuple[str, ...]
    """What they and their team own: `model fraud`."""


def access(organisation: Organisation, *, who: str, right: str, function: str, now: int) -> Sequence[AccessView]:
    """Return the people whom the questions leave: by name, by a right, by a function in which they may approve now."""
    found = (_view(organisation, person, now=now) for person in organisation.people)
    return [
        view
        for view in found
        if who in ("", view.actor)
        and (not right or right in view.rights)
        and (not function or function in view.reviews_as)
    ]


def _view(organisation: Organisation, person: Person, *, now: int) -> AccessView:
    return AccessView(
        actor=person.id,
        team=person.team,
        rights=tuple(right.value for right in person.rights),
        functions=person.functions,
        reviews_as=organisation.authority(person.id, now=now),
        delegations=tuple(
            _sentence(d, organisation) for d in organisation.delegations if person.id in (d.who, d.to) and now < d.until
        ),
        owns=tuple(f"{owned.kind.value} {owned.name}" for owned in organisation.owns(person.id)),
    )


def _sentence(d: Delegation, organisation: Organisation) -> str:
    when = f"{rfc3339(d.since)[:16]} to {rfc3339(d.until)[:16]}"
    away = f"{d.who} is away" if d.away else ""
    if isinstance(d.to, UnsetType):
        return f"{away}, {when}"
    giver = organisation.person(d.who)
    handed = giver.functions if isinstance(d.functions, UnsetType) and giver is not None else d.functions or ()
    given = f"{d.who} hands {', '.join(handed) or 'nothing'} to {d.to}"
    if giver is not None and Right.REVIEW not in giver.rights:
        given += f", which counts for nothing, since {d.who} may not review"
    return ", ".join(part for part in (away, given, when) if part)
