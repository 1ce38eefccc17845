"""Trying a policy out before it is in force: cases with what they should be answered, and an edit over changes that were."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from glideslope.domain.errors import DossierInvalid
from glideslope.domain.governing.dossier import Dossier, change_digest, dossier_of
from glideslope.domain.governing.policy.answers import Answer, Outcome
from glideslope.domain.governing.policy.examining import Policy, examine
from glideslope.domain.governing.policy.rule import Name, Text
from glideslope.domain.governing.policy.wording import word

Word = Literal["pass", "fail", "no-evidence", "not-applicable"]


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A dossier, what is changed in it, and what a policy should answer."""

    name: Text
    dossier: Text
    """Its file, beside the cases."""
    drop: tuple[Text, ...] = ()
    """Parts that are taken away: `candidate.signature`, `approvals.2`."""
    set: dict[str, Any] = {}
    """Parts that are given another value: `tier: high`, `plan.alpha: 0.5`."""
    agreed: bool = False
    """As if it had been proposed and approved as it is after that; else approvals hold for what it was before."""
    expect: dict[Name, Word] = {}
    """Answers by rule."""
    passes: bool | UnsetType = UNSET
    """Whether the change goes on."""

    def __post_init__(self) -> None:
        """Refuse a case that expects nothing."""
        if not self.expect and isinstance(self.passes, UnsetType):
            raise ValueError("a case says what it expects: `expect` or `passes`")


class Cases(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The cases of one policy."""

    cases: Annotated[tuple[Case, ...], msgspec.Meta(min_length=1)]


class PathUnknown(ValueError):
    """A case changes a part that its dossier does not have."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A case, and in what it was answered otherwise than expected."""

    case: Case
    wrong: tuple[str, ...]
    answers: tuple[Answer, ...]
    """Empty when the dossier was refused as such."""


def edited(document: Mapping[str, Any], case: Case) -> dict[str, Any]:
    """Return the dossier of a case with its changes. Raises PathUnknown."""
    whole: dict[str, Any] = deepcopy(dict(document))
    # From the end, so that taking an entry of a list away moves none that is named after it.
    for path in sorted(case.drop, key=_order, reverse=True):
        holder, last = _holder(whole, path)
        try:
            del holder[last]
        except (KeyError, IndexError, TypeError):
            raise PathUnknown(f"the dossier has no `{path}` to drop") from None
    for path, value in case.set.items():
        holder, last = _holder(whole, path)
        try:
            holder[last] = value
        except (IndexError, TypeError):
            raise PathUnknown(f"the dossier has no place for `{path}`") from None
    return whole


def tried(
    policy: Policy,
    case: Case,
    document: Mapping[str, Any],
    told: Callable[[Dossier], Mapping[str, Outcome]] = lambda _: {},
) -> Tried:
    """Answer a case. `told` asks others about the rules that are theirs. Raises PathUnknown."""
    whole = edited(document, case)
    try:
        dossier = dossier_of(whole)
    except DossierInvalid as error:
        expected_to_pass = case.passes is True or bool(case.expect)
        refused = f"the dossier is refused: {error.sentence} ({error.where})"
        return Tried(case, (refused,) if expected_to_pass else (), ())
    if case.agreed:
        dossier = as_agreed(dossier)
    answers = examine(policy, dossier, told(dossier))
    words = {answer.rule: word(answer.outcome) for answer in answers}
    wrong = [
        f"{rule} answers {words[rule]}, expected {expected}" if rule in words else f"the policy has no rule {rule}"
        for rule, expected in case.expect.items()
        if words.get(rule) != expected
    ]
    blocking = [answer.rule for answer in answers if answer.blocks]
    if case.passes is True and blocking:
        wrong.append(f"it is blocked by {', '.join(blocking)}, expected to pass")
    if case.passes is False and not blocking:
        wrong.append("it passes, expected to be blocked")
    return Tried(case, tuple(wrong), answers)


def as_agreed(dossier: Dossier) -> Dossier:
    """Return a dossier as if it had been proposed, and approved by the same people, as it is."""
    digest = change_digest(dossier)
    approvals = dossier.approvals
    return msgspec.structs.replace(
        dossier,
        change=msgspec.structs.replace(dossier.change, digest=digest),
        approvals=UNSET
        if isinstance(approvals, UnsetType)
        else tuple(msgspec.structs.replace(approval, digest=digest) for approval in approvals),
    )


def _order(path: str) -> tuple[tuple[bool, int, str], ...]:
    return tuple((part.isdigit(), int(part) if part.isdigit() else 0, part) for part in path.split("."))


def _holder(whole: Any, path: str) -> tuple[Any, str | int]:  # noqa: ANN401 - JSON
    *before, last = path.split(".")
    found = whole
    for part in before:
        try:
            found = found[int(part) if isinstance(found, list) else part]
        except (KeyError, IndexError, TypeError, ValueError):
            raise PathUnknown(f"the dossier has no `{path}`") from None
    if isinstance(found, list):
        if not last.isdigit():
            raise PathUnknown(f"the dossier has a list at `{path}`, whose entries have numbers")
        return found, int(last)
    return found, last


@dataclass(frozen=True, slots=True)
class Past:
    """A change that was, by the name under which it is known."""

    name: str
    dossier: Dossier


@dataclass(frozen=True, slots=True)
class Shift:
    """A past change that an edit would have decided otherwise, with the rules that block under one policy and not the other."""

    name: str
    blocked: bool
    """By the new policy; else by the old one."""
    rules: tuple[str, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a policy would have said about changes that were. Without an old policy every blocked one is a shift."""

    changes: int
    passed_before: int
    """Those that the old policy let pass; all of them without one."""
    blocked: int
    """By the new policy, whatever the old one said."""
    shifts: tuple[Shift, ...]
    """In the order of the changes."""


def dry_run(new: Policy, pasts: Sequence[Past], *, old: Policy | None = None) -> DryRun:
    """Ask a policy about changes that were, beside the one it would replace."""
    shifts, blocked, passed = [], 0, 0
    for past in pasts:
        now = [answer for answer in examine(new, past.dossier) if answer.blocks]
        before = [answer for answer in examine(old, past.dossier) if answer.blocks] if old is not None else []
        blocked += bool(now)
        passed += not before
        if bool(now) != bool(before):
            shifts.append(_shift(past.name, now or before, blocked=bool(now)))
    return DryRun(changes=len(pasts), passed_before=passed, blocked=blocked, shifts=tuple(shifts))


def _shift(name: str, answers: Sequence[Answer], *, blocked: bool) -> Shift:
    reasons = []
    for answer in answers:
        outcome: Any = answer.outcome
        reasons += list(getattr(outcome, "findings", ()) or getattr(outcome, "what", ()))
    return Shift(name=name, blocked=blocked, rules=tuple(a.rule for a in answers), reasons=tuple(reasons))
