"""Every kind of record and of entry in a pack, edited, left out, cut, moved or repeated: each is found, and named.

A mutant that nothing was said about, or that was found without being named, has survived; none may.
"""

import asyncio
import json
import random
import resource
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.scenarios.test_governed import PIA, SAM, approve, change
from tests.scenarios.test_governed import given as governed
from tests.scenarios.test_governed_policies import LASTING, POLICY, facts, policy_in_force, record
from tests.verifier.test_formats import openssl

from glideslope.domain.commands import Halt, NoteIncident, Resume, Withdraw
from glideslope.domain.governing.policy.damaging import damages
from glideslope.engine.packing import Packer
from glideslope.ledger import canonical
from glideslope.testing.memory import MemorySigner
from glideslope.testing.traffic import Behaviour
from glideslope.testing.world import ADA

Check = Callable[..., Any]
Sealed = Callable[..., bytes]
Members = Mapping[str, bytes]

EDITS = 1
"""Of each file, in the quick run, of each kind of which one file is taken; the slow one makes every edit of every file."""


@pytest.fixture(scope="module")
def whole() -> bytes:
    """The pack of a change that was governed, halted, resumed, approved twice, rolled back, and looked at afterwards."""

    async def make() -> bytes:
        world = await governed(7, LASTING, v2=Behaviour(errors=0.3))
        await policy_in_force(world, POLICY)
        await record(world, facts())
        rollout = await world.propose(change())
        await world.run(1)
        await approve(world, rollout, PIA, SAM)
        await world.app.withdraw(Withdraw(rollout=rollout, by=SAM, why="to read it again"), key=world.key())
        await approve(world, rollout, SAM)
        await world.until(rollout, step="s1", within=10)
        await world.app.halt(Halt(rollout=rollout, by=ADA, why="a look"), key=world.key())
        await world.run(1)
        await world.app.resume(Resume(rollout=rollout, by=ADA, why="seen"), key=world.key())
        await world.until(rollout, phase="rolled-back", within=600)
        noted = NoteIncident(rollout=rollout, by=ADA, hypotheses=("the retraining",), why="measured")
        await world.app.note_incident(noted, key=world.key())
        await world.app.notary.sign()
        packer = Packer(
            record=world.app.record,
            store=world.store,
            checkpoints=world.store,
            signer=world.signer,
            notary=world.app.notary,
        )
        sizes = [int(each.split(b"\n")[1]) for each in await world.store.checkpoints()]
        return (await packer.pack(rollout, published=sizes[:1])).data

    return asyncio.run(make())


@pytest.fixture(scope="module")
def members(whole: bytes) -> Members:
    with zipfile.ZipFile(BytesIO(whole)) as pack:
        return {each.filename: pack.read(each) for each in pack.infolist()}


@pytest.fixture
def quick(program: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same hundred files are read ten thousand times here; each reading is the program's own."""
    read, known = program.read_json, dict[bytes, Any]()

    def once(data: bytes) -> Any:
        if data not in known:
            known[data] = read(data)
        return known[data]

    monkeypatch.setattr(program, "read_json", once)
    # Thousands of signatures, each new; test_formats holds the program's own arithmetic against this.
    monkeypatch.setattr(program, "verify_ed25519", openssl)


@dataclass(frozen=True)
class Mutant:
    """A pack that was tampered with, what was done, and which of these names must be said of it."""

    data: bytes
    how: str
    names: tuple[str, ...]


def survivors(mutants: Iterator[Mutant], check: Check) -> tuple[int, list[str]]:
    """Return how many mutants there were, and what was done to those of which it is not said what was done to them."""
    made, left = 0, []
    for mutant in mutants:
        made += 1
        found = check(mutant.data)
        told = {each.where for each in found.findings} | {word for each in found.findings for word in words(each)}
        if not told.intersection(mutant.names):
            left.append(f"{mutant.how}: {mutant.names}; said {[each.sentence for each in found.findings][:3]}")
    return made, left


def words(finding: Any) -> Iterator[str]:
    """Yield the files and entries that a finding speaks of."""
    yield from (word.strip(".,:;'") for word in finding.sentence.split())
    spoken = finding.sentence.replace(":", " ").replace(",", " ").split()
    yield from (f"{a} {b}" for a, b in pairwise(spoken))


def edits(data: bytes, *, chance: random.Random, most: int | None) -> Iterator[tuple[str, bytes]]:
    """Yield edits of a file: of JSON each part in turn, of anything else bytes here and there."""
    if data.startswith((b"{", b"[")):
        document: Any = canonical.decode(data)
        done = [d for d in damages(document) if d.how != "not finite" and d.document != document]
        for damage in done if most is None else chance.sample(done, min(most, len(done))):
            yield f"{damage.where} {damage.how}", canonical.encode(damage.document)
    else:
        for at in chance.sample(range(len(data)), min(most or 40, len(data))):
            yield f"byte {at}", data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def kind_of(name: str, data: bytes) -> str:
    """Return what a file is one of: each record is of a kind of its own, entries are by their kind."""
    folder = name.partition("/")[0]
    return json.loads(data)["kind"] if folder == "entries" else name if folder == "records" else folder


def by_who_has_no_key(members: Members, program: ModuleType, *, most: int | None) -> Iterator[Mutant]:
    """The signed list stays as it was; whatever else is done to a file contradicts it."""
    chance = random.Random(11)
    listed, kinds = list(members.items()), set[str]()
    for k, (name, data) in enumerate(listed):
        if most is not None and kind_of(name, data) in kinds:
            continue
        kinds.add(kind_of(name, data))
        before, after = listed[:k], listed[k + 1 :]
        for how, edited in edits(data, chance=chance, most=most):
            yield Mutant(program.write_zip([*before, (name, edited), *after]), f"{name} {how}", (name,))
        yield Mutant(program.write_zip([*before, (name, data[: len(data) // 2]), *after]), f"{name} cut", (name,))
        yield Mutant(program.write_zip([*before, (name, b""), *after]), f"{name} emptied", (name,))
        yield Mutant(program.write_zip([*before, *after]), f"{name} left out", (name,))
        yield Mutant(program.write_zip([*listed[: k + 1], *listed[k:]]), f"{name} twice", (name,))
        yield Mutant(program.write_zip(before), f"cut before {name}", (name,))
        if after:
            other = after[0][0]
            moved = program.write_zip([*before, after[0], (name, data), *after[1:]])
            yield Mutant(moved, f"{name} after {other}", (name, other))
            swapped = program.write_zip([*before, (name, after[0][1]), (other, data), *after[1:]])
            yield Mutant(swapped, f"{name} with the content of {other}", (name, other))


@pytest.mark.usefixtures("quick")
def test_whatever_is_done_to_any_file_by_who_has_no_key_is_found_and_named(
    members: Members, program: ModuleType, check: Check
) -> None:
    made, left = survivors(by_who_has_no_key(members, program, most=EDITS), check)

    assert made > 350
    assert left == []


# ---- who holds the key, and signs whatever is wanted: a checkpoint over other entries is another ledger's ----


def by_who_has_the_key(members: Members, sealed: Sealed, *, most: int | None) -> Iterator[Mutant]:
    """List, manifest and signature are made to fit; the ledger's own checkpoint, and what hangs on it, cannot be."""
    chance = random.Random(12)
    kinds = set[str]()
    streams: dict[str, list[int]] = {}
    for name in members:
        if name.startswith("entries/"):
            streams.setdefault(json.loads(members[name])["stream"], []).append(int(name[8:17]))
    for stream, places in streams.items():
        for k, at in enumerate(places):
            name, entry, named = file(at), f"entry {at}", f"stream {stream}"
            kind = kind_of(name, members[name])
            yield Mutant(sealed(without(members, at)), f"{entry} left out", (entry, named))
            yield Mutant(sealed(without(members, *places[k:])), f"{stream} cut before {entry}", (entry, named))
            if k:
                moved = {**members, name: members[file(places[k - 1])], file(places[k - 1]): members[name]}
                yield Mutant(sealed(moved), f"{entry} before the one before it", (entry,))
            if most is not None and kind in kinds:
                continue
            kinds.add(kind)
            for how, edited in edits(members[name], chance=chance, most=most):
                yield Mutant(sealed({**members, name: edited}), f"{entry} {how}", (entry, name))
            again = {**members, file(at + 1_000): members[name]}
            yield Mutant(sealed(again), f"{entry} repeated", (f"entry {at + 1_000}",))
            proof = f"proofs/{at:09d}.tlog-proof"
            for how, edited in edits(members[proof], chance=chance, most=most):
                yield Mutant(sealed({**members, proof: edited}), f"{proof} {how}", (entry, proof))
    for name, data in members.items():
        if name.startswith("records/"):
            left = {n: d for n, d in members.items() if n != name}
            yield Mutant(sealed(left), f"{name} left out", (f"record {int(name[8:10])}",))
            for k, fact in enumerate(facts_of(data)):
                if "entry" in fact and (most is None or k < most):
                    for key, value in (("value", "as it never was"), ("entry", 10_000), ("pointer", "/nowhere")):
                        record_: Any = canonical.decode(data)
                        record_["facts"][k][key] = value
                        edited = canonical.encode(record_)
                        yield Mutant(sealed({**members, name: edited}), f"{name} fact {k} {key}", (name,))
    for how, edited in manifests(members["manifest.json"], chance=chance, most=most and 30 * most):
        yield Mutant(sealed({**members, "manifest.json": edited}), f"manifest.json {how}", ("manifest.json",))
    for how, edited in edits(members["checkpoint.note"], chance=chance, most=most and 10 * most):
        yield Mutant(sealed({**members, "checkpoint.note": edited}), f"checkpoint.note {how}", ("checkpoint.note",))


def manifests(data: bytes, *, chance: random.Random, most: int | None) -> Iterator[tuple[str, bytes]]:
    """Yield edits of what the manifest says beside the list of files, which whoever seals it makes anew."""
    document: Any = canonical.decode(data)
    document["files"] = []
    for how, edited in edits(canonical.encode(document), chance=chance, most=most):
        left: Any = canonical.decode(edited)
        if isinstance(left, dict) and left.get("files") == []:
            yield how, edited


def file(at: int) -> str:
    return f"entries/{at:09d}.json"


def without(members: Members, *places: int) -> Members:
    gone = {f"{at:09d}" for at in places}
    return {n: d for n, d in members.items() if n.partition("/")[2].partition(".")[0] not in gone or "records" in n}


def facts_of(data: bytes) -> list[Any]:
    record_: Any = canonical.decode(data)
    return list(record_["facts"])


@pytest.mark.usefixtures("quick")
def test_whatever_the_holder_of_the_key_does_to_what_the_ledger_says_is_found_and_named(
    members: Members, sealed: Sealed, check: Check
) -> None:
    made, left = survivors(by_who_has_the_key(members, sealed, most=EDITS), check)

    assert made > 150
    assert left == []


def test_the_pack_has_every_kind_of_record_and_most_kinds_of_entries(members: Members) -> None:
    kinds = {kind_of(name, data) for name, data in members.items()}

    assert len([kind for kind in kinds if kind.startswith("records/")]) == 30
    assert kinds >= {"decided", "examined", "approval-given", "approval-withdrawn", "incident-opened", "stream-closed"}
    assert {"consistency", "proofs", "summary.html", "checkpoint.note", "manifest.note", "clauses.json"} <= kinds


def test_sixty_entries_are_verified_within_a_second(whole: bytes, root: Path, tmp_path: Path) -> None:
    """As an auditor does it: a process of its own, with nothing kept from an earlier run."""
    pack = tmp_path / "a.pack.zip"
    pack.write_bytes(whole)
    program = str(root / "verifier" / "glideslope_verify.py")
    spent = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, program, pack, "--key", MemorySigner().verifier.vkey, "--json"],
            capture_output=True,
            check=True,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    entries = json.loads(done.stdout)["entries"]
    assert entries > 20
    assert min(spent) * 60 / entries < 1


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_every_edit_of_every_part_by_who_has_no_key_is_found_and_named(
    members: Members, program: ModuleType, check: Check
) -> None:
    made, left = survivors(by_who_has_no_key(members, program, most=None), check)

    assert made > 5_000
    assert left == []


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_every_edit_of_what_the_ledger_says_by_the_holder_of_the_key_is_found_and_named(
    members: Members, sealed: Sealed, check: Check
) -> None:
    made, left = survivors(by_who_has_the_key(members, sealed, most=None), check)

    assert made > 5_000
    assert left == []
