"""A contract from a sample: types, ranges, categories and the reference histogram that the rows at hand suggest. People edit it."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from glideslope.domain.contract import (
    FIRST,
    MISSING,
    MOST_BINS,
    OUTSIDE,
    Contract,
    FeatureRule,
    FeatureType,
    check_contract,
)
from glideslope.domain.errors import ContractInvalid
from glideslope.domain.ids import ModelName

BINS: Final = 10
FEWEST_ROWS: Final = 50
"""Below, ten bins of a reference would be chance."""
RARE: Final = 0.001
"""A category rarer than this is left out, and counts as unseen."""


def infer(model: ModelName, columns: Mapping[str, Sequence[object]], *, tags: Mapping[str, Sequence[str]]) -> Contract:
    """Return the contract that a sample keeps. `columns` are the values by feature, all of one length; None is missing.

    Numbers get ten bins of about equal counts, and as a range what was seen, a tenth of the spread wider. Twice the share
    that was missing may be. Raises ContractInvalid for too few rows, a column that is of no one type, and what cannot be counted.
    """
    if not columns:
        raise ContractInvalid("the sample has no columns", where="features")
    rows = max(map(len, columns.values()))
    if rows < FEWEST_ROWS:
        raise ContractInvalid(
            f"{rows} rows are too few for a reference; expected {FEWEST_ROWS} or more", where="features"
        )
    unknown = sorted(set(tags) - set(columns))
    if unknown:
        raise ContractInvalid(f"the sample has no column {unknown[0]!r} to tag", where="features")
    rules = [_rule(name, values, tags=tuple(tags.get(name, ()))) for name, values in columns.items()]
    contract = Contract(model=model, features=tuple(_held_against(rule, columns[rule.name]) for rule in rules))
    check_contract(contract)
    return contract


def _is_missing(value: object) -> bool:
    return value is None or value != value  # noqa: PLR0124 - NaN of any type


def _rule(name: str, values: Sequence[object], *, tags: tuple[str, ...]) -> FeatureRule:
    known = [value for value in values if not _is_missing(value)]
    missing = 1 - len(known) / len(values)
    allowed = 0.0 if not missing else min(1.0, math.ceil(2000 * missing) / 1000)
    if not known:
        raise ContractInvalid(f"`{name}` has no value in any row; leave it out", where=f"features.{name}")
    if all(isinstance(value, bool) for value in known):
        return FeatureRule(name=name, type=FeatureType.BOOLEAN, missing=allowed, tags=tags)
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in known):
        return _numeric(name, [float(value) for value in known], missing=allowed, tags=tags)  # type: ignore[arg-type]  # looked at above
    if all(isinstance(value, str) for value in known):
        counts = Counter(str(value) for value in known)
        common = sorted(text for text, count in counts.items() if count >= max(2.0, RARE * len(known)))
        # Too many to be categories, as names or free text: any text will do.
        categories = tuple(common) if 0 < len(common) <= MOST_BINS and len(counts) < len(known) / 2 else ()
        return FeatureRule(name=name, type=FeatureType.TEXT, categories=categories, missing=allowed, tags=tags)
    kinds = sorted({type(value).__name__ for value in known})
    raise ContractInvalid(f"`{name}` holds {' and '.join(kinds)}; expected one type", where=f"features.{name}")


def _numeric(name: str, known: Sequence[float], *, missing: float, tags: tuple[str, ...]) -> FeatureRule:
    ordered = sorted(known)
    if not (math.isfinite(ordered[0]) and math.isfinite(ordered[-1])):
        raise ContractInvalid(f"`{name}` holds infinity", where=f"features.{name}")
    whole = all(value == int(value) for value in ordered)
    spread = (ordered[-1] - ordered[0]) / 10
    low, high = ordered[0] - spread, ordered[-1] + spread
    if ordered[0] >= 0:
        low = max(0.0, low)  # what is never negative is a count, an amount, an age
    low, high = _rounded(low, up=False, whole=whole, spread=spread), _rounded(high, up=True, whole=whole, spread=spread)
    return FeatureRule(
        name=name,
        type=FeatureType.INTEGER if whole else FeatureType.NUMBER,
        low=low,
        high=high,
        missing=missing,
        tags=tags,
        edges=quantile_edges(ordered),
    )


def _rounded(end: float, *, up: bool, whole: bool, spread: float) -> float:
    if whole:
        return float(math.ceil(end) if up else math.floor(end))
    unit = 10.0 ** (math.floor(math.log10(spread)) - 1) if spread > 0 else 1.0
    found = (math.ceil(end / unit) if up else math.floor(end / unit)) * unit
    return float(f"{found:.12g}")


def quantile_edges(ordered: Sequence[float], *, bins: int = BINS) -> tuple[float, ...]:
    """Return inner edges that cut sorted values into at most `bins` parts of about equal size; ties stay together."""
    edges: list[float] = []
    for k in range(1, bins):
        edge = ordered[k * len(ordered) // bins - 1]
        if edge != int(edge):
            edge = float(f"{edge:.6g}")  # people read it, and an edge need not be exact to be an edge
        if edge < ordered[-1] and (not edges or edge > edges[-1]):
            edges.append(edge)
    return tuple(edges)


def _held_against(rule: FeatureRule, values: Sequence[object]) -> FeatureRule:
    place = rule.placer()
    counts = [0] * rule.places
    for value in values:
        counts[place(value)] += 1
    # A rare category is unseen by the contract's own word.
    return replace(rule, reference=(counts[MISSING], 0, counts[OUTSIDE], 0, *counts[FIRST:]))
