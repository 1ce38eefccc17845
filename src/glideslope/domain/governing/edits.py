"""What an agreement says, part by part, and which way an edit of it goes."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from glideslope.domain.governing.approval import Need
from glideslope.domain.governing.policy.rule import listed


class Way(StrEnum):
    """Which way an edit goes: whether more, less, or others may happen, or pass, or decide than before."""

    LOOSER = "looser"
    STRICTER = "stricter"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that an agreement says: in which part of it, about what, and what."""

    part: str
    about: str
    sentence: str


Changes: TypeAlias = Iterator[tuple[Way, str]]
"""What an edit changes, as sentences, and which way each goes."""


def opposite(way: Way) -> Way:
    """Return the way back."""
    return {Way.LOOSER: Way.STRICTER, Way.STRICTER: Way.LOOSER, Way.OTHER: Way.OTHER}[way]


def sets(what: str, old: Iterable[str], new: Iterable[str], *, more: Way = Way.LOOSER) -> Changes:
    """Yield what a set has that it had not, and the other way round."""
    was, now = dict.fromkeys(old), dict.fromkeys(new)
    if come := [each for each in now if each not in was]:
        yield more, f"it {what} {listed(tuple(come))}, which it did not"
    if gone := [each for each in was if each not in now]:
        yield opposite(more), f"it {what} {listed(tuple(gone))} no more"


def number(what: str, old: Any, new: Any, *, say: Callable[[Any], str], up: Way = Way.LOOSER) -> Changes:  # noqa: ANN401 - any number
    """Yield that a number changed; `up` is the way of a larger one."""
    if new != old:
        yield up if new > old else opposite(up), f"it {what} {say(new)}; it was {say(old)}"


def needs(what: str, old: Iterable[Need], new: Iterable[Need], *, looser: bool) -> Changes:
    """Yield of which functions more or fewer approvals are needed; `looser` tells whether more of them are."""
    more = Way.LOOSER if looser else Way.STRICTER
    was, now = ({need.function: need.count for need in each} for each in (old, new))
    for function in dict.fromkeys((*was, *now)):
        before, after = was.get(function, 0), now.get(function, 0)
        if before != after:
            yield more if after > before else opposite(more), f"it {what} {after} of {function}; it was {before}"


def told(changes: Changes) -> Iterator[str]:
    """Write each change with its way before it."""
    for way, sentence in changes:
        yield f"{way.value}: {sentence}"
