"""How long a search over the record takes: 100,000 entries in the embedded store, questions of every kind.

Run with ``python benchmarks/search.py [--quick] [--json]``. Entries are like the engine's: decisions with findings of four
metrics, approvals with reasons of ordinary words, registrations. Times are CPU of the asking thread, which does all the
work, and wall clock, medians of 30 askings, each for the newest 50 entries; indexing is per entry, in CPU. The goal is
50 ms over 100,000 records.
"""

import argparse
import asyncio
import json
import random
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter, process_time, thread_time

from glideslope.adapters.stores.sqlite.store import SqliteStore
from glideslope.domain.events import rfc3339
from glideslope.domain.governing import query
from glideslope.engine.ports import Draft
from glideslope.engine.repository import BATCH
from glideslope.ledger import entry as ledger_entry
from glideslope.ledger.entry import Entry

WORDS = (
    "retrained",
    "october",
    "evening",
    "flights",
    "fewer",
    "misses",
    "margin",
    "calibrated",
    "proof",
    "weather",
    "holiday",
    "airport",
    "carrier",
    "delay",
    "recall",
    "review",
    "agreed",
    "widened",
    "slower",
    "stable",
    "drift",
    "feature",
    "missing",
    "label",
    "late",
    "outcome",
    "shadow",
    "canary",
    "incumbent",
)
AUTHORS = [f"actor-{k}" for k in range(50)]
METRICS = ("errors", "latency", "log_loss", "wrong")
QUESTIONS = (
    "author:actor-7",
    "author:actor-7 metric:log_loss evening",
    "metric:log_loss",
    "evening flights",
    '"evening flights"',
    "calibrat*",
    "kind:approval-given author:actor-3 holiday",
    "rollout:r-0042",
    "model:model-7 kind:version-registered",
    "decision:roll-back after:2026-06",
    "after:2026-03 before:2026-04",
    "evening before:2026-01-02",
    "nowhere",
    "slice:origin=LGA metric:wrong decision:roll-back",
)
START = 1_767_225_600_000


def example(position: int, chance: random.Random) -> Entry:
    """Return an entry like the engine's; a stream has ten."""
    why = " ".join(chance.choices(WORDS, k=12))
    author, at = chance.choice(AUTHORS), rfc3339(START + position * 300_000)
    stream, version = f"r-{position // 10:04d}", position % 10 + 1
    if position % 10 == 1:
        body: dict[str, object] = {"by": author, "granted": True, "plan_digest": f"sha256:{position:064x}", "why": why}
        return Entry(stream=stream, version=version, at=at, kind="approval-given", body=body)
    if position % 10 == 2:
        registered = {"model": f"model-{position // 10 % 100}", "version": f"v{position}", "by": author, "why": why}
        return Entry(stream=stream, version=version, at=at, kind="version-registered", body=registered)
    findings = [
        {"question": "harm", "verdict": "inconclusive", "subject": metric, "slice": slice_, "wealth": 1.25, "line": 4.6}
        for metric in METRICS
        for slice_ in ("all", "origin=EWR", "origin=JFK", "origin=LGA")
    ]
    kind = chance.choice(("advance", "hold", "hold", "hold", "roll-back"))
    decision = {"type": kind, "reasons": ["guardrails-passed"], "findings": findings}
    return Entry(
        stream=stream,
        version=version,
        at=at,
        kind="decided",
        body={"decision": decision, "by": "glideslope", "why": why},
    )


async def measure(folder: Path, *, count: int, repeats: int) -> dict[str, float]:
    chance = random.Random(1)
    found: dict[str, float] = {"entries": count}
    cpu: list[float] = []
    walls: list[float] = []
    async with SqliteStore(folder / "state.db") as store:
        indexing = 0.0
        for start in range(0, count, BATCH):
            made = [example(position, chance) for position in range(start, min(start + BATCH, count))]
            data = [ledger_entry.encode(each) for each in made]
            await store.append(
                [
                    Draft(stream=each.stream, version=each.version, data=raw, key=f"{start + k}")
                    for k, (each, raw) in enumerate(zip(made, data, strict=True))
                ]
            )
            began = process_time()
            await store.index([query.document(ledger_entry.decode(raw), start + k) for k, raw in enumerate(data)])
            indexing += process_time() - began
        found["indexing an entry (us)"] = indexing / count * 1e6
        for text in QUESTIONS:
            question = query.read(text)
            times: list[tuple[float, float]] = []
            for _ in range(repeats):
                wall, spent = perf_counter(), thread_time()
                answers = await store.find(question, limit=51)
                times.append(((thread_time() - spent) * 1000, (perf_counter() - wall) * 1000))
            cpu.append(median(each for each, _ in times))
            walls.append(median(each for _, each in times))
            found[f"{text}  [{len(answers)}] (ms)"] = cpu[-1]
        found["slowest question, median CPU (ms)"] = max(cpu)
        found["slowest question, median wall clock (ms)"] = max(walls)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10,000 entries")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(Path(folder), count=10_000 if options.quick else 100_000, repeats=30))
    if options.json:
        print(json.dumps(found, indent=2))
        return
    for name, value in found.items():
        print(f"{name:<70} {value:>12,.2f}")


if __name__ == "__main__":
    main()
