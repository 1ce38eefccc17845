"""A metric that an expression cannot say: the price of rebooking steps up with the hours of delay, and depends on the fare."""

from bisect import bisect_right
from collections.abc import Mapping

from glideslope.domain.plugin import MetricPlugin

HOURS = (0.25, 1.0, 3.0, 6.0)
PRICES = {"economy": (0.0, 15.0, 60.0, 120.0, 250.0), "business": (0.0, 40.0, 180.0, 400.0, 600.0)}


def cost(inputs: Mapping[str, float | bool | str]) -> float:
    """Return what a delay costs that nobody was warned of. `outcome` is the delay in minutes; an unknown fare has no price: KeyError."""
    prices = PRICES[str(inputs["fare"])]
    warned = float(inputs["prediction"]) >= 0.5
    return 0.0 if warned else prices[bisect_right(HOURS, float(inputs["outcome"]) / 60)]


REBOOKING = MetricPlugin(
    compute=cost,
    inputs={"prediction": "number", "outcome": "number", "fare": "text"},
    returns="number",
)
