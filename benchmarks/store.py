"""How many decisions a second the embedded store makes durable, beside what the disk itself can do.

Run with ``python benchmarks/store.py [--quick] [--json] [--folder DIR]``. One durable decision costs one sync, so its rate is
the disk's: rounds of bare ``fdatasync`` and rounds of appends take turns, and the ratio says what the store adds. With many
callers a group shares one sync. Goals: 2,500 a second at p99 of at most 1 ms for one caller on a disk that allows it;
20,000 a second with 256 callers.
"""

import argparse
import asyncio
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

from glideslope.adapters.stores.sqlite import SqliteStore
from glideslope.engine.ports import Draft

CALLERS = (1, 64, 256)
ENTRY = b'{"kind":"decision-taken","rollout":"flights-0007"}'.ljust(400, b" ")
PAGE = bytes(4096)


@dataclass(frozen=True, slots=True)
class Figure:
    """Rate in a second over all rounds; latencies in milliseconds."""

    what: str
    per_second: int
    p50_ms: float
    p99_ms: float


def figure(what: str, *, latencies: list[float], seconds: float) -> Figure:
    ordered = sorted(latencies)
    return Figure(
        what=what,
        per_second=round(len(ordered) / seconds),
        p50_ms=round(ordered[len(ordered) // 2] * 1000, 3),
        p99_ms=round(ordered[len(ordered) * 99 // 100] * 1000, 3),
    )


def bare_syncs(file: int, *, seconds: float) -> list[float]:
    """Write a page and sync it, again and again, as the smallest commit would."""
    latencies = []
    end = perf_counter() + seconds
    while (start := perf_counter()) < end:
        os.write(file, PAGE)
        os.fdatasync(file)
        latencies.append(perf_counter() - start)
    return latencies


async def appends(store: SqliteStore, *, streams: Iterator[int], callers: int, seconds: float) -> list[float]:
    """Append from so many callers at once, each waiting for its own acknowledgement; return all latencies."""
    latencies: list[float] = []
    end = perf_counter() + seconds

    async def caller(number: int) -> None:
        version = 0
        while (start := perf_counter()) < end:
            version += 1
            name = f"rollout/{number}"
            await store.append([Draft(stream=name, version=version, data=ENTRY, key=f"{name}/{version}")])
            latencies.append(perf_counter() - start)

    await asyncio.gather(*(caller(next(streams)) for _ in range(callers)))
    return latencies


async def measure(folder: Path, *, rounds: int, seconds: float) -> list[Figure]:
    streams = iter(range(10**9))
    latencies: dict[str, list[float]] = {}
    spent: dict[str, float] = {}

    def note(what: str, found: list[float], *, since: float) -> None:
        latencies.setdefault(what, []).extend(found)
        spent[what] = spent.get(what, 0.0) + perf_counter() - since

    file = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT)
    try:
        async with SqliteStore(folder / "state.db") as store:
            for _ in range(rounds):
                start = perf_counter()
                note("fdatasync of one page", bare_syncs(file, seconds=seconds), since=start)
                for callers in CALLERS:
                    start = perf_counter()
                    found = await appends(store, streams=streams, callers=callers, seconds=seconds)
                    note(f"append, {callers} caller{'s' if callers > 1 else ''}", found, since=start)
    finally:
        os.close(file)
    return [figure(what, latencies=found, seconds=spent[what]) for what, found in latencies.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description="Durable appends per second of the embedded store.")
    parser.add_argument("--quick", action="store_true", help="a few seconds, rough figures")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    parser.add_argument("--folder", type=Path, help="where to write; the disk under it is what is measured")
    arguments = parser.parse_args()
    rounds, seconds = (2, 0.25) if arguments.quick else (10, 1.0)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        figures = asyncio.run(measure(Path(folder), rounds=rounds, seconds=seconds))
    bare = figures[0].per_second
    if arguments.json:
        print(
            json.dumps(
                [{**asdict(each), "times_bare_sync": round(each.per_second / bare, 2)} for each in figures], indent=2
            )
        )
        return
    print(f"{'':24}{'per second':>12}{'p50 ms':>10}{'p99 ms':>10}{'x fdatasync':>14}")
    for each in figures:
        ratio = each.per_second / bare
        print(f"{each.what:24}{each.per_second:>12,}{each.p50_ms:>10.3f}{each.p99_ms:>10.3f}{ratio:>14.2f}")


if __name__ == "__main__":
    main()
