"""`glideslope verify` finds any change of a real history, says where, and needs neither server nor trust for it."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from glideslope.interfaces.cli.exits import Exit
from glideslope.ledger import bundle, checkpoint, entry, merkle, note
from glideslope.ledger.checkpoint import Checkpoint

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "domain" / "v1"
KEY = note.Signer("example.com/ledger", b"\x07" * 32)
VKEY = KEY.verifier.vkey


def history() -> list[bytes]:
    """A whole rollout, as its ledger entries."""
    found = [path.read_bytes().rstrip(b"\n") for path in sorted(GOLDEN.glob("*.json"))]
    assert len(found) > 20
    return [entry.encode(entry.decode(each)) for each in found]


def signed(data: Sequence[bytes], *, size: int | None = None) -> bytes:
    tree = merkle.Tree(map(merkle.leaf_hash, data))
    size = len(data) if size is None else size
    return checkpoint.sign(Checkpoint(origin=KEY.name, size=size, root=tree.root(size=size)), KEY)


def lines(data: Sequence[bytes], *checkpoints: bytes) -> list[bytes]:
    return list(bundle.format(checkpoints=checkpoints or [signed(data)], entries=data))


def saved(content: Sequence[bytes], name: str = "ledger.bundle") -> str:
    Path(name).write_bytes(b"".join(content))
    return name


def test_an_honest_ledger_is_verified_and_every_decision_made_again(desk: Any) -> None:
    data = history()

    result = desk.run("verify", saved(lines(data)), "--key", VKEY)

    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"OK  {len(data)} entries in ")
    assert re.search(r"  ([1-9]\d*) decisions of \d+ rollouts were made again", result.stdout)
    assert desk.api.calls == []


def test_one_changed_byte_is_found_with_its_entry_and_line(desk: Any) -> None:
    data = history()
    content = lines(data)
    number = next(k for k, line in enumerate(content) if b'"guardrails-passed"' in line)
    content[number] = content[number].replace(b"passed", b"pissed", 1)

    result = desk.run("verify", saved(content), "--key", VKEY, "--json")

    found = json.loads(result.stdout)
    assert (result.exit_code, found["ok"]) == (Exit.NOT_VERIFIED, False)
    first = found["findings"][0]
    assert (first["code"], first["line"]) == ("leaf-hash-mismatch", number + 1)
    assert all(each["line"] >= number + 1 for each in found["findings"])


def test_a_forged_decision_is_found_even_when_the_holder_of_the_key_signed_it(desk: Any) -> None:
    data = history()
    forged = next(k for k, each in enumerate(data) if b'"guardrails-passed"' in each)
    data[forged] = data[forged].replace(b'"guardrails-passed"', b'"baked"')

    result = desk.run("verify", saved(lines(data)), "--key", VKEY)

    assert result.exit_code == Exit.NOT_VERIFIED
    assert re.search(rf"error\[decision-differs\] entry {forged + 1} line \d+: ", result.stdout), result.stdout


def test_a_tail_that_was_cut_off_is_found_with_an_earlier_checkpoint(desk: Any) -> None:
    data = history()
    Path("earlier").write_bytes(signed(data))
    short = saved(lines(data[:10]))

    alone = desk.run("verify", short, "--key", VKEY)
    against = desk.run("verify", short, "--key", VKEY, "--earlier", "earlier")

    assert (alone.exit_code, against.exit_code) == (0, Exit.NOT_VERIFIED)
    assert "error[truncated]" in against.stdout


def test_the_key_may_be_in_a_file(desk: Any) -> None:
    Path("key").write_text(f"{VKEY}\n")

    assert desk.run("verify", saved(lines(history())), "--key", "key").exit_code == 0


def test_another_key_verifies_nothing(desk: Any) -> None:
    other = note.Signer("example.com/ledger", b"\x08" * 32).verifier.vkey

    assert desk.run("verify", saved(lines(history())), "--key", other).exit_code == Exit.NOT_VERIFIED


def test_without_a_file_the_ledger_is_fetched_and_may_be_kept(desk: Any, service: Any) -> None:
    service.bundle, service.vkey = lines(history()), VKEY

    result = desk.run("verify", "--out", "kept.bundle")
    again = desk.run("verify", "kept.bundle", "--key", VKEY)

    assert (result.exit_code, again.exit_code) == (0, 0), result.output
    assert "The key comes from the server itself" in result.stderr
    assert VKEY in result.stderr
    assert result.stdout == again.stdout
    assert Path("kept.bundle").read_bytes() == b"".join(service.bundle)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["nothing.bundle", "--key", VKEY], Exit.INVALID),
        (["ledger.bundle"], Exit.INVALID),
        (["ledger.bundle", "--key", "no-key"], Exit.INVALID),
        (["ledger.bundle", "--key", "x" * 5000], Exit.INVALID),
        (["ledger.bundle", "--key", VKEY, "--earlier", "nothing"], Exit.INVALID),
        (["ledger.bundle", "--key", VKEY, "--out", "x"], Exit.INVALID),
        (["garbage", "--key", VKEY], Exit.NOT_VERIFIED),
        (["empty", "--key", VKEY], Exit.NOT_VERIFIED),
        ([".", "--key", VKEY], Exit.INVALID),
    ],
)
def test_what_cannot_be_read_is_refused_and_never_verified(desk: Any, arguments: list[str], code: Exit) -> None:
    saved(lines(history()))
    Path("garbage").write_bytes(bytes(range(256)) * 10)
    Path("empty").write_bytes(b"")

    result = desk.run("verify", *arguments)

    assert result.exit_code == code, result.output
    assert "OK" not in result.stdout
