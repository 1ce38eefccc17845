"""Counts a rollout again from its rows: which statements are run for what a plan counts, and what their answers mean."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, assert_never

import msgspec

from glideslope.adapters.logs.parquet import comparisons, sql
from glideslope.adapters.logs.parquet.expressions import value_of
from glideslope.domain.formula import HAPPENED, PREDICTION, Expression, Formula, Plugin
from glideslope.domain.ids import WHOLE, MetricName, SliceName, StepName
from glideslope.domain.logged import TOSS, read_slices
from glideslope.domain.metric import (
    DIFFERENCE_BINS,
    ERRORS,
    EXPOSURE,
    OUTCOME_SEEN,
    Kind,
    Metric,
    Origin,
    pair_metric,
)
from glideslope.domain.pairs import RATIO_EDGES, PairKind, PairRules, answers_metric, tolerance
from glideslope.domain.receipt import SCORE_LEVELS
from glideslope.domain.traffic import Arm
from glideslope.engine.prediction_log import Members, Recount, Recounted, Recounts, Whose

Values = dict[str, object]
Rows = Callable[[str, Mapping[str, object]], list[tuple[Any, ...]]]
"""Runs one statement with those of the values that it names."""

MIDDLE: Final = DIFFERENCE_BINS // 2


def recounted(rows: Rows, asked: Recount) -> Recounts:
    """Return every count again. What it makes on its way are temporary tables, which the caller drops."""
    values: Values = {
        "model": asked.model,
        "rollout": asked.rollout,
        "until": asked.until,
        "settle": asked.settle,
        "mark": asked.mark,
        "levels": SCORE_LEVELS,
        "whole": WHOLE,
        "middle": MIDDLE,
    }
    for step in sql.OUTCOMES:
        rows(step, values)
    give_members(rows, "SELECT slices FROM by_receipt UNION SELECT slices FROM by_join", asked.members)
    rows(sql.TRUTHS, values)
    found = [
        Recounted(StepName(step), Arm(arm), OUTCOME_SEEN, WHOLE, 0, count)
        for step, arm, count in rows(sql.SEEN, values)
    ]
    for metric in asked.metrics:
        found += _metric(rows, metric, asked, values)
    found += _first_values(rows, _PREDICTIONS, _EXPOSED, "1::DOUBLE", asked=asked, values=values)
    found += _first_values(rows, _EXPOSURES, _EXPOSED, "1::DOUBLE", asked=asked, values=values)
    if asked.ranked:
        found += _orders(rows, asked, values)
    if asked.paired:
        found += _pairs(rows, asked, values)
    if asked.rules is not None:
        found += _answers(rows, asked.rules, asked, values)
    missing = [
        rows(sql.MISSING.format(table=table), values | _marks(marks))[0][0]
        for table, marks in (
            ("predictions", asked.services),
            ("requests", asked.gateways),
            ("answers", asked.answers),
        )
    ]
    return Recounts(counts=found, missing=sum(missing), unmatched=rows(sql.UNMATCHED, values)[0][0])


def give_members(rows: Rows, texts: str, members: Members) -> None:
    """Tell which slices each set of fields belongs to; there are few sets, however many rows."""
    pairs = [(text, slice_) for (text,) in rows(texts, {}) for slice_ in members(text)]
    rows(sql.MEMBERS, {"texts": [text for text, _ in pairs], "slices": [slice_ for _, slice_ in pairs]})


def counted(
    rows: Rows, metric: MetricName, text: str, *, values: Mapping[str, object], members: Members
) -> list[Recounted]:
    """Run a statement over units, and count each in every slice of its fields; the gateway knows of none."""
    counts: dict[tuple[str, str, SliceName, int], int] = {}
    for step, arm, slices, bin_, count in rows(text, values):
        for slice_ in members(slices):
            place = (step, arm, slice_, bin_)
            counts[place] = counts.get(place, 0) + count
    return [
        Recounted(StepName(step), Arm(arm), metric, slice_, bin_, count)
        for (step, arm, slice_, bin_), count in counts.items()
    ]


def _metric(rows: Rows, metric: Metric, asked: Recount, values: Values) -> list[Recounted]:
    if metric.formula is not msgspec.UNSET and metric.origin is Origin.OUTCOME:
        return _formula(rows, metric, metric.formula, asked=asked, values=values)
    if metric.within is not msgspec.UNSET:
        within = values | {"within": metric.within}
        return counted(rows, metric.name, comparisons.SILENT, values=within, members=asked.members)
    if metric.origin is Origin.OUTCOME:
        return _losses(rows, metric, values)
    found = []
    if metric.kind is Kind.EVENT:
        found += _events(rows, _PREDICTIONS, metric.name, "p.metrics[$metric] > 0", asked=asked, values=values)
    else:
        found += _first_values(rows, _PREDICTIONS, metric, "p.metrics[$metric]", asked=asked, values=values)
    if metric.name == ERRORS.name:
        bad = "(p.rescued OR p.status = 0 OR p.status >= 500)"
        found += _events(rows, _REQUESTS, metric.name, bad, asked=asked, values=values)
    if metric.kind is Kind.LATENCY and metric.origin is Origin.GATEWAY:
        milliseconds = "(p.latency_us::DOUBLE / 1000::DOUBLE)"
        found += _first_values(rows, _LATENCIES, metric, milliseconds, asked=asked, values=values)
    return found


def _events(
    rows: Rows, kind: "_Kind", metric: MetricName, bad: str, *, asked: Recount, values: Values
) -> list[Recounted]:
    text = sql.EVENTS.format(table=kind.table, slices=kind.slices, bad=bad, has=kind.has)
    told = values | _marks(kind.marks(asked)) | {"metric": metric}
    return counted(rows, metric, text, values=told, members=asked.members)


def _first_values(
    rows: Rows, kind: "_Kind", metric: Metric, value: str, *, asked: Recount, values: Values
) -> list[Recounted]:
    text = sql.FIRST_VALUES.format(
        table=kind.table,
        slices=kind.slices,
        unit=kind.unit,
        value=value,
        has=kind.has,
        in_flight=kind.in_flight,
        counts=kind.counts,
        toss="p.metrics[$toss]" if metric.is_dithered else "NULL",
        bin=comparisons.POINT if metric.is_dithered else sql.BINNED,
        below=comparisons.BELOW if metric.is_dithered else "0 AS below",
    )
    own = {
        "metric": metric.measured,
        "toss": f"{TOSS}{metric.name}",
        "edges": list(metric.edges),
        "last": metric.bins - 1,
        "tolerance": asked.tolerances.get(metric.name, 0.0),
        "threshold": asked.thresholds.get(metric.name, metric.edges[-1]),
    }
    return counted(rows, metric.name, text, values=values | _marks(kind.marks(asked)) | own, members=asked.members)


def _losses(rows: Rows, metric: Metric, values: Values) -> list[Recounted]:
    if metric.loss is None:
        text, last = sql.JOINTLY, len(metric.edges) - 1
    else:
        text, last = (
            sql.LOSSES.format(loss=sql.LOSS[metric.loss.value], bin=sql.BIN[metric.kind.value]),
            metric.bins - 1,
        )
    return _sliced(rows, metric, text, values | {"edges": list(metric.edges), "last": last})


def _formula(rows: Rows, metric: Metric, formula: Formula, *, asked: Recount, values: Values) -> list[Recounted]:
    told = comparisons.TOLD
    match formula:
        case Expression():
            value = value_of(formula)
        case Plugin():
            _give_values(rows, told, metric, asked=asked, values=values)
            told, value = _with_values(told)
        case _:
            assert_never(formula)
    text = comparisons.FORMULA.format(
        told=told,
        value=value,
        below=comparisons.BELOW if metric.is_dithered else "0 AS below",
        bin=comparisons.FORMULA_BIN[metric.kind.value],
    )
    own = {"edges": list(metric.edges), "last": metric.bins - 1, "metric": metric.name}
    return _sliced(rows, metric, text, values | own)


def _give_values(rows: Rows, told: str, metric: Metric, *, asked: Recount, values: Values, name: str = "made") -> None:
    """Ask a plug-in about every row: it is code, which no database has."""
    numbers, made = [], []
    text = f"SELECT first, prediction, happened, slices, facts FROM ({told})"  # noqa: S608 - our own statements
    for number, prediction, happened, slices, facts in rows(text, values):
        known = {**msgspec.json.decode(facts), **read_slices(slices), PREDICTION: prediction, HAPPENED: happened}
        value = asked.valued(metric, known)
        if value is not None:
            numbers.append(number)
            made.append(value)
    rows(comparisons.MADE.format(name=name), {"numbers": numbers, "made": made})


def _with_values(told: str, name: str = "made") -> tuple[str, str]:
    """Return a statement with what a plug-in made beside each row, and the name of it."""
    return f"SELECT * FROM ({told}) LEFT JOIN {name} USING (first)", name  # noqa: S608 - our own statements


def _sliced(rows: Rows, metric: Metric, text: str, values: Values) -> list[Recounted]:
    return [
        Recounted(StepName(step), Arm(arm), metric.name, SliceName(slice_), bin_, count)
        for step, arm, slice_, bin_, count in rows(text, values)
    ]


def _orders(rows: Rows, asked: Recount, values: Values) -> list[Recounted]:
    """Compare the arms' orders in each block again."""
    for step in comparisons.BLOCKS:
        rows(step, values)
    found = []
    for metric in asked.ranked:
        text = comparisons.GAPS.format(orders=comparisons.ORDERS[metric.kind.value])
        found += _of_pairs(metric.name, rows(text, values | {"metric": metric.name}))
    return found


def _pairs(rows: Rows, asked: Recount, values: Values) -> list[Recounted]:
    """Compare both arms' losses on each request again."""
    rows(comparisons.PAIRS, values)
    give_members(rows, comparisons.PAIRED_SLICES, asked.members)
    found = []
    for metric in asked.paired:
        met = "SELECT * FROM met"
        match metric.formula:
            case Expression() as written:
                mine, theirs = (value_of(written, score=side) for side in ("candidate", "incumbent"))
            case Plugin():
                for side in ("candidate", "incumbent"):
                    told = f"SELECT *, {side} AS prediction FROM met"  # noqa: S608 - our own statements
                    _give_values(rows, told, metric, asked=asked, values=values, name=f"made_{side}")
                    met, _ = _with_values(met, f"made_{side}")
                mine, theirs = "made_candidate", "made_incumbent"
            case _:
                loss = "" if metric.loss is None else metric.loss.value
                mine, theirs = (comparisons.loss_of(loss, side) for side in ("candidate", "incumbent"))
        text = comparisons.PAIR.format(met=met, mine=mine, theirs=theirs, bin=comparisons.PAIR_BIN[metric.kind.value])
        edges = metric.edges or (1.0,)
        own = {
            "metric": metric.name,
            "sign": metric.sign,
            "floor": edges[0] if metric.is_dithered else 0.0,
            "cap": edges[-1],
        }
        found += _of_pairs(metric.name, rows(text, values | own))
    return found


def _of_pairs(metric: MetricName, counts: list[tuple[Any, ...]]) -> list[Recounted]:
    name = pair_metric(metric)
    return [
        Recounted(StepName(step), Arm.CANDIDATE, name, SliceName(slice_), bin_, count)
        for step, slice_, bin_, count in counts
    ]


def _answers(rows: Rows, rules: PairRules, asked: Recount, values: Values) -> list[Recounted]:
    """Compare again how the arms answered, before anybody knew the truth."""
    own = {
        "yes": rules.threshold * SCORE_LEVELS,
        "ratios": list(RATIO_EDGES),
        "tolerance": tolerance(rules),
    }
    return [
        Recounted(StepName(step), Arm.CANDIDATE, answers_metric(PairKind(kind)), slice_, bin_, count)
        for step, slices, kind, bin_, count in rows(comparisons.ANSWERS, values | _marks(asked.answers) | own)
        for slice_ in asked.members(slices)
    ]


def _marks(marks: Mapping[Whose, int]) -> dict[str, object]:
    return {
        "sources": [source for source, _ in marks],
        "epochs": [epoch for _, epoch in marks],
        "marks": list(marks.values()),
    }


@dataclass(frozen=True, slots=True)
class _Kind:
    """A table of what sources count by themselves."""

    table: str
    slices: str
    has: str
    unit: str = "CASE WHEN p.subject <> 0 THEN p.subject ELSE -p.number END"
    in_flight: str = "false"
    counts: str = "true"

    def marks(self, asked: Recount) -> Mapping[Whose, int]:
        return asked.services if self.table == "predictions" else asked.gateways


_EXPOSED: Final = Metric(name=EXPOSURE, kind=Kind.SCORE, origin=Origin.GATEWAY, edges=(1.0,))
_PREDICTIONS: Final = _Kind("predictions", "p.slices", "p.metrics[$metric] IS NOT NULL")
_REQUESTS: Final = _Kind("requests", "'{}' AS slices", "NOT coalesce(p.in_flight, false)")
_WHO: Final = "CASE WHEN p.subject <> 0 THEN p.subject WHEN p.stream <> 0 THEN -p.stream ELSE -p.number END"
_EXPOSURES: Final = _Kind("requests", "'{}' AS slices", "true", unit=_WHO)
_LATENCIES: Final = _Kind(
    "requests",
    "'{}' AS slices",
    "true",
    unit=_WHO,
    in_flight="coalesce(p.in_flight, false)",
    # What has not ended counts once it is late; its end, or another request of its subject, finds it counted.
    counts="(NOT in_flight OR value > $threshold)",
)
