"""What the prediction log in memory counts again of formulas, pairs, answers and blocks, by the plainest code that tells."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec

from glideslope.domain.expression import Undefined
from glideslope.domain.formula import HAPPENED, PREDICTION, Expression, compile_expression
from glideslope.domain.ids import MetricName, SliceName, StepName
from glideslope.domain.logged import NO_SCORE, AnswersRow, BlockRow, OutcomeRow, PairRow, read_slices
from glideslope.domain.metric import Kind, Metric, gap_bin, loss_of, pair_bin, pair_metric
from glideslope.domain.pairs import Half, answers_metric, compared
from glideslope.domain.receipt import SCORE_LEVELS
from glideslope.domain.traffic import Arm
from glideslope.engine.prediction_log import Recount
from glideslope.stats.ranking import auc_gap, precision_gap

Counts = dict[tuple[StepName, Arm, MetricName, SliceName, int], int]


def count_formula(metric: Metric, rows: Sequence[OutcomeRow], asked: Recount, counts: Counts) -> None:
    """Count each subject's first value in every slice; `rows` are the outcomes by receipt in their order."""
    seen: set[tuple[StepName, int, SliceName]] = set()
    for row in rows:
        value = _value(metric, asked, score=row.score, happened=row.happened, slices=row.slices, facts=row.facts)
        if value is None:
            continue
        bin_ = metric.bin(value, chance=row.chances.get(metric.name, 0.0))
        for slice_ in asked.members(row.slices):
            if (row.step, row.unit, slice_) not in seen:
                seen.add((row.step, row.unit, slice_))
                counts[row.step, row.arm, metric.name, slice_, bin_] += 1


def count_pairs(metric: Metric, rows: Sequence[PairRow], asked: Recount, counts: Counts) -> None:
    """Compare both arms' losses, or a formula's values, on each request."""
    seen: set[tuple[int, SliceName]] = set()
    for row in rows:
        mine, theirs = (
            _loss(metric, asked, score=score, happened=row.happened, slices=row.slices, facts=row.facts)
            for score in (row.candidate, row.incumbent)
        )
        if mine is None or theirs is None:
            continue
        bin_ = pair_bin(metric, candidate=mine, incumbent=theirs, chance=row.chances.get(metric.name, 0.0))
        for slice_ in asked.members(row.slices):
            if (row.unit, slice_) not in seen:
                seen.add((row.unit, slice_))
                counts[row.step, Arm.CANDIDATE, pair_metric(metric.name), slice_, bin_] += 1


def count_answers(rows: Sequence[AnswersRow], asked: Recount, counts: Counts) -> None:
    """Compare how the arms answered; `rows` are those that were counted, by source, in their order."""
    if asked.rules is None:
        return
    seen: set[tuple[str, int, StepName, int]] = set()
    for row in rows:
        who = (row.source, row.epoch, row.step, row.unit)
        if who in seen:
            continue
        seen.add(who)
        candidate, incumbent = (
            Half(request=0, score=score, answer=f"{answer or ''}", microseconds=took, features=features)
            for score, answer, took, features in (
                (row.candidate_score, row.candidate_answer, row.candidate_us, row.candidate_features),
                (row.incumbent_score, row.incumbent_answer, row.incumbent_us, row.incumbent_features),
            )
        )
        for kind, bin_ in compared(asked.rules, candidate=candidate, incumbent=incumbent).items():
            for slice_ in asked.members(row.slices):
                counts[row.step, Arm.CANDIDATE, answers_metric(kind), slice_, bin_] += 1


def count_blocks(blocks: Sequence[BlockRow], outcomes: Sequence[OutcomeRow], asked: Recount, counts: Counts) -> None:
    """Compare the arms' orders in each block whose outcomes are all known, in its slice, and in no earlier one of it."""
    truth: dict[tuple[StepName, int], OutcomeRow] = {}
    for row in outcomes:
        if row.happened is not None and row.score != NO_SCORE:
            truth.setdefault((row.step, row.unit), row)
    stood: dict[tuple[StepName, SliceName], set[int]] = defaultdict(set)
    for block in blocks:
        earlier = stood[block.step, block.slice]
        known = [truth.get((block.step, unit)) for unit in block.units]
        rows = [row for row in known if row is not None and block.slice in asked.members(row.slices)]
        sound = len(rows) == len(set(block.units)) == len(block.units) and not earlier & set(block.units)
        earlier |= set(block.units)
        parts = [
            [(row.score / SCORE_LEVELS, row.happened is True) for row in rows if row.arm is arm]
            for arm in (Arm.CANDIDATE, Arm.INCUMBENT)
        ]
        for metric in asked.ranked if sound else ():
            gap = (auc_gap if metric.kind is Kind.AUC else precision_gap)(parts[0], parts[1])
            if gap is not None:
                bin_ = gap_bin(gap, chance=block.chances[metric.name])
                counts[block.step, Arm.CANDIDATE, pair_metric(metric.name), block.slice, bin_] += 1


def _loss(
    metric: Metric, asked: Recount, *, score: int, happened: bool | None, slices: str, facts: str
) -> float | None:
    if metric.loss is None:
        return _value(metric, asked, score=score, happened=happened, slices=slices, facts=facts)
    return None if happened is None else loss_of(metric.loss, probability=score / SCORE_LEVELS, happened=happened)


def _value(
    metric: Metric, asked: Recount, *, score: int, happened: bool | None, slices: str, facts: str
) -> float | None:
    known: Mapping[str, object] = {
        **msgspec.json.decode(facts),
        **read_slices(slices),
        PREDICTION: None if score == NO_SCORE else score / SCORE_LEVELS,
        HAPPENED: happened,
    }
    if not isinstance(metric.formula, Expression):
        return asked.valued(metric, known)
    fields = {each.name: "" for each in metric.formula.inputs if each.name not in known and each.name != PREDICTION}
    late = {each.name for each in metric.formula.inputs if each.comes.value == "outcome"}
    value = compile_expression(metric.formula)({**{k: v for k, v in fields.items() if k not in late}, **known})
    return None if isinstance(value, (Undefined, str)) or math.isnan(value) else float(value)
