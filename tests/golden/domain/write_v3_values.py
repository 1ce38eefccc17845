"""Write the golden entries that formulas, a value model and harm budgets brought, once: `python tests/golden/domain/write_v3_values.py`.

One stream: a rollout that is ended by its budget in money, by an excess that no guardrail of harm has found.
"""

import sys
from pathlib import Path

import msgspec
from write_v1 import NINE, Writer, write

from glideslope.domain.budget import Budget, Measure
from glideslope.domain.evidence import Counts
from glideslope.domain.expression import Type
from glideslope.domain.formula import Attribute, Expression, Moment, Plugin
from glideslope.domain.ids import WHOLE, MetricName, StepName
from glideslope.domain.metric import Better, Kind, Metric, Origin
from glideslope.domain.value import Price, ValueModel
from glideslope.ledger.entry import Entry
from glideslope.testing import examples
from glideslope.testing.examples import MINUTE

FOLDER = Path(__file__).parent / "v3-values"

HAPPENED = Attribute(name="happened", type=Type.BOOLEAN)
SCORE = Attribute(name="prediction", type=Type.NUMBER, comes=Moment.PREDICTION)
VALUE = Metric(
    name=MetricName("value"),
    kind=Kind.MEAN,
    origin=Origin.OUTCOME,
    edges=(-200.0, -5.0, 0.0, 20.0),
    better=Better.HIGHER,
    formula=Expression(
        text="(20.0 if happened else -5.0) if prediction >= 0.5 else (-200.0 if happened else 0.0)",
        inputs=(HAPPENED, SCORE),
    ),
)
REBOOKING = Metric(
    name=MetricName("rebooking_cost"),
    kind=Kind.SCORE,
    origin=Origin.OUTCOME,
    edges=(100.0, 300.0, 600.0),
    formula=Plugin(
        name="rebooking",
        package="rebooking-metric",
        version="1.0.0",
        inputs=(Attribute(name="fare", type=Type.TEXT), Attribute(name="outcome", type=Type.NUMBER)),
    ),
)


def entries() -> list[Entry]:
    """Return the golden entries, in the order of one ledger."""
    found: list[Entry] = []
    plan = msgspec.structs.replace(
        examples.plan(),
        shown=(VALUE, REBOOKING),
        budgets=(
            Budget(metric=VALUE.name, measure=Measure.EXCESS, size=2_500.0),
            Budget(metric=MetricName("errors"), measure=Measure.COUNT, size=100_000.0),
        ),
        value=ValueModel(currency="EUR", each=(Price(metric=MetricName("errors"), worth=-0.5),)),
    )
    writer = Writer("r-delays-31", found, at=NINE + 600 * MINUTE, decider=2)
    writer.propose(plan)
    writer.approve()
    for step in ("s1", "s1", "s2"):
        writer.decide(examples.evidence(plan, step))
    sound = examples.evidence(plan, "s3")
    for misses in (3, 14):
        row = Counts(
            step=StepName("s3"),
            metric=VALUE.name,
            slice=WHOLE,
            candidate=(misses, 9, 300, 41),
            incumbent=(1, 8, 310, 40),
        )
        writer.decide(msgspec.structs.replace(sound, counts=(*sound.counts, row)), after=9)
    writer.confirm(exposed=False)
    writer.close()
    return found


if __name__ == "__main__":
    sys.exit(write(FOLDER, entries()))
