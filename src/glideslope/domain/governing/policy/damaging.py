"""Damage done to a dossier, to see whether a policy notices: each field in turn taken away, or made into what it must not be.

A damaged dossier must be refused as such, or blocked by a rule. What survives shows a field at which the policy does not look.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from glideslope.domain.errors import DossierInvalid
from glideslope.domain.governing.dossier import dossier_of
from glideslope.domain.governing.policy.examining import Policy, examine

Part = str | int

DESTROYED: Final = ("taken away", "null", "of another type", "emptied", "not finite", "below zero")
"""Ways in which a value is no more; all must be noticed."""
REPLACED: Final = "another value"
"""A value that could be one: noticed where people's approvals cover it."""


@dataclass(frozen=True, slots=True)
class Damage:
    """What was done to which part, and the document that it left."""

    path: tuple[Part, ...]
    how: str
    document: Any

    @property
    def where(self) -> str:
        """Return the part as people write it."""
        return ".".join(map(str, self.path))


@dataclass(frozen=True, slots=True)
class Score:
    """How many damages were noticed."""

    done: int
    refused: int
    """By the form of the dossier, before any rule was asked."""
    blocked: int
    """By a rule."""
    survived: tuple[Damage, ...]

    @property
    def share(self) -> float:
        """Return the share that was noticed."""
        return (self.refused + self.blocked) / self.done if self.done else 0.0


def damages(document: Mapping[str, Any]) -> Iterator[Damage]:
    """Yield every damage of every part, one at a time. The document itself stays as it is."""
    for path, value in _parts((), document):
        if path:
            yield Damage(path, "taken away", _without(document, path))
            for how, other in _ruins(value):
                yield Damage(path, how, _with(document, path, other))


def score(policy: Policy, document: Mapping[str, Any], *, ways: Sequence[str] = DESTROYED) -> Score:
    """Damage a dossier that passes in these ways, and count what is noticed. What reads as the same dossier is no damage.

    Raises DossierInvalid for one that does not pass.
    """
    whole = dossier_of(document)
    blocking = [answer.rule for answer in examine(policy, whole) if answer.blocks]
    if blocking:
        raise DossierInvalid(
            f"undamaged it is blocked already, by {', '.join(blocking)}, so nothing can be learnt from damage"
        )
    done = refused = blocked = 0
    survived = []
    for damage in damages(document):
        if damage.how not in ways:
            continue
        try:
            dossier = dossier_of(damage.document)
        except DossierInvalid:
            done, refused = done + 1, refused + 1
            continue
        if dossier == whole:
            continue
        done += 1
        if any(answer.blocks for answer in examine(policy, dossier)):
            blocked += 1
        else:
            survived.append(damage)
    return Score(done=done, refused=refused, blocked=blocked, survived=tuple(survived))


def _parts(path: tuple[Part, ...], value: Any) -> Iterator[tuple[tuple[Part, ...], Any]]:  # noqa: ANN401 - JSON
    yield path, value
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _parts((*path, str(key)), each)
    elif isinstance(value, (list, tuple)):
        for number, each in enumerate(value):
            yield from _parts((*path, number), each)


def _ruins(value: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - JSON
    yield "null", None
    match value:
        case bool():
            yield "of another type", "yes"
            yield REPLACED, not value
        case int():
            yield "of another type", "many"
            yield "below zero", -1 - value
            yield REPLACED, value + 1
        case float():
            yield "of another type", "many"
            yield "not finite", float("nan")
            yield "not finite", float("inf")
            yield REPLACED, value * 1.5
        case str():
            yield "of another type", {"?": "?"}
            yield "emptied", ""
            yield "emptied", " "
            yield REPLACED, _other(value)
        case Mapping():
            yield "of another type", ["?"]
            yield "emptied", {}
        case list() | tuple():
            yield "of another type", {"?": "?"}
            if value:
                yield "emptied", []
        case _:
            return


def _other(text: str) -> str:
    """Return a text of the same form: another digit at the end, or one letter more."""
    return f"{text[:-1]}{(int(text[-1]) + 1) % 10}" if text[-1:].isdigit() else f"{text}a"


def _with(value: Any, path: tuple[Part, ...], other: Any) -> Any:  # noqa: ANN401 - JSON
    if not path:
        return other
    first, *rest = path
    if isinstance(value, Mapping):
        return {key: _with(each, tuple(rest), other) if key == first else each for key, each in value.items()}
    return [_with(each, tuple(rest), other) if number == first else each for number, each in enumerate(value)]


def _without(value: Any, path: tuple[Part, ...]) -> Any:  # noqa: ANN401 - JSON
    first, *rest = path
    if isinstance(value, Mapping):
        kept = value.items() if rest else ((key, each) for key, each in value.items() if key != first)
        return {key: _without(each, tuple(rest)) if rest and key == first else each for key, each in kept}
    listed = list(value) if rest else [each for number, each in enumerate(value) if number != first]
    return [_without(each, tuple(rest)) if rest and number == first else each for number, each in enumerate(listed)]
