"""What the command line costs before it does anything: CPU of `--help`, of a bare interpreter, and of click alone.

Promised: `glideslope --help` takes at most 120 ms of CPU (user and system of the whole process).
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys

PROMISED_MS = 120.0
MEASURED = {
    "bare interpreter": ["-c", ""],
    "import click": ["-c", "import click"],
    "glideslope --help": ["-m", "glideslope", "--help"],
    "glideslope plan --help": ["-m", "glideslope", "plan", "--help"],
    "glideslope verify --help": ["-m", "glideslope", "verify", "--help"],
}


def cost(arguments: list[str]) -> float:
    """Return the CPU of one run, in milliseconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer runs")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    options = parser.parse_args()
    runs = 7 if options.quick else 25
    figures: dict[str, dict[str, float]] = {}
    for name, arguments in MEASURED.items():
        cost(arguments)  # compiles
        found = sorted(cost(arguments) for _ in range(runs))
        figures[name] = {"median_ms": round(statistics.median(found), 1), "least_ms": round(found[0], 1)}
    kept = figures["glideslope --help"]["median_ms"] <= PROMISED_MS
    if options.json:
        print(json.dumps({"cpu": figures, "promised_ms": PROMISED_MS, "kept": kept, "runs": runs}))
        return
    for name, figure in figures.items():
        print(f"{name:26} median {figure['median_ms']:6.1f} ms   least {figure['least_ms']:6.1f} ms of CPU")
    print(f"promised: at most {PROMISED_MS:g} ms for --help: {'kept' if kept else 'NOT kept'}")


if __name__ == "__main__":
    main()
