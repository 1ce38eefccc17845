"""Evidence as tables and tallies of integers, once for all the questions that are asked over them; None where it is malformed."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Annotated, Final

import msgspec

from glideslope.domain.evidence import Counts, Evidence, Pairs
from glideslope.domain.ids import WHOLE, MetricName, SliceName, StepName
from glideslope.domain.metric import Metric, Origin, differences
from glideslope.domain.pairs import PairLimit, pair_values
from glideslope.domain.plan import Guardrail, Plan
from glideslope.domain.stakes import by_strata
from glideslope.domain.traffic import Weights
from glideslope.ledger.canonical import LARGEST_INTEGER
from glideslope.stats.counts import Table, Tally

_Count = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_INTEGER)]

_ROW: Final = msgspec.msgpack.Decoder(tuple[tuple[_Count, ...], tuple[_Count, ...]])
"""The only form in which both arms' counts are believed."""

Tables = Mapping[tuple[MetricName, SliceName], tuple[Table, ...] | None]
"""Per guardrail's metric and slice its outcomes, one table per step with a coin; None when they are malformed."""


def sorted_tables(plan: Plan, evidence: Evidence) -> Tables:
    """Sort the evidence's outcomes, once for all the questions that are asked over them."""
    coins = coins_of(plan)
    rows: dict[tuple[MetricName, SliceName], list[Counts]] = {}
    for counts in evidence.counts:
        if counts.step in coins:
            rows.setdefault((counts.metric, counts.slice), []).append(counts)
    found = {
        (g.metric.name, slice_): _tables(rows.get((g.metric.name, slice_), ()), coins=coins, bins=g.metric.bins)
        for g in plan.guardrails
        for slice_ in judged_slices(plan, g)
    }
    for g in plan.guardrails:
        if g.strata is not msgspec.UNSET:
            field = g.strata.field
            parts = (WHOLE, *(name for d in plan.dimensions if d.field == field for name in d.slices()))
            found[g.metric.name, WHOLE] = by_strata(
                [(rows.get((g.metric.name, part), ()), found[g.metric.name, part]) for part in parts]
            )
    return found


def tables_of(plan: Plan, evidence: Evidence, g: Guardrail, slice_: SliceName) -> tuple[Table, ...] | None:
    """Return a guardrail's outcomes, one table per step with a coin; None when the evidence is malformed."""
    return metric_tables(plan, evidence, g.metric, slice_)


def metric_tables(plan: Plan, evidence: Evidence, metric: Metric, slice_: SliceName) -> tuple[Table, ...] | None:
    """Return the same of any metric that is counted."""
    coins = coins_of(plan)
    rows = [c for c in evidence.counts if c.step in coins and c.metric == metric.name and c.slice == slice_]
    return _tables(rows, coins=coins, bins=metric.bins)


def _tables(rows: Sequence[Counts], *, coins: Mapping[StepName, Weights], bins: int) -> tuple[Table, ...] | None:
    tables = []
    for counts in rows:
        table = table_under(coins[counts.step], counts.candidate, counts.incumbent)
        if table is None or len(counts.candidate) != bins:
            return None
        tables.append(table)
    return tuple(tables) if len({counts.step for counts in rows}) == len(rows) else None


def tally_of(evidence: Evidence, g: Guardrail, slice_: SliceName) -> Tally | None:
    """Return a guardrail's pairs; None when the evidence is malformed."""
    return paired_tally([p for p in evidence.pairs if p.metric == g.metric.name and p.slice == slice_], metric=g.metric)


def limited_tally(evidence: Evidence, limit: PairLimit, slice_: SliceName) -> Tally | None:
    """Return what was compared of pairs under a limit; None when the evidence is malformed."""
    return limited([p for p in evidence.pairs if (p.metric, p.slice) == (limit.kind.value, slice_)], limit)


def limited(found: Sequence[Pairs], limit: PairLimit) -> Tally | None:
    return added([p.differences for p in found], bins=len(pair_values(limit.kind))) if len(found) <= 1 else None


def paired_tally(found: Sequence[Pairs], *, metric: Metric) -> Tally | None:
    return added([p.differences for p in found], bins=_pair_bins(metric)) if len(found) <= 1 else None


@lru_cache(maxsize=1024)
def _pair_bins(metric: Metric) -> int:
    return len(differences(metric))


def judged_slices(plan: Plan, g: Guardrail) -> tuple[SliceName, ...]:
    """Return what a guardrail is looked at by: the whole, then its slices."""
    return (WHOLE, *plan.slices) if g.metric.origin is not Origin.GATEWAY else (WHOLE,)


def sizes(over: tuple[Table, ...] | Tally | None) -> tuple[int, int]:
    if over is None:
        return (0, 0)
    if isinstance(over, Tally):
        return (sum(over.counts), sum(over.counts))
    return (sum(sum(t.candidate) for t in over), sum(sum(t.incumbent) for t in over))


def table_under(coin: Weights, candidate: tuple[int, ...], incumbent: tuple[int, ...]) -> Table | None:
    try:
        row = msgspec.msgpack.encode((candidate, incumbent))
    except (OverflowError, TypeError):  # an integer beyond 64 bits, or nothing that was ever a count
        return None
    return _counted(coin.candidate, coin.control, row)


# Between two looks most rows stay as they are. The key is bytes, since to a cache 1, 1.0 and True are the same; to us not.
@lru_cache(maxsize=16_384)
def _counted(candidate_weight: int, control_weight: int, row: bytes, /) -> Table | None:
    try:
        return Table(candidate_weight, control_weight, *_ROW.decode(row))
    except ValueError:  # msgspec's, or the table's own
        return None


def added(rows: Sequence[tuple[int, ...]], *, bins: int) -> Tally | None:
    """Add histograms, each of which must itself be one: a count below zero may not hide in a sum."""
    if any(len(row) != bins for row in rows) or not countable(tuple(chain.from_iterable(rows))):
        return None
    return Tally(tuple(map(sum, zip(*rows, strict=True))) or (0,) * bins)


def countable(counts: Sequence[int]) -> bool:
    """Tell whether these can be counts."""
    return not counts or (set(map(type, counts)) == {int} and min(counts) >= 0 and max(counts) <= LARGEST_INTEGER)


@lru_cache(maxsize=1024)
def coins_of(plan: Plan) -> Mapping[StepName, Weights]:
    """Return the coin of each step that has one; of two steps of one name the first is meant."""
    return {
        name: step.split.weights() for name, step in {s.name: s for s in reversed(plan.steps)}.items() if step.has_coin
    }
