"""The plan's expressions that need no outcome, evaluated where the prediction is made."""

from collections.abc import Mapping

from glideslope.domain.expression import Undefined
from glideslope.domain.formula import PREDICTION
from glideslope.domain.receipt import SCORE_LEVELS
from glideslope.sdk.briefed import Briefed
from glideslope.sdk.receipts import level


def values_of(
    briefed: Briefed,
    *,
    score: float | None,
    slices: Mapping[str, str] | None,
    attributes: Mapping[str, object] | None,
) -> tuple[Mapping[str, float], int]:
    """Return each expression's value, and how many had none: those are lost, and counted as lost.

    The score counts at its level and a field as the value that the plan looks at, as a receipt would carry them: so an expression gives the
    same here as at the server.
    """
    known = slices or {}
    inputs = {
        **(attributes or {}),
        **{name: known[name] if known.get(name) in values else "" for name, values in briefed.slices.items()},
        PREDICTION: level(score) / SCORE_LEVELS if score is not None and 0.0 <= score <= 1.0 else None,
    }
    found: dict[str, float] = {}
    for name, formula in briefed.formulas.items():
        value = formula(inputs)
        if not isinstance(value, Undefined):
            found[name] = float(value)
    return found, len(briefed.formulas) - len(found)
