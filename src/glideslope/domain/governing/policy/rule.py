"""What every rule is: a name, whom it concerns, typed parameters, one look at a dossier, and sentences for a reader."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Final, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from glideslope.domain.governing.dossier import Dossier, Evaluated
from glideslope.domain.governing.policy.answers import Beside, Missing, Outcome, Shown, Sight, Wrong, outcome
from glideslope.domain.governing.policy.forms import of_form
from glideslope.domain.plan import Milliseconds

T = TypeVar("T")

Name = Annotated[str, of_form(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", "a name of letters, digits and _.- between them")]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
Duration = Annotated[str, of_form(r"(0|[1-9][0-9]{0,5})(s|m|h|d)", "a time, like 30s, 10m, 2h or 90d")]
Share = Annotated[str, of_form(r"(100|[1-9]?[0-9](\.[0-9]{1,2})?)%", "a share of the traffic, like 5% or 0.25%")]
Tier = Name
Words = Annotated[tuple[Text, ...], msgspec.Meta(min_length=1)]
Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)]

_UNITS: Final[Mapping[str, Milliseconds]] = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def milliseconds(written: Duration) -> Milliseconds:
    """Read a time as it is written in a policy."""
    return int(written[:-1]) * _UNITS[written[-1]]


def basis_points(written: Share) -> int:
    """Read a share as it is written in a policy."""
    return int(Decimal(written.removesuffix("%")) * 100)


def percent(points: int) -> str:
    """Write a share."""
    return f"{points / 100:g}%"


def ago(earlier: int, now: int) -> str:
    """Say how long ago something was, in days or hours."""
    hours = (now - earlier) / _UNITS["h"]
    return f"{hours / 24:.0f} days ago" if hours >= 48 else f"{hours:.0f} hours ago"


def spoken(written: Duration) -> str:
    """Write a time in words."""
    number, unit = written[:-1], {"s": "second", "m": "minute", "h": "hour", "d": "day"}[written[-1]]
    return f"{number} {unit}{'' if number == '1' else 's'}"


def listed(words: tuple[str, ...], *, last: str = "and") -> str:
    """Join words as people do."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}" if words else "nothing"


def known(value: T | UnsetType) -> T | None:
    """Return a value, or None for what is not known."""
    return None if isinstance(value, UnsetType) else value


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What all kinds have. A kind says what it looks for in `look`, what it asks in `asks`, and what to do in `mend`."""

    id: Name
    """By which its answers are known."""
    tiers: tuple[Tier, ...] | UnsetType = UNSET
    """It concerns changes of these tiers alone; all of them when it is left out."""
    says: Text | UnsetType = UNSET
    """The policy's own words for it."""

    @abstractmethod
    def look(self, dossier: Dossier) -> Iterator[Sight]:
        """Say what is as it should be, what is not, and what is not there. Nothing said is no evidence."""

    @abstractmethod
    def asks(self) -> str:
        """Say what it asks, in one sentence that a risk officer can read."""

    @abstractmethod
    def mend(self) -> str:
        """Say what somebody does who did not pass."""

    @classmethod
    def kind(cls) -> str:
        """Return the word by which a policy names it."""
        return str(cls.__struct_config__.tag)

    def answer(self, dossier: Dossier, tiers: tuple[Tier, ...]) -> Outcome:
        """Answer for one dossier of a policy that knows these tiers."""
        return outcome(self._sights(dossier, tiers))

    def concerns(self, dossier: Dossier, tiers: tuple[Tier, ...]) -> bool:
        """Tell whether the dossier's tier is known, and one that the rule speaks about."""
        tier = known(dossier.tier)
        return tier in tiers and (isinstance(self.tiers, UnsetType) or tier in self.tiers)

    def _sights(self, dossier: Dossier, tiers: tuple[Tier, ...]) -> Iterator[Sight]:
        tier = known(dossier.tier)
        # A tier that the policy does not know concerns every rule: which of them would speak cannot be told.
        if tier is None:
            yield Missing("the tier of the model")
        elif tier not in tiers:
            yield Missing(f"a tier that the policy knows: `{tier}` is none of {listed(tiers)}")
        elif not isinstance(self.tiers, UnsetType) and tier not in self.tiers:
            yield Beside(f"it concerns the tier{'' if len(self.tiers) == 1 else 's'} {listed(self.tiers)}, not {tier}")
        else:
            yield from self.look(dossier)


ByTier: TypeAlias = T | dict[str, T]
"""One value for all tiers, or one for each."""


def of_tier(value: T | dict[str, T], dossier: Dossier) -> T | None:
    """Return what a parameter says about the dossier's tier, None where it says nothing."""
    return value.get(known(dossier.tier) or "") if isinstance(value, dict) else value


def per_tier(value: T | dict[str, T], say: Callable[[T], str]) -> str:
    """Write a parameter that may differ by tier."""
    if not isinstance(value, dict):
        return say(value)
    *some, last = (f"{say(each)} ({tier})" for tier, each in value.items())
    between = "; " if any(", " in each or " and " in each for each in (*some, last)) else ", "
    return f"{between.join(some)}{between if between == '; ' else ' '}or {last}" if some else last


def evaluations_of(dossier: Dossier) -> tuple[Evaluated, ...]:
    """Return the evaluations of exactly the candidate's bytes."""
    return tuple(each for each in known(dossier.evaluations) or () if each.of == dossier.change.candidate_digest)


def too_old(what: str, at: int, within: Duration, dossier: Dossier) -> Sight:
    """Judge something's age. What lies ahead of now is no evidence of anything."""
    if at > dossier.now:
        return Missing(f"{what}: its time lies ahead")
    if dossier.now - at > milliseconds(within):
        return Wrong(f"{what} is from {ago(at, dossier.now)}")
    return Shown(f"{what} is from {ago(at, dossier.now)}")


FACTS: Final = Missing("facts of how the candidate was made")
