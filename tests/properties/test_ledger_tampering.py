"""No single change to a bundle survives its verification, and none makes the verification fall over."""

from dataclasses import dataclass
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from glideslope.ledger import bundle, checkpoint, entry, manifest, merkle, note, rotation
from glideslope.ledger.checkpoint import Checkpoint
from glideslope.ledger.entry import Entry
from glideslope.ledger.verify import Report, verify

NAME = "example.com/ledger"
KEY, NEXT, THIEF = (note.Signer(NAME, bytes([n]) * 32) for n in (1, 2, 9))
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SCALARS = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-1e30, 1e30) | TEXT
BODIES = st.dictionaries(TEXT, SCALARS | st.lists(SCALARS, max_size=3), max_size=4)


@dataclass(frozen=True)
class Ledger:
    """Valid entries, and for each checkpoint its size and the key in force there."""

    data: tuple[bytes, ...]
    checkpoints: tuple[tuple[int, note.Signer], ...]

    def signed(self, data: tuple[bytes, ...] | None = None) -> list[bytes]:
        tree = merkle.Tree(map(merkle.leaf_hash, self.data if data is None else data))
        return [
            checkpoint.sign(Checkpoint(origin=NAME, size=size, root=tree.root(size=size)), signer)
            for size, signer in self.checkpoints
            if size <= tree.size
        ]

    def lines(self, data: tuple[bytes, ...] | None = None) -> list[bytes]:
        """Return a bundle whose checkpoints are of this ledger, whatever *data* it shows."""
        return list(bundle.format(checkpoints=self.signed(), entries=self.data if data is None else data))


@st.composite
def ledgers(draw: st.DrawFn) -> Ledger:
    data: list[bytes] = []
    trees: dict[str, merkle.Frontier] = {}
    closed: set[str] = set()
    rotated_at: int | None = None

    def add(stream: str, kind: str, body: dict[str, Any]) -> None:
        tree = trees.setdefault(stream, merkle.Frontier())
        at = f"2026-01-31T09:{len(data):02}:00.000Z"
        data.append(entry.encode(Entry(stream=stream, version=tree.size + 1, at=at, kind=kind, body=body)))
        tree.append(merkle.leaf_hash(data[-1]))

    for _ in range(draw(st.integers(1, 16))):
        stream = draw(st.sampled_from(["rollout/1", "rollout/2", "model/flights"]))
        action = draw(st.sampled_from(["add", "add", "add", "close", "rotate"]))
        if action == "rotate" and rotated_at is None:
            add(rotation.STREAM, rotation.KIND, rotation.body(version=1, old=KEY, new=NEXT))
            rotated_at = len(data)
        elif stream in closed:
            add("other", "happened", draw(BODIES))
        elif action == "close" and stream in trees:
            add(stream, manifest.KIND, manifest.body(manifest.of(trees[stream])))
            closed.add(stream)
        else:
            add(stream, "happened", draw(BODIES))
    sizes = {*draw(st.sets(st.integers(0, len(data)), max_size=3)), len(data)}
    return Ledger(
        tuple(data),
        tuple((size, KEY if rotated_at is None or size < rotated_at else NEXT) for size in sorted(sizes)),
    )


def check(lines: list[bytes], *, earlier: list[bytes] | None = None) -> Report:
    return verify(lines, trusted=[KEY.verifier], earlier=earlier or [])


def edited(data: bytes, **fields: Any) -> bytes:
    old = entry.decode(data)
    kept = {"stream": old.stream, "version": old.version, "at": old.at, "kind": old.kind, "body": old.body}
    return entry.encode(Entry(**{**kept, **fields}))


def names(report: Report, number: int) -> bool:
    """Tell whether the first finding's place holds entry *number*."""
    found = report.findings[0]
    return found.entry is not None and found.entry <= number <= (found.through or found.entry)


@given(ledgers())
def test_an_untouched_ledger_is_in_order(ledger: Ledger) -> None:
    report = check(ledger.lines(), earlier=ledger.signed())

    assert report.findings == ()
    assert (report.ok, report.entries, report.checkpoints) == (True, len(ledger.data), len(ledger.checkpoints))
    assert bundle.parse(ledger.lines()).entries == tuple(map(entry.decode, ledger.data))


@given(ledgers(), st.data())
def test_no_changed_byte_survives(ledger: Ledger, data: st.DataObject) -> None:
    whole = bytearray(b"".join(ledger.lines()))
    position = data.draw(st.integers(0, len(whole) - 1))
    whole[position] ^= data.draw(st.integers(1, 255))

    assert not check(bytes(whole).splitlines(keepends=True)).ok
    assert not check([line + b"\n" for line in bytes(whole).split(b"\n")[:-1]]).ok


@given(ledgers(), st.data())
def test_no_dropped_line_survives(ledger: Ledger, data: st.DataObject) -> None:
    lines = ledger.lines()
    del lines[data.draw(st.integers(0, len(lines) - 1))]

    assert not check(lines).ok


@given(ledgers(), st.data())
def test_no_repeated_line_survives(ledger: Ledger, data: st.DataObject) -> None:
    lines = ledger.lines()
    line = data.draw(st.integers(0, len(lines) - 1))
    lines.insert(data.draw(st.integers(0, len(lines))), lines[line])

    assert not check(lines).ok


@given(ledgers(), st.data())
def test_no_two_swapped_lines_survive(ledger: Ledger, data: st.DataObject) -> None:
    lines = ledger.lines()
    one, two = (data.draw(st.integers(0, len(lines) - 1)) for _ in range(2))
    assume(lines[one] != lines[two])
    lines[one], lines[two] = lines[two], lines[one]

    assert not check(lines).ok


@given(ledgers(), st.data())
def test_no_file_cut_short_survives(ledger: Ledger, data: st.DataObject) -> None:
    whole = b"".join(ledger.lines())
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]

    assert not check(cut.splitlines(keepends=True)).ok


@given(ledgers(), st.data())
def test_no_tail_cut_off_with_its_checkpoints_survives_an_earlier_one(ledger: Ledger, data: st.DataObject) -> None:
    size = data.draw(st.integers(0, len(ledger.data) - 1))
    kept = [signed for signed, (at, _) in zip(ledger.signed(), ledger.checkpoints, strict=True) if at <= size]
    lines = list(bundle.format(checkpoints=kept, entries=ledger.data[:size]))

    report = check(lines, earlier=ledger.signed()[-1:])

    assert not report.ok


@given(ledgers(), st.data())
def test_no_edited_entry_survives_and_its_place_is_named(ledger: Ledger, data: st.DataObject) -> None:
    number = data.draw(st.integers(1, len(ledger.data)))
    changed = edited(ledger.data[number - 1], body={"edited": 1})
    entries = (*ledger.data[: number - 1], changed, *ledger.data[number:])
    with_its_hash = check(ledger.lines(entries))
    lines = ledger.lines()
    lines[number - len(ledger.data) - 1] = lines[number - len(ledger.data) - 1][:45] + changed + b"\n"
    without = check(lines)

    assert not with_its_hash.ok
    assert any(f.entry and f.entry <= number <= (f.through or f.entry) for f in with_its_hash.findings)
    assert not without.ok
    assert (without.findings[0].entry, without.findings[0].through) == (number, None)


@given(ledgers(), st.data())
def test_no_dropped_stream_survives(ledger: Ledger, data: st.DataObject) -> None:
    streams = sorted({entry.decode(each).stream for each in ledger.data})
    gone = data.draw(st.sampled_from(streams))

    assert not check(ledger.lines(tuple(each for each in ledger.data if entry.decode(each).stream != gone))).ok


@given(ledgers(), st.data())
def test_no_forged_version_survives(ledger: Ledger, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(ledger.data) - 1))
    old = entry.decode(ledger.data[index]).version
    forged = edited(ledger.data[index], version=data.draw(st.integers(1, 99).filter(lambda n: n != old)))
    entries = (*ledger.data[:index], forged, *ledger.data[index + 1 :])
    report = check(ledger.lines(entries))

    assert not report.ok
    assert names(report, index + 1) or "stream" in report.findings[0].sentence


@given(ledgers(), st.data())
def test_not_even_the_holder_of_the_key_can_rewrite_what_an_auditor_has_kept(
    ledger: Ledger, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(ledger.data) - 1))
    changed = edited(ledger.data[index], body={"edited": 1})
    entries = (*ledger.data[:index], changed, *ledger.data[index + 1 :])
    lines = list(bundle.format(checkpoints=ledger.signed(entries), entries=entries))

    assert not check(lines, earlier=ledger.signed()[-1:]).ok


@given(ledgers())
def test_no_other_key_can_sign_a_ledger(ledger: Ledger) -> None:
    tree = merkle.Tree(map(merkle.leaf_hash, ledger.data))
    signed = checkpoint.sign(Checkpoint(origin=NAME, size=tree.size, root=tree.root()), THIEF)

    assert not check(list(bundle.format(checkpoints=[signed], entries=ledger.data))).ok


@given(st.lists(st.binary(max_size=50), max_size=20), ledgers(), st.data())
def test_whatever_the_lines_are_verifying_ends_in_a_report(
    rubbish: list[bytes], ledger: Ledger, data: st.DataObject
) -> None:
    lines = ledger.lines()
    at = data.draw(st.integers(0, len(lines)))

    assert not check(rubbish).ok
    assert not check([*lines[:at], *(rubbish or [b"x"]), *lines[at:]], earlier=rubbish[:2]).ok
