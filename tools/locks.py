"""Reads requirements/*.txt as uv writes them: what is pinned, by which hashes, and because of whom."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("core", "server", "demo", "dev", "uv")
RUNTIME = "demo"
"""The lock in which everything is that a user may install."""

OURSELVES = "glideslope"

_HEAD = re.compile(r"^([A-Za-z0-9._-]+)==(\S+?)(?: ; (.+?))?(?: \\)?$")
_HASH = re.compile(r"^ +--hash=sha256:([0-9a-f]{64})(?: \\)?$")
_VIA = re.compile(r"^ +# +(?:via +)?([A-Za-z0-9._-]+)(?: \(.*\))?$")


@dataclass(frozen=True, slots=True)
class Pin:
    """One locked package. The same name may be pinned twice, for different Pythons."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]
    wanted_by: tuple[str, ...]


class LockUnreadable(ValueError):
    """A line that no lock of ours has: an index, a path, a package without a hash."""


def canonical(name: str) -> str:
    """Return a package's name as all its spellings are compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read(text: str) -> list[Pin]:
    """Return the pins of a lock. Raises LockUnreadable."""
    found: list[Pin] = []
    for block in re.split(r"^(?=\S)", text, flags=re.MULTILINE):
        lines = block.rstrip().splitlines()
        if not lines or lines[0].startswith("#"):
            continue
        head = _HEAD.match(lines[0])
        if head is None:
            raise LockUnreadable(f"{lines[0]!r} pins nothing")
        hashes: list[str] = []
        wanted: list[str] = []
        for line in lines[1:]:
            if hashed := _HASH.match(line):
                hashes.append(hashed[1])
            elif via := _VIA.match(line):
                wanted.append(canonical(via[1]))
            elif not re.match(r"^ +#", line):
                raise LockUnreadable(f"{line!r} is neither a hash nor a reason")
        if not hashes:
            raise LockUnreadable(f"{head[1]} has no hash")
        pin = Pin(canonical(head[1]), head[2], head[3] or "", tuple(hashes), tuple(w for w in wanted if w != "via"))
        found.append(pin)
    return found


def lock(name: str, *, root: Path = ROOT) -> list[Pin]:
    """Return a lock by its name. Raises LockUnreadable."""
    return read((root / "requirements" / f"{name}.txt").read_text(encoding="utf-8"))


def project(*, root: Path = ROOT) -> dict[str, Any]:
    """Return pyproject.toml."""
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


def roots(declared: Mapping[str, Any], extra: str) -> set[str]:
    """Return what the core, and an extra with what it includes, ask for directly."""
    extras = declared["project"]["optional-dependencies"]
    found = {_name(entry) for entry in declared["project"]["dependencies"]}
    waiting = [extra] if extra != "core" else []
    while waiting:
        for entry in extras[waiting.pop()]:
            ours = re.match(rf"{OURSELVES}\[([^]]+)]", entry)
            if ours:
                waiting += ours[1].split(",")
            else:
                found.add(_name(entry))
    return found


def closure(pins: Iterable[Pin], wanted: set[str]) -> list[Pin]:
    """Return the pins that are wanted, directly or by one another, in the lock's order."""
    pins = list(pins)
    reached: set[str] = set()
    waiting = set(wanted)
    while waiting:
        name = waiting.pop()
        reached.add(name)
        waiting |= {pin.name for pin in pins if name in pin.wanted_by} - reached
    return [pin for pin in pins if pin.name in reached]


def _name(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    if match is None:
        raise LockUnreadable(f"{requirement!r} names nothing")
    return canonical(match[0])
