"""One pass over the entries of a bundle: what each line shows by itself, and the roots to hold checkpoints against."""

from base64 import b64decode
from binascii import b2a_base64
from collections.abc import Iterator
from dataclasses import dataclass, field

from glideslope.ledger import bundle, entry, manifest, merkle, rotation
from glideslope.ledger.entry import Entry
from glideslope.ledger.errors import LedgerError, ManifestError, RotationError
from glideslope.ledger.findings import Code, Finding, Findings, Severity
from glideslope.ledger.rotation import Rotation


@dataclass(frozen=True, slots=True)
class Roots:
    """The root over the leaf hashes as written on the lines, and over those of the entries as they stand."""

    recorded: bytes
    computed: bytes


@dataclass(slots=True)
class Stream:
    version: int = 0
    at: str = ""
    closed: bool = False
    closed_well: bool = False
    tree: merkle.Frontier = field(default_factory=merkle.Frontier)


class Walk:
    """One pass over the entries, keeping what the checkpoints will be held against."""

    def __init__(self, *, sizes: set[int], first_line: int, findings: Findings) -> None:
        self.entries = 0
        self.streams: dict[str, Stream] = {}
        self.roots: dict[int, Roots] = {}
        self.rotations: list[tuple[int, Rotation]] = []
        self.mismatches: list[int] = []
        self._first_line = first_line
        self._sizes = sizes
        self._findings = findings
        self._recorded = merkle.Frontier()
        # Forked off at the first line whose hash and entry disagree, so that either can prove to be the signed one.
        self._computed: merkle.Frontier | None = None

    def line_of(self, number: int) -> int:
        return self._first_line + number - 1

    def root(self) -> bytes:
        return (self._computed or self._recorded).root()

    def over(self, lines: Iterator[bytes]) -> None:
        self._note_roots()
        for raw in lines:
            self.entries += 1
            line = raw if raw.endswith(b"\n") else self._unended(raw)
            data = line[bundle.HASH_LENGTH + 1 : -1]
            leaf = merkle.leaf_hash(data)
            recorded = leaf
            if line[: bundle.HASH_LENGTH + 1] != b2a_base64(leaf, newline=False) + b" ":
                recorded = self._written_hash(line, leaf=leaf)
            if recorded != leaf:
                self.mismatches.append(self.entries)
                self._computed = self._computed or self._recorded.copy()
            self._recorded.append(recorded)
            if self._computed is not None:
                self._computed.append(leaf)
            try:
                self._follow(entry.decode(data), leaf=leaf)
            except LedgerError as error:
                self._found(Code.ENTRY_MALFORMED, f"The line does not hold an entry: {error}.")
            if self.entries in self._sizes:
                self._note_roots()

    def _note_roots(self) -> None:
        self.roots[self.entries] = Roots(self._recorded.root(), self.root())

    def _unended(self, raw: bytes) -> bytes:
        self._found(Code.LINE_MALFORMED, "The line does not end with a newline: the file was cut here.")
        return raw + b"\n"

    def _written_hash(self, line: bytes, *, leaf: bytes) -> bytes:
        """Return the leaf hash written on *line*, or *leaf* when none is."""
        try:
            written = b64decode(line[: bundle.HASH_LENGTH], validate=True)
        except ValueError:
            written = b""
        canonical = b2a_base64(written, newline=False) + b" " == line[: bundle.HASH_LENGTH + 1]
        if canonical and len(written) == merkle.HASH_SIZE:
            return written
        self._found(Code.LINE_MALFORMED, "The line does not start with 44 characters of base64 and a space.")
        return leaf

    def _follow(self, found: Entry, *, leaf: bytes) -> None:
        stream = self.streams.get(found.stream)
        if stream is None:
            stream = self.streams[found.stream] = Stream()
        if stream.closed or found.version != stream.version + 1 or found.at < stream.at:
            self._is_odd(found, stream)
        stream.version = max(stream.version, found.version)
        stream.at = found.at
        if found.kind == manifest.KIND:
            stream.closed_well = not stream.closed and self._closes_well(found, tree=stream.tree)
            stream.closed = True
        elif found.kind == rotation.KIND:
            self._rotate(found)
        stream.tree.append(leaf)

    def _is_odd(self, found: Entry, stream: Stream) -> None:
        """Say in what an entry does not follow the one before it."""
        where = f"stream {found.stream}"
        if stream.closed:
            self._found(Code.ENTRY_AFTER_CLOSE, f"The {where} was closed before this entry.")
        if found.version > stream.version + 1:
            self._found(
                Code.VERSION_GAP,
                f"The {where} goes from version {stream.version} to {found.version}: entries before this one are missing.",
            )
        elif found.version <= stream.version:
            self._found(
                Code.VERSION_REPEATED,
                f"The {where} had reached version {stream.version} before this version {found.version}: "
                "an entry was repeated, inserted or moved.",
            )
        if found.at < stream.at:
            self._found(
                Code.TIME_BACKWARDS,
                f"The {where} goes back in time, from {stream.at} to {found.at}.",
                severity=Severity.WARNING,
            )

    def _closes_well(self, found: Entry, *, tree: merkle.Frontier) -> bool:
        try:
            claimed = manifest.read(found.body)
        except ManifestError as error:
            self._found(Code.MANIFEST_MISMATCH, f"The stream {found.stream} is closed without a manifest: {error}.")
            return False
        actual = manifest.of(tree)
        if claimed == actual:
            return True
        what = f"{claimed.count} entries, found {actual.count}" if claimed.count != actual.count else "other entries"
        self._found(Code.MANIFEST_MISMATCH, f"The manifest of stream {found.stream} was made over {what}.")
        return False

    def _rotate(self, found: Entry) -> None:
        if found.stream != rotation.STREAM:
            self._found(Code.ROTATION_INVALID, f"A key rotation stands in stream {found.stream}, not in ledger.")
            return
        try:
            self.rotations.append((self.entries, rotation.read(found.body, version=found.version)))
        except RotationError as error:
            self._found(Code.ROTATION_INVALID, f"The key rotation is not valid: {error}.")

    def _found(self, code: Code, sentence: str, *, severity: Severity = Severity.ERROR) -> None:
        self._findings.add(
            Finding(
                code=code, severity=severity, entry=self.entries, line=self.line_of(self.entries), sentence=sentence
            )
        )
