"""What people are shown of a model's live input: drift against the reference, quality against the contract, arm against arm."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from glideslope.domain.contract import ABOVE, FIRST, MISSING, OUTSIDE, WRONG, Contract, FeatureRule, FeatureType
from glideslope.domain.plan import Step
from glideslope.domain.receipt import SCORE_LEVELS
from glideslope.domain.traffic import Arm
from glideslope.engine.features import Held, slices_of, total
from glideslope.engine.views import ArmsFeature, FeatureShift, FeaturesView, FeatureView
from glideslope.stats import drift
from glideslope.stats.counts import Table
from glideslope.stats.twosided import PlacesDiffer
from glideslope.stats.wealth import log_wealth

ALPHA: Final = 0.01
"""Chance that any feature at all is flagged of a finished day, or ever during one, without drift."""
ENOUGH: Final = 50
"""Rows below which no drift is looked for."""

_BAD: Final = (WRONG, OUTSIDE, ABOVE)


def features_view(
    contract: Contract,
    days: Mapping[int, Mapping[Arm, Held]],
    *,
    today: int,
    steps: Sequence[tuple[Step, Mapping[Arm, Held]]],
) -> FeaturesView:
    """Hold what was counted against the contract. `steps` are those of the rollout in progress."""
    finished = max((number for number in days if number < today), default=None)
    yesterday = None if finished is None else total(days[finished].values())
    live = total(days[today].values()) if today in days else None
    shifts = [
        _shift(rule, where, day=yesterday, live=live)
        for rule, where in zip(contract.features, slices_of(contract), strict=True)
    ]
    adjusted = drift.holm({k: shift.p for k, shift in enumerate(shifts) if shift is not None and shift.p is not None})
    line = len([rule for rule in contract.features if rule.reference]) / ALPHA
    return FeaturesView(
        model=contract.model,
        contract=contract.short,
        advisory=True,
        day="" if finished is None else _date(finished),
        rows=sum(yesterday.rows[:2]) if yesterday else 0,
        rows_today=sum(live.rows[:2]) if live else 0,
        broken_today=live.rows[1] if live else 0,
        surplus_today=live.rows[2] if live else 0,
        alpha=ALPHA,
        tolerated_psi=drift.TOLERATED,
        features=tuple(
            _view(rule, shift, held=live or yesterday, where=where, adjusted=adjusted.get(k), line=line)
            for k, (rule, shift, where) in enumerate(zip(contract.features, shifts, slices_of(contract), strict=True))
        ),
        arms=tuple(_arms(contract, steps)),
    )


class _Shift:
    """One feature's two looks: at the last finished day, once; at today, as often as anybody asks."""

    __slots__ = ("bins", "log_wealth", "p", "reference")

    def __init__(self, *, reference: Sequence[int], bins: Sequence[int], p: float | None, log_wealth: float) -> None:
        self.reference = reference
        self.bins = bins
        self.p = p
        self.log_wealth = log_wealth


def values(counts: Sequence[int], rule: FeatureRule) -> list[int]:
    """Return the rows with a value, by bin: beyond the range in the outer bins, unknown categories in one of their own."""
    found = list(counts[FIRST:])
    if rule.type is FeatureType.TEXT:
        return [*found, counts[OUTSIDE]]
    found[0] += counts[OUTSIDE]
    found[-1] += counts[ABOVE]
    return found


def _shift(rule: FeatureRule, where: slice, *, day: Held | None, live: Held | None) -> _Shift | None:
    if not rule.reference:
        return None
    reference = values(rule.reference, rule)
    finished = values(day.counts[where], rule) if day else [0] * len(reference)
    now = values(live.counts[where], rule) if live else [0] * len(reference)
    judged = day is not None and sum(finished) >= ENOUGH
    return _Shift(
        reference=reference,
        bins=now if sum(now) >= ENOUGH else finished,
        p=drift.p_value(reference, finished) if judged else None,
        log_wealth=drift.watched(drift.bands(reference, tolerance=1.5, alpha=ALPHA / 10), now),
    )


def _view(
    rule: FeatureRule, shift: _Shift | None, *, held: Held | None, where: slice, adjusted: float | None, line: float
) -> FeatureView:
    counts = held.counts[where] if held else [0] * rule.places
    rows = sum(counts)
    flagged_day = adjusted is not None and adjusted <= ALPHA
    flagged_now = shift is not None and drift.unlikely(shift.log_wealth) <= 1 / line
    shifted = _shifts(rule, shift, held=held, where=where) if shift and rows else ()
    return FeatureView(
        name=rule.name,
        type=rule.type.value,
        tags=rule.tags,
        rows=rows,
        missing=counts[MISSING],
        wrong_type=counts[WRONG],
        out_of_range=counts[OUTSIDE] + counts[ABOVE] if rule.type is not FeatureType.TEXT else 0,
        unseen=counts[OUTSIDE] if rule.type is FeatureType.TEXT else 0,
        breaches=tuple(_breaches(rule, counts)),
        psi=_figure(drift.corrected_psi(shift.reference, shift.bins)) if shift and rows else None,
        jensen_shannon=_figure(drift.jensen_shannon(shift.reference, shift.bins)) if shift and rows else None,
        wasserstein=_moved(rule, shift) if shift and rows else None,
        p_value=shift.p if shift else None,
        adjusted_p_value=adjusted,
        anytime_p_value=drift.unlikely(shift.log_wealth) if shift else None,
        drifted=flagged_day or flagged_now,
        said_by=" and ".join(
            word for word, flagged in (("the finished day", flagged_day), ("today so far", flagged_now)) if flagged
        ),
        shifts=shifted,
        influenced=_figure(sum(s.live - s.reference for s in shifted if s.live > s.reference)) if shifted else None,
    )


def _breaches(rule: FeatureRule, counts: Sequence[int]) -> list[str]:
    """Say by which the contract is broken: any wrong value, and more missing than may be, by more than chance."""
    found = []
    rows = sum(counts)
    if counts[WRONG]:
        found.append(f"{counts[WRONG]:,} rows hold another type than {rule.type.value}")
    if rule.type is FeatureType.TEXT:
        if counts[OUTSIDE]:
            found.append(f"{counts[OUTSIDE]:,} rows hold an unknown category")
    elif counts[OUTSIDE] or counts[ABOVE]:
        found.append(f"{counts[OUTSIDE] + counts[ABOVE]:,} rows lie outside the range")
    missing = counts[MISSING]
    if missing and rule.missing == 0.0:
        found.append(f"{missing:,} rows have no value")
    elif missing and rule.missing < 1.0:
        (_, band) = drift.bands((rows - missing, missing), tolerance=1.0, alpha=ALPHA)
        if band.low > rule.missing:
            found.append(f"{missing / rows:.2%} of rows have no value; the contract allows {rule.missing:.2%}")
    return found


def _shifts(rule: FeatureRule, shift: _Shift, *, held: Held | None, where: slice) -> tuple[FeatureShift, ...]:
    """Return the bins whose share changed most, and the scores of their rows beside those of all others."""
    if held is None:
        return ()
    m, n = sum(shift.reference), sum(shift.bins)
    if not m or not n:
        return ()
    counts, sums = held.counts[where], held.sums[where]
    scored = sum(sums[FIRST:]) > 0
    every, added = sum(counts[FIRST:]), sum(sums[FIRST:])
    found = []
    for bin_, (a, b) in enumerate(zip(shift.reference, shift.bins, strict=True)):
        place = FIRST + bin_ if bin_ < rule.bins else OUTSIDE
        inside, score = counts[place], sums[place]
        others, rest = (every - inside, added - score) if place != OUTSIDE else (every, added)
        found.append(
            FeatureShift(
                values=rule.shown(place),
                reference=_figure(a / m),
                live=_figure(b / n),
                score_here=_figure(score / inside / SCORE_LEVELS) if scored and inside else None,
                score_elsewhere=_figure(rest / others / SCORE_LEVELS) if scored and others else None,
            )
        )
    return tuple(sorted(found, key=lambda s: -abs(s.live - s.reference))[:3])


def _moved(rule: FeatureRule, shift: _Shift) -> float | None:
    if rule.type is FeatureType.TEXT:
        return None
    edges = rule.edges if rule.type is not FeatureType.BOOLEAN else (0.5,)
    spread = (edges[-1] - edges[0]) / max(1, len(edges) - 1) if len(edges) > 1 else 1.0
    low = rule.low if rule.low is not None else (edges[0] - spread if edges else 0.0)
    high = rule.high if rule.high is not None else (edges[-1] + spread if edges else 1.0)
    low, high = (min(low, edges[0]), max(high, edges[-1])) if edges else (low, high)
    return _figure(drift.wasserstein(shift.reference, shift.bins, edges, low=low, high=high))


def _arms(contract: Contract, steps: Sequence[tuple[Step, Mapping[Arm, Held]]]) -> list[ArmsFeature]:
    """Compare the arms per feature under the steps' coins: with the same input, each place is as likely in both."""
    found = []
    compared = [(step, held) for step, held in steps if len(held) == 2]
    if not compared:
        return []
    line = len(contract.features) / ALPHA
    for rule, where in zip(contract.features, slices_of(contract), strict=True):
        tables, candidate, incumbent = [], [0] * rule.places, [0] * rule.places
        for step, held in compared:
            a, b = held[Arm.CANDIDATE].counts[where], held[Arm.INCUMBENT].counts[where]
            weights = step.split.weights()
            tables.append(Table(weights.candidate, weights.control, tuple(a), tuple(b)))
            candidate = list(map(int.__add__, candidate, a))
            incumbent = list(map(int.__add__, incumbent, b))
        log = between(tables)
        found.append(
            ArmsFeature(
                name=rule.name,
                candidate_rows=sum(candidate),
                incumbent_rows=sum(incumbent),
                missing=(candidate[MISSING], incumbent[MISSING]),
                broken=(sum(candidate[p] for p in _BAD), sum(incumbent[p] for p in _BAD)),
                psi=_figure(drift.corrected_psi(incumbent, candidate)),
                anytime_p_value=drift.unlikely(log),
                differs=drift.unlikely(log) <= 1 / line,
            )
        )
    return found


def between(tables: Sequence[Table]) -> float:
    """Return the logarithm of the wealth against "each place is as likely in both arms, given the past": see `stats.twosided`."""
    return log_wealth(PlacesDiffer(tables[0].bins), tables)


def _figure(number: float) -> float:
    return round(number, 6)


def _date(number: int) -> str:
    return datetime.fromtimestamp(number * 86_400, UTC).strftime("%Y-%m-%d")
