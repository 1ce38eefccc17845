"""Records of how a version was made, found in the facts that were recorded about the candidate."""

from typing import Any, Final

from glideslope.domain.governing.change import Change, Fact, Found, Gather, Placed, State, quotes, when

KIND: Final = "facts-recorded"


def facts_of(change: Change) -> Placed | None:
    """Return the entry with the newest facts about the candidate; None when nothing was recorded."""
    found = [
        placed
        for placed in change.of(KIND, stream=change.model_stream)
        if _facts(placed).get("version") == change.plan["candidate"]
    ]
    return found[-1] if found else None


def told(change: Change, *members: str) -> tuple[Fact, ...]:
    """Quote these parts of the facts, as far as they are there."""
    placed = facts_of(change)
    return () if placed is None else quotes(placed, *members, under="/body/facts")


def from_facts(*members: str, missing: str, besides: tuple[str, ...] = (), never_whole: bool = False) -> Gather:
    """Return what gathers a record from parts of the facts: whole when all `members` are there, `besides` shown if they are.

    `missing` says what would evidence it. A record that facts alone cannot make whole is never more than partly evidenced.
    """

    def gather(change: Change) -> Found:
        placed = facts_of(change)
        facts = told(change, *members, *besides)
        if placed is None or not facts:
            return Found(state=State.NOT_EVIDENCED, missing=(missing,))
        absent = [member for member in members if member not in {fact.name for fact in facts}]
        gaps = tuple(f"The facts of the version say nothing of its {member.replace('_', ' ')}." for member in absent)
        shown = (when(placed, "recorded at"), *quotes(placed, "by", "why"), *facts)
        if gaps or never_whole:
            return Found(state=State.PARTLY, facts=shown, missing=(*gaps, missing) if never_whole else gaps)
        return Found(
            state=State.EVIDENCED, facts=shown, note="As its makers stated them; the ledger shows who did, and when."
        )

    return gather


KINDS: Final = frozenset({"trained_by", "data_by", "evaluated_by", "code_by"})
"""Of makers; only when each is named can nobody who made it be overlooked."""


def all_makers_known(change: Change) -> bool:
    """Tell whether the facts name every kind of maker."""
    placed = facts_of(change)
    return placed is not None and set(_facts(placed).get("makers") or ()) >= KINDS


def makers(change: Change) -> set[str]:
    """Return who is said to have made the candidate."""
    placed = facts_of(change)
    said: Any = {} if placed is None else _facts(placed).get("makers", {})
    return {str(name) for names in said.values() for name in names}


def _facts(placed: Placed) -> dict[str, Any]:
    found: Any = placed.entry.body.get("facts") or {}
    return dict(found)
