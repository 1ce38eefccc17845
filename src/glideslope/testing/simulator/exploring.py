"""Runs many seeds side by side, counts up what happened, and tells of one that fails the least that it takes."""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat
from multiprocessing import get_context
from typing import Any, Final

from glideslope.testing.simulator.scenario import scenario
from glideslope.testing.simulator.shrinking import shrink
from glideslope.testing.simulator.simulation import Run, simulate

BATCH: Final = 20
"""Seeds that a worker runs at once."""


@dataclass(slots=True)
class Tally:
    """What all runs together came to."""

    seeds: int = 0
    steps: int = 0
    virtual_hours: float = 0.0
    decisions: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    violations: list[dict[str, object]] = field(default_factory=list)

    def add(self, run: dict[str, Any]) -> None:
        """Count one run."""
        self.seeds += 1
        self.steps += run["steps"]
        self.virtual_hours += run["seconds"] / 3600
        self.decisions.update(run["decisions"])
        self.faults.update(run["faults"])
        if run["broken"]:
            self.violations.append({"seed": run["seed"], "broken": run["broken"]})

    def as_json(self, *, seconds: float) -> dict[str, object]:
        """Return it for a machine."""
        return {
            "seeds": self.seeds,
            "virtual_hours": round(self.virtual_hours, 2),
            "steps": self.steps,
            "faults": dict(sorted(self.faults.items())),
            "decisions": dict(sorted(self.decisions.items())),
            "violations": self.violations,
            "seconds": round(seconds, 1),
        }


def explore(options: argparse.Namespace) -> int:
    """Run all seeds and tell what came of them; return the exit status."""
    tally, seconds = _explore(options)
    if options.json:
        print(json.dumps(tally.as_json(seconds=seconds)))
    else:
        _tell(tally, seconds)
    if tally.violations and not options.json and not options.mutant:
        _explain(int(str(tally.violations[0]["seed"])), options)
    return 1 if tally.violations else 0


def _explore(options: argparse.Namespace) -> tuple[Tally, float]:
    started = time.monotonic()
    tally = Tally()
    told = started
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("fork")) as pool:
        for done in pool.map(_batch, _batches(options), repeat(options.trouble), repeat(options.stop)):
            for run in done:
                tally.add(run)
            now = time.monotonic()
            if now - told > 5 and sys.stderr.isatty():
                told = now
                print(f"{tally.seeds} seeds, {tally.steps} steps, {len(tally.violations)} violations", file=sys.stderr)
            if (options.stop and tally.violations) or (options.steps and tally.steps >= options.steps):
                pool.shutdown(cancel_futures=True)
                break
    return tally, time.monotonic() - started


def _most_batches(options: argparse.Namespace) -> int:
    # A run takes a hundred steps at least, so this many batches reach any number of steps.
    wanted = max(int(options.seeds), int(options.steps) // 100)
    return -(-wanted // BATCH)


def _batches(options: argparse.Namespace) -> Iterator[range]:
    last = options.first + (options.seeds if not options.steps else _most_batches(options) * BATCH)
    for start in range(options.first, last, BATCH):
        yield range(start, min(start + BATCH, last))


def _batch(seeds: range, trouble: float | None, stop: bool) -> list[dict[str, Any]]:
    found = []
    for seed in seeds:
        found.append(_plain(simulate(scenario(seed, trouble=trouble))))
        if stop and found[-1]["broken"]:
            break
    return found


def _plain(run: Run) -> dict[str, Any]:
    return {
        "seed": run.seed,
        "broken": str(run.broken) if run.broken else "",
        "seconds": run.seconds,
        "steps": run.steps,
        "decisions": dict(run.decisions),
        "faults": dict(run.faults),
    }


def replay(options: argparse.Namespace) -> int:
    only = None if options.only is None else frozenset(filter(None, options.only.split(",")))
    run = simulate(scenario(options.seed, trouble=options.trouble), only=only)
    if options.json:
        print(json.dumps(_plain(run) | {"struck": run.struck, "trace": run.trace}))
    else:
        _show(run)
    return 1 if run.broken else 0


def _explain(seed: int, options: argparse.Namespace) -> None:
    """Print the least that breaks the promise, and the command that shows it again."""
    world = scenario(seed, trouble=options.trouble)
    least = shrink(world, simulate(world))
    print(f"\nThe least of seed {seed} that breaks it:\n")
    _show(least)
    trouble = f" --trouble {options.trouble:g}" if options.trouble is not None else ""
    only = ",".join(least.struck)
    print(f"\nAgain:  python -m glideslope.testing.simulate --seed {seed}{trouble} --only '{only}'")


def _show(run: Run) -> None:
    for at, what in run.trace:
        print(f"{at:9.3f}  {what}")
    print(f"seed {run.seed}: {run.broken or 'every promise held'} ({run.steps} steps, {len(run.struck)} faults)")


def _tell(tally: Tally, seconds: float) -> None:
    print(f"{tally.seeds} seeds, {tally.virtual_hours:.1f} virtual hours, {tally.steps} steps in {seconds:.0f} s")
    print("faults     " + ", ".join(f"{kind} {count}" for kind, count in sorted(tally.faults.items())))
    print("decisions  " + ", ".join(f"{kind} {count}" for kind, count in sorted(tally.decisions.items())))
    print(f"violations {len(tally.violations)}")
    for violation in tally.violations[:10]:
        print(f"  seed {violation['seed']}: {violation['broken']}")
