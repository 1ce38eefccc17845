"""What is written into the prediction log of outcomes, pairs and blocks: the facts from which each can be counted again."""

import math
from collections.abc import Mapping, Sequence

import msgspec

from glideslope.domain.formula import HAPPENED, OUTCOME, Attribute, Moment
from glideslope.domain.ids import Actor, ModelName, SliceName, StepName
from glideslope.domain.logged import BlockRow, OutcomeRow, PairRow, named_slices
from glideslope.domain.metric import RANKED, Cell, Metric, Origin
from glideslope.domain.observation import Outcome
from glideslope.domain.plan import Plan
from glideslope.domain.receipt import Receipt
from glideslope.domain.rollout import Rollout
from glideslope.engine.formulas import chance
from glideslope.engine.log_desk import key_of, own_time
from glideslope.engine.pairing import Pair
from glideslope.engine.ranking import Scored, toss

Claims = Mapping[str, Cell]


def outcome_row(
    outcome: Outcome, model: ModelName, rollout: Rollout, receipt: Receipt, *, by: Actor
) -> OutcomeRow | None:
    """Return what is logged of an outcome by receipt, with the receipt's facts; None where nothing would be counted by it."""
    facts = facts_of(rollout.plan, outcome)
    happened = None if outcome.happened is msgspec.UNSET else outcome.happened
    if happened is None and not facts:
        return None
    return OutcomeRow(
        model=model,
        prediction=outcome.prediction,
        key=key_of(model, outcome.prediction),
        at=own_time(outcome),
        happened=happened,
        by=by,
        counted=True,
        rollout=rollout.id,
        step=StepName(f"s{receipt.step}"),
        arm=receipt.arm,
        unit=receipt.subject or -1 - receipt.request,
        slices=named_slices(rollout.plan.dimensions, receipt.slices),
        score=receipt.score,
        facts=_json(facts),
        chances=_chances(rollout.plan, receipt) if facts else {},
    )


def pair_row(rollout: Rollout, pair: Pair, claims: Claims) -> PairRow:
    """Return what is logged of a pair with what it claims; all of its claims are in one step."""
    receipt, outcome = pair.receipt, pair.outcome
    facts = facts_of(rollout.plan, outcome)
    return PairRow(
        model=rollout.plan.model,
        rollout=rollout.id,
        step=next(iter(claims.values())).step,
        unit=receipt.subject or -1 - receipt.request,
        slices=named_slices(rollout.plan.dimensions, receipt.slices),
        candidate=pair.candidate_score,
        incumbent=receipt.score,
        happened=None if outcome.happened is msgspec.UNSET else outcome.happened,
        facts=_json(facts),
        chances=_chances(rollout.plan, receipt) if facts else {},
        claims=_written(claims),
    )


def block_row(rollout: Rollout, step: StepName, slice_: SliceName, block: Sequence[Scored], claims: Claims) -> BlockRow:
    """Return what is logged of a block that claims something."""
    ranked = [g.metric.name for g in rollout.plan.guardrails if g.metric.kind in RANKED]
    return BlockRow(
        model=rollout.plan.model,
        rollout=rollout.id,
        step=step,
        slice=slice_,
        units=tuple(_unit(one.who) for one in block),
        chances={name: toss(block, name, rollout=rollout.id) for name in ranked},
        claims=_written(claims),
    )


def facts_of(plan: Plan, outcome: Outcome) -> Mapping[str, float | bool | str]:
    """Return of what an outcome brings that which formulas read; nothing of a plan for which it is not kept."""
    if not plan.is_kept:
        return {}
    brought: dict[str, object] = dict(outcome.attributes or {})
    brought[OUTCOME] = outcome.outcome
    names = {
        each.name
        for metric in plan.counted
        for each in _formula(metric)
        if each.comes is Moment.OUTCOME and each.name != HAPPENED
    }
    return {name: value for name in sorted(names) if (value := _fact(brought.get(name))) is not None}


def _fact(value: object) -> float | bool | str | None:
    """Return what JSON can say and a formula can read: no infinite number, no NaN."""
    match value:
        case bool() | str():
            return value
        case int() | float():
            return value if -math.inf < value < math.inf else None
        case _:
            return None


def _formula(metric: Metric) -> Sequence[Attribute]:
    formula = metric.formula
    return () if formula is msgspec.UNSET or metric.origin is not Origin.OUTCOME else formula.inputs


def _chances(plan: Plan, receipt: Receipt) -> Mapping[str, float]:
    return {
        metric.name: chance(receipt, metric.name) for metric in plan.counted if _formula(metric) and metric.is_dithered
    }


def _unit(who: str) -> int:
    """Return what counts once as the log has it, of the name under which the counters know it."""
    return -1 - int(who[1:], 16) if who.startswith("r") else int(who, 16)


def _written(claims: Claims) -> Mapping[str, str]:
    return {key: cell.key() for key, cell in claims.items()}


def _json(facts: Mapping[str, float | bool | str]) -> str:
    return msgspec.json.encode(facts).decode()
