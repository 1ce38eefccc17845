"""Which records speak to which clause of which regime: dated data, held against the records of one change.

The rows are in `clauses.json` beside this module. Nothing here says that a clause is met: that is for people to judge.
It says which records a reader would look into, and which of those are missing.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from glideslope.domain.errors import Invalid
from glideslope.domain.governing.change import State
from glideslope.domain.governing.records import TYPES, Record


class Clause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One clause: what it asks to be on record for a change, in our words, and the numbers of the records."""

    clause: str
    asks: str
    records: tuple[int, ...]
    gap: str = ""
    """What no record of this product covers, whatever the change."""


class Regime(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A law, guidance or standard as it stood on a day."""

    regime: str
    title: str
    state: str
    as_of: str
    """The day on which somebody looked, as 2026-01-31."""
    source: str
    """How we know: primary text read, or what else."""
    note: str
    clauses: tuple[Clause, ...]


class Standing(StrEnum):
    """How the records of one change stand towards a clause."""

    ON_RECORD = "on-record"  # every record named is evidenced, or does not apply
    PARTLY = "partly-on-record"
    GAP = "gap"  # none of them is


def read(data: bytes) -> tuple[Regime, ...]:
    """Read the map. Raises Invalid for another layout, an unknown record or a clause without any record and gap."""
    try:
        regimes = msgspec.json.decode(data, type=tuple[Regime, ...])
    except msgspec.MsgspecError as error:
        raise Invalid(f"The clause map cannot be read: {error}.") from error
    known = {each.number for each in TYPES}
    for regime in regimes:
        for clause in regime.clauses:
            if set(clause.records) - known or not (clause.records or clause.gap):
                raise Invalid(f"{regime.regime} {clause.clause} names records that do not exist, or none and no gap.")
    return regimes


def standing(clause: Clause, states: Mapping[int, State]) -> Standing:
    """Return how a clause stands, given the state of each record. A stated gap is never hidden by what is there."""
    asked = [states[number] for number in clause.records]
    there = [state for state in asked if state is not State.NOT_EVIDENCED]
    if not there:
        return Standing.GAP
    whole = all(state in (State.EVIDENCED, State.NOT_APPLICABLE) for state in asked)
    return Standing.ON_RECORD if whole and not clause.gap else Standing.PARTLY


def document(regimes: Iterable[Regime], records: Iterable[Record]) -> dict[str, Any]:
    """Return the map as it stands in the pack of one change."""
    states = {record.type.number: record.found.state for record in records}
    return {
        "format": "glideslope-clauses/1",
        "disclaimer": "Which records speak to which clause. Not legal advice, and no claim that a clause is met.",
        "regimes": [
            {
                "regime": regime.regime,
                "title": regime.title,
                "state": regime.state,
                "as_of": regime.as_of,
                "source": regime.source,
                "note": regime.note,
                "clauses": [
                    {
                        "clause": clause.clause,
                        "asks": clause.asks,
                        "records": list(clause.records),
                        "missing": [n for n in clause.records if states[n] in (State.NOT_EVIDENCED, State.PARTLY)],
                        "gap": clause.gap,
                        "standing": standing(clause, states).value,
                    }
                    for clause in regime.clauses
                ],
            }
            for regime in regimes
        ],
    }
