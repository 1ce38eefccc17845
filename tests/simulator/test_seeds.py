"""Every promise holds in every seed that was tried: old ones, new ones, and those that failed once."""

import os
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from glideslope.testing.simulator.scenario import scenario
from glideslope.testing.simulator.simulation import Run, simulate

FAILED_ONCE = tomllib.loads((Path(__file__).parent / "regressions.toml").read_text())["seed"]
"""A seed that fails is kept here with the faults that it takes; what it found stands beside it."""

CHUNK = 250
KNOWN = range(0, 9_000, CHUNK)
FRESH = 1_000
"""Seeds of each run that nobody has tried."""
STEPS = 1_000_000


def require_kept(run: Run) -> None:
    assert run.broken is None, (
        f"{run.broken}\n"
        f"Again, at its least: python -m glideslope.testing.simulate --from {run.seed} --seeds 1\n"
        "Mend it, and keep the seed in tests/simulator/regressions.toml."
    )


@pytest.mark.parametrize("first", KNOWN)
def test_every_promise_holds_in_seeds_that_are_tried_each_time(first: int) -> None:
    for seed in range(first, first + CHUNK):
        require_kept(simulate(scenario(seed)))


@pytest.mark.parametrize("part", range(FRESH // CHUNK))
def test_every_promise_holds_in_seeds_that_nobody_has_tried(part: int) -> None:
    """A failing seed stands in the message, and fails again until it is mended."""
    first = time.time_ns() // 1_000 + part * 10**9
    for seed in range(first, first + CHUNK):
        require_kept(simulate(scenario(seed)))


@pytest.mark.parametrize("kept", FAILED_ONCE, ids=lambda kept: f"{kept['seed']} {kept['found']}")
def test_what_failed_once_holds(kept: dict[str, object]) -> None:
    only = kept.get("only")
    strikes = None if only is None else frozenset(str(only).split(","))
    trouble = kept.get("trouble")
    seconds = None if trouble is None else float(str(trouble))
    require_kept(simulate(scenario(int(str(kept["seed"])), trouble=seconds), only=strikes))


def test_a_seed_decides_everything() -> None:
    """In another process, with other hashes, the same happens at the same instants."""

    def story(hashes: str) -> bytes:
        command = [sys.executable, "-m", "glideslope.testing.simulate", "--seed", "5", "--json"]
        return subprocess.run(
            command, check=True, capture_output=True, env={**os.environ, "PYTHONHASHSEED": hashes}
        ).stdout

    assert len({story(hashes) for hashes in ("0", "1", "2")}) == 1


@pytest.mark.slow
def test_a_million_steps_break_no_promise() -> None:
    """Fresh seeds, and more trouble in each than in the short ones."""
    command = [sys.executable, "-m", "glideslope.testing.simulate", "--fresh", "--steps", str(STEPS), "--trouble", "40"]
    done = subprocess.run([*command, "--json"], check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
