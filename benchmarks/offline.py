"""The offline stage: whether its intervals hold the truth, what it costs, and what an open loop sees that a closed one hides.

    python benchmarks/offline.py [--quick] [--json]

1. Coverage: how often 95 % intervals of quality hold the truth, with rows that go together in groups.
2. Seconds for all five metrics of both arms with 2,000 bootstrap samples.
3. Load: a server that stalls for a second in every five, seen by our open loop and, side by side, by a closed loop with the same
   connection and the same number of requests. And how late we are ourselves, against a server that answers at once.
4. Reproducibility: the quality digest of the same rows, answers and seed, twice.
"""

import argparse
import asyncio
import json
import time
from typing import Any

import numpy as np

from glideslope.evaluate.asking import Asker
from glideslope.evaluate.declared import Request
from glideslope.evaluate.loading import arrivals, load
from glideslope.evaluate.measures import Scored
from glideslope.evaluate.scoring import compare

OK = b'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"probability": 0.5}'
SHIFT = 0.6
"""Standard deviation of what the rows of a group have in common, on the scale of log odds."""


def draw(seed: int, *, rows: int, groups: int, bias: float) -> Scored:
    """Rows in groups that share a shift of their log odds; the candidate is biased, the incumbent too flat."""
    rng = np.random.default_rng(seed)
    group = np.arange(rows) % groups
    x = rng.normal(0, 1, rows)
    happened = rng.random(rows) < 1 / (1 + np.exp(-(x + rng.normal(0, SHIFT, groups)[group])))
    return Scored(happened, 1 / (1 + np.exp(-0.93 * x - bias)), 1 / (1 + np.exp(-0.6 * x)), group)


def measure(scored: Scored, *, seed: int, replicates: int) -> dict[str, Any]:
    found = compare(
        scored, slice_name="all", asked={}, threshold=0.5, confidence=0.95, replicates=replicates, seed=[seed]
    )
    return {each.metric: each for each in found}


def coverage(runs: int) -> dict[str, float]:
    """Share of runs whose interval holds the value on 400,000 rows."""
    truth = measure(draw(10**6, rows=400_000, groups=40_000, bias=0.3), seed=1, replicates=1)
    held: dict[str, list[bool]] = {}
    for seed in range(runs):
        found = measure(draw(seed, rows=1_000, groups=100, bias=0.3), seed=seed, replicates=400)
        for metric, each in found.items():
            for name, known, figure in (
                ("candidate", truth[metric].candidate, each.candidate),
                ("difference", truth[metric].difference, each.difference),
            ):
                held.setdefault(f"{metric} {name}", []).append(figure.low <= known.value <= figure.high)
    return {name: round(float(np.mean(each)), 3) for name, each in held.items()}


def seconds(rows: int, groups: int) -> float:
    began = time.process_time()
    measure(draw(1, rows=rows, groups=groups, bias=0.3), seed=1, replicates=2_000)
    return round(time.process_time() - began, 2)


async def stalling(*, every: float, stall: float) -> asyncio.Server:
    """A server that answers at once, but for the last `stall` seconds of each `every`."""
    began = time.perf_counter()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0]))
                phase = (time.perf_counter() - began) % every
                if stall and phase > every - stall:
                    await asyncio.sleep(every - phase)
                writer.write(OK)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", 0)


async def loops(duration: float, rate: float) -> dict[str, dict[str, float]]:
    """Latency in milliseconds as the open and the closed loop see it, of the same server at the same time of its cycle."""
    found = {}
    for kind in ("open", "closed"):
        server = await stalling(every=5.0, stall=1.0)
        asker = Asker(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", Request(), 1)
        due = arrivals(rate, duration, rng=np.random.default_rng(1))
        if kind == "open":
            seen = await load(asker, [b"{}"] * len(due), due, rate=rate, seconds=duration, cpu_seconds=lambda: None)
            latency = np.array(seen.latency) / 1000
        else:
            # As most generators do: the next request waits for the answer, and for its pace.
            taken, began = [], time.perf_counter()
            while time.perf_counter() - began < duration:
                sent = time.perf_counter()
                await asker.ask(b"{}")
                taken.append((time.perf_counter() - sent) * 1000)
                await asyncio.sleep(max(0.0, 1 / rate - (time.perf_counter() - sent)))
            latency = np.array(taken)
        found[kind] = {f"p{q}": round(float(np.quantile(latency, q / 100)), 1) for q in (50, 95, 99)}
        found[kind]["requests"] = len(latency)
        await asker.close()
        server.close()
    return found


async def lateness(rate: float, duration: float) -> dict[str, float]:
    """How late we send, and what we take for the latency of a server that answers at once."""
    server = await stalling(every=5.0, stall=0.0)
    asker = Asker(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", Request(), 64)
    due = arrivals(rate, duration, rng=np.random.default_rng(1))
    began = time.process_time()
    seen = await load(asker, [b"{}"] * len(due), due, rate=rate, seconds=duration, cpu_seconds=lambda: None)
    spent = time.process_time() - began
    await asker.close()
    server.close()
    lag, latency = np.array(seen.lag) / 1000, np.array(seen.latency) / 1000
    return {
        "lag_p50_ms": round(float(np.median(lag)), 2),
        "lag_p99_ms": round(float(np.quantile(lag, 0.99)), 2),
        "latency_p50_ms": round(float(np.median(latency)), 2),
        "cpu_us_per_request": round(spent / len(due) * 1e6),
    }


def reproducible(rows: int) -> bool:
    scored = draw(3, rows=rows, groups=rows // 10, bias=0.3)
    return measure(scored, seed=7, replicates=500) == measure(scored, seed=7, replicates=500)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    runs, duration = (40, 10.0) if chosen.quick else (400, 30.0)
    sizes = ((10_000, 1_000),) if chosen.quick else ((10_000, 1_000), (10_000, 10_000), (100_000, 1_000))
    found = {
        "coverage of 95 %": {"runs": runs, **coverage(runs)},
        "CPU seconds, 2,000 samples": {
            f"{rows:,} rows, {groups:,} groups": seconds(rows, groups) for rows, groups in sizes
        },
        "a server that stalls 1 s in 5": asyncio.run(loops(duration, 50.0)),
        "a server that answers at once": {
            f"{rate:g}/s": asyncio.run(lateness(rate, duration / 3)) for rate in (100.0, 500.0)
        },
        "same digest twice": reproducible(5_000),
    }
    if chosen.json:
        print(json.dumps(found))
        return
    for name, figures in found.items():
        print(name, json.dumps(figures), sep=": ")


if __name__ == "__main__":
    main()
