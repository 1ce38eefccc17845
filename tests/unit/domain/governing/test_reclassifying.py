"""What an envelope answered is made again from the ledger alone; what was changed, or rests on nothing, is found."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from glideslope.domain.replay import Flaw, replay
from glideslope.ledger.entry import Entry, decode

FOLDER = Path(__file__).parents[3] / "golden" / "domain" / "v4-envelope"
ENTRIES = [decode(path.read_bytes()) for path in sorted(FOLDER.glob("*.json"))]


def forged(kind: str, change: Callable[[Any], object]) -> list[Entry]:
    """Return the golden entries with the first of a kind changed."""
    found = list(ENTRIES)
    place = next(k for k, each in enumerate(found) if each.kind == kind)
    body = deepcopy(dict(found[place].body))
    change(body)
    found[place] = Entry(
        stream=found[place].stream, version=found[place].version, at=found[place].at, kind=kind, body=body
    )
    return found


def test_an_honest_classification_comes_out_the_same() -> None:
    report = replay(ENTRIES)
    assert (report.classifications, report.findings) == (1, ())


@pytest.mark.parametrize(
    ("kind", "change", "says"),
    [
        ("examined", lambda b: b["classified"]["answers"].pop(), "outside, by alone"),
        ("examined", lambda b: b["classified"]["standing"].update(others=[]), "Recorded: outside, by alone"),
        ("examined", lambda b: b["dossier"]["change"].update(intended_use_changed=False), "use"),
        ("examined", lambda b: b["classified"].update(engine="glideslope-envelope/9"), "does not have"),
        ("examined", lambda b: b["classified"].update(more=1), "cannot be made again"),
        ("examined", lambda b: b["dossier"].pop("change"), "cannot be made again"),
        ("agreement-tabled", lambda b: b.update(of="calendar"), "nobody tabled as an envelope"),
        ("agreement-tabled", lambda b: b["document"].update(until=0), "until"),
        ("agreement-tabled", lambda b: b["document"].update(until="soon"), "cannot be made again"),
    ],
)
def test_one_that_was_changed_is_found(kind: str, change: Callable[[Any], object], says: str) -> None:
    report = replay(forged(kind, change))
    found = [each for each in report.findings if each.flaw is Flaw.CLASSIFICATION_DIFFERS]
    assert report.classifications == 0
    assert [each.stream for each in found] == ["examination.r-delays-13"]
    assert says in found[0].sentence, found[0].sentence


def test_one_of_an_envelope_that_was_tabled_later_rests_on_nothing() -> None:
    late = [*(each for each in ENTRIES if each.kind != "agreement-tabled"), ENTRIES[0]]
    assert [each.flaw for each in replay(late).findings] == [Flaw.CLASSIFICATION_DIFFERS]
