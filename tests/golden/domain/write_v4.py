"""Write the golden entries that version 4 of the rules brought, once: `python tests/golden/domain/write_v4.py`.

One stream: a shadow is left although services, whose metric is required, count nothing there; in the canary requests of the
candidate are under way that version 3 would have passed over, and it goes on when they have ended.
"""

import sys
from pathlib import Path

import msgspec
from write_v1 import NINE, Writer, write

from glideslope.domain.evidence import Counts, Evidence
from glideslope.domain.ids import WHOLE, MetricName, StepName
from glideslope.domain.metric import ERRORS, Kind, Metric, Origin
from glideslope.domain.plan import Guardrail, HarmNull, Margin, MarginKind
from glideslope.ledger.entry import Entry
from glideslope.testing import examples
from glideslope.testing.examples import MINUTE

FOLDER = Path(__file__).parent / "v4"

FALLBACK = Guardrail(
    metric=Metric(name=MetricName("fallback_used"), kind=Kind.EVENT, origin=Origin.SERVICE),
    margin=Margin(MarginKind.ABSOLUTE, 0.1),
    harm=HarmNull.WORSE,
    base_rate=0.2,
)
ROW = Counts(
    step=StepName("s3"),
    metric=FALLBACK.metric.name,
    slice=WHOLE,
    candidate=(3_200, 800),
    incumbent=(12_800, 3_200),
)


def entries() -> list[Entry]:
    """Return the golden entries, in the order of one ledger."""
    found: list[Entry] = []
    plain = examples.plan()
    plan = msgspec.structs.replace(plain, guardrails=(*plain.guardrails, FALLBACK))
    writer = Writer("r-delays-41", found, at=NINE + 900 * MINUTE, decider=4)
    writer.propose(plan)
    writer.approve()
    for step in ("s1", "s1", "s2"):
        writer.decide(_without_services(examples.evidence(plain, step)))
    sound = examples.evidence(plain, "s3")
    sound = msgspec.structs.replace(sound, counts=(*sound.counts, ROW))
    writer.decide(_hanging(sound, 400))
    writer.decide(sound)
    writer.confirm(exposed=True)
    return found


def _without_services(evidence: Evidence) -> Evidence:
    kept = tuple(f for f in evidence.freshness if f.origin != Origin.SERVICE.value)
    return msgspec.structs.replace(evidence, freshness=kept)


def _hanging(evidence: Evidence, count: int) -> Evidence:
    """Let so many of the candidate's good answers be still to come."""
    return msgspec.structs.replace(
        evidence,
        counts=tuple(
            msgspec.structs.replace(c, candidate=(c.candidate[0] - count, *c.candidate[1:]))
            if c.metric == ERRORS.name
            else c
            for c in evidence.counts
        ),
    )


if __name__ == "__main__":
    sys.exit(write(FOLDER, entries()))
