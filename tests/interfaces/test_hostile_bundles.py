"""`glideslope verify` reads files from anybody: whatever they hold, a clear refusal, in bounded memory, and no stack trace."""

import os
import random
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from glideslope.ledger import bundle, note

VKEY = note.Signer("example.com/ledger", b"\x07" * 32).verifier.vkey
HEAD = b"glideslope-ledger/1\n"
ENTRIES = b"entries\n"
MEGABYTE = b"x" * (1 << 20)

MEASURED = """
import resource, sys
from glideslope.__main__ import main
try:
    main()
finally:
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print("peak", int(peak.split()[1]) // 1024, file=sys.stderr)
"""


def entry(stream: str, version: int, *, kind: str = "x", body: str = "{}") -> bytes:
    data = f'{{"at":"2026-01-31T09:00:00.000Z","body":{body},"format":1,"kind":"{kind}","stream":"{stream}","version":{version}}}'
    return bundle.entry_line(data.encode())


def note_of(size: int) -> bytes:
    root, signature = b64encode(bytes(32)), b64encode(bytes(68))
    return b"checkpoint 5\nexample.com/ledger\n%d\n%b\n\n\xe2\x80\x94 example.com/ledger %b\n" % (size, root, signature)


def noise(size: int) -> bytes:
    return random.Random(7).randbytes(size)


def many_checkpoints(count: int) -> Iterator[bytes]:
    yield HEAD
    yield from (note_of(size) for size in range(1, count + 1))
    yield ENTRIES


CASES: dict[str, tuple[Iterable[bytes], str]] = {
    "empty": ([], "bundle-malformed"),
    "noise": ([noise(1 << 20)], "bundle-malformed"),
    "a first line of 200 MB": ([MEGABYTE] * 200, "bundle-malformed"),
    "an entry of 200 MB": ([HEAD, ENTRIES, *[MEGABYTE] * 200], "bundle-malformed"),
    "a checkpoint of 200 MB": ([HEAD, b"checkpoint 9999\n", *[MEGABYTE + b"\n"] * 200], "bundle-malformed"),
    "a checkpoint that never ends": ([HEAD, b"checkpoint 9999\n", b"x\n"], "bundle-malformed"),
    "a million million lines": ([HEAD, b"checkpoint 999999999999\n"], "bundle-malformed"),
    "nesting": ([HEAD, ENTRIES, entry("a", 1, body='{"a":' + "[" * 10**6 + "]" * 10**6 + "}")], "entry-malformed"),
    "open brackets": ([HEAD, ENTRIES, entry("a", 1, body="[" * 10**6)], "entry-malformed"),
    "a number of a million digits": (
        [HEAD, ENTRIES, entry("a", 1, body='{"a":' + "9" * 10**6 + "}")],
        "entry-malformed",
    ),
    "cut in a line": ([HEAD, ENTRIES, entry("a", 1)[:60]], "line-malformed"),
    "zeros": ([HEAD, ENTRIES, *[bytes(1000) + b"\n"] * 1000], "line-malformed"),
    "a decision without a proposal": ([HEAD, ENTRIES, entry("r-0001", 1, kind="decided")], "entry-unreadable"),
    "as many streams as entries": (
        [HEAD, ENTRIES, *[entry(f"r-{n}", 1, kind="decided") for n in range(20_000)]],
        "findings-omitted",
    ),
    "checkpoints of nobody": (many_checkpoints(2_000), "checkpoint-untrusted"),
}


def verified(path: Path) -> tuple[int, str, int]:
    """Return exit status, everything said, and the peak of the memory in megabytes."""
    command = [sys.executable, "-c", MEASURED, "verify", str(path), "--key", VKEY]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    said, _, peak = run.stderr.rpartition("peak ")
    return run.returncode, run.stdout + said, int(peak)


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_file_is_refused_in_few_words_and_little_memory(tmp_path: Path, name: str) -> None:
    content, code = CASES[name]
    path = tmp_path / "ledger.bundle"
    with path.open("wb") as file:
        file.writelines(content)

    status, said, peak = verified(path)

    assert (status, f"[{code}]" in said) == (9, True), said[:2000]
    assert "Traceback" not in said
    assert len(said) < 20_000
    assert peak < 250


@pytest.mark.slow
def test_a_million_checkpoints_are_read_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "ledger.bundle"
    with path.open("wb") as file:
        file.writelines(many_checkpoints(1_000_000))

    status, said, peak = verified(path)

    assert (status, "[bundle-malformed]" in said, peak < 250) == (9, True, True), (said[:500], peak)


@pytest.mark.parametrize("kind", ["device", "pipe", "folder"])
def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "it"
    match kind:
        case "device":
            path = Path("/dev/zero")
        case "pipe":
            os.mkfifo(path)
        case _:
            path.mkdir()

    status, said, _ = verified(path)

    assert (status, "error[invalid]" in said, "not a regular file" in said) == (2, True, True), said
