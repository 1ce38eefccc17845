"""A second implementation of decimal, in another process, finds the same bits."""

import subprocess
import sys
from pathlib import Path

import glideslope

PROGRAM = """
import sys
if sys.argv[1] == "pure":
    sys.modules["_decimal"] = None  # makes the standard library fall back to its implementation in Python
from glideslope.stats.counts import Table, Tally
from glideslope.stats.label import BinsHarm, EventHarm, RatioPass
from glideslope.stats.paired import PairedPass, pairs
from glideslope.stats.score import DifferencePass
from glideslope.stats.wealth import crossed, log_wealth
import decimal
steps = [Table(500, 9500, (980, 20), (19_800, 200)), Table(1, 1, (970, 30), (990, 10))]
for test in (EventHarm(0.01), RatioPass(0.5), DifferencePass(0.02, base_rate=0.01)):
    print(log_wealth(test, steps).hex(), crossed(test, steps, 0.05))
latency = BinsHarm((500, 300, 100, 60, 30, 9, 1), edges=(10.0, 20.0, 30.0, 50.0, 90.0, 200.0))
print(log_wealth(latency, [Table(1, 3, (50, 30, 10, 6, 3, 1, 1), (160, 90, 30, 17, 8, 2, 0))]).hex())
print(log_wealth(PairedPass(0.2), pairs(both_good=800, candidate_bad=20, incumbent_bad=30, both_bad=50)).hex())
print(decimal.Decimal.__repr__.__class__.__name__, file=sys.stderr)
"""


def run(kind: str) -> tuple[str, str]:
    source = Path(glideslope.__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, kind],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(source)},
    )
    return done.stdout, done.stderr


def test_wealth_and_verdicts_do_not_depend_on_which_decimal_computed_them() -> None:
    compiled, pure = run("compiled"), run("pure")

    assert compiled[0].count("\n") == 5
    assert compiled[0] == pure[0]
    # The two differ in how they are made, so the test did compare two implementations.
    assert compiled[1] != pure[1]
