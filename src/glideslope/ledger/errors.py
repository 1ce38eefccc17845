"""What the ledger refuses, one class per thing that can be malformed."""

from typing import ClassVar


class LedgerError(ValueError):
    """Something is not what the ledger's format says; nothing was repaired."""

    code: ClassVar[str] = "ledger-invalid"


class CanonicalError(LedgerError):
    """A value has no canonical JSON form, or bytes are not in it (RFC 8785)."""

    code = "not-canonical"


class EntryError(LedgerError):
    """A value or line is not an entry of the ledger."""

    code = "entry-invalid"


class NoteError(LedgerError):
    """A signed note is malformed, or no trusted key signed it (C2SP signed-note)."""

    code = "note-invalid"


class CheckpointError(LedgerError):
    """A note's text is not a checkpoint (C2SP tlog-checkpoint)."""

    code = "checkpoint-invalid"


class ManifestError(LedgerError):
    """A closing manifest is malformed."""

    code = "manifest-invalid"


class RotationError(LedgerError):
    """A key rotation is malformed or lacks one of its two signatures."""

    code = "rotation-invalid"


class BundleError(LedgerError):
    """A bundle is not laid out as the format says.

    ``line`` is the 1-based line where reading stopped.
    """

    code = "bundle-malformed"

    def __init__(self, message: str, *, line: int) -> None:
        super().__init__(f"line {line}: {message}")
        self.line = line
        self.message = message
