"""What every Signer promises: notes that a stranger can check with the public key alone."""

import pytest

from glideslope.engine.ports import Signer
from glideslope.ledger.errors import NoteError
from glideslope.ledger.note import Verifier, open_note

TEXT = "example.com/ledger\n3\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"


class SignerContract:
    """Subclass and provide two fixtures: `signer`, and `verifier`, its public key as published."""

    @pytest.fixture
    def signer(self) -> Signer:
        raise NotImplementedError("provide the fixture `signer`")

    @pytest.fixture
    def verifier(self, signer: Signer) -> Verifier:
        raise NotImplementedError(f"provide the fixture `verifier` for {signer.name}")

    def test_the_note_carries_the_text_and_opens_with_the_public_key(self, signer: Signer, verifier: Verifier) -> None:
        note = open_note(signer.sign(TEXT.encode()), verifiers=[verifier])

        assert note.text == TEXT

    def test_the_key_is_known_by_the_name_of_its_signer(self, signer: Signer, verifier: Verifier) -> None:
        assert verifier.name == signer.name

    def test_a_changed_text_does_not_open(self, signer: Signer, verifier: Verifier) -> None:
        forged = signer.sign(TEXT.encode()).replace(b"\n3\n", b"\n4\n")

        with pytest.raises(NoteError):
            open_note(forged, verifiers=[verifier])

    def test_a_text_that_cannot_be_a_note_is_not_signed(self, signer: Signer) -> None:
        with pytest.raises(NoteError):
            signer.sign(b"no newline at the end")

    def test_the_repr_shows_no_private_key(self, signer: Signer) -> None:
        """Logs and tracebacks print objects."""
        shown = repr(signer)

        assert "seed" not in shown
        assert "PRIVATE" not in shown
