"""Write the golden entries of what people say that moves nothing, once: `python tests/golden/domain/write_v4_said.py`.

One stream: a rollout whose proposer is asked for more and replies, and whose evidence is judged by a person. What was released is never
rewritten.
"""

import sys
from pathlib import Path

from write_v1 import NINE, Writer, write

from glideslope.domain.evidence import NOTHING
from glideslope.domain.ids import StepName
from glideslope.domain.said import Judged, MoreAsked, Replied
from glideslope.ledger.entry import Entry
from glideslope.testing import examples
from glideslope.testing.examples import APPROVER, MINUTE, OWNER

FOLDER = Path(__file__).parent / "v4-said"


def entries() -> list[Entry]:
    """Return the golden entries, in the order of one ledger."""
    found: list[Entry] = []
    rollout = Writer("r-delays-15", found, at=NINE + 1_100 * MINUTE, decider=4)
    rollout.propose(examples.plan())
    rollout.add(MoreAsked(by=APPROVER, functions=("security",), why="Which flights were left out? ✈"))
    rollout.add(MoreAsked(by=APPROVER, why="And why?"))
    rollout.add(Replied(by=OWNER, question=2, why="Those that were cancelled."))
    rollout.approve()
    rollout.decide(NOTHING, after=1)
    rollout.decide(examples.evidence(examples.plan(), "s1", size=100), after=MINUTE)
    rollout.add(
        Judged(
            by=APPROVER,
            step=StepName("s1"),
            about=("deadline-passed-hold", "log_loss/errors on origin=JFK"),
            why="Winter; it has always been so.",
        )
    )
    return found


if __name__ == "__main__":
    sys.exit(write(FOLDER, entries()))
