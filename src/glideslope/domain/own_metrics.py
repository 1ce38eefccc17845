"""The metrics that a plan defines itself, counted by services: from the few words that people write to bins that are fixed."""

import math
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Final

import msgspec

from glideslope.domain.draft import DAY, SECOND, MetricDraft
from glideslope.domain.errors import PlanInvalid
from glideslope.domain.metric import (
    COUNT_EDGES,
    LATENCY_EDGES,
    RESERVED,
    Better,
    Kind,
    Metric,
    Origin,
    equal_edges,
    equal_points,
    growing_points,
)
from glideslope.domain.value import VALUE

MOST_BINS: Final = 128
"""Of a metric of the plan's own; what is judged costs time in proportion."""

_OWN_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
"""So that `record(fallback_used=1)` can say it."""


def own_metric(draft: MetricDraft) -> Metric:
    """Resolve a metric of the plan's own. Raises PlanInvalid."""
    where = f"metrics.{draft.name}"
    if draft.name in RESERVED and not (draft.name == VALUE and draft.expression):
        raise PlanInvalid(f"The name {draft.name} is taken; call your metric by another.", where=where)
    if not _OWN_NAME.fullmatch(draft.name):
        raise PlanInvalid(
            f"{draft.name!r} cannot be the name of a metric: a letter, then up to 63 of a to z, 0 to 9 and underscore.",
            where=where,
        )
    _check_keys(draft, where=where)
    if draft.no_outcome_within:
        return _silence(draft, where=where)
    edges = _edges(draft, where=where)
    better = Better.HIGHER if draft.better is Better.HIGHER else msgspec.UNSET
    return Metric(name=draft.name, kind=draft.kind, origin=Origin.SERVICE, edges=edges, better=better)


LONGEST_SILENCE: Final = 60 * DAY
"""Rows of an open rollout stay in the prediction log, but nobody should wait for longer."""


def _silence(draft: MetricDraft, *, where: str) -> Metric:
    if draft.kind is not Kind.EVENT or draft.expression or draft.plugin:
        raise PlanInvalid(
            f"{draft.name}: no_outcome_within is itself an event, without expression or plug-in.", where=where
        )
    if not SECOND <= draft.no_outcome_within <= LONGEST_SILENCE:
        raise PlanInvalid(f"{draft.name}: no_outcome_within is from 1 second to 60 days.", where=where)
    return Metric(name=draft.name, kind=Kind.EVENT, origin=Origin.OUTCOME, within=draft.no_outcome_within)


_OWN_KEYS: Final[Mapping[Kind, frozenset[str]]] = {
    Kind.EVENT: frozenset(),
    Kind.SCORE: frozenset({"cap", "edges"}),
    Kind.COUNT: frozenset({"edges"}),
    Kind.MEAN: frozenset({"cap", "floor", "edges", "better"}),
    Kind.UNBOUNDED: frozenset({"unit", "better"}),
    Kind.LATENCY: frozenset({"edges"}),
}
"""What each kind of a plan's own metric may say of itself."""


def _check_keys(draft: MetricDraft, *, where: str) -> None:
    allowed = _OWN_KEYS.get(draft.kind)
    if allowed is None:
        kinds = ", ".join(kind.value for kind in _OWN_KEYS)
        raise PlanInvalid(f"{draft.name}: a plan's own metric is one of {kinds}.", where=where)
    plain = MetricDraft(name=draft.name, kind=draft.kind)
    said = {key for key in ("cap", "edges", "floor", "unit", "better") if getattr(draft, key) != getattr(plain, key)}
    if stray := sorted(said - allowed):
        has = f"only {', '.join(sorted(allowed))}" if allowed else "none of these"
        raise PlanInvalid(f"{draft.name}: the kind {draft.kind.value} has no {stray[0]}; it has {has}.", where=where)


def _edges(draft: MetricDraft, *, where: str) -> tuple[float, ...]:
    match draft.kind:
        case Kind.EVENT:
            return ()
        case Kind.COUNT:
            return _ascending(draft.edges or COUNT_EDGES, draft, where=where, least=0.0, whole=True)
        case Kind.LATENCY:
            return _ascending(draft.edges or LATENCY_EDGES, draft, where=where)
        case Kind.UNBOUNDED:
            if draft.unit is None or not (math.isfinite(draft.unit) and 1e-9 <= draft.unit <= 1e9):
                raise PlanInvalid(
                    f"{draft.name}: an unbounded mean says the smallest unit that matters, like unit: 0.01.",
                    where=where,
                )
            return growing_points(draft.unit)
        case _:
            return _closed(draft, where=where)


def _closed(draft: MetricDraft, *, where: str) -> tuple[float, ...]:
    """Return the edges of a score, or the points of a mean."""
    kind = "mean" if draft.kind is Kind.MEAN else "score"
    if (draft.cap is None) == (not draft.edges) or (draft.edges and draft.floor):
        raise PlanInvalid(
            f"{draft.name}: a {kind} has either a cap, up to which its bins are equal, or the edges of its bins.",
            where=where,
        )
    if kind == "score":
        return _ascending(draft.edges or equal_edges(draft.cap or 0.0), draft, where=where)
    if draft.cap is not None and not draft.floor < draft.cap:
        raise PlanInvalid(f"{draft.name}: the floor {draft.floor:g} is not below the cap {draft.cap:g}.", where=where)
    points = draft.edges or equal_points(draft.floor, draft.cap or 0.0)
    return _ascending(points, draft, where=where, least=-math.inf)


def _ascending(
    edges: tuple[float, ...], draft: MetricDraft, *, where: str, least: float | None = None, whole: bool = False
) -> tuple[float, ...]:
    """Return edges that can be: above 0, or from `least` up."""
    low = edges[0] > 0 if least is None else edges[0] >= least
    ascending = low and all(a < b for a, b in pairwise(edges))
    finite = all(map(math.isfinite, edges)) and 2 <= len(edges) <= MOST_BINS
    if not (ascending and finite and (not whole or all(edge == int(edge) for edge in edges))):
        what = "whole numbers from 0 up" if whole else "numbers" if least == -math.inf else "numbers above 0"
        raise PlanInvalid(
            f"{draft.name}: the edges of a {draft.kind.value}'s bins are 2 to {MOST_BINS} {what}, ascending.",
            where=where,
        )
    return edges
