"""Whether something that runs for long grows: what its processes and its folder hold, judged by thirds of the run.

The first third is warm-up. What is left is compared by medians, the last third with the middle one, so that one pause of a
busy machine decides nothing. What must grow, because the ledger grows, is bounded per entry.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """What one process holds. Sizes in bytes, `cpu` in seconds since it started."""

    pid: int
    rss: int
    threads: int
    descriptors: int
    sockets: int
    cpu: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Everything at one moment. `at` in seconds since the start, latencies in seconds."""

    at: float
    processes: Mapping[str, Process]
    files: int
    stored: int
    """Bytes of the database and its log."""
    besides: int
    """Bytes of every other file."""
    entries: int
    """In the ledger."""
    outcomes: int
    """Acknowledged so far."""
    p99: float
    """Of the requests since the sample before."""
    answered: float
    """How long the server took for a question; the governor's ticks share its loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much the last third may exceed the middle one."""

    noise: int = 6 * MIB
    """Resident bytes that allocators come and go by."""
    per_entry: int = 16 * 1024
    """Resident bytes of the server for each entry: the record is kept in memory."""
    handles: int = 6
    """Threads, descriptors, sockets."""
    files: int = 4
    per_entry_stored: int = 16 * 1024
    per_outcome_stored: int = 1024
    """Each outcome leaves a key behind, lest it be counted twice."""
    stored_noise: int = 6 * MIB
    """The database's write-ahead log comes and goes."""
    besides: int = 256 * 1024
    slower: float = 1.25
    """Times; what grows evenly from nothing on is 1.67 times as large in the last third as in the middle one."""
    slack: float = 0.03
    """Seconds by which a busy machine may be slower."""
    cpu: float = 0.03
    """Seconds of the server per second."""


def read_process(pid: int) -> Process | None:
    """Look at a living process; None when it has just ended."""
    root = Path("/proc") / str(pid)
    with suppress(OSError, ValueError, IndexError):
        status = dict(line.split(":\t", 1) for line in (root / "status").read_text().splitlines() if ":\t" in line)
        links = []
        for link in (root / "fd").iterdir():
            with suppress(OSError):
                links.append(str(link.readlink()))
        ticks = (root / "stat").read_text().rpartition(")")[2].split()
        return Process(
            pid=pid,
            rss=int(status["VmRSS"].split()[0]) * 1024,
            threads=int(status["Threads"]),
            descriptors=len(links),
            sockets=sum(link.startswith("socket:") for link in links),
            cpu=(int(ticks[11]) + int(ticks[12])) / 100,
        )
    return None


def read_folder(folder: Path, *, database: str) -> tuple[int, int, int]:
    """Return the number of files, the bytes of the database, the bytes of everything else."""
    files = stored = besides = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            if path.is_file():
                files += 1
                size = path.stat().st_size
                if path.name.startswith(database):
                    stored += size
                else:
                    besides += size
    return files, stored, besides


def growth(samples: Sequence[Sample], limits: Limits) -> tuple[Sequence[str], Mapping[str, object]]:
    """Return what grew beyond its limit, and the figures it was judged by. Raises ValueError for too few samples."""
    if len(samples) < 9:
        raise ValueError(f"{len(samples)} samples show no growth; at least 9 are needed")
    third = len(samples) // 3
    middle, last = samples[third : 2 * third], samples[2 * third :]
    entries = _grown(lambda s: s.entries, middle, last)
    outcomes = _grown(lambda s: s.outcomes, middle, last)
    found: list[str] = []
    figures: dict[str, object] = {"entries": entries, "outcomes": outcomes}

    def check(name: str, value: Callable[[Sample], float], *, at_most: float) -> None:
        before, after = _middle(value, middle), _middle(value, last)
        figures[name] = {"middle": before, "last": after, "limit": at_most}
        if after > at_most:
            found.append(f"{name} grew from {before:.4g} to {after:.4g}, more than {at_most:.4g}")

    for name in sorted(set.intersection(*(set(s.processes) for s in samples[third:]))):
        if len({s.processes[name].pid for s in samples[third:]}) > 1:
            found.append(f"{name} was started again")
            continue
        room = limits.noise + (limits.per_entry * entries if name == "server" else 0)
        rss = _of(name, "rss")
        check(f"{name}.rss", rss, at_most=_middle(rss, middle) + room)
        for what in ("threads", "descriptors", "sockets"):
            held = _of(name, what)
            check(f"{name}.{what}", held, at_most=_middle(held, middle) + limits.handles)
    kept = limits.stored_noise + limits.per_entry_stored * entries + limits.per_outcome_stored * outcomes
    check("files", lambda s: s.files, at_most=_middle(lambda s: s.files, middle) + limits.files)
    check("stored", lambda s: s.stored, at_most=_middle(lambda s: s.stored, middle) + kept)
    check("besides", lambda s: s.besides, at_most=_middle(lambda s: s.besides, middle) + limits.besides)
    check("p99", lambda s: s.p99, at_most=_middle(lambda s: s.p99, middle) * limits.slower + limits.slack)
    check(
        "answered", lambda s: s.answered, at_most=_middle(lambda s: s.answered, middle) * limits.slower + limits.slack
    )
    rates = [_rate(part) for part in (middle, last)]
    figures["server.cpu"] = {"middle": rates[0], "last": rates[1], "limit": rates[0] * limits.slower + limits.cpu}
    if rates[1] > rates[0] * limits.slower + limits.cpu:
        found.append(f"the server took {rates[0]:.3f} s of CPU per second, then {rates[1]:.3f}")
    return found, figures


def _of(name: str, what: str) -> Callable[[Sample], float]:
    return lambda sample: float(getattr(sample.processes[name], what))


def _middle(value: Callable[[Sample], float], part: Sequence[Sample]) -> float:
    return float(median(value(sample) for sample in part))


def _grown(value: Callable[[Sample], float], middle: Sequence[Sample], last: Sequence[Sample]) -> float:
    return _middle(value, last) - _middle(value, middle)


def _rate(part: Sequence[Sample]) -> float:
    """Return the server's CPU seconds per second."""
    first, final = part[0], part[-1]
    return (final.processes["server"].cpu - first.processes["server"].cpu) / max(1e-9, final.at - first.at)
