"""Drift tests beside peers in one run: level without drift, power at small shifts, seconds on a wide table.

    python benchmarks/drift.py [--quick] [--json] [--rows 1000000] [--with OTHER/bin/python ...]

Peers that are installed beside this interpreter take part; those that live in another environment take part through `--with`, by whose
interpreter this file runs itself again. They cannot share one: evidently 0.7 imports what pandas 3 has no longer, alibi-detect wants
another numpy, and nannyml leaves statsmodels to be installed by hand. To make them anew, with Python 3.11:

    for name in evidently nannyml alibi; do python3.11 -m venv /tmp/drift-$name; done
    /tmp/drift-evidently/bin/pip install "evidently==0.7.23" "pandas<3" "river==0.26.1"
    /tmp/drift-nannyml/bin/pip install "nannyml==0.13.1" statsmodels
    /tmp/drift-alibi/bin/pip install "alibi-detect==0.13.0"
    python benchmarks/drift.py $(for name in evidently nannyml alibi; do echo --with /tmp/drift-$name/bin/python; done)

Each is used as its documentation does: its own default verdict for one numeric column. The wide table is judged by one call for
all columns, as its user would; river, which takes value by value, is timed on one column of all rows, times the columns.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

warnings.filterwarnings("ignore")
# Two of the peers report each use to their makers; a benchmark without a network would wait for that.
os.environ |= {"NML_DISABLE_USAGE_LOGGING": "1", "DO_NOT_TRACK": "1"}
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


Table = Callable[[np.ndarray, np.ndarray], object]


def our_table(reference: np.ndarray, live: np.ndarray) -> object:
    from glideslope.stats import drift

    p_values = {}
    for column in range(live.shape[1]):
        edges = np.quantile(reference[:, column], np.arange(1, 10) / 10)
        known, counts = binned(reference[:, column], edges), binned(live[:, column], edges)
        p_values[column] = drift.p_value(known, counts)
        drift.corrected_psi(known, counts)
        drift.watched(drift.bands(known, tolerance=1.5), counts)
    return drift.holm(p_values)


def frame(values: np.ndarray) -> object:
    import pandas as pd

    return pd.DataFrame(values, columns=[f"x{k}" for k in range(values.shape[1])])


def evidently_table(reference: np.ndarray, live: np.ndarray) -> object:
    from evidently import Report
    from evidently.presets import DataDriftPreset

    return Report([DataDriftPreset()]).run(frame(live), frame(reference)).dict()


def nannyml_table(reference: np.ndarray, live: np.ndarray) -> object:
    import nannyml as nml

    names = [f"x{k}" for k in range(live.shape[1])]
    calculator = nml.UnivariateDriftCalculator(
        column_names=names, chunk_size=len(live), continuous_methods=["jensen_shannon"]
    )
    calculator.fit(frame(reference))
    return calculator.calculate(frame(live)).to_df()


def alibi_table(reference: np.ndarray, live: np.ndarray) -> object:
    from alibi_detect.cd import KSDrift

    return KSDrift(reference, p_val=0.05).predict(live)


def river_table(reference: np.ndarray, live: np.ndarray) -> object:
    return [river(reference[:, k], live[:, k]) for k in range(live.shape[1])]


TABLES: dict[str, tuple[str, Table, bool]] = {
    "glideslope": ("glideslope", our_table, False),
    "evidently": ("evidently", evidently_table, False),
    "nannyml": ("nannyml", nannyml_table, False),
    "alibi-detect": ("alibi_detect", alibi_table, False),
    "river (one column, times the columns)": ("river", river_table, True),
}


def speed(rows: int, columns: int, *, peers_only: bool) -> dict[str, dict[str, float | str]]:
    """Return CPU seconds, and those on the clock, for judging a wide table once, as a batch job would."""
    found: dict[str, dict[str, float | str]] = {}
    rng = np.random.default_rng(9)
    for name, (module, judge, single) in TABLES.items():
        if not here(module) or (peers_only and name == "glideslope"):
            continue
        width = 1 if single else columns
        reference, live = rng.normal(0, 1, (REFERENCE, width)), rng.normal(0, 1, (rows, width))
        try:
            judge(reference[:500], live[:500])  # imports and first compilations are nobody's daily cost
            began, clock = time.process_time(), time.perf_counter()
            judge(reference, live)
            spent, took = time.process_time() - began, time.perf_counter() - clock
            times = columns if single else 1
            found[name] = {"cpu": round(spent * times, 2), "clock": round(took * times, 2)}
        except Exception as error:  # noqa: BLE001 - as for the verdicts
            found[name] = {"failed": f"{type(error).__name__}: {error}"[:200]}
        print(f"... {name}, {rows:,} x {columns}", file=sys.stderr, flush=True)
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
        "seconds": speed(args.rows, args.columns, peers_only=args.peers_only),
    }


def _started(python: str, args: argparse.Namespace) -> "subprocess.Popen[str]":
    """Begin the peers of another environment, at the same time: CPU seconds are compared, not those on the clock."""
    numbers = ["--columns", str(args.columns), "--longest", str(args.longest), "--rows", str(args.rows)]
    command = [python, str(Path(__file__).resolve()), "--json", "--peers-only", *numbers]
    return subprocess.Popen(
        [*command, *(["--quick"] if args.quick else [])],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    )


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
    running = [_started(other, args) for other in args.others]
    found = figures(args)
    for other, run in zip(args.others, running, strict=True):
        out, error = run.communicate()
        if run.returncode:
            found["table"].append({"name": other, "failed": error[-200:]})  # type: ignore[attr-defined]
            continue
        told = json.loads(out.splitlines()[-1])
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
    print(f"Seconds on {args.rows:,} rows x {args.columns} columns")
    for name, told in found["seconds"].items():  # type: ignore[attr-defined]
        print(f"  {name:40} {told}")


if __name__ == "__main__":
    main()
