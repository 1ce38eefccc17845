"""A bundle is one text file: header, checkpoints, entries; nothing else is read."""

from typing import Any

import pytest

from glideslope.ledger import bundle, entry
from glideslope.ledger.errors import BundleError, NoteError


def test_a_bundle_is_read_back(ledger: Any) -> None:
    early, late = ledger.checkpoint(size=5), ledger.checkpoint()

    found = bundle.parse(ledger.bundle(early, late))

    assert found.checkpoints == (early, late)
    assert [entry.encode(each) for each in found.entries] == ledger.data


def test_the_same_ledger_gives_the_same_bytes(ledger: Any) -> None:
    assert ledger.bundle() == ledger.bundle()


def test_the_layout_is_one_line_per_entry(ledger: Any) -> None:
    lines = ledger.bundle()

    assert lines[:2] == [b"glideslope-ledger/1\n", b"checkpoint 5\n"]
    assert lines[7] == b"entries\n"
    assert [line[45:-1] for line in lines[8:]] == ledger.data


def test_an_empty_ledger_has_a_bundle(ledger: Any) -> None:
    assert bundle.parse(ledger.bundle(ledger.checkpoint(size=0), data=[])).entries == ()


def test_what_is_no_note_is_not_written_as_a_checkpoint() -> None:
    with pytest.raises(NoteError):
        list(bundle.format(checkpoints=[b"text\n"], entries=[]))


@pytest.mark.parametrize(
    ("lines", "at"),
    [
        ([], 1),
        ([b"glideslope-ledger/2\n"], 1),
        ([b"glideslope-ledger/1\r\n"], 1),
        ([b"glideslope-ledger/1\n"], 1),
        ([b"glideslope-ledger/1\n", b"entries"], 2),
        ([b"glideslope-ledger/1\n", b"checkpoint\n"], 2),
        ([b"glideslope-ledger/1\n", b"checkpoint 0\n"], 2),
        ([b"glideslope-ledger/1\n", b"checkpoint 02\n"], 2),
        ([b"glideslope-ledger/1\n", b"checkpoint 99999\n"], 2),
        ([b"glideslope-ledger/1\n", b"checkpoint 3\n", b"a\n", b"b\n"], 4),
        ([b"glideslope-ledger/1\n", b"checkpoint 1\n", b"a\n"], 3),
        ([b"glideslope-ledger/1\n", b"entries\n", b"{}\n"], 3),
        ([b"glideslope-ledger/1\n", b"entries\n", bundle.entry_line(b"{}")], 3),
        ([b"glideslope-ledger/1\n", b"entries\n", bundle.entry_line(b"{}")[:-1]], 3),
    ],
    ids=range(14),
)
def test_the_first_line_out_of_place_is_named(lines: list[bytes], at: int) -> None:
    with pytest.raises(BundleError) as caught:
        bundle.parse(lines)

    assert caught.value.line == at
