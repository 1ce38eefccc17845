"""Write the golden entries of drills and advisories, once: `python tests/golden/domain/write_v3_upkeep.py`.

What was released is never rewritten.
"""

import sys
from pathlib import Path

from write_v1 import NINE, Writer, write

from glideslope.domain.events import AdvisoriesRecorded
from glideslope.domain.governing.dossier import Advisories, Advisory, advisories_digest
from glideslope.domain.governing.drill import DrillBegun, DrillEnded, DrillKind, DrillTold
from glideslope.ledger.entry import Entry
from glideslope.testing.examples import APPROVER, MINUTE, OWNER

FOLDER = Path(__file__).parent / "v3-upkeep"

KNOWN = (Advisory(id="GHSA-made-up", package="pillow", versions=("11.0.0",), severity="critical"),)


def entries() -> list[Entry]:
    """Return the golden entries, in the order of one ledger."""
    found: list[Entry] = []
    drills = Writer("drill.arrivals", found, at=NINE + 900 * MINUTE, decider=4)
    drills.add(DrillBegun(drill=DrillKind.ROLLBACK, by=OWNER, why="The quarter's drill"))
    drills.add(DrillEnded(passed=True, granted_in=105.25, restored_in=3.5))
    drills.add(DrillBegun(drill=DrillKind.LAPSE, by=OWNER, why="And as if we were dead"))
    drills.add(DrillEnded(passed=False, why="the data plane (envoy) does not answer"))
    told = DrillTold(
        drill="failover",
        held_at=NINE,
        passed=True,
        restored_in=61_000,
        by=APPROVER,
        why="In the rehearsal, with a stopwatch ⏱",
    )
    drills.add(told)
    advisories = Writer("advisories", found, at=NINE + 920 * MINUTE, decider=4)
    known = Advisories(source="osv.dev", as_of=NINE, digest=advisories_digest(KNOWN), entries=KNOWN)
    advisories.add(AdvisoriesRecorded(advisories=known, by=OWNER, why="Of this morning"))
    return found


if __name__ == "__main__":
    sys.exit(write(FOLDER, entries()))
