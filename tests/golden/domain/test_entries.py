"""Entries that were released are read for ever: decoded, written again to the same bytes, and decided again the same way."""

from pathlib import Path

import msgspec
import pytest

from glideslope.domain.decision import DECIDER, Decision
from glideslope.domain.events import Decided, Event, body_of, event_of, kind_of
from glideslope.domain.reasons import Reason
from glideslope.domain.replay import DECIDERS, replay, replay_decision
from glideslope.ledger.entry import Entry, decode, encode

PATHS = sorted(Path(__file__).parent.glob("v*/*.json"))
ENTRIES = [decode(path.read_bytes()) for path in PATHS]
DECIDED = [entry for entry in ENTRIES if entry.kind == "decided"]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_every_entry_ever_released_can_still_be_read(path: Path) -> None:
    """Old entries decode, and re-encode to the same bytes."""
    entry = decode(path.read_bytes())
    event = event_of(entry.kind, entry.body)

    again = Entry(stream=entry.stream, version=entry.version, at=entry.at, kind=kind_of(event), body=body_of(event))

    assert encode(again) == path.read_bytes()


def test_a_whole_record_of_golden_entries_replays_without_a_finding() -> None:
    report = replay(ENTRIES)

    assert report.findings == ()
    assert report.rollouts == 13
    assert report.classifications == 1
    assert report.decisions == len(DECIDED) - 1
    assert report.orders == 1


@pytest.mark.parametrize("entry", DECIDED, ids=lambda entry: f"{entry.stream}-{entry.version}")
def test_every_golden_decision_is_decided_again(entry: Entry) -> None:
    """Recorded evidence and time in, recorded decision out."""
    found = replay_decision(ENTRIES, stream=entry.stream, version=entry.version)

    assert found.same
    assert found.recomputed in (found.recorded.decision, None)


def test_there_is_a_golden_entry_of_every_kind_and_of_every_decision() -> None:
    kinds = {str(kind.__struct_config__.tag) for kind in Event.__args__}
    decisions = set(Decision.__args__)
    read = [event_of(entry.kind, entry.body) for entry in ENTRIES]

    assert {entry.kind for entry in ENTRIES} == kinds
    assert {type(event.decision) for event in read if isinstance(event, Decided)} == decisions


def test_golden_evidence_says_something_in_every_field() -> None:
    read = [event_of(entry.kind, entry.body) for entry in DECIDED]
    evidence = [msgspec.structs.asdict(event.evidence) for event in read if isinstance(event, Decided)]

    assert all(any(said[name] for said in evidence) for name in evidence[0])


def test_every_decider_that_ever_decided_is_still_there() -> None:
    assert set(DECIDERS) == set(range(1, DECIDER + 1))
    assert {entry.body["decider"] for entry in DECIDED} <= set(DECIDERS)


def test_what_version_4_decided_version_3_would_have_decided_otherwise() -> None:
    """A shadow that services keep silent in is left, and requests under way are waited for."""
    by_four = [entry for entry in DECIDED if entry.body["decider"] == 4]
    told = {}
    for entry in by_four:
        event = event_of(entry.kind, entry.body)
        assert isinstance(event, Decided)
        found = replay_decision(ENTRIES, stream=entry.stream, version=entry.version)
        before = DECIDERS[3](found.before, event.evidence, now=found.at)
        told[entry.stream, entry.version] = (event.decision.reasons, before.reasons)

    assert [pair for pair in told.values() if pair[0] != pair[1]] == [
        ((Reason.PASSED,), (Reason.NO_EVIDENCE,)),
        ((Reason.NOT_ENOUGH,), (Reason.PASSED,)),
    ]
