"""What goes wrong on an auditor's desk: the wrong file, key, quorum or terminal, and a file made to take all day."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from glideslope.ledger import cosignature, note
from glideslope.testing.memory import MemorySigner

Check = Callable[..., Any]
Made = Any
"""A pack, as the fixture made it."""
KEY = MemorySigner()
WITNESS = note.Signer("witness.example/w1", b"w" * 32)


@pytest.mark.parametrize("quorum", ["-1", "0", "2"])
def test_a_quorum_that_nobody_or_more_than_all_could_reach_is_no_question(
    program: Any, made: Made, tmp_path: Path, capsys: Any, quorum: str
) -> None:
    """A witness that is named twice is one."""
    pack = tmp_path / "x"
    pack.write_bytes(made.data)
    vkey = cosignature.Witness(WITNESS.name, WITNESS.verifier.public_key).vkey
    asked = [str(pack), "--key", KEY.verifier.vkey, "--witness", vkey, "--witness", vkey]

    assert program.main([*asked, "--quorum", quorum]) == 2
    assert f"--quorum {quorum} cannot be asked of 1 witnesses" in capsys.readouterr().err
    assert program.main(asked) == 9
    assert "0 of the 1 witnesses that you trust cosigned, and 1 are needed" in capsys.readouterr().out


def test_a_key_or_a_file_whose_name_is_no_text_is_an_argument_that_cannot_be_used(program: Any) -> None:
    """A shell hands bytes that are no UTF-8 over as surrogates."""
    material = KEY.verifier.vkey.rpartition("+")[2]

    assert program.main(["none", "--key", f"gl\udcfe+00000000+{material}"]) == 2
    assert program.main(["none", "--key", "\udcff"]) == 2


def test_a_terminal_that_cannot_write_a_letter_is_no_reason_to_break_off(
    made: Made, root: Path, tmp_path: Path
) -> None:
    pack, other = tmp_path / "x", tmp_path / "pr\u00fcf.note"
    pack.write_bytes(made.data)
    other.write_bytes(b"x")
    program = str(root / "verifier" / "glideslope_verify.py")

    done = subprocess.run(
        [sys.executable, program, pack, "--key", KEY.verifier.vkey, "--published", other],
        capture_output=True,
        check=False,
        env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "1"},
    )

    assert (done.returncode, done.stderr) == (9, b"")
    assert b"pr\\xfcf.note: it is not a signed note" in done.stdout


def test_what_is_no_pack_at_all_is_told_so_and_a_failure_does_not_accuse_the_pack(
    program: Any, made: Made, tmp_path: Path, capsys: Any
) -> None:
    """Somebody checks the page; somebody else checks a sound pack against a checkpoint that is not one."""
    page, pack, kept = tmp_path / "page", tmp_path / "pack", tmp_path / "kept"
    page.write_bytes(made.members["summary.html"])
    pack.write_bytes(made.data)
    kept.write_bytes(b"no checkpoint")

    assert program.main([str(page), "--key", KEY.verifier.vkey]) == 9
    assert "error[container-malformed] this is no ZIP file" in capsys.readouterr().out
    assert program.main([str(pack), "--key", KEY.verifier.vkey, "--published", str(kept)]) == 9
    assert capsys.readouterr().out.startswith("FAILED: 1 finding.\n  error[published-malformed]")


def test_as_many_members_as_there_may_be_are_read_in_seconds(program: Any, check: Check) -> None:
    """Thirty thousand took 40 seconds when each was looked for in a list of all."""
    names = [f"entries/{at:09d}.json" for at in range(30_000)]
    listing = "".join(f"{'0' * 64}  {name}\n" for name in names)
    note_ = f"glideslope-pack/2\nglideslope\nr-0001\n{'0' * 64}\n{listing}\n\u2014 glideslope AAAAAAAA\n"
    data = program.write_zip([*((name, b"") for name in names), ("manifest.note", note_.encode())])
    before = time.process_time()

    assert "changed" in {each.code for each in check(data).findings}
    assert time.process_time() - before < 6
