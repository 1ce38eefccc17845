"""Notes are those of C2SP signed-note: its published examples open, and whatever is off by a byte does not."""

import re
from base64 import b64decode

import pytest

from glideslope.ledger import note
from glideslope.ledger.errors import NoteError

# The example of the C2SP specification.
C2SP_VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
C2SP_NOTE = (
    "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZ"
    "XsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
).encode()

# The vector of golang.org/x/mod/sumdb/note, with its private key.
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_SEED = b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_NOTE = (
    f"{GO_TEXT}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6Ry"
    "yBwJnAM=\n"
).encode()

OLD = note.Signer("example.com/ledger", b"\x01" * 32)
NEW = note.Signer("example.com/ledger", b"\x02" * 32)


def test_the_example_of_the_specification_opens() -> None:
    key = note.Verifier.parse(C2SP_VKEY)

    opened = note.open_note(C2SP_NOTE, verifiers=[key])

    assert opened == note.Note("This is an example message.\n", (key,))


def test_signing_the_published_text_gives_the_published_note() -> None:
    signer = note.Signer("PeterNeumann", GO_SEED)

    assert signer.verifier.vkey == GO_VKEY
    assert note.sign(GO_TEXT, signer) == GO_NOTE


@pytest.mark.parametrize("position", range(len(GO_VKEY)))
def test_a_verifier_key_with_one_changed_character_is_refused(position: int) -> None:
    changed = GO_VKEY[:position] + chr(ord(GO_VKEY[position]) ^ 1) + GO_VKEY[position + 1 :]

    with pytest.raises(NoteError):
        note.Verifier.parse(changed)


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "name",
        "name+00000000",
        "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10T=",
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ],
)
def test_a_malformed_verifier_key_is_refused(vkey: str) -> None:
    with pytest.raises(NoteError):
        note.Verifier.parse(vkey)


@pytest.mark.parametrize("position", range(len(GO_NOTE)))
def test_a_note_with_one_changed_bit_does_not_open(position: int) -> None:
    changed = bytearray(GO_NOTE)
    changed[position] ^= 1

    with pytest.raises(NoteError):
        note.open_note(bytes(changed), verifiers=[note.Verifier.parse(GO_VKEY)])


def test_a_note_may_carry_several_signatures_in_the_signers_order() -> None:
    signed = note.sign("text\n", NEW, OLD)

    opened = note.open_note(signed, verifiers=[OLD.verifier, NEW.verifier])

    assert opened.signed_by == (NEW.verifier, OLD.verifier)


def test_signatures_of_unknown_keys_are_ignored() -> None:
    signed = note.sign("text\n", NEW, OLD)
    garbled = re.sub("(?<=ledger )[A-Za-z0-9+/]{20}", "A" * 20, signed.decode(), count=1).encode()

    assert note.open_note(signed, verifiers=[OLD.verifier]).signed_by == (OLD.verifier,)
    assert note.open_note(garbled, verifiers=[OLD.verifier]).signed_by == (OLD.verifier,)


def test_a_note_signed_by_no_known_key_does_not_open() -> None:
    with pytest.raises(NoteError, match="no trusted key"):
        note.open_note(note.sign("text\n", NEW), verifiers=[OLD.verifier])
    with pytest.raises(NoteError, match="no trusted key"):
        note.open_note(note.sign("text\n", NEW), verifiers=[])


def test_one_wrong_signature_of_a_known_key_spoils_the_note() -> None:
    good, other = note.sign("text\n", NEW), note.sign("other text\n", OLD)
    mixed = good + other.splitlines(keepends=True)[-1]

    assert note.open_note(mixed, verifiers=[NEW.verifier]).signed_by == (NEW.verifier,)
    with pytest.raises(NoteError, match="does not match the text"):
        note.open_note(mixed, verifiers=[NEW.verifier, OLD.verifier])


def test_a_text_may_hold_empty_lines() -> None:
    signed = note.sign("one\n\n\ntwo\n\n", OLD)

    assert note.open_note(signed, verifiers=[OLD.verifier]).text == "one\n\n\ntwo\n\n"


@pytest.mark.parametrize("text", ["", "no newline", "tab\there\n", "return\r\n", "nul\x00\n", "\ud800\n"], ids=ascii)
def test_a_text_that_no_note_can_hold_is_not_signed(text: str) -> None:
    with pytest.raises(NoteError):
        note.sign(text, OLD)


@pytest.mark.parametrize("name", ["", "two words", "a+b", "tab\t", "no\u00a0break", "line\n", "\u2003"], ids=ascii)
def test_a_name_that_no_signature_line_can_hold_is_refused(name: str) -> None:
    with pytest.raises(NoteError):
        note.Signer(name, bytes(32))
    with pytest.raises(NoteError):
        note.Verifier(name, bytes(32))


def test_keys_of_the_wrong_length_are_refused() -> None:
    with pytest.raises(NoteError, match="seed"):
        note.Signer("a", bytes(31))
    with pytest.raises(NoteError, match="public key"):
        note.Verifier("a", bytes(33))


def test_a_note_without_signers_is_not_written() -> None:
    with pytest.raises(NoteError, match="at least one signer"):
        note.sign("text\n")


@pytest.mark.parametrize(
    "signed",
    [
        b"",
        b"text\n",
        b"text\n\n",
        b"text\n\n\xe2\x80\x94 name AAAAAAA=",
        b"text\n\n- name AAAAAAA=\n",
        b"text\n\n\xe2\x80\x94 name AAAAAAA\n",
        b"text\n\n\xe2\x80\x94 name AAAAAAB=\n",
        b"text\n\n\xe2\x80\x94 name AAAA\n",
        b"text\n\n\xe2\x80\x94 na+me AAAAAAA=\n",
        b"text\n\n\xe2\x80\x94  AAAAAAA=\n",
        b"text\n\n\xe2\x80\x94 name AAAAAAA= more\n",
        b"te\xffxt\n\n\xe2\x80\x94 name AAAAAAA=\n",
        b"te\rxt\n\n\xe2\x80\x94 name AAAAAAA=\n",
        b"text\n\n" + b"\xe2\x80\x94 name AAAAAAA=\n" * 65,
    ],
    ids=lambda signed: repr(signed)[:50],
)
def test_a_malformed_note_is_refused(signed: bytes) -> None:
    with pytest.raises(NoteError):
        note.parse(signed)


def test_a_seed_is_never_printed() -> None:
    assert "seed" not in repr(OLD)
    assert "\\x01" not in repr(OLD)
