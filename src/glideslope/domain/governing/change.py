"""One change as the ledger tells it: its entries in their places, and facts that quote them exactly.

A fact says where it stands, as a ledger position and a JSON Pointer (RFC 6901) into that entry, so that whoever holds
the entry can compare the two without knowing what either means.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from glideslope.domain.errors import Invalid
from glideslope.ledger.entry import Entry


@dataclass(frozen=True, slots=True)
class Placed:
    """An entry and its position in the ledger, from 0."""

    position: int
    entry: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A named value. With `entry` and `pointer` it is quoted from there; without, it was computed when the pack was made."""

    name: str
    value: Any
    entry: int | None = None
    pointer: str | None = None


class State(StrEnum):
    """How far a record is evidenced. Everything but the first says what is missing."""

    EVIDENCED = "evidenced"
    PARTLY = "partly-evidenced"
    NOT_EVIDENCED = "not-evidenced"
    NOT_APPLICABLE = "not-applicable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the ledger has for one record."""

    state: State
    facts: tuple[Fact, ...] = ()
    missing: tuple[str, ...] = ()
    """What would evidence the rest, each as a sentence."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """A rollout with everything in the ledger that belongs to it, in ledger order."""

    rollout: str
    entries: tuple[Placed, ...]

    @property
    def proposal(self) -> Placed:
        """Return the entry with which the rollout begins. Raises Invalid when it is not there."""
        found = self.of("rollout-proposed", stream=self.rollout)
        if not found:
            raise Invalid(f"{self.rollout} does not begin with a proposal.")
        return found[0]

    @property
    def plan(self) -> Mapping[str, Any]:
        """Return the frozen plan as it stands in the proposal."""
        body: Mapping[str, Any] = self.proposal.entry.body
        return dict(body["plan"])

    @property
    def plan_digest(self) -> str:
        """Return the digest of the plan, in which stand the digests of both models."""
        return str(self.proposal.entry.body["plan_digest"])

    @property
    def digest(self) -> str:
        """Return the digest of all that people are asked to agree on, as the newest decision names it.

        It covers model, data, evaluations, policy and plan (`dossier.change_digest`). Where nothing governs, people agree on the plan.
        """
        evidence = [look(placed.entry.body, "/evidence") for placed in self.of("decided", stream=self.rollout)]
        permits = [each.get("permit", {}) for each in evidence]
        known = [str(permit["change"]) for permit in permits if "change" in permit]
        return known[-1] if known else self.plan_digest

    @property
    def model_stream(self) -> str:
        return f"model.{self.plan['model']}"

    def of(self, *kinds: str, stream: str | None = None) -> list[Placed]:
        """Return the entries of these kinds, of one stream or of all, oldest first."""
        return [
            placed for placed in self.entries if placed.entry.kind in kinds and stream in (None, placed.entry.stream)
        ]

    def version(self, name: str) -> list[Placed]:
        """Return what was registered under a version's name, oldest first."""
        found = self.of("version-registered", stream=self.model_stream)
        return [placed for placed in found if placed.entry.body.get("version") == name]


Gather = Callable[[Change], Found]
"""Finds what the ledger has for one record."""


def quote(placed: Placed, pointer: str, name: str = "") -> Fact:
    """Quote what stands at *pointer* in an entry. Raises Invalid when nothing does."""
    value = look(_members(placed.entry), pointer)
    return Fact(name=name or pointer.rpartition("/")[2], value=value, entry=placed.position, pointer=pointer)


def quotes(placed: Placed, *members: str, under: str = "/body") -> tuple[Fact, ...]:
    """Quote each of these members that is there and says something."""
    found = look(_members(placed.entry), under)
    return tuple(
        quote(placed, f"{under}/{escaped(member)}", member)
        for member in members
        if isinstance(found, Mapping) and found.get(member) not in (None, "", [], {})
    )


def when(placed: Placed, name: str = "at") -> Fact:
    """Quote the time of an entry, by the writer's clock."""
    return quote(placed, "/at", name)


def look(value: object, pointer: str) -> Any:  # noqa: ANN401 - JSON
    """Return what a JSON Pointer (RFC 6901) points at. Raises Invalid."""
    found: Any = value
    for token in pointer.split("/")[1:]:
        token = token.replace("~1", "/").replace("~0", "~")  # noqa: PLW2901 - the same token, read
        try:
            found = found[int(token)] if isinstance(found, Sequence) and not isinstance(found, str) else found[token]
        except (LookupError, TypeError, ValueError):
            raise Invalid(f"Nothing stands at {pointer}.") from None
    return found


def escaped(token: str) -> str:
    """Return a member's name as a JSON Pointer writes it."""
    return token.replace("~", "~0").replace("/", "~1")


def _members(entry: Entry) -> dict[str, object]:
    return {
        "at": entry.at,
        "body": entry.body,
        "kind": entry.kind,
        "stream": entry.stream,
        "version": entry.version,
    }


def each(placed: Iterable[Placed], *members: str) -> tuple[Fact, ...]:
    """Quote the time and these members of each entry."""
    return tuple(fact for one in placed for fact in (when(one), *quotes(one, *members)))


def nothing(*missing: str) -> Gather:
    """Return what gathers a record for which nothing is recorded yet, and says what would evidence it."""

    def gather(_: Change) -> Found:
        return Found(state=State.NOT_EVIDENCED, missing=missing)

    return gather
