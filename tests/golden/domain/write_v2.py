"""Write the golden entries that format 2 of the evidence brought, once: `python tests/golden/domain/write_v2.py`.

One stream: a rollout that is held and halted for what a source said, and resumed without it. As in `write_v1`, what was
released is never rewritten.
"""

import sys
from pathlib import Path

import msgspec
from write_v1 import NINE, Writer, write

from glideslope.domain.doubt import PATIENCE, Aside, Claim, Doubt
from glideslope.domain.events import Resumed
from glideslope.domain.evidence import Evidence
from glideslope.domain.ids import WHOLE, Actor, MetricName, StepName
from glideslope.domain.traffic import Arm
from glideslope.ledger.entry import Entry
from glideslope.testing import examples
from glideslope.testing.examples import APPROVER, MINUTE

FOLDER = Path(__file__).parent / "v2"

BEYOND = Doubt(
    claim=Claim.BEYOND_TRAFFIC,
    actor=Actor("flights"),
    source="web-1",
    epoch=NINE,
    step=StepName("s3"),
    arm=Arm.CANDIDATE,
    metric=MetricName("wrong"),
    slice=WHOLE,
    bin=-1,
    said=90_000,
    against=400,
    peak=12,
    age=1_000,
    metrics=(MetricName("log_loss"), MetricName("wrong")),
)
SHRANK = Doubt(
    claim=Claim.SHRANK,
    actor=Actor("flights"),
    source="web-1",
    epoch=NINE,
    step=StepName("s3"),
    arm=Arm.INCUMBENT,
    metric=MetricName("wrong"),
    slice=WHOLE,
    bin=1,
    said=50,
    against=40,
    first=10,
    second=11,
    metrics=(MetricName("log_loss"), MetricName("wrong")),
)
FAST = msgspec.structs.replace(BEYOND, claim=Claim.TOO_FAST, said=10**12, against=61, peak=0, age=0)


def knowing(evidence: Evidence, *doubts: Doubt) -> Evidence:
    """Return evidence of format 2."""
    return msgspec.structs.replace(evidence, format=2, doubts=doubts)


def entries() -> list[Entry]:
    """Return the golden entries, in the order of one ledger."""
    found: list[Entry] = []
    plan = examples.plan()
    doubted = Writer("r-delays-5", found, at=NINE + 240 * MINUTE, decider=2)
    doubted.propose(plan)
    doubted.approve()
    for step in ("s1", "s1", "s2"):
        doubted.decide(knowing(examples.evidence(plan, step)))
    sound = examples.evidence(plan, "s3")
    doubted.decide(knowing(sound, BEYOND))
    settled = msgspec.structs.replace(BEYOND, age=PATIENCE)
    doubted.decide(knowing(sound, settled, FAST, SHRANK), after=PATIENCE)
    doubted.confirm(exposed=False)
    aside = (Aside(actor=Actor("flights"), source="web-1", epoch=NINE),)
    doubted.add(Resumed(by=APPROVER, why="Its token is revoked.", aside=aside))
    doubted.decide(knowing(sound), after=1)
    doubted.confirm(exposed=True)
    doubted.decide(knowing(examples.evidence(plan, "s3", candidate={"wrong": 0.6})), after=9)
    doubted.confirm(exposed=False)
    doubted.close()
    return found


if __name__ == "__main__":
    sys.exit(write(FOLDER, entries()))
