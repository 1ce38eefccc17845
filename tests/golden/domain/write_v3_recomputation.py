"""Write the golden entries that the recomputation brought, once: `python tests/golden/domain/write_v3_recomputation.py`.

One stream: a rollout whose plan asks for the second count. It goes on where there is one that agrees, holds where there is none and
where there is one that differs, and goes on again. What was released is never rewritten.
"""

import sys
from pathlib import Path

import msgspec
from write_v1 import NINE, Writer, write

from glideslope.domain.evidence import Evidence
from glideslope.domain.ids import MetricName, SliceName, StepName
from glideslope.domain.recomputation import FRESH, Difference, Recomputation, Recompute
from glideslope.domain.traffic import Arm
from glideslope.ledger.entry import Entry
from glideslope.testing import examples
from glideslope.testing.examples import MINUTE

FOLDER = Path(__file__).parent / "v3-recomputation"

AGREES = Recomputation(age=2_500, cells=412, differing=0)
DIFFERS = Recomputation(
    age=1_200,
    cells=412,
    differing=1,
    differences=(
        Difference(
            step=StepName("s3"),
            arm=Arm.CANDIDATE,
            metric=MetricName("log_loss"),
            slice=SliceName("origin=JFK"),
            bin=7,
            counted=120,
            recomputed=113,
        ),
    ),
)
INCOMPLETE = Recomputation(age=900, cells=412, differing=0, missing=3)


def again(evidence: Evidence, found: Recomputation | None) -> Evidence:
    """Return evidence with what came of recomputing."""
    said = msgspec.UNSET if found is None else found
    return msgspec.structs.replace(evidence, format=2, doubts=(), recomputation=said)


def entries() -> list[Entry]:
    """Return the golden entries, in the order of one ledger."""
    found: list[Entry] = []
    plan = msgspec.structs.replace(examples.plan(), recompute=Recompute.REQUIRED, logged=("region",))
    twice = Writer("r-delays-9", found, at=NINE + 600 * MINUTE, decider=2)
    twice.propose(plan)
    twice.approve()
    for step in ("s1", "s1", "s2"):
        twice.decide(again(examples.evidence(plan, step), AGREES))
    sound = examples.evidence(plan, "s3")
    twice.decide(again(sound, None))
    twice.decide(again(sound, DIFFERS), after=1)
    twice.decide(again(sound, INCOMPLETE), after=1)
    twice.decide(again(sound, msgspec.structs.replace(AGREES, age=FRESH)), after=1)
    return found


if __name__ == "__main__":
    sys.exit(write(FOLDER, entries()))
