"""What outcomes are worth: a value model turned into a metric like any other, so that money is judged by the same tests.

The model is an expression of our own language, written out: nothing in a plan says more than the language can.
"""

import math
from collections.abc import Mapping
from typing import Final

import msgspec

from glideslope.domain.errors import PlanInvalid
from glideslope.domain.ids import MetricName

VALUE: Final = MetricName("value")
"""The metric's name, in every plan."""

LARGEST: Final = 1e9
USUAL_THRESHOLD: Final = 0.5


class ValueDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A value model as written: what each of the four outcomes of a prediction is worth, or an expression, between two bounds."""

    currency: str
    threshold: float | None = None
    """From this score on, a prediction counts as an alarm; USUAL_THRESHOLD where nothing is said."""
    hit: float | None = None
    miss: float | None = None
    false_alarm: float | None = None
    quiet: float | None = None
    """No alarm, and nothing happened."""
    expression: str = ""
    floor: float | None = None
    cap: float | None = None
    each: Mapping[MetricName, float] = {}
    """What one more unit of a technical metric is worth: one more error, a loss higher by one."""

    @property
    def outcomes(self) -> tuple[float, ...]:
        """Return what hit, miss, false alarm and quiet are worth; what is not said is worth nothing."""
        return (self.hit or 0.0, self.miss or 0.0, self.false_alarm or 0.0, self.quiet or 0.0)

    @property
    def is_of_outcomes(self) -> bool:
        """Tell whether any of the four is said."""
        return any(worth is not None for worth in (self.hit, self.miss, self.false_alarm, self.quiet))


class Price(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True, forbid_unknown_fields=True):
    """What one more unit of a metric is worth."""

    metric: MetricName
    worth: float


class ValueModel(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True, forbid_unknown_fields=True):
    """What a plan remembers of it beside the metric: in what it is counted, and what technical metrics are worth."""

    currency: str
    each: tuple[Price, ...] = ()


def value_text(draft: ValueDraft) -> str:
    """Return the model as an expression; empty where only technical metrics have a price. Raises PlanInvalid."""
    if draft.expression:
        if draft.is_of_outcomes or draft.threshold is not None:
            raise PlanInvalid(
                "a value model is an expression or says what each outcome is worth, not both", where="value"
            )
        return draft.expression
    if not draft.is_of_outcomes:
        if draft.threshold is not None or not draft.each:
            raise PlanInvalid("this says of nothing what it is worth", where="value")
        return ""
    hit, miss, false_alarm, quiet = (_written(worth) for worth in draft.outcomes)
    threshold = _written(USUAL_THRESHOLD if draft.threshold is None else draft.threshold)
    return f"({hit} if happened else {false_alarm}) if prediction >= {threshold} else ({miss} if happened else {quiet})"


def value_points(draft: ValueDraft) -> tuple[float, ...]:
    """Return the values that the four outcomes can have, ascending: each is a point of the grid, so none is rounded. Raises PlanInvalid."""
    points = tuple(sorted({worth + 0.0 for worth in draft.outcomes}))
    if not all(math.isfinite(worth) and abs(worth) <= LARGEST for worth in points):
        raise PlanInvalid(f"what an outcome is worth is a number up to {LARGEST:g}", where="value")
    if len(points) < 2:
        raise PlanInvalid("all outcomes are worth the same, so nothing can get worse", where="value")
    return points


def value_model(draft: ValueDraft) -> ValueModel:
    """Return what the plan remembers. Raises PlanInvalid."""
    if not all(math.isfinite(worth) and abs(worth) <= LARGEST for worth in draft.each.values()):
        raise PlanInvalid(f"what a unit is worth is a number up to {LARGEST:g}", where="value")
    each = tuple(Price(metric=name, worth=worth) for name, worth in sorted(draft.each.items()))
    return ValueModel(currency=draft.currency, each=each)


def _written(number: float) -> str:
    """Write a number so that the language reads back the same double."""
    return repr(number + 0.0)
