"""What the demo says while it plays: one plain line per event, with the seconds since it began."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TextIO

HEADING: Final = "\033[1m"
PLAIN: Final = "\033[0m"


@dataclass(slots=True)
class Teller:
    """Prints to `stream`; with JSON on standard output, progress goes to standard error."""

    stream: TextIO = sys.stdout
    monotonic: Callable[[], float] = time.monotonic
    started: float = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the demo began."""
        return self.monotonic() - self.started

    def heading(self, text: str) -> None:
        """Begin an act."""
        bold, plain = (HEADING, PLAIN) if self.stream.isatty() else ("", "")
        self._write(f"\n{bold}{text}{plain}")

    def line(self, text: str, *, day: str = "") -> None:
        """Tell one thing that happened, with the day of the data when the replay is on."""
        self._write(f"{self.seconds:6.1f} s  {day:6}  {text}" if day else f"{self.seconds:6.1f} s  {text}")

    def quote(self, text: str) -> None:
        """Show what a command said."""
        for line in text.rstrip("\n").splitlines():
            self._write(f"          | {line}")

    def _write(self, text: str) -> None:
        self.stream.write(f"{text}\n")
        self.stream.flush()
