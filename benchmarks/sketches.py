# ruff: noqa: ANN401 - sketches of four libraries have no type in common
"""Histograms with frozen edges beside sketches: speed, merging, error, and whether the order of merging changes the answer.

    python benchmarks/sketches.py [--quick] [--json]

One million latencies, lognormal with 2 % four times as slow, in 100 shards. Peers (datasketches, ddsketch, fastdigest) take part
where installed.
"""

import argparse
import importlib.util
import json
import time
from collections.abc import Callable, Sequence
from math import ceil, exp, log
from typing import Any

import numpy as np

GAMMA = 1.02
QUANTILES = (0.5, 0.99, 0.999)


def values(count: int) -> np.ndarray:
    rng = np.random.default_rng(5)
    found = rng.lognormal(log(50), 0.6, count)
    return np.where(rng.random(count) < 0.02, found * 4, found)


class LogHistogram:
    """Integers per bucket of one per cent either way, as the product's frozen bins are: adding is all that merging is."""

    def __init__(self) -> None:
        self.counts = np.zeros(1_200, dtype=np.int64)

    def fill(self, batch: np.ndarray) -> None:
        buckets = np.clip(np.ceil(np.log(batch) / log(GAMMA)).astype(int) + 200, 0, 1_199)
        self.counts += np.bincount(buckets, minlength=1_200)

    def add(self, value: float) -> None:
        self.counts[min(1_199, max(0, ceil(log(value) / log(GAMMA)) + 200))] += 1

    def merge(self, other: "LogHistogram") -> None:
        self.counts += other.counts

    def quantile(self, q: float) -> float:
        bucket = int(np.searchsorted(np.cumsum(self.counts), q * self.counts.sum()))
        return exp((bucket - 200 - 0.5) * log(GAMMA))


def made() -> dict[
    str,
    tuple[
        Callable[[], Any], Callable[[Any, np.ndarray], Any], Callable[[Any, Any], Any], Callable[[Any, float], float]
    ],
]:
    """Return per sketch: make, fill (returns the sketch), merge (returns the sum), quantile."""

    def filled(sketch: LogHistogram, batch: np.ndarray) -> LogHistogram:
        sketch.fill(batch)
        return sketch

    def joined(a: LogHistogram, b: LogHistogram) -> LogHistogram:
        a.merge(b)
        return a

    found: dict[str, Any] = {"log histogram, numpy": (LogHistogram, filled, joined, LogHistogram.quantile)}
    if importlib.util.find_spec("datasketches"):
        import datasketches as ds

        def fill(sketch: Any, batch: np.ndarray) -> Any:
            sketch.update(batch)
            return sketch

        def merge(a: Any, b: Any) -> Any:
            a.merge(b)
            return a

        found["datasketches KLL k=200"] = (
            lambda: ds.kll_doubles_sketch(200),
            fill,
            merge,
            lambda s, q: s.get_quantile(q),
        )
        if hasattr(ds, "tdigest_double"):
            found["datasketches t-digest k=100"] = (
                lambda: ds.tdigest_double(100),
                fill,
                merge,
                lambda s, q: s.get_quantile(q),
            )
    if importlib.util.find_spec("ddsketch"):
        from ddsketch import DDSketch

        def one_by_one(sketch: Any, batch: np.ndarray) -> Any:
            for value in batch.tolist():
                sketch.add(value)
            return sketch

        def merged(a: Any, b: Any) -> Any:
            a.merge(b)
            return a

        found["ddsketch (Python)"] = (lambda: DDSketch(0.01), one_by_one, merged, lambda s, q: s.get_quantile_value(q))
    if importlib.util.find_spec("fastdigest"):
        from fastdigest import TDigest

        found["fastdigest t-digest"] = (
            lambda: None,
            lambda _, batch: TDigest.from_values(batch.tolist()),
            lambda a, b: a + b,
            lambda s, q: s.quantile(q),
        )
    return found


def measure(name: str, sketch: Any, data: np.ndarray, truth: Sequence[float], *, shards: int) -> dict[str, Any]:
    make, fill, merge, quantile = sketch
    if name.startswith("ddsketch"):
        data = data[: len(data) // 5]
        truth = np.quantile(data, QUANTILES).tolist()
    parts = np.array_split(data, shards)
    began = time.process_time()
    filled = [fill(make(), part) for part in parts]
    update = (time.process_time() - began) / len(data)

    def total(order: Sequence[int]) -> list[float]:
        whole = fill(make(), parts[order[0]])
        for k in order[1:]:
            whole = merge(whole, fill(make(), parts[k]))
        return [float(quantile(whole, q)) for q in QUANTILES]

    began = time.process_time()
    whole = filled[0]
    for other in filled[1:]:
        whole = merge(whole, other)
    merging = time.process_time() - began
    answers = [float(quantile(whole, q)) for q in QUANTILES]
    rng = np.random.default_rng(6)
    several = [total(rng.permutation(shards).tolist()) for _ in range(2 if name.startswith("ddsketch") else 4)]
    spread = [max(abs(run[k] / several[0][k] - 1) for run in several) for k in range(len(QUANTILES))]
    return {
        "name": name,
        "ns_per_value": round(update * 1e9),
        "merge_ms": round(merging * 1e3, 2),
        "error_percent": [round(100 * abs(a / t - 1), 2) for a, t in zip(answers, truth, strict=True)],
        "depends_on_order_percent": [round(100 * s, 3) for s in spread],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    data = values(100_000 if args.quick else 1_000_000)
    truth = np.quantile(data, QUANTILES).tolist()
    figures = [measure(name, sketch, data, truth, shards=100) for name, sketch in made().items()]
    one = LogHistogram()
    began = time.process_time()
    for value in data[:100_000].tolist():
        one.add(value)
    figures[0]["ns_one_by_one"] = round((time.process_time() - began) / 100_000 * 1e9)
    if args.json:
        print(json.dumps(figures))
        return
    for row in figures:
        print(
            f"{row['name']:30} {row['ns_per_value']:6} ns a value, merge of 100 {row['merge_ms']:8} ms, error p50/p99/p99.9 "
            f"{row['error_percent']} %, merge order moves them by {row['depends_on_order_percent']} %"
        )
    print(f"log histogram, one value at a time: {figures[0]['ns_one_by_one']} ns")


if __name__ == "__main__":
    main()
