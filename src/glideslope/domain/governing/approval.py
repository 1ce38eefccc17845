"""Approvals that count: given by somebody with the authority, of exactly this content, not too long ago, and by none of its makers."""

from collections.abc import Collection, Sequence

import msgspec

from glideslope.domain.ids import Actor, Digest


class Need(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many approvals by people of a function."""

    function: str
    count: int = 1


class Approval(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A yes that was given. Instants in milliseconds since the epoch, UTC."""

    by: Actor
    digest: Digest
    functions: tuple[str, ...]
    """In which its giver had authority at that moment."""
    at: int
    change: Digest | msgspec.UnsetType = msgspec.UNSET
    """All that was to be agreed on at that moment, facts about the candidate and policy too; absent where that was not known."""
    envelope: Digest | msgspec.UnsetType = msgspec.UNSET
    """The envelope with which it was given, for every candidate inside; absent where it was given for this change itself."""


def standing(
    approvals: Collection[Approval],
    *,
    digest: Digest,
    barred: Collection[Actor],
    valid_for: int,
    since: int,
    now: int,
    change: Digest | msgspec.UnsetType = msgspec.UNSET,
) -> tuple[Approval, ...]:
    """Return the approvals that count now: of this content, given after `since`, not expired, by none who is barred.

    Where it is known what is to be agreed on now (`change`), one that was given of something else is void.
    """
    return tuple(
        a
        for a in approvals
        if a.digest == digest
        and a.by not in barred
        and a.at >= since
        and 0 <= now - a.at < valid_for
        and (isinstance(change, msgspec.UnsetType) or isinstance(a.change, msgspec.UnsetType) or a.change == change)
    )


def unmet(needs: Sequence[Need], approvals: Collection[Approval]) -> tuple[Need, ...]:
    """Return what is still needed. Each person counts once, in the function where it helps most.

    A maximum bipartite matching of people to needs (Kuhn 1955), so that nobody's yes is used up where another's would have done.
    """
    slots = [need.function for need in needs for _ in range(need.count)]
    people = {a.by: frozenset(a.functions) for a in sorted(approvals, key=lambda a: a.by)}
    taken: dict[int, Actor] = {}

    def place(who: Actor, tried: set[int]) -> bool:
        for slot, function in enumerate(slots):
            if function in people[who] and slot not in tried:
                tried.add(slot)
                if slot not in taken or place(taken[slot], tried):
                    taken[slot] = who
                    return True
        return False

    for who in people:
        place(who, set())
    left = [function for slot, function in enumerate(slots) if slot not in taken]
    return tuple(Need(f, left.count(f)) for f in dict.fromkeys(left))


def together(*needs: Sequence[Need]) -> tuple[Need, ...]:
    """Return what satisfies all of them: of each function the largest count."""
    found: dict[str, int] = {}
    for need in (each for some in needs for each in some):
        found[need.function] = max(need.count, found.get(need.function, 0))
    return tuple(Need(function, count) for function, count in sorted(found.items()))
