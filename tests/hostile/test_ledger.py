"""Whatever bytes claim to be of a ledger: a value, or one of the ledger's own errors; and nothing changed passes for signed."""

import contextlib
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glideslope.domain.errors import GlideslopeError
from glideslope.domain.events import body_of, event_of
from glideslope.domain.replay import replay, replay_decision
from glideslope.ledger import bundle, canonical, checkpoint, entry, manifest, merkle, note, rotation, verify
from glideslope.ledger.entry import Entry
from glideslope.ledger.errors import CanonicalError, LedgerError
from glideslope.testing.hostile import another, changed

SEEDS = st.integers(0, 2**64)


@given(seed=SEEDS)
def test_canonical_bytes_are_the_only_ones_that_are_read(seed: int, golden_entries: list[bytes]) -> None:
    chance = Random(seed)
    data = changed(chance.choice(golden_entries), chance)
    try:
        value = canonical.decode(data)
    except CanonicalError:
        return
    assert canonical.encode(value) == data


@given(seed=SEEDS)
def test_an_entry_is_read_as_it_will_be_written(seed: int, golden_entries: list[bytes]) -> None:
    chance = Random(seed)
    data = changed(chance.choice(golden_entries), chance)
    try:
        found = entry.decode(data)
    except LedgerError:
        return
    assert entry.encode(found) == data


@given(seed=SEEDS)
def test_a_note_is_believed_only_as_it_was_signed(
    seed: int, golden_notes: list[bytes], golden_vkeys: list[str]
) -> None:
    chance = Random(seed)
    honest = chance.choice(golden_notes)
    data = changed(honest, chance)
    verifiers = [note.Verifier.parse(vkey) for vkey in golden_vkeys]
    text = note.parse(honest).text
    try:
        found = note.open_note(data, verifiers=verifiers)
        claimed = checkpoint.verify(data, verifiers=verifiers)
    except LedgerError:
        return
    assert (found.text, checkpoint.format(claimed)) == (text, text)


@given(seed=SEEDS)
def test_a_key_is_read_as_it_is_written(seed: int, golden_vkeys: list[str]) -> None:
    chance = Random(seed)
    text = changed(chance.choice(golden_vkeys).encode(), chance).decode("utf-8", "surrogateescape")
    try:
        found = note.Verifier.parse(text)
    except LedgerError:
        return
    assert found.vkey == text


@given(seed=SEEDS)
def test_a_changed_bundle_is_never_sound_but_where_it_was_only_cut(
    seed: int, golden_bundle: bytes, golden_vkeys: list[str]
) -> None:
    chance = Random(seed)
    honest = golden_bundle.splitlines(keepends=True)
    lines = changed(golden_bundle, chance).splitlines(keepends=True)
    entries = honest[honest.index(bundle.ENTRIES) + 1 :]

    report = verify.verify(iter(lines), trusted=[note.Verifier.parse(vkey) for vkey in golden_vkeys])

    if report.ok:
        found = lines[lines.index(bundle.ENTRIES) + 1 :]
        assert found == entries[: len(found)]
    with contextlib.suppress(LedgerError):
        bundle.parse(iter(lines))


@given(seed=SEEDS, size=st.integers(1, 40), bits=st.integers(0, 70))
def test_a_changed_proof_proves_nothing(seed: int, size: int, bits: int) -> None:
    chance = Random(seed)
    tree = merkle.Tree()
    leaves = [merkle.leaf_hash(b"%d" % n) for n in range(size)]
    for leaf in leaves:
        tree.append(leaf)
    index, older = chance.randrange(size), chance.randint(1, size)
    included, consistent = tree.inclusion_proof(index), tree.consistency_proof(older)
    earlier = tree.root(size=older)
    assert merkle.verify_inclusion(leaves[index], index=index, size=size, proof=included, root=tree.root())
    assert merkle.verify_consistency(older=older, older_root=earlier, size=size, root=tree.root(), proof=consistent)

    def bent(proof: tuple[bytes, ...]) -> list[bytes]:
        steps = [*proof, b"\x00" * 32]
        place = chance.randrange(len(steps))
        match chance.randrange(4):
            case 0:
                steps[place] = changed(steps[place], chance)
            case 1:
                steps.insert(place, steps[place])
                return steps[: max(0, len(proof) - 1)] if place == 0 and proof else steps
            case 2:
                return [*proof, *steps]
            case _:
                return list(reversed(steps))
        return steps

    for wrong in (bent(included), bent(included)):
        assert not merkle.verify_inclusion(leaves[index], index=index, size=size, proof=wrong, root=tree.root())
    for wrong in (bent(consistent), bent(consistent)):
        assert not merkle.verify_consistency(older=older, older_root=earlier, size=size, root=tree.root(), proof=wrong)
    far = 1 << bits  # nobody has such a tree; asking takes no time that grows with it
    assert not merkle.verify_inclusion(leaves[0], index=far, size=far + 1 + size, proof=included, root=tree.root())


@given(seed=SEEDS)
def test_a_closing_or_a_new_key_is_read_or_refused(seed: int, golden_entries: list[bytes]) -> None:
    chance = Random(seed)
    bodies = [entry.decode(data) for data in golden_entries if b"stream-closed" in data or b"key-rotated" in data]
    honest = chance.choice(bodies)
    body = another(dict(honest.body), chance)
    if not isinstance(body, dict):
        return
    for read in (lambda: manifest.read(body), lambda: rotation.read(body, version=honest.version)):
        try:
            found = read()
        except LedgerError:
            continue
        assert body in (honest.body, manifest.body(found) if isinstance(found, manifest.Manifest) else None)


def lives(life: list[dict[str, object]], chance: Random) -> list[Entry]:
    """Forge a record: one entry says something else, all else stands."""
    place = chance.randrange(len(life))
    forged = [dict(each) for each in life]
    body = another(forged[place]["body"], chance)
    forged[place]["body"] = body if isinstance(body, dict) else {}
    if chance.random() < 0.2:
        del forged[chance.randrange(len(forged))]
    return [
        Entry(stream=f["stream"], version=f["version"], at=f["at"], kind=f["kind"], body=f["body"])  # type: ignore[arg-type]  # of golden files
        for f in forged
    ]


@given(seed=SEEDS)
def test_a_forged_record_is_replayed_to_its_end(seed: int, golden_life: list[dict[str, object]]) -> None:
    """Whoever holds the key may write whatever JSON there is: a finding, and never the end of the replay."""
    record = lives(golden_life, Random(seed))

    report = replay(record)

    assert report.rollouts <= len(record)
    for found in report.findings[:2]:
        assert found.sentence
        with contextlib.suppress(GlideslopeError):
            replay_decision(record, stream=found.stream, version=found.version)


@given(seed=SEEDS)
def test_an_event_is_read_as_it_will_be_written_or_refused(seed: int, golden_life: list[dict[str, object]]) -> None:
    chance = Random(seed)
    each = chance.choice(golden_life)
    body = another(each["body"], chance)
    try:
        event = event_of(str(each["kind"]), body if isinstance(body, dict) else {})
        written = body_of(event)
        again = event_of(str(each["kind"]), written)
    except GlideslopeError:
        return
    assert again == event


BOMBS = {
    "nesting": b"[" * 1_000_000,
    "closed nesting": b"[" * 200_000 + b"]" * 200_000,
    "objects": b'{"a":' * 300_000,
    "digits": b"9" * 1_000_000,
    "a small fraction": b"0." + b"0" * 1_000_000 + b"1",
    "an exponent": b"1e" + b"9" * 100_000,
    "infinity": b"1e999",
    "no number": b"NaN",
    "minus zero": b"-0.0",
    "beyond doubles": b"9007199254740993",
    "a half pair": b'"\\ud800"',
    "not utf-8": b'"\xed\xa0\x80"',
    "a zero": b'"\x00"',
    "twice": b'{"a":1,"a":1}',
    "a mark": b"\xef\xbb\xbf{}",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_in_few_words(name: str) -> None:
    for read in (canonical.decode, entry.decode):
        with pytest.raises(LedgerError) as caught:
            read(BOMBS[name])
        assert len(str(caught.value)) < 500
