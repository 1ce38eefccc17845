"""A key is handed over by the old key and accepted by the new one, at one place in one ledger."""

import pytest

from glideslope.ledger import note, rotation
from glideslope.ledger.errors import RotationError

NAME = "example.com/ledger"
OLD, NEW, THIEF = (note.Signer(NAME, bytes([n]) * 32) for n in (1, 2, 3))


def text(*, version: int = 4, old: note.Signer = OLD, new: note.Signer = NEW, origin: str = NAME) -> str:
    return f"glideslope-ledger/key-rotated/1\n{origin}\n{version}\n{old.verifier.vkey}\n{new.verifier.vkey}\n"


def test_a_rotation_is_read_back_with_both_keys() -> None:
    body = rotation.body(version=4, old=OLD, new=NEW)

    assert rotation.read(body, version=4) == rotation.Rotation(version=4, old=OLD.verifier, new=NEW.verifier)


def test_a_rotation_cannot_be_replayed_at_another_version() -> None:
    with pytest.raises(RotationError, match="not for this entry"):
        rotation.read(rotation.body(version=4, old=OLD, new=NEW), version=5)


@pytest.mark.parametrize(
    "signers", [(OLD,), (NEW,), (OLD, THIEF), (THIEF, NEW)], ids=["old", "new", "no new", "no old"]
)
def test_both_keys_must_sign(signers: tuple[note.Signer, ...]) -> None:
    with pytest.raises(RotationError, match="did not sign"):
        rotation.read({"note": note.sign(text(), *signers).decode()}, version=4)


def test_a_key_that_names_another_ledger_is_refused() -> None:
    foreign = note.Signer("example.com/other", bytes(32))

    with pytest.raises(RotationError, match="keeps its name"):
        rotation.body(version=4, old=OLD, new=foreign)


def test_a_key_cannot_hand_over_to_itself() -> None:
    with pytest.raises(RotationError, match="is the old key"):
        rotation.body(version=4, old=OLD, new=OLD)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"note": 1},
        {"note": "x"},
        {"note": note.sign(text(), OLD, NEW).decode(), "more": 1},
        {"note": note.sign(text().replace("/1\n", "/2\n"), OLD, NEW).decode()},
        {"note": note.sign(text(origin="example.com/else"), OLD, NEW).decode()},
        {"note": note.sign(text() + "more\n", OLD, NEW).decode()},
        {"note": note.sign(text().replace("+", "-"), OLD, NEW).decode()},
        {"note": "\ud800"},
    ],
    ids=range(9),
)
def test_a_body_that_is_no_rotation_is_refused(body: dict[str, object]) -> None:
    with pytest.raises(RotationError):
        rotation.read(body, version=4)
