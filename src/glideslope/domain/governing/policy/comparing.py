"""Which way an edit of a policy goes: each parameter of a rule says what more of it means, and a rule goes where they all go."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET

from glideslope.domain.governing.edits import Changes, Way, opposite
from glideslope.domain.governing.policy.examining import Policy
from glideslope.domain.governing.policy.rule import Rule, basis_points, known, listed, milliseconds
from glideslope.domain.governing.policy.wording import asked

Sized = Callable[[Any], float]
"""How much a value is, where more of it can be told from less."""
Sense = Callable[[Any, Any], Way | None]
"""Which way from one value to another, of one tier; None for nowhere."""


def _unset(size: Sized, *, means: float) -> Sized:
    return lambda value: means if value is UNSET or value is None else size(value)


def _by_size(size: Sized, *, more: Way) -> Sense:
    def sense(old: Any, new: Any) -> Way | None:  # noqa: ANN401 - whatever a parameter holds
        before, after = size(old), size(new)
        return None if before == after else more if after > before else opposite(more)

    return sense


def _by_members(*, more: Way, none: Way | None = None) -> Sense:
    """Compare lists of names; `none` is the way to no list at all, where that is not the empty one."""

    def sense(old: Any, new: Any) -> Way | None:  # noqa: ANN401 - whatever a parameter holds
        if none is not None and (old is UNSET) != (new is UNSET):
            return none if new is UNSET else opposite(none)
        before, after = (Counter(known(each) or ()) for each in (old, new))
        if before == after:
            return None
        if before <= after:
            return more
        return opposite(more) if after <= before else Way.OTHER

    return sense


def _by_key(each: Sense) -> Sense:
    """Compare values by name; one that comes asks more, one that goes asks less."""

    def sense(old: Any, new: Any) -> Way | None:  # noqa: ANN401 - whatever a parameter holds
        ways = [
            Way.STRICTER if name not in old else Way.LOOSER if name not in new else each(old[name], new[name])
            for name in dict.fromkeys((*old, *new))
        ]
        return together(ways)

    return sense


def _limits(old: Any, new: Any) -> Way | None:  # noqa: ANN401 - the limits of a rule about fairness
    was, now = ({(each.metric, each.attribute): each.at_most for each in limits} for limits in (old, new))
    return _by_key(_MORE_IS_LOOSER)(was, now)


def _neither(old: Any, new: Any) -> Way | None:  # noqa: ANN401 - whatever a parameter holds
    return None if old == new else Way.OTHER


_LONGER_IS_LOOSER: Final = _by_size(_unset(milliseconds, means=math.inf), more=Way.LOOSER)
_LONGER_IS_STRICTER: Final = _by_size(milliseconds, more=Way.STRICTER)
_WIDER_IS_LOOSER: Final = _by_size(_unset(basis_points, means=math.inf), more=Way.LOOSER)
_MORE_IS_LOOSER: Final = _by_size(_unset(float, means=math.inf), more=Way.LOOSER)
_MORE_IS_STRICTER: Final = _by_size(_unset(float, means=0.0), more=Way.STRICTER)
_ALL_OF_THESE: Final = _by_members(more=Way.STRICTER)
_ANY_OF_THESE: Final = _by_members(more=Way.LOOSER)

SENSES: Final[Mapping[str, Sense]] = {
    "accepted": _ANY_OF_THESE,
    "allowed": _ANY_OF_THESE,
    "alpha": _MORE_IS_LOOSER,
    "alpha_pass": _MORE_IS_LOOSER,
    "as_of_within": _LONGER_IS_LOOSER,
    "at_least": _MORE_IS_STRICTER,
    "by": _by_members(more=Way.LOOSER, none=Way.LOOSER),
    "checked_within": _LONGER_IS_LOOSER,
    "drills": _ALL_OF_THESE,
    "findings": _neither,
    "first": _WIDER_IS_LOOSER,
    "forbids": _ALL_OF_THESE,
    "growth": _MORE_IS_LOOSER,
    "largest": _WIDER_IS_LOOSER,
    "limits": _limits,
    "look_upstream": _MORE_IS_STRICTER,
    "measured": _MORE_IS_STRICTER,
    "metrics": _ALL_OF_THESE,
    "min_rows": _MORE_IS_STRICTER,
    "minimum": _LONGER_IS_STRICTER,
    "need": _ALL_OF_THESE,
    "needs": _ALL_OF_THESE,
    "of": _ALL_OF_THESE,
    "parts": _ALL_OF_THESE,
    "path": _neither,
    "regions": _ANY_OF_THESE,
    "restored_in": _LONGER_IS_LOOSER,
    "says": _neither,
    "sections": _ALL_OF_THESE,
    "severities": _ALL_OF_THESE,
    "slices": _ALL_OF_THESE,
    "stages": _ALL_OF_THESE,
    "tags": _ALL_OF_THESE,
    "tiers": _by_members(more=Way.STRICTER, none=Way.STRICTER),
    "unless_agreed_by": _by_members(more=Way.STRICTER, none=Way.STRICTER),
    "uses": _ALL_OF_THESE,
    "valid_for": _LONGER_IS_LOOSER,
    "validations": _ALL_OF_THESE,
    "who": _ALL_OF_THESE,
    "within": _LONGER_IS_LOOSER,
}
"""What more of a parameter means, by its name."""

OTHERWISE: Final[Mapping[tuple[str, str], Sense]] = {
    ("opa", "within"): _neither,  # how long an answer is waited for
    ("reviewed_within", "of"): _by_key(_LONGER_IS_LOOSER),
}
"""By kind and name, where the name means something else."""


def together(ways: Iterable[Way | None]) -> Way | None:
    """Return where several changes go together: nowhere, one way, or neither."""
    found = {way for way in ways if way is not None}
    return None if not found else found.pop() if len(found) == 1 else Way.OTHER


def way_of(old: Rule, new: Rule, tiers: Sequence[str]) -> Way:
    """Return which way an edit of a rule goes, at the tiers of the policy."""
    if old.kind() != new.kind():
        return Way.OTHER
    # Other words for the same are said as they are; they move nothing.
    names = [name for name in new.__struct_fields__ if name not in {"id", "says"}]
    return together(_ways(old, new, names, tiers)) or Way.OTHER


def _ways(old: Rule, new: Rule, names: Iterable[str], tiers: Sequence[str]) -> Iterator[Way | None]:
    for name in names:
        was, now, special = getattr(old, name), getattr(new, name), OTHERWISE.get((new.kind(), name))
        if special is not None:
            yield special(was, now)
        elif isinstance(was, dict) or isinstance(now, dict):
            for tier in tiers:
                before, after = (each.get(tier, UNSET) if isinstance(each, dict) else each for each in (was, now))
                # A tier that one of them says nothing about is new to the policy, or gone from it, which is said by itself.
                if (before is UNSET) == (after is UNSET):
                    yield None if before is UNSET else SENSES[name](before, after)
        else:
            yield SENSES[name](was, now)


def changes(old: Policy, new: Policy) -> Changes:
    """Yield what an edit of a policy changes, and which way each goes; nothing where it changes nothing."""
    if old.name != new.name:
        yield Way.OTHER, f"The policy {old.name} is named {new.name}."
    if old.tiers != new.tiers:
        # A change of a tier that a policy does not know is blocked by every rule of it.
        way = _by_members(more=Way.LOOSER)(old.tiers, new.tiers) or Way.OTHER
        yield way, f"The tiers were {listed(old.tiers)}, and are {listed(new.tiers)}."
    if known(old.says) != known(new.says):
        yield Way.OTHER, f"It said: {known(old.says) or 'nothing'} It says: {known(new.says) or 'nothing'}"
    before, after = {rule.id: rule for rule in old.rules}, {rule.id: rule for rule in new.rules}
    for name, rule in before.items():
        if name not in after:
            yield Way.LOOSER, f"{name} is asked no more: {asked(rule)}"
    for name, rule in after.items():
        if name not in before:
            yield Way.STRICTER, f"{name} is new: {asked(rule)}"
        elif rule != before[name]:
            way = way_of(before[name], rule, new.tiers)
            for sentence in _changed(before[name], rule):
                yield way, sentence
    kept = [name for name in before if name in after]
    if kept != [name for name in after if name in before]:
        yield Way.OTHER, "The rules stand in another order; they are asked alike."


def _changed(old: Rule, new: Rule) -> Iterator[str]:
    if asked(old) != asked(new):
        yield f"{new.id} asked: {asked(old)} Now it asks: {asked(new)}"
        return
    was, now = msgspec.to_builtins(old), msgspec.to_builtins(new)
    for key in dict.fromkeys((*was, *now)):
        if was.get(key) != now.get(key):
            yield f"{new.id}: `{key}` was {was.get(key, 'not said')}, and is {now.get(key, 'not said')}."
