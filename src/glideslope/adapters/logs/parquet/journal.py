"""The files of one table: a journal of JSON lines that is synced at each write, and the Parquet files that it becomes.

    0000000007.ndjson                 closed or being written: lines 1 to the last complete one
    0000000001-0000000006.parquet     all that was in the journals 1 to 6
    *.tmp                             half made: never read, removed when the log is opened

A file gets its final name by a rename, after it was synced. A Parquet file stands for the journals that its name spans, so
those still lying beside it after a crash are left out and removed: no row is lost, and none is read twice.
"""

import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

_JOURNAL: Final = re.compile(r"(\d{10})\.ndjson")
_PARQUET: Final = re.compile(r"(\d{10})-(\d{10})\.parquet")


class Table:
    """One table's folder. Not thread-safe; `valid` tells whether a line is a row."""

    def __init__(self, folder: Path, *, valid: Callable[[bytes], bool]) -> None:
        self.folder = folder
        self._valid = valid
        self._live: int | None = None
        self._number = 0
        self.live_bytes = 0
        self.torn = 0
        """Bytes at the ends of journals that were no rows when the log was opened: a write that a crash cut short."""

    def open(self) -> int:
        """Repair what a crash left behind; return the highest number in use. Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for half in self.folder.glob("*.tmp"):
            half.unlink()
        spans = self._spans()
        for number, path in self._journals():
            if any(first <= number <= last for first, last in spans):
                path.unlink()  # its rows are in Parquet already
            else:
                self._repair(path)
        for path in set(self._parquet()) - set(self.parquet()):
            path.unlink()
        numbers = [number for number, _ in self._journals()] + [last for _, last in spans]
        return max(numbers, default=0)

    def append(self, lines: Sequence[bytes], *, number: int) -> None:
        """Write lines to the live journal, which is the one with this number unless there is one, and sync it. Raises OSError."""
        content = b"\n".join((*lines, b""))
        if self._live is None:
            self._number = number
            self._live = os.open(self._path(number), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            self.live_bytes = 0
            _sync_folder(self.folder)
        try:
            _write_all(self._live, content)
            os.fdatasync(self._live)
        except OSError:
            # What was written of it must not be read: a line cut in two, or rows that nobody was told are kept.
            with suppress(OSError):
                os.ftruncate(self._live, self.live_bytes)
            raise
        self.live_bytes += len(content)

    def cut(self) -> None:
        """Close the live journal, so that it may be read."""
        if self._live is not None:
            os.close(self._live)
            self._live = None
            self.live_bytes = 0

    def closed(self) -> list[tuple[int, Path]]:
        """Return the journals that may be read."""
        return [(n, path) for n, path in self._journals() if self._live is None or n != self._number]

    def parquet(self) -> list[Path]:
        """Return the Parquet files, oldest first, without those that a longer one stands for."""
        spans = self._spans()
        return sorted(
            path
            for path, (first, last) in zip(self._parquet(), spans, strict=True)
            if not any((a, z) != (first, last) and a <= first and last <= z for a, z in spans)
        )

    def settle(self, files: Sequence[Path], half: Path) -> None:
        """Put a finished `half` in place of neighbouring files. Raises OSError."""
        numbers = [int(part) for path in files for part in path.name.partition(".")[0].split("-")]
        _sync_file(half)
        half.rename(self.folder / f"{min(numbers):010d}-{max(numbers):010d}.parquet")
        _sync_folder(self.folder)
        for path in files:
            path.unlink(missing_ok=True)

    def half(self) -> Path:
        """Return where to make a file that nobody reads yet."""
        return self.folder / "new.parquet.tmp"

    def _repair(self, path: Path) -> None:
        """Keep the lines that are rows. A power cut may leave anything in place of the others."""
        content = path.read_bytes()
        lines = content.split(b"\n")
        kept = [line for line in lines[:-1] if self._valid(line)]
        whole = b"\n".join((*kept, b"")) if kept else b""
        if whole == content:
            return
        self.torn += len(content) - len(whole)
        half = path.with_suffix(".ndjson.tmp")
        half.write_bytes(whole)
        _sync_file(half)
        half.rename(path)
        _sync_folder(self.folder)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:010d}.ndjson"

    def _journals(self) -> list[tuple[int, Path]]:
        found = [(match, path) for path in self.folder.iterdir() if (match := _JOURNAL.fullmatch(path.name))]
        return sorted((int(match[1]), path) for match, path in found)

    def _parquet(self) -> list[Path]:
        return sorted(path for path in self.folder.iterdir() if _PARQUET.fullmatch(path.name))

    def _spans(self) -> list[tuple[int, int]]:
        return [(int(m[1]), int(m[2])) for path in self._parquet() if (m := _PARQUET.fullmatch(path.name))]


def _write_all(descriptor: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(path: Path) -> None:
    _sync_file(path)
