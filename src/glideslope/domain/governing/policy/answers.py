"""What a rule may answer: a closed set of four. Only a pass, and a rule that has nothing to say here, let a change go on."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

import msgspec


class Pass(msgspec.Struct, frozen=True, tag="pass", tag_field="answer", forbid_unknown_fields=True):
    """Shown to be so, by what is named."""

    seen: tuple[str, ...]


class Fail(msgspec.Struct, frozen=True, tag="fail", tag_field="answer", forbid_unknown_fields=True):
    """Shown not to be so. Each finding names one offender; the first ones weigh no more than the last."""

    findings: tuple[str, ...]


class NoEvidence(msgspec.Struct, frozen=True, tag="no-evidence", tag_field="answer", forbid_unknown_fields=True):
    """Neither was shown, for want of what is named. Blocks as a failure does."""

    what: tuple[str, ...]


class NotApplicable(msgspec.Struct, frozen=True, tag="not-applicable", tag_field="answer", forbid_unknown_fields=True):
    """The rule does not speak about this change, for a reason that the dossier shows."""

    why: str


Outcome = Pass | Fail | NoEvidence | NotApplicable


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule's answer."""

    rule: str
    outcome: Outcome

    @property
    def blocks(self) -> bool:
        """Tell whether the change may not go on."""
        return isinstance(self.outcome, (Fail, NoEvidence))


@dataclass(frozen=True, slots=True)
class Shown:
    """Something was looked at, and is as it should be."""

    what: str


@dataclass(frozen=True, slots=True)
class Wrong:
    """Something was looked at, and is not."""

    what: str


@dataclass(frozen=True, slots=True)
class Missing:
    """Something should have been looked at, and was not there."""

    what: str


@dataclass(frozen=True, slots=True)
class Beside:
    """The rule does not speak about this change."""

    why: str


Sight = Shown | Wrong | Missing | Beside


def outcome(sights: Iterable[Sight]) -> Outcome:
    """Weigh what a rule saw. To have seen nothing is no pass: a rule passes by what it showed, not by finding no fault."""
    seen: list[str] = []
    findings: list[str] = []
    missing: list[str] = []
    beside: list[str] = []
    for sight in sights:
        match sight:
            case Shown():
                seen.append(sight.what)
            case Wrong():
                findings.append(sight.what)
            case Missing():
                missing.append(sight.what)
            case Beside():
                beside.append(sight.why)
            case _:
                assert_never(sight)
    if findings:
        return Fail((*findings, *(f"not known: {what}" for what in missing)))
    if beside and not missing and not seen:
        return NotApplicable("; ".join(beside))
    if missing or not seen:
        return NoEvidence(tuple(missing) or ("anything to look at",))
    return Pass(tuple(seen))
