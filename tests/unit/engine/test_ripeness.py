"""How mature each slice is: added up from combinations of values, crosses too, the least mature first."""

import msgspec

from glideslope.domain.ids import StepName
from glideslope.domain.metric import Dimension
from glideslope.domain.traffic import Arm
from glideslope.engine.prediction_log import Ripeness
from glideslope.engine.recomputing import by_slice
from glideslope.testing import examples

S3 = StepName("s3")
PLAN = msgspec.structs.replace(
    examples.plan(),
    dimensions=(Dimension("origin", ("JFK", "LGA")), Dimension("tier", ("gold",))),
    crosses=(("origin", "tier"),),
)


def ripe(slices: str, subjects: int, labelled: int, *, arm: Arm = Arm.CANDIDATE) -> Ripeness:
    return Ripeness(step=S3, arm=arm, slices=slices, subjects=subjects, labelled=labelled)


def test_each_slice_adds_up_what_lies_in_it_and_values_that_nobody_lists_are_in_none() -> None:
    found = by_slice(
        PLAN,
        [
            ripe('{"origin":"LGA","tier":"gold"}', 10, 1),
            ripe('{"origin":"LGA"}', 30, 27),
            ripe('{"origin":"EWR","tier":"gold"}', 5, 5),
            ripe("{}", 99, 0),
            ripe('{"origin":"LGA"}', 4, 4, arm=Arm.INCUMBENT),
        ],
    )

    assert [(v.slice, v.arm, v.subjects, v.labelled) for v in found] == [
        ("origin=LGA & tier=gold", "candidate", 10, 1),
        ("tier=gold", "candidate", 15, 6),
        ("origin=LGA", "candidate", 40, 28),
        ("origin=LGA", "incumbent", 4, 4),
    ]
