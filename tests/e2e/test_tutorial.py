"""The tutorial does what it says: its own commands and files, in their order, in a real shell.

A block of the page is a command with what it should print, or a file to write. What is shown must appear, in order; numbers may differ,
`...` stands for anything, and what is not shown may be printed too. Ports are exchanged for free ones. What is installed is what is tested.
"""

import os
import queue
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

pytest.importorskip("sklearn", reason="the tutorial's model needs scikit-learn")

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "docs" / "tutorial" / "first-rollout.md"
EXAMPLE: Final = ROOT / "examples" / "first_rollout"

BLOCK: Final = re.compile(r"(?:^`([\w.-]+)`:\n\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INSTALLS: Final = ("python3 -m venv", ". .venv", "pip install")
PATIENCE: Final = 60.0
"""Seconds for one command; a busy machine needs ten to import scikit-learn three times."""


@dataclass(frozen=True, slots=True)
class Command:
    """A line that a reader types, and what the page says that it prints."""

    typed: str
    shown: Sequence[str]


@dataclass(frozen=True, slots=True)
class File:
    """A file that a reader writes."""

    name: str
    content: str


def parts(text: str) -> Iterator[Command | File]:
    """Yield what a reader does, in the page's order."""
    for name, language, body in BLOCK.findall(text):
        if language == "console":
            for each in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
                typed, *shown = each.splitlines()
                yield Command(typed, shown)
        elif name:
            yield File(name, body)


def pattern(shown: str) -> re.Pattern[str]:
    """Match a shown line within a printed one: numbers may differ, and so may the width of columns."""
    words = re.sub(r"\s+", " ", shown.strip())
    digits = re.sub(r"\d[\d.,]*", "\x00", re.sub(r"(?<=root )[0-9a-f]{16}", "...", words))
    return re.compile(re.escape(digits).replace("\x00", r"[\d.,]+").replace(re.escape("..."), ".*"))


class Shell:
    """A bash that types for us. All that it starts writes to the same pipe, so the pipe's end says that all is stopped."""

    def __init__(self, folder: Path) -> None:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self._process = subprocess.Popen(
            ["bash", "--norc"],
            cwd=folder,
            env={"PATH": path, "HOME": str(folder), "USER": "reader", "LANG": "C.UTF-8", "NO_COLOR": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
            start_new_session=True,
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def run(self, command: Command) -> None:
        """Type a command, and wait until it ends well, or, in the background, until it printed what is shown."""
        background = command.typed.endswith("&")
        sentinel = "" if background else "exit of the page's command:"
        self._type(command.typed if background else f"{command.typed}\necho; echo {sentinel!r} $?")
        expected = [pattern(line) for line in command.shown]
        printed: list[str] = []
        deadline = time.monotonic() + PATIENCE
        while expected or not background:
            line = self._next(deadline, command, printed)
            printed.append(line)
            if sentinel and line.startswith(sentinel):
                assert line.split()[-1] == "0", f"{command.typed} failed:\n{''.join(printed)}"
                break
            # What runs in the background speaks when it is ready; a command's own lines come in their order.
            said = re.sub(r"\s+", " ", line)
            found = next((each for each in (expected if background else expected[:1]) if each.search(said)), None)
            if found is not None:
                expected.remove(found)
        assert not expected, f"{command.typed} never printed {expected[0].pattern}:\n{''.join(printed)}"

    def close(self) -> bool:
        """End, and tell whether everything that was started has ended too."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        ended = not self._reader.is_alive()
        if ended:
            assert self._process.stdout is not None
            self._process.stdout.close()
        return ended

    def _type(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def _next(self, deadline: float, command: Command, printed: Sequence[str]) -> str:
        try:
            line = self._lines.get(timeout=max(deadline - time.monotonic(), 0.001))
        except queue.Empty:
            line = None
        assert line is not None, f"{command.typed} did not get there within {PATIENCE:g} s:\n{''.join(printed)}"
        return line

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)


def free_ports(count: int) -> list[int]:
    """Return ports that are free now."""
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@pytest.mark.parametrize(
    "path", sorted(p for p in EXAMPLE.iterdir() if p.suffix in {".py", ".yaml"}), ids=lambda p: p.name
)
def test_the_files_of_the_example_are_those_of_the_page(path: Path) -> None:
    on_page = {part.name: part.content for part in parts(PAGE.read_text(encoding="utf-8")) if isinstance(part, File)}

    assert path.read_text(encoding="utf-8") == on_page.get(path.name)


@pytest.mark.envoy
def test_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    ports = dict(zip(("8787", "8780", "9001", "9002", "9003"), free_ports(5), strict=True))
    shell = Shell(tmp_path)
    try:
        for part in parts(PAGE.read_text(encoding="utf-8")):
            match part:
                case File(name, content):
                    (tmp_path / name).write_text(content, encoding="utf-8")
                case Command(typed) if typed.startswith(INSTALLS):
                    continue
                case Command(typed, shown):
                    if typed == "glideslope up &":
                        typed = "glideslope up --port 8787 --gateway-port 8780 &"
                    for written, port in ports.items():
                        typed = typed.replace(written, str(port))
                    shell.run(Command(typed, shown))
    except BaseException:
        shell.run(Command("kill $(jobs -p)", ()))
        shell.close()
        raise

    assert shell.close(), "something that the page started goes on after `kill`"
