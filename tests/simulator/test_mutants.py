"""The simulator finds the faults that are planted: one that finds nothing would prove nothing."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from glideslope.testing.simulator.mutants import MUTANTS
from glideslope.testing.simulator.planting import Mutant, NotPlanted, mutated, plant, source_of

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "how-we-test.md"
SEEDS = 6_000
"""Within which each must be caught."""

QUICK = ("act-before-commit", "totals-added", "age-unknown", "checkpoint-ahead", "two-transactions")


def caught(name: str, *, seeds: int) -> bool:
    command = [sys.executable, "-m", "glideslope.testing.simulate", "--seeds", str(seeds), "--jobs", "1"]
    done = subprocess.run([*command, "--mutant", name, "--stop", "--json"], check=False, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode == 1


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_fault_can_be_planted_in_the_code_as_it_is(mutant: Mutant) -> None:
    text = mutated(source_of(mutant), mutant)

    compile(text, mutant.module, "exec")


def test_a_fault_that_no_longer_fits_is_refused() -> None:
    with pytest.raises(NotPlanted):
        mutated("something else", MUTANTS[0])
    with pytest.raises(NotPlanted, match="imported already"):
        plant(Mutant(name="late", what="", module="glideslope.testing.simulator.planting", before="", after=""))


@pytest.mark.parametrize("name", QUICK)
def test_a_planted_fault_is_caught(name: str) -> None:
    assert caught(name, seeds=100)


@pytest.mark.slow
@pytest.mark.parametrize("name", [mutant.name for mutant in MUTANTS])
def test_every_planted_fault_is_caught(name: str) -> None:
    assert caught(name, seeds=SEEDS)


def test_the_page_lists_every_planted_fault() -> None:
    listed = re.findall(r"^\| `([a-z-]+)` \|", PAGE.read_text(), re.MULTILINE)

    assert sorted(listed) == sorted(mutant.name for mutant in MUTANTS)
