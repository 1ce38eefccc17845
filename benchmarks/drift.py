"""Drift tests beside peers in one run: level without drift, power at small shifts, seconds on a wide table.

    python benchmarks/drift.py [--quick] [--json] [--rows 1000000] [--with OTHER/bin/python ...]

Peers that are installed beside this interpreter take part; those that live in another environment take part through `--with`, by whose
interpreter this file runs itself again. Each is used as its documentation does: its own default verdict for one numeric column.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

warnings.filterwarnings("ignore")
Verdict = Callable[[np.ndarray, np.ndarray], bool]
SIZES = (50, 100, 200, 1_000, 100_000)
SHIFTS = (0.05, 0.1, 0.25, 0.5)
REFERENCE = 10_000


def here(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def binned(values: np.ndarray, edges: np.ndarray) -> list[int]:
    return np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1).tolist()


def ours(tolerated: float) -> Verdict:
    from glideslope.stats import drift

    def verdict(reference: np.ndarray, live: np.ndarray) -> bool:
        edges = np.quantile(reference, np.arange(1, 10) / 10)
        return drift.p_value(binned(reference, edges), binned(live, edges), tolerated=tolerated) <= 0.01

    return verdict


def rule_of_thumb(reference: np.ndarray, live: np.ndarray) -> bool:
    edges = np.quantile(reference, np.arange(1, 10) / 10)
    p = (np.array(binned(reference, edges)) + 1e-4) / len(reference)
    q = (np.array(binned(live, edges)) + 1e-4) / len(live)
    return float(np.sum((q - p) * np.log(q / p))) > 0.1


def evidently(reference: np.ndarray, live: np.ndarray) -> bool:
    import pandas as pd
    from evidently import Report
    from evidently.metrics import ValueDrift

    report = Report([ValueDrift(column="x")])
    result = report.run(pd.DataFrame({"x": live}), pd.DataFrame({"x": reference}))
    metric = result.dict()["metrics"][0]
    threshold = float(metric["config"].get("threshold") or (0.05 if len(reference) <= 1_000 else 0.1))
    value = float(metric["value"])
    p_valued = "p_value" in json.dumps(metric["metric_name"]) or len(reference) <= 1_000
    return value < threshold if p_valued else value >= threshold


def nannyml(reference: np.ndarray, live: np.ndarray) -> bool:
    import nannyml as nml
    import pandas as pd

    size = max(len(live), 1)
    calculator = nml.UnivariateDriftCalculator(
        column_names=["x"], chunk_size=size, continuous_methods=["jensen_shannon"]
    )
    calculator.fit(pd.DataFrame({"x": reference}))
    frame = calculator.calculate(pd.DataFrame({"x": live})).filter(period="analysis").to_df()
    return bool(frame[("x", "jensen_shannon", "alert")].iloc[-1])


def alibi(reference: np.ndarray, live: np.ndarray) -> bool:
    from alibi_detect.cd import KSDrift

    return bool(KSDrift(reference.reshape(-1, 1), p_val=0.05).predict(live.reshape(-1, 1))["data"]["is_drift"])


def river(reference: np.ndarray, live: np.ndarray) -> bool:
    from river.drift import ADWIN

    detector, found = ADWIN(), False
    for value in reference[-2_000:]:
        detector.update(float(value))
    for value in live:
        detector.update(float(value))
        found = found or detector.drift_detected
    return found


def contestants(*, peers_only: bool) -> dict[str, Verdict]:
    found: dict[str, Verdict] = {}
    if not peers_only:
        found["glideslope, 0.1 tolerated, 1 %"] = ours(0.1)
        found["glideslope, none tolerated, 1 %"] = ours(0.0)
        found["PSI above 0.1"] = rule_of_thumb
    peers = (
        ("evidently, default", "evidently", evidently),
        ("nannyml, Jensen-Shannon", "nannyml", nannyml),
        ("alibi-detect, KS 5 %", "alibi_detect", alibi),
        ("river, ADWIN", "river", river),
    )
    found |= {name: verdict for name, module, verdict in peers if here(module)}
    return found


def flagged(verdict: Verdict, *, rows: int, shift: float, runs: int, seed: int, longest: float) -> tuple[float, int]:
    """Return the share of windows that are flagged; fewer runs where they would take minutes."""
    rng = np.random.default_rng([seed, rows, int(shift * 1000)])
    flags = done = 0
    began = time.process_time()
    for _ in range(runs):
        reference = rng.normal(0, 1, REFERENCE)
        flags += bool(verdict(reference, rng.normal(shift, 1, rows)))
        done += 1
        if time.process_time() - began > longest:
            break
    return flags / done, done


def speed(rows: int, columns: int) -> dict[str, float]:
    """Return CPU seconds for binning and judging a wide table, as a batch job would."""
    from glideslope.stats import drift

    rng = np.random.default_rng(9)
    spent = 0.0
    p_values = {}
    for column in range(columns):
        reference, live = rng.normal(0, 1, REFERENCE), rng.normal(0, 1, rows).astype(np.float32)
        edges = np.quantile(reference, np.arange(1, 10) / 10)
        began = time.process_time()
        counts = binned(live, edges)
        p_values[column] = drift.p_value(binned(reference, edges), counts)
        drift.corrected_psi(binned(reference, edges), counts)
        drift.watched(drift.bands(binned(reference, edges), tolerance=1.5), counts)
        spent += time.process_time() - began
    drift.holm(p_values)
    return {"glideslope": round(spent, 2)}


def peer_speed(rows: int, columns: int) -> dict[str, float]:
    """Return the peers' CPU seconds on fewer columns, scaled up: a full table takes some of them minutes."""
    found: dict[str, float] = {}
    rng = np.random.default_rng(9)
    for name, verdict in contestants(peers_only=True).items():
        few = 200_000 if name.startswith("river") else rows
        reference, live = rng.normal(0, 1, REFERENCE), rng.normal(0, 1, few)
        verdict(reference[:200], live[:200])
        began = time.process_time()
        verdict(reference, live)
        found[f"{name} (one column, scaled)"] = round((time.process_time() - began) * columns * rows / few, 1)
    return found


def figures(args: argparse.Namespace) -> dict[str, object]:
    runs = 60 if args.quick else 400
    table = []
    for name, verdict in contestants(peers_only=args.peers_only).items():
        row: dict[str, object] = {"name": name}
        try:
            for rows in SIZES:
                share, done = flagged(verdict, rows=rows, shift=0.0, runs=runs, seed=1, longest=args.longest)
                row[f"level {rows}"] = [round(share, 4), done]
            for shift in SHIFTS:
                share, done = flagged(
                    verdict, rows=2_000, shift=shift, runs=max(20, runs // 4), seed=2, longest=args.longest
                )
                row[f"power {shift}"] = [round(share, 3), done]
        except Exception as error:  # noqa: BLE001 - a peer that fails is reported, and the run goes on
            row["failed"] = f"{type(error).__name__}: {error}"[:200]
        table.append(row)
        print(f"... {name}", file=sys.stderr, flush=True)
    return {
        "table": table,
        "seconds": ({} if args.peers_only else speed(args.rows, args.columns)) | peer_speed(args.rows, args.columns),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument(
        "--longest", type=float, default=10.0, help="CPU seconds after which a cell is left with its runs"
    )
    parser.add_argument("--columns", type=int, default=100)
    parser.add_argument("--peers-only", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--with", dest="others", action="append", default=[], metavar="PYTHON")
    args = parser.parse_args()
    if args.quick:
        args.rows = min(args.rows, 100_000)
    found = figures(args)
    for other in args.others:
        command = [
            other,
            str(Path(__file__).resolve()),
            "--json",
            "--peers-only",
            "--columns",
            str(args.columns),
            "--longest",
            str(args.longest),
            "--rows",
            str(args.rows),
            *(["--quick"] if args.quick else []),
        ]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode:
            found["table"].append({"name": other, "failed": run.stderr[-200:]})  # type: ignore[attr-defined]
            continue
        told = json.loads(run.stdout.splitlines()[-1])
        found["table"] += told["table"]  # type: ignore[operator]
        found["seconds"] |= told["seconds"]  # type: ignore[operator]
    if args.json:
        print(json.dumps(found))
        return
    print(f"Share of windows flagged; reference {REFERENCE:,} rows, standard normal")
    for row in found["table"]:  # type: ignore[attr-defined]
        print(f"  {row['name']}")
        for key, value in row.items():
            if key != "name":
                print(f"    {key:14} {value}")
    print(f"CPU seconds on {args.rows:,} rows x {args.columns} columns: {found['seconds']}")


if __name__ == "__main__":
    main()
