"""Write the golden entries of drills that count requests, once: `python tests/golden/domain/write_v5_drills.py`.

What was released is never rewritten.
"""

import sys
from pathlib import Path

from write_v1 import NINE, Writer, write

from glideslope.domain.governing.drill import DrillBegun, DrillEnded, DrillKind
from glideslope.ledger.entry import Entry
from glideslope.testing.examples import MINUTE, OWNER

FOLDER = Path(__file__).parent / "v5-drills"


def entries() -> list[Entry]:
    """Return the golden entries, in the order of one ledger."""
    found: list[Entry] = []
    drills = Writer("drill.arrivals", found, at=NINE + 940 * MINUTE, decider=4)
    drills.add(DrillBegun(drill=DrillKind.ROLLBACK, by=OWNER, why="The quarter's drill"))
    drills.add(DrillEnded(passed=True, granted_in=105.25, restored_in=3.5, served=41, failed=0))
    drills.add(DrillBegun(drill=DrillKind.LAPSE, by=OWNER, why="And as if we were dead"))
    drills.add(DrillEnded(passed=False, served=7, failed=2, why="somebody was exposed after 15 s still"))
    return found


if __name__ == "__main__":
    sys.exit(write(FOLDER, entries()))
