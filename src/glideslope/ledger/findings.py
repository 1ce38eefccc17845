"""What a verification can find, from a closed list whose codes never change their meaning."""

from dataclasses import dataclass
from enum import StrEnum

MOST_PER_CODE = 20


class Severity(StrEnum):
    """An error means that the ledger is not what was signed; a warning, that a person should look."""

    ERROR = "error"
    WARNING = "warning"


class Code(StrEnum):
    """Every kind of finding; `docs/reference/ledger-format.md` explains each under its name."""

    BUNDLE_MALFORMED = "bundle-malformed"
    LINE_MALFORMED = "line-malformed"
    ENTRY_MALFORMED = "entry-malformed"
    LEAF_HASH_MISMATCH = "leaf-hash-mismatch"
    VERSION_GAP = "version-gap"
    VERSION_REPEATED = "version-repeated"
    TIME_BACKWARDS = "time-backwards"
    ENTRY_AFTER_CLOSE = "entry-after-close"
    MANIFEST_MISMATCH = "manifest-mismatch"
    ROTATION_INVALID = "rotation-invalid"
    CHECKPOINT_MALFORMED = "checkpoint-malformed"
    CHECKPOINT_ORDER = "checkpoint-order"
    CHECKPOINT_UNTRUSTED = "checkpoint-untrusted"
    NO_CHECKPOINT = "no-checkpoint"
    NOT_COVERED = "not-covered"
    TRUNCATED = "truncated"
    ROOT_MISMATCH = "root-mismatch"
    HISTORY_REWRITTEN = "history-rewritten"
    FINDINGS_OMITTED = "findings-omitted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong, and where, as exactly as the evidence allows.

    ``entry`` counts entries from 1; where only a range is certain it is the first and ``through`` the last of it.
    ``line`` counts lines of the bundle from 1.
    """

    code: Code
    sentence: str
    severity: Severity = Severity.ERROR
    entry: int | None = None
    through: int | None = None
    line: int | None = None


class Findings:
    """Collects findings, keeping at most twenty per code: a bundle with a million bad lines needs no million sentences."""

    def __init__(self) -> None:
        self._found: list[Finding] = []
        self._counts: dict[Code, int] = {}

    def add(self, finding: Finding) -> None:
        count = self._counts[finding.code] = self._counts.get(finding.code, 0) + 1
        if count <= MOST_PER_CODE:
            self._found.append(finding)

    def ordered(self) -> tuple[Finding, ...]:
        """Return all, the first bad entry first.

        Ordered by where each must at the latest have begun: an exact entry comes before a range that reaches beyond it.
        """
        omitted = [
            Finding(
                code=Code.FINDINGS_OMITTED,
                severity=Severity.WARNING,
                sentence=f"{count - MOST_PER_CODE} more findings of the code {code} are not listed.",
            )
            for code, count in sorted(self._counts.items())
            if count > MOST_PER_CODE
        ]
        return (*sorted(self._found, key=_place), *omitted)


def _place(finding: Finding) -> tuple[float, float, float]:
    unplaced = 0.0 if finding.code is Code.BUNDLE_MALFORMED else float("inf")
    latest = finding.through or finding.entry or unplaced
    width = finding.through - finding.entry if finding.through and finding.entry else 0
    return latest, width, finding.line or unplaced
