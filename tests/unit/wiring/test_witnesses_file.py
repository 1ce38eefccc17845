"""Which witnesses count is a list of public keys in a file; what is not one is refused with its line."""

from pathlib import Path

import pytest

from glideslope.domain.errors import StoreUnavailable, WitnessesUnreadable
from glideslope.ledger import note
from glideslope.ledger.cosignature import Witness
from glideslope.wiring.witnesses import read

KEYS = [Witness(f"w{n}.example", bytes([n]) * 32) for n in (1, 2)]


def test_each_line_is_a_key_and_comments_and_empty_lines_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "witnesses"
    assert read(file) == ()
    file.write_text(f"# ours\n{KEYS[0].vkey}\n\n  {KEYS[1].vkey}\n{KEYS[0].vkey}\n")

    assert read(file) == tuple(KEYS)


@pytest.mark.parametrize("line", ["x", KEYS[0].vkey[:-4] + "AAA=", note.Signer("l", b"1" * 32).verifier.vkey])
def test_what_is_no_key_of_a_witness_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    file = tmp_path / "witnesses"
    file.write_text(f"{KEYS[0].vkey}\n{line}\n")

    with pytest.raises(WitnessesUnreadable, match=f"{file}:2: "):
        read(file)


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="directory"):
        read(tmp_path)
    (tmp_path / "witnesses").write_bytes(b"\xff")
    with pytest.raises(WitnessesUnreadable, match="UTF-8"):
        read(tmp_path / "witnesses")
