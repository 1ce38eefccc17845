"""Requests that the gateway saw begin and not end: what they may turn out to be, for harm and for proof.

A request is counted by its end, and `Exposed` counts it once it is seen to be under way. What is not known yet must neither make an
alarm nor a proof: an alarm takes it for good, a proof for whatever speaks most against it. In steady traffic as many are always
under way, so their part of all that was counted goes to nothing and a sound candidate's proof is late, never lost.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from glideslope.domain.evidence import Evidence
from glideslope.domain.ids import WHOLE, StepName
from glideslope.domain.metric import Kind, Origin
from glideslope.domain.plan import Guardrail, Plan
from glideslope.domain.tables import Tables, coins_of, countable, judged_slices
from glideslope.stats.counts import Table
from glideslope.stats.wealth import Test, held

Waiting = tuple[int, int]
"""How many of a table's candidate's and incumbent's answers are still to come."""


def answered(plan: Plan, tables: Tables) -> Tables:
    """Return the tables to ask of harm: an answer of the candidate's that is still to come, by the coin, counts as a good one.

    A request is counted when it ends. Those of a slower candidate end later, and until then the incumbent's good answers alone
    would speak against it, although nothing failed. A good answer of the candidate's can only speak for it, so what is added
    never makes an alarm of harm; a candidate that answers nobody fails at its time-out, and is counted as that.
    """
    filled = {
        (g.metric.name, slice_): tuple(map(_answered, rows))
        for g in plan.guardrails
        if g.metric.origin is Origin.GATEWAY and g.metric.kind is Kind.EVENT
        for slice_ in judged_slices(plan, g)
        if (rows := tables[g.metric.name, slice_]) is not None
    }
    return {**tables, **filled}


def _answered(table: Table) -> Table:
    expected = -(-sum(table.incumbent) * table.candidate_weight // table.control_weight)
    missing = expected - sum(table.candidate)
    if missing <= 0:
        return table
    good, *bad = table.candidate
    return Table(table.candidate_weight, table.control_weight, (good + missing, *bad), table.incumbent)


def begun(plan: Plan, evidence: Evidence) -> Mapping[StepName, Waiting] | None:
    """Return how many requests of each arm were seen to begin, per step with a coin; None for exposure that cannot be."""
    coins = coins_of(plan)
    found: dict[StepName, Waiting] = {}
    for e in evidence.exposed:
        if e.step in coins:
            if not countable((e.candidate, e.incumbent)):
                return None
            candidate, incumbent = found.get(e.step, (0, 0))
            found[e.step] = max(candidate, e.candidate), max(incumbent, e.incumbent)
    return found


def under_way(
    plan: Plan, evidence: Evidence, g: Guardrail, tables: Sequence[Table], *, seen: Mapping[StepName, Waiting]
) -> Sequence[tuple[Table, Waiting]]:
    """Return a gateway's metric's tables, each with what is still to come of those `seen` to begin; empty where nothing is.

    `tables` are those of the whole, in the evidence's order. A step of which nobody has had an answer has a table, too. A subject
    who fails after a good answer counts twice in an event, so as many others may wait unseen: each of those is known to be bad.
    """
    coins, name = coins_of(plan), g.metric.name
    asked = [c.step for c in evidence.counts if c.metric == name and c.slice == WHOLE and c.step in coins]
    known = dict(zip(asked, tables, strict=True))
    missing: dict[StepName, Waiting] = {}
    for step, (candidate, incumbent) in seen.items():
        if (table := known.get(step)) is not None:
            candidate, incumbent = candidate - sum(table.candidate), incumbent - sum(table.incumbent)  # noqa: PLW2901 - what is left of it
        if candidate > 0 or incumbent > 0:
            missing[step] = max(0, candidate), max(0, incumbent)
    if not missing:
        return ()
    none = (0,) * g.metric.bins
    for step in missing.keys() - known.keys():
        known[step] = Table(coins[step].candidate, coins[step].control, none, none)
    return [(table, missing.get(step, (0, 0))) for step, table in known.items()]


def against(test: Test, tables: Iterable[tuple[Table, Waiting]]) -> tuple[tuple[Table, ...], Waiting]:
    """Return the tables with what is still to come in the bins that speak most against a proof, and how many were put there.

    Where every answer of an arm would speak for it, none is put anywhere: so the wealth is at most what it will be, whatever comes.
    """
    found, put = [], (0, 0)
    for table, (candidate, incumbent) in tables:
        worst, theirs = _worst(test, table.candidate_weight, table.control_weight)  # type: ignore[arg-type]  # tests are frozen values, and hash
        more, others = candidate if worst is not None else 0, incumbent if theirs is not None else 0
        put = put[0] + more, put[1] + others
        found.append(
            Table(
                table.candidate_weight,
                table.control_weight,
                _with(table.candidate, worst or 0, more),
                _with(table.incumbent, theirs or 0, others),
            )
            if more or others
            else table
        )
    return tuple(found), put


def _with(counts: tuple[int, ...], at: int, more: int) -> tuple[int, ...]:
    return (*counts[:at], counts[at] + more, *counts[at + 1 :])


@lru_cache(maxsize=4096)
def _worst(test: Test, candidate_weight: int, control_weight: int) -> tuple[int | None, int | None]:
    """Return per arm the bin whose bets gain least; None where even that one gains by some alternative."""
    bets = held(test, candidate=candidate_weight, control=control_weight)
    gains = [max(row) for row in zip(*bets.weights, strict=True)]
    half = len(gains) // 2
    arms = []
    for arm in (gains[:half], gains[half:]):
        least = min(arm)
        arms.append(arm.index(least) if least <= 0 else None)
    return arms[0], arms[1]
