"""What was once written can be read for ever, and is written the same today."""

from pathlib import Path

import pytest

from glideslope.ledger import bundle, checkpoint, entry, manifest, note, rotation
from glideslope.ledger.verify import verify

GOLDEN = Path(__file__).parents[2] / "golden" / "ledger"
KEYS = [note.Verifier.parse(vkey) for vkey in (GOLDEN / "v1" / "keys.txt").read_text().splitlines()]
SIGNERS = [note.Signer("glideslope.example/golden", bytes(range(n, n + 32))) for n in (0, 32)]


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("v*/entry-*.json")), ids=lambda path: path.stem)
def test_every_entry_ever_written_can_still_be_read(path: Path) -> None:
    data = path.read_bytes()

    assert entry.encode(entry.decode(data)) == data


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("v*/checkpoint*.note")), ids=lambda path: path.stem)
def test_every_checkpoint_ever_signed_still_verifies(path: Path) -> None:
    signed = path.read_bytes()
    found = checkpoint.verify(signed, verifiers=KEYS)

    assert checkpoint.sign(found, *SIGNERS[: len(note.parse(signed).signatures)]) == signed


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("v*/bundle*.txt")), ids=lambda path: path.stem)
@pytest.mark.parametrize("trusted", KEYS, ids=["old key", "new key"])
def test_every_bundle_ever_written_still_verifies(path: Path, trusted: note.Verifier) -> None:
    with path.open("rb") as lines:
        report = verify(lines, trusted=[trusted] if "empty" not in path.stem else KEYS)

    assert report.findings == ()


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("v*/bundle*.txt")), ids=lambda path: path.stem)
def test_every_bundle_ever_written_is_written_the_same_today(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    found = bundle.parse(lines)

    assert list(bundle.format(checkpoints=found.checkpoints, entries=map(entry.encode, found.entries))) == lines


def test_the_first_bundle_says_what_it_said() -> None:
    with (GOLDEN / "v1" / "bundle.txt").open("rb") as lines:
        report = verify(lines, trusted=KEYS[:1])

    assert report.root.hex() == "8ed67339a8f9914a058e67d5971c2ad81081f42363c660d2d85b4dad744ddc59"
    assert (report.entries, report.streams, report.checkpoints) == (6, 3, 3)
    assert report.closed == {"rollout/flights-1"}


def test_the_first_rotation_still_hands_over() -> None:
    found = entry.decode((GOLDEN / "v1" / "entry-rotation.json").read_bytes())

    handed_over = rotation.read(found.body, version=found.version)

    assert [handed_over.old, handed_over.new] == KEYS
    assert rotation.body(version=1, old=SIGNERS[0], new=SIGNERS[1]) == found.body


def test_the_first_manifest_still_counts() -> None:
    found = entry.decode((GOLDEN / "v1" / "entry-manifest.json").read_bytes())

    assert manifest.read(found.body).count == 2
