"""Whatever is done to a pack, the program says so, and names the record or the entry."""

import io
import json
import random
import re
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from glideslope.ledger import canonical, checkpoint, cosignature, merkle, note, packfile
from glideslope.ledger.checkpoint import Checkpoint
from glideslope.testing.memory import MemorySigner

Check = Callable[..., Any]
Made = Any
"""A pack, as the fixture made it."""
Sealed = Callable[..., bytes]
KEY = MemorySigner()


def codes(found: Any) -> set[str]:
    return {each.code for each in found.findings}


def names(found: Any) -> str:
    return "\n".join(f"{each.where} {each.sentence}" for each in found.findings)


def test_an_honest_pack_is_in_order_and_says_what_it_does_not_prove(made: Made, check: Check) -> None:
    found = check(made.data)

    assert found.findings == []
    assert any("r-0001 is whole" in line for line in found.proven)
    assert any("true" in line for line in found.unproven)


def test_a_pack_of_a_rollout_that_goes_on_says_that_its_end_is_not_proven(made: Made, check: Check) -> None:
    found = check(made.open)

    assert found.findings == []
    assert any("nothing followed in the stream r-0001" in line for line in found.unproven)


def test_the_same_checkpoint_gives_the_same_bytes(made: Made) -> None:
    assert made.again == made.data


def test_the_program_needs_nothing_but_the_pack_and_a_key(made: Made, root: Path, tmp_path: Path) -> None:
    pack = tmp_path / "a.pack.zip"
    pack.write_bytes(made.data)
    script = tmp_path / "alone.py"
    script.write_bytes((root / "verifier" / "glideslope_verify.py").read_bytes())

    done = subprocess.run(
        [sys.executable, "-I", "-S", "-X", "importtime", script, pack, "--key", KEY.verifier.vkey, "--json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )

    assert (done.returncode, json.loads(done.stdout)["ok"]) == (0, True)
    loaded = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert loaded <= sys.stdlib_module_names | {"imported package", "encodings", "_sitebuiltins"}


def flipped(data: bytes, at: int, bit: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


def spans(members: Mapping[str, bytes]) -> Iterator[tuple[int, int, str]]:
    """Yield from where to where a member lies, its header included."""
    at = 0
    for name, data in members.items():
        end = at + 30 + len(name) + len(data)
        yield at, end, name
        at = end


def assert_named(found: Any, at: int, made: Made) -> None:
    """What was changed is named: the member in which it lies (or the one that then cannot be read), else the container."""
    assert found.findings, f"byte {at} was changed and nothing was said"
    inside = next((name for start, end, name in spans(made.members) if start <= at < end), None)
    if inside is None:
        assert "container-malformed" in codes(found)
    else:
        assert inside in names(found), f"byte {at} of {inside}: {names(found)[:500]}"


def test_a_changed_bit_anywhere_is_found_and_its_file_named(made: Made, check: Check) -> None:
    chance = random.Random(5)
    for at in sorted(chance.sample(range(len(made.data)), 80)):
        assert_named(check(flipped(made.data, at, chance.randrange(8))), at, made)


@pytest.mark.parametrize("name", ["checkpoint.note", "entries/000000001.json", "proofs/000000001.tlog-proof"])
def test_every_changed_byte_of_a_small_file_is_found(made: Made, check: Check, name: str) -> None:
    start, end = next((start, end) for start, end, each in spans(made.members) if each == name)
    for at in range(start, end, 7):
        assert_named(check(flipped(made.data, at, at % 8)), at, made)


@pytest.mark.slow
def test_every_changed_byte_of_the_whole_pack_is_found(made: Made, check: Check) -> None:
    for at in range(len(made.data)):
        assert_named(check(flipped(made.data, at, at % 8)), at, made)


def test_each_file_left_out_is_named(made: Made, check: Check) -> None:
    for name in made.members:
        found = check(packfile.write({n: d for n, d in made.members.items() if n != name}))
        assert "missing" in codes(found), name
        assert name in names(found)


def test_each_file_that_comes_twice_is_named(made: Made, program: Any, check: Check) -> None:
    listed = list(made.members.items())
    for k, (name, _) in enumerate(listed):
        found = check(program.write_zip([*listed[: k + 1], listed[k], *listed[k + 1 :]]))
        assert any(each.code == "duplicated" and each.where == name for each in found.findings), name


def test_files_in_another_order_are_named(made: Made, program: Any, check: Check) -> None:
    listed = list(made.members.items())
    for k in range(len(listed) - 1):
        swapped = [*listed[:k], listed[k + 1], listed[k], *listed[k + 2 :]]
        found = check(program.write_zip(swapped))
        assert any(each.code == "reordered" for each in found.findings), listed[k][0]


def test_a_file_that_was_added_is_named(made: Made, check: Check) -> None:
    found = check(packfile.write({**made.members, "records/31-more.json": b"{}"}))

    assert any(each.code == "added" and each.where == "records/31-more.json" for each in found.findings)


def test_wherever_the_tail_is_cut_it_is_found(made: Made, check: Check) -> None:
    for at in range(0, len(made.data), 4_999):
        assert check(made.data[:at]).findings


def test_bytes_after_the_end_are_found(made: Made, check: Check) -> None:
    assert "container-malformed" in codes(check(made.data + b"\0"))


# ---- who changes a record and makes everything fit, but has no key ----


@pytest.mark.parametrize("number", range(1, 31))
def test_a_record_rewritten_with_its_digests_is_found(made: Made, check: Check, sealed: Sealed, number: int) -> None:
    name = next(n for n in made.members if n.startswith(f"records/{number:02d}-"))
    record: Any = canonical.decode(made.members[name])
    record["note"] = "All is well."
    forged = sealed({**made.members, name: canonical.encode(record)}, signer=MemorySigner(seed=b"x" * 32))

    assert {"untrusted"} <= codes(check(forged))


def test_a_pack_signed_by_another_key_is_not_believed(made: Made, check: Check, sealed: Sealed) -> None:
    assert codes(check(sealed(made.members, signer=MemorySigner(seed=b"x" * 32)))) == {"untrusted"}


# ---- who holds the key, and signs whatever is wanted ----


def test_even_the_holder_of_the_key_cannot_misquote_an_entry(made: Made, check: Check, sealed: Sealed) -> None:
    tried = 0
    for name, data in made.members.items():
        record: Any = canonical.decode(data) if name.startswith("records/") else {"facts": []}
        for fact in record["facts"]:
            if "entry" in fact:
                if tried % 3:  # each third of a hundred
                    tried += 1
                    continue
                honest, fact["value"] = fact["value"], "as it never was"
                found = check(sealed({**made.members, name: canonical.encode(record)}))
                assert [each.where for each in found.findings] == [name]
                fact["value"] = honest
                tried += 1
    assert tried > 50


def entries(made: Made, stream: str) -> list[str]:
    found = [n for n in made.members if n.startswith("entries/")]
    return [n for n in found if json.loads(made.members[n])["stream"] == stream]


def test_even_the_holder_of_the_key_cannot_leave_an_entry_out(made: Made, check: Check, sealed: Sealed) -> None:
    own = entries(made, "r-0001")
    assert len(own) > 4
    for name in own:
        proof = name.replace("entries", "proofs").replace(".json", ".tlog-proof")
        kept = {n: d for n, d in made.members.items() if n not in (name, proof)}
        found = check(sealed(kept))
        assert any(str(int(name[8:17])) in each.sentence for each in found.findings if each.code == "stream-differs")
        if name != own[-1]:
            assert codes(found) & {"version-gap", "closing-differs"}


def test_even_the_holder_of_the_key_cannot_change_an_entry_without_another_checkpoint(
    made: Made, check: Check, sealed: Sealed
) -> None:
    for name in entries(made, "r-0001"):
        entry: Any = canonical.decode(made.members[name])
        entry["at"] = "2020-01-01T00:00:00.000Z"
        found = check(sealed({**made.members, name: canonical.encode(entry)}))
        assert any(each.code == "not-included" and each.where == f"entry {int(name[8:17])}" for each in found.findings)


def test_an_entry_in_the_place_of_another_is_found(made: Made, check: Check, sealed: Sealed) -> None:
    first, second = entries(made, "r-0001")[1:3]
    swapped = {**made.members, first: made.members[second], second: made.members[first]}

    assert {"not-included", "version-gap"} <= codes(check(sealed(swapped)))


def test_a_checkpoint_of_another_ledger_is_refused(made: Made, check: Check, sealed: Sealed) -> None:
    other = MemorySigner(name="other-ledger")
    covered = checkpoint.parse(note.parse(made.members["checkpoint.note"]).text)
    text = checkpoint.format(Checkpoint(origin="other-ledger", size=covered.size, root=covered.root))
    found = check(sealed({**made.members, "checkpoint.note": other.sign(text.encode())}))

    assert any(each.code == "untrusted" and each.where == "checkpoint.note" for each in found.findings)


def forked(size: int, root: bytes = b"\1" * 32) -> bytes:
    return KEY.sign(checkpoint.format(Checkpoint(origin=KEY.name, size=size, root=root)).encode())


def test_even_the_holder_of_the_key_cannot_give_a_change_another_digest(
    made: Made, check: Check, sealed: Sealed
) -> None:
    other = "sha256:" + "7" * 64
    for member in ("change_digest", "plan_digest"):
        manifest: Any = canonical.decode(made.members["manifest.json"])
        manifest[member] = other
        head = note.parse(made.members["manifest.note"]).text.replace(
            canonical.decode(made.members["manifest.json"])["change_digest"],
            manifest["change_digest"],  # type: ignore[index,call-overload]
        )
        forged = {**made.members, "manifest.json": canonical.encode(manifest), "manifest.note": KEY.sign(head.encode())}
        assert "change-differs" in codes(check(sealed(forged)))


# ---- checkpoints that were published ----


def test_every_checkpoint_that_was_given_away_is_shown_to_be_a_part(made: Made, check: Check) -> None:
    published = [(f"kept-{size}", signed) for size, signed in made.checkpoints.items()]
    assert len(published) > 1

    assert check(made.data, published=published).findings == []


def test_two_checkpoints_that_fork_are_found(made: Made, check: Check) -> None:
    for size in made.checkpoints:
        found = check(made.data, published=[("kept", forked(size))])
        assert any(each.code == "fork" and each.where == "kept" for each in found.findings)


def test_a_checkpoint_that_the_pack_proves_nothing_about_is_not_taken_for_a_yes(made: Made, check: Check) -> None:
    last = max(made.checkpoints)
    for size in (last - 1, last + 1):
        assert size not in made.checkpoints
        assert codes(check(made.data, published=[("kept", forked(size))])) == {"not-compared"}


def test_a_consistency_proof_that_was_changed_is_found_even_when_signed(
    made: Made, check: Check, sealed: Sealed
) -> None:
    size = min(made.checkpoints)
    name = f"consistency/{size:09d}.txt"
    changed = re.sub(rb"\n([A-Za-z])", lambda m: b"\n" + (b"B" if m[1] == b"A" else b"A"), made.members[name])
    proof = made.members[name].split(b"\n")[:3] + changed.split(b"\n")[3:]
    found = check(sealed({**made.members, name: b"\n".join(proof)}), published=[("kept", made.checkpoints[size])])

    assert codes(found) & {"fork", "changed"}


# ---- witnesses ----


WITNESS = note.Signer("witness.example/w1", b"w" * 32)


def test_a_witness_is_believed_with_its_time(made: Made, program: Any, check: Check) -> None:
    size, signed = max(made.checkpoints.items())
    text = note.parse(signed).text
    vkey = cosignature.Witness(WITNESS.name, WITNESS.verifier.public_key).vkey
    cosigned = signed + cosignature.line(WITNESS, text, time=1_790_000_000)

    found = check(made.data, published=[("kept", cosigned)], witnesses=[program.read_key(vkey, 4)])

    assert found.findings == []
    assert any(f"saw {size} entries at 1790000000" in line for line in found.proven)
    (read,) = cosignature.read(cosigned, [cosignature.Witness.parse(vkey)])
    assert read.time == 1_790_000_000


def test_cosignatures_in_the_pack_itself_are_counted_and_the_quorum_said(
    made: Made, program: Any, check: Check, sealed: Sealed
) -> None:
    """What the server took in stands under the pack's own checkpoint, and under that of each proof."""
    signers = [note.Signer(f"witness.example/w{n}", bytes([n]) * 32) for n in (1, 2, 3)]
    keys = [program.read_key(cosignature.Witness(s.name, s.verifier.public_key).vkey, 4) for s in signers]
    plain = made.members["checkpoint.note"]
    lines = b"".join(cosignature.line(s, note.parse(plain).text, time=1_790_000_000) for s in signers[:2])
    data = sealed({name: whole.replace(plain, plain + lines) for name, whole in made.members.items()})

    found = check(data, witnesses=keys, quorum=2)
    assert found.findings == []
    assert "the quorum is reached: 2 of the 3 witnesses that you trust cosigned, and 2 are needed" in found.proven
    lacking = check(data, witnesses=keys)
    assert [each.sentence for each in lacking.findings] == [
        "2 of the 3 witnesses that you trust cosigned, and 3 are needed"
    ]
    for at in range(len(plain) + 4, len(plain) + len(lines), 9):
        wrong = bytearray(plain + lines)
        wrong[at] ^= 1
        changed = {name: whole.replace(plain, bytes(wrong)) for name, whole in made.members.items()}
        assert {each.where for each in check(sealed(changed), witnesses=keys, quorum=2).findings} & {"checkpoint.note"}


def test_a_witness_that_did_not_sign_is_missing_and_a_wrong_cosignature_is_named(
    made: Made, program: Any, check: Check
) -> None:
    signed = made.checkpoints[max(made.checkpoints)]
    witness = cosignature.Witness(WITNESS.name, WITNESS.verifier.public_key)
    key = program.read_key(witness.vkey, 4)
    line = cosignature.line(WITNESS, note.parse(signed).text, time=7)
    prefix, _, material = line.decode().strip().rpartition(" ")
    raw = bytearray(note.decode_base64(material))
    raw[11] ^= 1  # another time
    wrong = f"{prefix} {note.encode_base64(bytes(raw))}\n".encode()

    assert codes(check(made.data, witnesses=[key])) == {"witnesses-missing"}
    assert codes(check(made.data, witnesses=[key], quorum=0)) == set()
    found = check(made.data, published=[("kept", signed + wrong)], witnesses=[key])
    assert codes(found) == {"cosignature-invalid", "witnesses-missing"}
    with pytest.raises(note.NoteError):
        cosignature.read(signed + wrong, [witness])


# ---- files that want to harm the reader ----


def local(name: bytes, data: bytes, *, method: int = 0, size: int | None = None, flags: int = 0) -> bytes:
    whole = len(data) if size is None else size
    return (
        struct.pack("<4s5H3I2H", b"PK\3\4", 10, flags, method, 0, 0x21, 0, len(data), whole, len(name), 0) + name + data
    )


def deflated(data: bytes) -> bytes:
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packed.compress(data) + packed.flush()


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b"PK",
        b"PK\5\6" + bytes(18),
        b"\x1f\x8b" + bytes(100),
        local(b"summary.html", deflated(bytes(50_000_000)), method=8, size=50_000_000),
        local(b"summary.html", b"", size=2**32 - 1),
        local(b"summary.html", b"x", flags=1),
        local(b"../../etc/passwd", b"x"),
        local(b"/etc/passwd", b"x"),
        local(b"entries/../../x", b"x"),
        local(b"C:\\x", b"x"),
        local(b"a" * 5_000, b"x"),
        local(b"summary\0.html", b"x"),
        local(b"entries/999999999999999999999999.json", b"{}"),
        local(b"entries/000000001.json", b"[" * 1_000_000),
        local(b"entries/000000001.json", b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
        local(b"entries/000000001.json", b"9" * 1_000_000),
        local(b"entries/000000001.json", b"1e999999999"),
        local(b"entries/000000001.json", b'"' + b'\\"' * 2_000_000),
        local(b"entries/000000001.json", b'"\\ud800"'),
        local(b"entries/000000001.json", b"\xff\xfe"),
        local(b"entries/000000001.json", b"null"),
        local(b"entries/000000001.json", b"NaN"),
        local(b"manifest.json", b"[]"),
        local(b"manifest.json", b'{"files":3}'),
        local(b"manifest.note", b"\n\n\xe2\x80\x94 a AAAA\n"),
        local(b"records/01-x.json", b'{"facts":[{"entry":{}}],"number":1}'),
        local(b"records/01-x.json", b"[1]"),
        local(b"checkpoint.note", b"a\n" + b"9" * 5_000 + b"\nAA==\n\n\xe2\x80\x94 a AAAAAAAA\n"),
        local(b"proofs/000000001.tlog-proof", b"c2sp.org/tlog-proof@v1\nindex 1\n" + b"A\n" * 100_000),
    ],
    ids=str,
)
def test_hostile_files_are_refused_and_nothing_is_raised(hostile: bytes, check: Check) -> None:
    assert check(hostile).findings


def test_a_hostile_file_can_not_steer_the_terminal(program: Any, tmp_path: Path, capsys: Any) -> None:
    pack = tmp_path / "x"
    pack.write_bytes(local(b"a\x1b[2Jb", b"x"))

    assert program.main([str(pack), "--key", KEY.verifier.vkey]) == 9
    assert "\x1b" not in capsys.readouterr().out


def test_what_cannot_be_used_is_told_apart_from_what_is_wrong(program: Any, made: Made, tmp_path: Path) -> None:
    pack = tmp_path / "x"
    pack.write_bytes(made.data)

    assert program.main([str(tmp_path / "none"), "--key", KEY.verifier.vkey]) == 2
    assert program.main([str(pack), "--key", "a+b+c"]) == 2
    assert program.main([str(pack), "--key", KEY.verifier.vkey[:-2] + "A="]) == 2
    assert program.main([str(pack), "--key", MemorySigner(seed=b"y" * 32).verifier.vkey]) == 9


def test_a_key_that_was_rotated_is_followed(program: Any) -> None:
    """The auditor wrote down the first key, and the checkpoint is signed by the second."""
    old, new = note.Signer("l", b"1" * 32), note.Signer("l", b"2" * 32)
    found = program.Verified(program.read_key(old.verifier.vkey, 1))
    body = {
        "note": note.sign(
            f"glideslope-ledger/key-rotated/1\nl\n1\n{old.verifier.vkey}\n{new.verifier.vkey}\n", old, new
        ).decode()
    }
    found._rotation(4, {"body": body, "version": 1})
    text = checkpoint.format(Checkpoint(origin="l", size=5, root=merkle.EMPTY_ROOT))
    signed = program.read_note(note.sign(text, new))

    assert found.findings == []
    assert found.believe(signed, 5, "it")
    assert not found.believe(signed, 4, "it")  # before the rotation the old key counts
    assert not found.believe(program.read_note(note.sign(text, old)), 5, "it")
    stranger = program.Verified(program.read_key(note.Signer("l", b"3" * 32).verifier.vkey, 1))
    stranger._rotation(4, {"body": body, "version": 1})
    assert not stranger.believe(signed, 5, "it")


def test_the_signed_note_counts_and_not_what_the_manifest_says(made: Made, check: Check, sealed: Sealed) -> None:
    """Everything fits but the signature's own list: who has no key cannot change that."""
    for name in ("summary.html", "clauses.json", "records/03-classification.json"):
        data = made.members[name].replace(b"e", b"E", 1)
        forged = check_members(sealed({**made.members, name: data}))
        forged["manifest.note"] = made.members["manifest.note"]
        found = check(packfile.write(forged))
        assert {each.where for each in found.findings if each.code == "changed"} == {name, "manifest.json"}


def check_members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as pack:
        return {each.filename: pack.read(each) for each in pack.infolist()}
