"""Whatever is done to a ledger shows, at the entry where it was done or between the two checkpoints that close it in."""

from collections.abc import Sequence
from typing import Any

import pytest

from glideslope.ledger import bundle, checkpoint, entry, manifest, merkle, note, rotation
from glideslope.ledger.checkpoint import Checkpoint
from glideslope.ledger.entry import Entry
from glideslope.ledger.findings import Code, Finding, Severity
from glideslope.ledger.verify import Report, verify

NAME = "example.com/ledger"
KEY, NEXT, LAST, THIEF = (note.Signer(NAME, bytes([n]) * 32) for n in (1, 2, 3, 9))
FIRST_LINE = 9  # of the entries, behind one checkpoint with one signature


def check(lines: list[bytes], *, trusted: Sequence[note.Signer] = (KEY,), earlier: Sequence[bytes] = ()) -> Report:
    return verify(lines, trusted=[key.verifier for key in trusted], earlier=earlier)


def first(report: Report) -> Finding:
    assert not report.ok
    return report.findings[0]


def codes(report: Report) -> set[Code]:
    return {finding.code for finding in report.findings}


def rewritten(data: bytes, **fields: Any) -> bytes:
    """Return the canonical bytes of the entry in *data* with other fields."""
    old = entry.decode(data)
    kept = {"stream": old.stream, "version": old.version, "at": old.at, "kind": old.kind, "body": old.body}
    return entry.encode(Entry(**{**kept, **fields}))


def test_a_ledger_in_order_has_no_findings(ledger: Any) -> None:
    report = check(ledger.bundle(ledger.checkpoint(size=5), ledger.checkpoint()))

    assert report == Report(
        ok=True,
        entries=12,
        streams=3,
        checkpoints=2,
        root=merkle.Tree(map(merkle.leaf_hash, ledger.data)).root(),
        closed=frozenset({"b"}),
        findings=(),
    )


def test_an_empty_ledger_is_in_order(ledger: Any) -> None:
    report = check(ledger.bundle(ledger.checkpoint(size=0), data=[]))

    assert report.ok
    assert report.root == merkle.EMPTY_ROOT


def test_without_a_trusted_key_nothing_is_verified(ledger: Any) -> None:
    with pytest.raises(ValueError, match="at least one trusted key"):
        verify(ledger.bundle(), trusted=[])


@pytest.mark.parametrize("number", range(1, 13))
def test_an_edited_entry_is_named_exactly(ledger: Any, number: int) -> None:
    lines = ledger.bundle()
    at = FIRST_LINE + number - 2
    lines[at] = lines[at][:45] + rewritten(ledger.data[number - 1], at="2026-01-31T10:00:00.000Z") + b"\n"

    found = first(check(lines))

    assert (found.code, found.entry, found.line) == (Code.LEAF_HASH_MISMATCH, number, FIRST_LINE + number - 1)
    assert "the entry was changed" in found.sentence
    assert "signed over the hash" in found.sentence


def test_an_edited_leaf_hash_is_told_from_an_edited_entry(ledger: Any) -> None:
    lines = ledger.bundle()
    lines[FIRST_LINE + 2] = lines[FIRST_LINE][:45] + lines[FIRST_LINE + 2][45:]

    report = check(lines)

    assert [(found.code, found.entry) for found in report.findings] == [(Code.LEAF_HASH_MISMATCH, 4)]
    assert "the hash was changed" in first(report).sentence
    assert not report.ok


def test_an_entry_and_its_hash_edited_together_show_between_two_checkpoints(ledger: Any) -> None:
    checkpoints = [ledger.checkpoint(size=size) for size in (4, 8, 10, 12)]
    ledger.data[6] = rewritten(ledger.data[6], body={"n": 999})

    report = check(ledger.bundle(*checkpoints))

    found = first(report)
    assert (found.code, found.entry, found.through) == (Code.ROOT_MISMATCH, 5, 8)
    assert codes(report) == {Code.ROOT_MISMATCH}
    assert report.checkpoints == 1


def test_a_checkpoint_after_each_entry_names_it(ledger: Any) -> None:
    checkpoints = [ledger.checkpoint(size=size) for size in range(1, 13)]
    ledger.data[6] = rewritten(ledger.data[6], body={"n": 999})

    found = first(check(ledger.bundle(*checkpoints)))

    assert (found.entry, found.through, found.line) == (7, 7, 3 + 6 * 12 + 6)
    assert "entry 7 is not as signed" in found.sentence


def test_earlier_checkpoints_narrow_the_range_too(ledger: Any) -> None:
    earlier = [ledger.checkpoint(size=6), ledger.checkpoint(size=7)]
    late = ledger.checkpoint()
    ledger.data[6] = rewritten(ledger.data[6], body={"n": 999})

    found = first(check(ledger.bundle(late), earlier=earlier))

    assert (found.code, found.entry, found.through) == (Code.ROOT_MISMATCH, 7, 7)


def test_an_edited_entry_of_a_closed_stream_also_breaks_its_manifest(ledger: Any) -> None:
    late = ledger.checkpoint()
    ledger.data[1] = rewritten(ledger.data[1], body={"n": 999})

    report = check(ledger.bundle(late))

    assert codes(report) == {Code.ROOT_MISMATCH, Code.MANIFEST_MISMATCH}
    assert report.closed == frozenset()


@pytest.mark.parametrize("number", range(1, 12))
def test_a_removed_entry_leaves_a_gap(ledger: Any, number: int) -> None:
    signed = ledger.checkpoint()
    stream = entry.decode(ledger.data.pop(number - 1)).stream

    report = check(ledger.bundle(signed))

    assert Code.TRUNCATED in codes(report)
    follows = [i for i, data in enumerate(ledger.data, 1) if i >= number and entry.decode(data).stream == stream]
    gaps = [found.entry for found in report.findings if found.code is Code.VERSION_GAP]
    assert gaps == follows[:1]
    assert not report.ok
    assert not follows or first(report).entry == follows[0]


def test_a_repeated_entry_is_named(ledger: Any) -> None:
    signed = ledger.checkpoint()
    ledger.data.insert(5, ledger.data[2])

    found = first(check(ledger.bundle(signed)))

    assert (found.code, found.entry) == (Code.VERSION_REPEATED, 6)


def test_two_entries_of_one_stream_in_the_wrong_order_are_named(ledger: Any) -> None:
    signed = ledger.checkpoint()
    ledger.data[2], ledger.data[4] = ledger.data[4], ledger.data[2]

    report = check(ledger.bundle(signed))

    assert (first(report).code, first(report).entry) == (Code.VERSION_GAP, 3)
    assert {Code.VERSION_REPEATED, Code.ROOT_MISMATCH, Code.TIME_BACKWARDS} < codes(report)


def test_entries_of_two_streams_in_the_wrong_order_break_the_root(ledger: Any) -> None:
    signed = ledger.checkpoint()
    ledger.data[2], ledger.data[3] = ledger.data[3], ledger.data[2]

    assert codes(check(ledger.bundle(signed))) == {Code.ROOT_MISMATCH}


def test_a_missing_stream_shows(ledger: Any) -> None:
    signed = ledger.checkpoint()
    ledger.data = [data for data in ledger.data if b'"stream":"c"' not in data]

    assert codes(check(ledger.bundle(signed))) == {Code.TRUNCATED}


def test_a_tail_cut_off_shows_by_the_bundles_own_checkpoint(ledger: Any) -> None:
    signed = ledger.checkpoint()

    found = first(check(ledger.bundle(signed, data=ledger.data[:10])))

    assert (found.code, found.entry, found.through) == (Code.TRUNCATED, 11, 12)
    assert "2 are missing" in found.sentence


def test_a_tail_cut_off_together_with_its_checkpoint_shows_only_by_an_earlier_one(ledger: Any) -> None:
    kept = ledger.checkpoint()
    lines = ledger.bundle(ledger.checkpoint(size=10), data=ledger.data[:10])

    assert check(lines).ok
    assert (first(check(lines, earlier=[kept])).code, first(check(lines, earlier=[kept])).entry) == (
        Code.TRUNCATED,
        11,
    )


def test_a_history_rewritten_by_the_holder_of_the_key_shows_by_an_earlier_checkpoint(ledger: Any) -> None:
    kept = ledger.checkpoint(size=8)
    ledger.data[9] = rewritten(ledger.data[9], body={"n": 1})
    assert check(ledger.bundle(), earlier=[kept]).ok
    ledger.data[4] = rewritten(ledger.data[4], body={"n": 999})
    lines = ledger.bundle()

    assert check(lines).ok
    found = first(check(lines, earlier=[kept]))

    assert (found.code, found.entry, found.through) == (Code.HISTORY_REWRITTEN, 1, 8)
    assert "two different histories" in found.sentence


def test_two_faults_between_different_checkpoints_are_both_found(ledger: Any) -> None:
    bad = Checkpoint(origin=NAME, size=4, root=bytes(32))
    late = Checkpoint(origin=NAME, size=12, root=bytes(32))
    lines = ledger.bundle(checkpoint.sign(bad, KEY), ledger.checkpoint(size=8), checkpoint.sign(late, KEY))

    report = check(lines)

    assert [(found.code, found.entry, found.through) for found in report.findings] == [
        (Code.HISTORY_REWRITTEN, 1, 4),
        (Code.ROOT_MISMATCH, 9, 12),
    ]


def test_entries_after_the_last_checkpoint_are_unsigned(ledger: Any) -> None:
    found = first(check(ledger.bundle(ledger.checkpoint(size=9))))

    assert (found.code, found.entry, found.through) == (Code.NOT_COVERED, 10, 12)


def test_a_bundle_without_checkpoints_proves_nothing(ledger: Any) -> None:
    lines = list(bundle.format(checkpoints=[], entries=ledger.data))

    assert codes(check(lines)) == {Code.NO_CHECKPOINT}


def test_a_checkpoint_by_a_stranger_is_not_believed(ledger: Any) -> None:
    report = check(ledger.bundle(ledger.checkpoint(signers=[THIEF])))

    assert codes(report) == {Code.CHECKPOINT_UNTRUSTED}
    assert report.checkpoints == 0


def test_a_strangers_signature_beside_the_ledgers_is_ignored(ledger: Any) -> None:
    assert check(ledger.bundle(ledger.checkpoint(signers=[THIEF, KEY]))).ok


def test_a_checkpoint_of_another_ledger_is_not_believed(ledger: Any) -> None:
    other = note.Signer("example.com/other", b"\x05" * 32)
    foreign = Checkpoint(origin=other.name, size=3, root=merkle.Tree(map(merkle.leaf_hash, ledger.data)).root(size=3))

    report = check(ledger.bundle(checkpoint.sign(foreign, other), ledger.checkpoint()), trusted=[KEY, other])

    assert Code.CHECKPOINT_UNTRUSTED in codes(report)


def test_checkpoints_must_grow(ledger: Any) -> None:
    found = first(check(ledger.bundle(ledger.checkpoint(), ledger.checkpoint(size=5))))

    assert found.code is Code.CHECKPOINT_ORDER


def test_a_note_that_is_no_checkpoint_is_a_finding(ledger: Any) -> None:
    lines = ledger.bundle(note.sign("hello\n", KEY), ledger.checkpoint())

    assert (first(check(lines)).code, first(check(lines)).line) == (Code.CHECKPOINT_MALFORMED, 3)


def test_a_malformed_earlier_checkpoint_is_a_finding(ledger: Any) -> None:
    report = check(ledger.bundle(), earlier=[b"scribble"])

    assert codes(report) == {Code.CHECKPOINT_MALFORMED}
    assert "earlier checkpoint 1" in first(report).sentence


@pytest.mark.parametrize("number", [1, 5, 12])
def test_a_line_that_is_no_entry_is_named(ledger: Any, number: int) -> None:
    signed = ledger.checkpoint()
    ledger.data[number - 1] = ledger.data[number - 1].replace(b":", b": ", 1)

    found = first(check(ledger.bundle(signed)))

    assert (found.code, found.entry, found.line) == (Code.ENTRY_MALFORMED, number, FIRST_LINE + number - 1)


def test_a_line_without_a_leaf_hash_is_named(ledger: Any) -> None:
    lines = ledger.bundle()
    lines[FIRST_LINE + 3] = b"!" + lines[FIRST_LINE + 3][1:]

    report = check(lines)

    assert [(found.code, found.entry) for found in report.findings] == [(Code.LINE_MALFORMED, 5)]


@pytest.mark.parametrize("line", [b"\n", b"", b"x", b"\xff\n", b" " * 60 + b"\n"], ids=repr)
def test_rubbish_between_entries_is_named(ledger: Any, line: bytes) -> None:
    lines = ledger.bundle()
    lines.insert(FIRST_LINE + 3, line)

    assert first(check(lines)).entry == 5


def test_a_file_cut_within_its_last_line_is_named(ledger: Any) -> None:
    lines = ledger.bundle()
    lines[-1] = lines[-1][:-1]

    assert (first(check(lines)).code, first(check(lines)).entry) == (Code.LINE_MALFORMED, 12)


def test_a_malformed_head_is_one_finding() -> None:
    report = check([b"glideslope-ledger/1\n", b"rubbish\n"])

    assert [(found.code, found.line) for found in report.findings] == [(Code.BUNDLE_MALFORMED, 2)]
    assert not report.ok


def test_versions_start_at_one(ledger: Any) -> None:
    ledger.add("d", version=2)

    assert (first(check(ledger.bundle())).code, first(check(ledger.bundle())).entry) == (Code.VERSION_GAP, 13)


def test_a_signed_gap_is_a_gap(ledger: Any) -> None:
    ledger.add("a", version=8)

    found = first(check(ledger.bundle()))

    assert (found.code, found.entry) == (Code.VERSION_GAP, 13)
    assert "from version 6 to 8" in found.sentence


def test_nothing_may_follow_the_end_of_a_stream(ledger: Any) -> None:
    ledger.add("b")

    found = first(check(ledger.bundle()))

    assert (found.code, found.entry) == (Code.ENTRY_AFTER_CLOSE, 13)


def test_a_stream_is_closed_once(ledger: Any) -> None:
    ledger.close("b")

    assert Code.ENTRY_AFTER_CLOSE in codes(check(ledger.bundle()))


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"count": 5, "root": note.encode_base64(bytes(32))}, "5 entries, found 6"),
        ({"count": 6, "root": note.encode_base64(bytes(32))}, "other entries"),
        ({"reason": "done"}, "without a manifest"),
    ],
)
def test_a_manifest_must_be_of_its_stream(ledger: Any, body: dict[str, object], why: str) -> None:
    ledger.add("a", kind=manifest.KIND, body=body)

    report = check(ledger.bundle())

    assert (first(report).code, first(report).entry) == (Code.MANIFEST_MISMATCH, 13)
    assert why in first(report).sentence
    assert report.closed == frozenset({"b"})


def test_time_running_backwards_within_a_stream_is_a_warning(ledger: Any) -> None:
    ledger.add("a", at="2026-01-30T09:00:00.000Z")

    report = check(ledger.bundle())

    assert report.ok
    assert [(found.code, found.severity) for found in report.findings] == [(Code.TIME_BACKWARDS, Severity.WARNING)]


def test_time_may_stand_still_and_differ_between_streams(ledger: Any) -> None:
    ledger.add("a", at="2026-01-31T09:00:10.000Z")
    ledger.add("e", at="2020-01-01T00:00:00.000Z")

    assert check(ledger.bundle()).findings == ()


def test_a_million_faults_are_not_a_million_findings(ledger: Any) -> None:
    for version in range(100, 300, 2):
        ledger.add("z", version=version)

    found = [each for each in check(ledger.bundle()).findings if each.code is Code.VERSION_GAP]
    omitted = [each for each in check(ledger.bundle()).findings if each.code is Code.FINDINGS_OMITTED]

    assert len(found) == 20
    assert [each.sentence for each in omitted] == ["80 more findings of the code version-gap are not listed."]


class TestRotation:
    """The auditor trusts one key; the ledger's rotations lead from it to all others."""

    @pytest.fixture
    def rotated(self, ledger: Any) -> Any:
        """Entry 13 hands over to NEXT, entry 15 to LAST, entry 16 is the last."""
        ledger.rotate(NEXT)
        ledger.add("a")
        ledger.rotate(LAST)
        ledger.add("a")
        return ledger

    @pytest.mark.parametrize("trusted", [KEY, NEXT, LAST], ids=["first", "second", "last"])
    def test_any_key_of_the_chain_verifies_the_whole(self, rotated: Any, trusted: note.Signer) -> None:
        checkpoints = [
            rotated.checkpoint(size=12, signers=[KEY]),
            rotated.checkpoint(size=13, signers=[NEXT]),
            rotated.checkpoint(size=15, signers=[LAST]),
            rotated.checkpoint(),
        ]

        report = check(rotated.bundle(*checkpoints), trusted=[trusted])

        assert report.findings == ()
        assert report.checkpoints == 4

    def test_a_key_outside_the_chain_verifies_nothing(self, rotated: Any) -> None:
        assert codes(check(rotated.bundle(), trusted=[THIEF])) == {Code.CHECKPOINT_UNTRUSTED}

    @pytest.mark.parametrize(("size", "signer"), [(13, KEY), (16, KEY), (16, NEXT), (12, NEXT), (14, LAST)])
    def test_only_the_key_in_force_signs(self, rotated: Any, size: int, signer: note.Signer) -> None:
        lines = rotated.bundle(rotated.checkpoint(size=size, signers=[signer]), data=rotated.data[:size])

        report = check(lines)

        assert codes(report) == {Code.CHECKPOINT_UNTRUSTED}
        assert not report.ok

    def test_the_old_key_may_sign_beside_the_new_one(self, rotated: Any) -> None:
        assert check(rotated.bundle(rotated.checkpoint(signers=[KEY, LAST]))).ok

    def test_a_thief_of_no_key_cannot_rotate(self, ledger: Any) -> None:
        ledger.key = THIEF
        ledger.rotate(NEXT)

        report = check(ledger.bundle())

        assert Code.CHECKPOINT_UNTRUSTED in codes(report)
        assert not report.ok

    def test_a_retired_key_cannot_rotate(self, rotated: Any) -> None:
        rotated.add(rotation.STREAM, kind=rotation.KIND, body=rotation.body(version=3, old=KEY, new=THIEF))

        report = check(rotated.bundle(rotated.checkpoint(signers=[LAST])))

        assert [(found.code, found.entry) for found in report.findings] == [(Code.ROTATION_INVALID, 17)]

    def test_a_rotation_must_be_signed_by_both(self, ledger: Any) -> None:
        ledger.add(rotation.STREAM, kind=rotation.KIND, body={"note": note.sign("x\n", KEY).decode()})

        assert (first(check(ledger.bundle())).code, first(check(ledger.bundle())).entry) == (
            Code.ROTATION_INVALID,
            13,
        )

    def test_a_rotation_belongs_in_the_ledgers_own_stream(self, ledger: Any) -> None:
        ledger.add("a", kind=rotation.KIND, body=rotation.body(version=7, old=KEY, new=NEXT))

        found = first(check(ledger.bundle()))

        assert (found.code, found.entry) == (Code.ROTATION_INVALID, 13)
        assert "not in ledger" in found.sentence
