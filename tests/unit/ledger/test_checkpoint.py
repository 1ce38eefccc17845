"""A checkpoint is what C2SP tlog-checkpoint says, signed under the ledger's own name."""

import pytest

from glideslope.ledger import checkpoint, merkle, note
from glideslope.ledger.checkpoint import Checkpoint
from glideslope.ledger.errors import CheckpointError, NoteError

KEY = note.Signer("example.com/ledger", b"\x01" * 32)
OTHER = note.Signer("example.com/other", b"\x02" * 32)
MADE = Checkpoint(origin="example.com/ledger", size=7, root=bytes(range(32)))


def test_the_text_of_the_specifications_example_is_read_and_written() -> None:
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"

    found = checkpoint.parse(text)

    assert (found.origin, found.size) == ("example.com/behind-the-sofa", 20852163)
    assert checkpoint.format(found) == text


def test_a_signed_checkpoint_is_read_back() -> None:
    assert checkpoint.verify(checkpoint.sign(MADE, KEY), verifiers=[KEY.verifier]) == MADE


def test_extension_lines_are_kept() -> None:
    made = Checkpoint(origin="o", size=0, root=merkle.EMPTY_ROOT, extensions=("one", "two words"))

    assert checkpoint.parse(checkpoint.format(made)) == made


def test_a_key_of_another_name_cannot_sign() -> None:
    with pytest.raises(CheckpointError, match=r"example\.com/other"):
        checkpoint.sign(MADE, OTHER)


def test_a_trusted_key_of_another_ledger_does_not_count() -> None:
    signed = note.sign(checkpoint.format(MADE), OTHER)

    with pytest.raises(NoteError, match="no trusted key"):
        checkpoint.verify(signed, verifiers=[OTHER.verifier])


ROOT = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="


@pytest.mark.parametrize(
    "text",
    [
        "",
        "o\n1\n",
        f"o\n1\n{ROOT}",
        f"\n1\n{ROOT}\n",
        f"o\n\n{ROOT}\n",
        f"o\n01\n{ROOT}\n",
        f"o\n-1\n{ROOT}\n",
        f"o\n+1\n{ROOT}\n",
        f"o\n1.0\n{ROOT}\n",
        f"o\n\u0661\n{ROOT}\n",
        f"o\n{10**18}\n{ROOT}\n",
        "o\n1\nAAAA\n",
        "o\n1\n!\n",
        f"o\n1\n{ROOT[:-2]}J=\n",
        f"o\n1\n{ROOT}\n\n",
        f"o\n1\n{ROOT}\n\nx\n",
    ],
    ids=ascii,
)
def test_a_text_that_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(CheckpointError):
        checkpoint.parse(text)


@pytest.mark.parametrize(
    ("origin", "size", "root", "extensions"),
    [
        ("", 1, bytes(32), ()),
        ("a\nb", 1, bytes(32), ()),
        ("a", -1, bytes(32), ()),
        ("a", 1, bytes(31), ()),
        ("a", 1, bytes(32), ("",)),
    ],
)
def test_a_checkpoint_that_cannot_be_written_is_not_made(
    origin: str, size: int, root: bytes, extensions: tuple[str, ...]
) -> None:
    with pytest.raises(CheckpointError):
        Checkpoint(origin=origin, size=size, root=root, extensions=extensions)
