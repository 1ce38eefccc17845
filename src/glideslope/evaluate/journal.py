"""What was measured so far, safe from kill -9: one line per finished part, on disk before the next begins.

The first line holds the digests of all that goes in. When one of them is another now, what was measured is of something else, and is
refused. A line that is torn, and whatever follows it, counts as not written.
"""

import fcntl
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import msgspec

from glideslope.domain.errors import Conflict, Invalid, Unavailable

T = TypeVar("T")

FORMAT: Final = 1
NAME: Final = "journal.jsonl"


class EvaluationChanged(Conflict):
    """The working folder holds measurements of something else than is to be measured now."""

    code = "evaluation-changed"

    def __init__(self, *, folder: Path, what: str) -> None:
        super().__init__(
            f"What was measured in {str(folder)!r} is of something else: {what} changed meanwhile. Nothing was measured or deleted.",
            traffic="Nothing is exposed offline; traffic is unchanged.",
            next_command="glideslope evaluate FILE --again",
        )


class EvaluationRunning(Unavailable):
    """Another process measures in this working folder."""

    code = "evaluation-running"

    def __init__(self, *, folder: Path) -> None:
        super().__init__(
            f"Another evaluation runs in {str(folder)!r}: two at once would slow each other down and mix their parts.",
            traffic="Nothing is exposed offline; traffic is unchanged.",
        )


class _Line(msgspec.Struct, frozen=True, kw_only=True):
    part: str
    result: msgspec.Raw
    sum: str


class _Head(msgspec.Struct, frozen=True, kw_only=True):
    format: int
    inputs: dict[str, str]


class Journal:
    """The journal of one working folder, which no other process has open. Use as a context manager."""

    def __init__(self, folder: Path, *, inputs: Mapping[str, str], again: bool) -> None:
        """Open or begin it. `again` forgets what was measured. Raises EvaluationChanged, EvaluationRunning, Invalid."""
        self._folder = folder
        self._parts: dict[str, msgspec.Raw] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(folder / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise Invalid(f"The working folder {str(folder)!r} cannot be used: {error.strerror}.") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise EvaluationRunning(folder=folder) from None
        try:
            self._begin(dict(inputs), again=again)
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def __len__(self) -> int:
        return len(self._parts)

    def get(self, part: str, kind: type[T]) -> T | None:
        """Return a finished part, None when it is not finished."""
        raw = self._parts.get(part)
        return None if raw is None else msgspec.json.decode(raw, type=kind)

    def put(self, part: str, result: object) -> None:
        """Keep a part; it is on disk when this returns."""
        raw = msgspec.json.encode(result)
        line = _Line(part=part, result=msgspec.Raw(raw), sum=_sum(part, raw))
        self._write(msgspec.json.encode(line))
        self._parts[part] = msgspec.Raw(raw)

    def changed(self, what: str) -> EvaluationChanged:
        """Return the refusal to go on with what is in this folder."""
        return EvaluationChanged(folder=self._folder, what=what)

    def _begin(self, inputs: dict[str, str], *, again: bool) -> None:
        content = b"" if again else (self._folder / NAME).read_bytes()
        head, good = self._read(content)
        if head is not None:
            if head.format != FORMAT:
                raise self.changed(f"the journal's format ({head.format}, now {FORMAT})")
            other = [name for name in {**head.inputs, **inputs} if head.inputs.get(name) != inputs.get(name)]
            if other:
                raise self.changed(", ".join(other))
        os.ftruncate(self._file, good if head is not None else 0)
        os.lseek(self._file, 0, os.SEEK_END)
        if head is None:
            self._parts.clear()
            self._write(msgspec.json.encode(_Head(format=FORMAT, inputs=inputs)))

    def _read(self, content: bytes) -> tuple[_Head | None, int]:
        """Take what is whole, and return the head and how many bytes that is."""
        head: _Head | None = None
        good = 0
        while (end := content.find(b"\n", good)) >= 0:
            line = content[good:end]
            try:
                if head is None:
                    head = msgspec.json.decode(line, type=_Head)
                else:
                    read = msgspec.json.decode(line, type=_Line)
                    if read.sum != _sum(read.part, bytes(read.result)):
                        break
                    self._parts[read.part] = msgspec.Raw(bytes(read.result))
            except (msgspec.MsgspecError, UnicodeDecodeError):
                break
            good = end + 1
        return head, good

    def _write(self, line: bytes) -> None:
        left = memoryview(line + b"\n")
        while left:
            left = left[os.write(self._file, left) :]
        os.fsync(self._file)


def _sum(part: str, raw: bytes) -> str:
    return hashlib.blake2b(raw, digest_size=8, key=hashlib.blake2b(part.encode(), digest_size=32).digest()).hexdigest()
