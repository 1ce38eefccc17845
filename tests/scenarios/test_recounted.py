"""Pairs, orders and formulas too are counted twice: from what the log keeps of them, by other code, to the last one."""

from dataclasses import replace
from pathlib import Path
from random import Random

import msgspec
import pytest

from glideslope.adapters.logs.parquet.log import ParquetLog
from glideslope.domain.decision import Advance, Hold, Question
from glideslope.domain.draft import Draft, GuardrailDraft, MetricDraft, StrataDraft
from glideslope.domain.errors import PlanInvalid, StoreUnavailable
from glideslope.domain.events import Decided
from glideslope.domain.expression import Type
from glideslope.domain.formula import Attribute
from glideslope.domain.ids import WHOLE, MetricName, ModelName, RolloutId
from glideslope.domain.metric import Cell, Kind
from glideslope.domain.observation import Outcome
from glideslope.domain.pairs import PairKind, PairLimit, PairRules
from glideslope.domain.plan import Margin, MarginKind
from glideslope.domain.reasons import Reason
from glideslope.domain.recomputation import Recompute
from glideslope.domain.traffic import Arm
from glideslope.engine.prediction_log import Recount, Recounted, Recounts
from glideslope.testing.logs import MemoryLog
from glideslope.testing.traffic import SOUND, Behaviour
from glideslope.testing.world import GUARDRAILS, SHADOW, STAGES, World, draft

DELAYS = ModelName("delays")
AMOUNT = Attribute(name="amount", type=Type.NUMBER)
ALARM = MetricDraft(name=MetricName("alarm"), kind=Kind.EVENT, expression="prediction >= 0.5 and not happened")
LOST = MetricDraft(name=MetricName("lost"), kind=Kind.MEAN, cap=500.0, expression="amount * abs(happened - prediction)")
MISSED = MetricDraft(
    name=MetricName("missed"), kind=Kind.SCORE, cap=4.0, expression="0 - log(max(prediction, 0.02)) if happened else 0"
)


class Keeping(MemoryLog):
    """Remembers what it was asked, so that another log can be asked the same."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Recount] = []

    async def recount(self, asked: Recount) -> Recounts:
        self.asked.append(asked)
        return await super().recount(asked)


def absolute(metric: str, size: float, **more: object) -> GuardrailDraft:
    return GuardrailDraft(metric=MetricName(metric), margin=Margin(MarginKind.ABSOLUTE, size), **more)  # type: ignore[arg-type]


def what(*more: GuardrailDraft, shadowed: bool = False, pairs: PairRules | None = None) -> Draft:
    plan = draft(
        "delays",
        "v2",
        stages=(SHADOW, *STAGES) if shadowed else STAGES,
        guardrails=(*GUARDRAILS, *more),
        pairs=pairs,
    )
    own = tuple(m for m in (ALARM, LOST, MISSED) if m.name in {g.metric for g in more})
    return msgspec.structs.replace(plan, recompute=Recompute.REQUIRED, metrics=own, attributes=(AMOUNT,))


FORMULAS = (
    absolute("alarm", 0.2, base_rate=0.13),
    absolute("lost", 100.0, base_rate=60.0),
    absolute("missed", 0.8, base_rate=0.2),
)


def brings(outcome: Outcome, random: Random) -> Outcome:
    """Most know an amount; of some it is all that is known, and of some it cannot be read."""
    match random.randrange(10):
        case 0:
            return outcome
        case 1:
            return msgspec.structs.replace(outcome, happened=msgspec.UNSET, attributes={"amount": 7.5})
        case 2:
            return msgspec.structs.replace(outcome, attributes={"amount": "much"})
        case _:
            return msgspec.structs.replace(outcome, attributes={"amount": random.uniform(-50, 600)})


async def a_world(log: MemoryLog, candidate: Behaviour = SOUND, *, subjects: int = 400) -> World:
    world = World(seed=11, log=log)
    traffic = await world.serves("delays", v1=SOUND, v2=candidate)
    traffic.demand.per_second, traffic.demand.subjects, traffic.demand.anonymous = 60.0, subjects, 0.2
    traffic.demand.halves = True
    traffic.brings = brings
    await world.run(10)
    return world


def names(found: Recounts) -> dict[str, int]:
    counts: dict[str, int] = {}
    for each in found.counts:
        counts[each.metric] = counts.get(each.metric, 0) + each.count
    return counts


def in_order(found: Recounts) -> list[Recounted]:
    counts: dict[tuple[str, ...], Recounted] = {}
    for c in found.counts:
        place = (c.step, c.arm.value, c.metric, c.slice, f"{c.bin:04}")
        before = counts[place].count if place in counts else 0
        counts[place] = Recounted(c.step, c.arm, c.metric, c.slice, c.bin, before + c.count)
    return [counts[place] for place in sorted(counts)]


@pytest.mark.parametrize("shadowed", [True, False])
async def test_what_is_judged_by_pairs_orders_and_formulas_is_counted_alike_by_three_codes(
    shadowed: bool, tmp_path: Path
) -> None:
    """By the counters, by the plain log in memory, and by SQL over files: every bin, slice and arm."""
    log = Keeping()
    world = await a_world(log)
    orders = () if shadowed else (absolute("auc", 0.2), absolute("average_precision", 0.2))
    rollout = await world.propose(what(*FORMULAS, *orders, shadowed=shadowed))
    await world.run(25)

    view = await world.app.recomputation(rollout)
    asked = log.asked[-1]
    async with ParquetLog(tmp_path / "log") as files:
        await files.write(
            predictions=log.predictions,
            requests=log.requests,
            outcomes=log.outcomes,
            pairs=log.pairs,
            answers=log.answers,
            blocks=log.blocks,
            now=log.outcomes[-1].received,
        )
        again = await files.recount(replace(asked, mark=files.mark()))
        assert await files.claims(DELAYS, rollout) == await log.claims(DELAYS, rollout)

    plain = await log.recount(asked)
    told = names(plain)
    expected = {"pair.alarm", "pair.lost", "pair.missed", "pair.log_loss", "answers.shift", "answers.disagreement"}
    if not shadowed:
        expected = {"alarm", "lost", "missed", "pair.auc", "pair.average_precision"}
    assert expected <= {name for name, count in told.items() if count > 10}
    assert in_order(again) == in_order(plain)
    assert (view.sentences, view.missing, view.uncovered, view.unconfirmed, view.agrees) == ((), 0, (), (), True)
    assert view.cells > 100


def last_hold(world: World, rollout: RolloutId) -> Hold:
    told = [r.event.decision for r in world.app.record.history(rollout) if isinstance(r.event, Decided)]
    assert isinstance(told[-1], Hold)
    return told[-1]


async def test_a_shadow_is_left_when_its_pairs_are_confirmed() -> None:
    world = await a_world(Keeping(), subjects=0)
    limits = PairRules(limits=(PairLimit(kind=PairKind.DISAGREEMENT, limit=0.3),))
    rollout = await world.propose(what(FORMULAS[0], shadowed=True, pairs=limits))

    await world.until(rollout, step="s2", within=120)

    told = [r.event for r in world.app.record.history(rollout) if isinstance(r.event, Decided)]
    onward = [each.evidence.recomputation for each in told if isinstance(each.decision, Advance)][-1]
    assert onward is not msgspec.UNSET
    assert (onward.unconfirmed, onward.agrees) == ((), True)
    assert onward.cells > 10


@pytest.mark.parametrize("metric", ["pair.alarm", "answers.shift", "pair.auc", "lost"])
async def test_a_count_that_the_log_does_not_confirm_holds_and_is_named_with_both_numbers(metric: str) -> None:
    shadowed = metric in ("pair.alarm", "answers.shift")
    log = MemoryLog()
    world = await a_world(log, subjects=0)
    rollout = await world.propose(
        what(*FORMULAS[:2], *(() if shadowed else (absolute("auc", 0.2),)), shadowed=shadowed)
    )
    await world.run(8)
    scope = world.app.observer.scope(rollout)
    step, name, slice_, arm = next(k for k in sorted(scope.keys()) if k[1] == metric and k[2] == WHOLE)
    assert (arm is Arm.CANDIDATE) or metric == "lost"
    scope.add(Cell(rollout, step, arm, name, slice_, 1), 3)
    await world.run(20)

    decision = last_hold(world, rollout)
    assert Reason.RECOMPUTATION_DIFFERS in decision.reasons
    told = [f.difference for f in decision.findings if f.question is Question.RECOMPUTATION and f.difference]
    assert [(d.metric, d.slice, d.counted - d.recomputed) for d in told] == [(metric, WHOLE, 3)]


@pytest.mark.parametrize("what_is", ["a stranger in a block", "outcomes turned round", "another answer in a pair"])
async def test_a_row_that_was_changed_is_found(what_is: str) -> None:
    log = Keeping()
    world = await a_world(log, subjects=0)
    shadowed = what_is == "another answer in a pair"
    orders = () if shadowed else (absolute("auc", 0.2),)
    rollout = await world.propose(what(FORMULAS[0], *orders, shadowed=shadowed))
    await world.run(12)
    assert (await world.app.recomputation(rollout)).agrees
    before = await log.recount(log.asked[-1])
    match what_is:
        case "a stranger in a block":
            log.blocks[0] = msgspec.structs.replace(log.blocks[0], units=(*log.blocks[0].units[1:], 7))
        case "outcomes turned round":
            # A cell may hide it, as a difference falls on the grid by a toss; that none of eight shows has no chance.
            units, step = log.blocks[0].units[:8], log.blocks[0].step
            for row, o in enumerate(log.outcomes):
                if o.unit in units and o.step == step:
                    log.outcomes[row] = msgspec.structs.replace(o, happened=o.happened is False)
        case _:
            row = next(k for k, p in enumerate(log.pairs) if p.happened is False and p.candidate < 30_000)
            log.pairs[row] = msgspec.structs.replace(log.pairs[row], candidate=65_000)

    after = await log.recount(log.asked[-1])
    differing = {c.metric for c in {*in_order(before)} ^ {*in_order(after)}}
    assert not (await world.app.recomputation(rollout)).agrees
    assert differing & ({"pair.alarm", "pair.log_loss"} if shadowed else {"pair.auc"})


async def test_what_was_logged_and_not_counted_when_a_server_died_is_counted_by_the_next() -> None:
    """Who stood with whom nobody could say again; and what died uncounted must not differ for ever."""
    log = MemoryLog()
    world = await a_world(log, subjects=0)
    rollout = await world.propose(what(FORMULAS[0], absolute("auc", 0.2)))
    await world.run(10)

    died = False

    def broken(verb: str) -> None:
        nonlocal died
        if verb == "once" and len(log.blocks) > blocks:
            died = True
            raise StoreUnavailable("it dies here")

    blocks = len(log.blocks)
    world.store.before_commit = broken
    while not died:
        await world.run(0.5)
    world.kill(world.app)
    world.store.before_commit = lambda _: None
    world.traffic[DELAYS].demand.per_second = 0.0
    await world.start()
    await world.run(5)

    view = await world.app.recomputation(rollout)
    assert (view.sentences, view.agrees) == ((), True)
    counted = world.app.observer.evidence(world.app.record.rollout(rollout), in_force=True).pairs
    assert sum(sum(p.differences) for p in counted if p.metric == "auc") == len(log.blocks)


async def test_what_no_log_can_confirm_is_refused_by_name() -> None:
    world = await a_world(MemoryLog())
    strata = StrataDraft(by="origin", usual=(("EWR", 0.2), ("JFK", 0.2), ("LGA", 0.2)))
    asked = what(absolute("wrong", 0.1, base_rate=0.2, strata=strata))

    with pytest.raises(PlanInvalid, match="wrong is judged by strata, and those cannot be recomputed"):
        await world.propose(asked)
