"""From rounds under load to figures: latencies with intervals, the load that is carried, and what a prediction costs.

A request without a valid answer counts as if it had taken the whole timeout. The interval of a quantile is the wider of two: the exact
one of order statistics, and a bootstrap of blocks of time, since neighbours wait in the same queue.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from glideslope.domain.decision import Verdict
from glideslope.evaluate import intervals
from glideslope.evaluate.declared import HIGHER_IS_BETTER, Cost, Load, Target
from glideslope.evaluate.loading import BLOCKS, Round
from glideslope.evaluate.results import Bound, Carried, Comparison, Figure, Level, figure, verdict_of
from glideslope.evaluate.scoring import bounds_of, combination

Floats = npt.NDArray[np.float64]
Ends = tuple[float | None, float | None]

QUANTILES: Final = {"latency_p50": 0.5, "latency_p95": 0.95, "latency_p99": 0.99}
MOST_REPLICATES: Final = 1_000
UNITS: Final = {"throughput": "per second", "cost": "per thousand", "errors": "share"}
REPLAY: Final = "replay"


@dataclass(frozen=True, slots=True)
class Arm:
    """All rounds of one arm at one level, put together. Latencies in milliseconds, ascending, with the block of each."""

    offered: int
    answered: int
    carried: int
    seconds: float
    latency: Floats
    block: npt.NDArray[np.int64]
    blocks: int
    lag_p99: float
    cpu: Floats | None
    """CPU seconds of each block."""
    answered_in: Floats
    """Answers of each block."""


def arm_of(rounds: Sequence[Round], *, timeout: float, within: float) -> Arm:
    """Put rounds together. `timeout` and `within` in milliseconds."""
    latency = np.concatenate([np.array(r.latency, dtype=float) / 1000 for r in rounds])
    ok = np.concatenate([np.array(r.ok, dtype=bool) for r in rounds])
    block = np.concatenate(
        [
            np.minimum((np.array(r.due, dtype=float) / 1e6 * BLOCKS / r.seconds).astype(np.int64), BLOCKS - 1)
            + BLOCKS * k
            for k, r in enumerate(rounds)
        ]
    )
    latency[~ok] = np.maximum(latency[~ok], timeout)
    blocks = BLOCKS * len(rounds)
    order = np.argsort(latency, kind="stable")
    lags = np.concatenate([np.array(r.lag, dtype=float) / 1000 for r in rounds])
    cpu = [np.diff(np.array(r.cpu)) for r in rounds if r.cpu is not None]
    return Arm(
        offered=len(latency),
        answered=int(ok.sum()),
        carried=int((ok & (latency <= within)).sum()),
        seconds=sum(r.seconds for r in rounds),
        latency=latency[order],
        block=block[order],
        blocks=blocks,
        lag_p99=float(np.quantile(lags, 0.99)) if len(lags) else 0.0,
        cpu=np.concatenate(cpu) if len(cpu) == len(rounds) else None,
        answered_in=np.bincount(block, ok, minlength=blocks).astype(np.float64),
    )


def level_of(
    name: str,
    rate: float,
    candidate: Arm,
    incumbent: Arm,
    *,
    load: Load,
    confidence: float,
    replicates: int,
    seed: Sequence[int],
) -> Level:
    """Describe a level."""
    drawn = _draw(candidate.blocks, replicates, seed=seed)
    shown = [_carried(arm, drawn, confidence=confidence) for arm in (candidate, incumbent)]
    verdicts = [_is_carried(each.carried, at_least=load.carried) for each in shown]
    return Level(
        name=name,
        rate=rate,
        seconds=candidate.seconds,
        candidate=shown[0],
        incumbent=shown[1],
        candidate_verdict=verdicts[0],
        incumbent_verdict=verdicts[1],
    )


def compare_service(
    targets: Mapping[str, Target],
    arms: Mapping[float, tuple[Arm, Arm]],
    levels: Sequence[Level],
    *,
    load: Load,
    cost: Cost | None,
    confidence: float,
    replicates: int,
    seed: Sequence[int],
) -> tuple[Comparison, ...]:
    """Compare the arms under load by latency, throughput and cost, and judge what was asked."""
    judged = load.latency_at or load.levels[-1]
    pair = arms[judged]
    drawn = _draw(pair[0].blocks, replicates, seed=seed)
    found = []
    for metric, level in QUANTILES.items():
        samples = [_quantiles(arm, level, drawn) for arm in pair]
        values = [_quantile(arm.latency, level) for arm in pair]
        exact = [_exact(arm.latency, level, confidence=confidence) for arm in pair]
        found.append(
            _comparison(
                metric,
                targets.get(metric),
                values,
                samples=samples,
                exact=exact,
                pair=pair,
                confidence=confidence,
                at=f"{judged:g}/s",
            )
        )
    carried = [_throughput(levels, load, arm) for arm in ("candidate", "incumbent")]
    found.append(_between("throughput", targets.get("throughput"), carried, pair, slice_name="ladder"))
    if cost is not None and cost.per_hour is not None:
        found.append(
            _between(
                "cost",
                targets.get("cost"),
                [_per_hour(cost.per_hour, each) for each in carried],
                pair,
                slice_name="ladder",
            )
        )
    elif cost is not None and cost.per_cpu_hour is not None and all(arm.cpu is not None for arm in pair):
        samples = [_cpu_cost(arm, drawn, price=cost.per_cpu_hour) for arm in pair]
        ones = np.ones((1, pair[0].blocks))
        values = [float(_cpu_cost(arm, ones, price=cost.per_cpu_hour)[0]) for arm in pair]
        none: list[Ends] = [(value, value) for value in values]
        found.append(
            _comparison(
                "cost",
                targets.get("cost"),
                values,
                samples=samples,
                exact=none,
                pair=pair,
                confidence=confidence,
                at=f"{judged:g}/s",
            )
        )
    return tuple(found)


def compare_errors(target: Target | None, unanswered: tuple[int, int], *, count: int, confidence: float) -> Comparison:
    """Compare the shares of held-out rows without a valid answer. Nobody asked: none is allowed.

    A limit of 0 is about these rows alone and is met by none of them; any other is about what they stand for.
    """
    target = target or Target(limit=0.0)
    values = [missing / count for missing in unanswered]
    ends = [intervals.share(missing, count, confidence=confidence) for missing in unanswered]
    bounds = []
    for kind, written, tolerance in bounds_of(target):
        a, b, c = combination(tolerance, higher_is_better=False)
        if tolerance == 0.0:
            excess = figure(values[0], (values[0], values[0]))
        else:
            low, high = _mover((a, b), values, ends, c)
            excess = figure(a * values[0] + b * values[1] + c, (low, high))
        bounds.append(Bound(kind=kind, tolerance=written, excess=excess, verdict=verdict_of(excess)))
    return Comparison(
        metric="errors",
        slice="all",
        higher_is_better=False,
        unit="share",
        candidate=figure(values[0], ends[0]),
        incumbent=figure(values[1], ends[1]),
        difference=figure(values[0] - values[1], _mover((1.0, -1.0), values, ends, 0.0)),
        count=count,
        groups=count,
        method="exact for each arm, combined",
        bounds=tuple(bounds),
    )


def _draw(blocks: int, replicates: int, *, seed: Sequence[int]) -> Floats:
    return intervals.weights(blocks, min(replicates, MOST_REPLICATES), rng=np.random.default_rng(seed))


def _quantile(ascending: Floats, level: float) -> float:
    return (
        float(ascending[min(len(ascending) - 1, int(np.ceil(level * len(ascending))) - 1)])
        if len(ascending)
        else np.nan
    )


def _quantiles(arm: Arm, level: float, drawn: Floats) -> Floats:
    """Return the quantile of each sample of blocks."""
    found = np.full(len(drawn), np.nan)
    for start in range(0, len(drawn), 64):
        weight = drawn[start : start + 64][:, arm.block]
        passed = np.cumsum(weight, axis=1)
        total = passed[:, -1:]
        first = np.argmax(passed >= level * total, axis=1)
        found[start : start + 64] = np.where(total[:, 0] > 0, arm.latency[first], np.nan)
    return found


def _exact(ascending: Floats, level: float, *, confidence: float) -> Ends:
    low, high = intervals.quantile_ranks(len(ascending), level, confidence=confidence)
    return (None if low is None else float(ascending[low])), (None if high is None else float(ascending[high]))


def _wider(one: Ends | None, other: Ends) -> Ends | None:
    """Return the union of two intervals; what one of them leaves open is open."""
    if one is None:
        return None
    low = None if one[0] is None or other[0] is None else min(one[0], other[0])
    high = None if one[1] is None or other[1] is None else max(one[1], other[1])
    return low, high


def _mover(weights: tuple[float, float], values: Sequence[float], ends: Sequence[Ends], constant: float) -> Ends:
    """Return the interval of a weighted sum from those of its parts, taken as independent (Zou and Donner 2008)."""
    value = sum(w * v for w, v in zip(weights, values, strict=True)) + constant
    down, up = 0.0, 0.0
    open_down, open_up = False, False
    for weight, each, (low, high) in zip(weights, values, ends, strict=True):
        if weight == 0.0:
            continue
        below, above = (low, high) if weight > 0 else (high, low)
        open_down, open_up = open_down or below is None, open_up or above is None
        down += 0.0 if below is None else (weight * (each - below)) ** 2
        up += 0.0 if above is None else (weight * (above - each)) ** 2
    return (None if open_down else value - down**0.5), (None if open_up else value + up**0.5)


def _comparison(
    metric: str,
    target: Target | None,
    values: Sequence[float],
    *,
    samples: Sequence[Floats],
    exact: Sequence[Ends],
    pair: tuple[Arm, Arm],
    confidence: float,
    at: str,
) -> Comparison:
    def of(weights: tuple[float, float], constant: float = 0.0) -> Figure:
        drawn = sum(w * s for w, s in zip(weights, samples, strict=True) if w) + constant
        boot = intervals.percentiles(np.asarray(drawn), confidence=confidence, groups=pair[0].blocks)
        value = sum(w * v for w, v in zip(weights, values, strict=True) if w) + constant
        return figure(value, _wider(boot, _mover(weights, values, exact, constant)))

    bounds = []
    for kind, written, tolerance in bounds_of(target):
        a, b, c = combination(tolerance, higher_is_better=False)
        excess = of((a, b), c)
        bounds.append(Bound(kind=kind, tolerance=written, excess=excess, verdict=verdict_of(excess)))
    return Comparison(
        metric=metric,
        slice=at,
        higher_is_better=False,
        unit=UNITS.get(metric, "ms"),
        candidate=of((1.0, 0.0)),
        incumbent=of((0.0, 1.0)),
        difference=of((1.0, -1.0)),
        count=pair[0].offered,
        groups=pair[0].blocks,
        method="bootstrap by block of time" if metric == "cost" else "order statistics and bootstrap by block of time",
        bounds=tuple(bounds),
    )


def _between(
    metric: str, target: Target | None, ends: Sequence[tuple[float, Ends]], pair: tuple[Arm, Arm], *, slice_name: str
) -> Comparison:
    """Compare what is known to lie between two rungs of the ladder: no chance is left in that, so the ends are simply combined."""
    higher = metric in HIGHER_IS_BETTER

    def of(a: float, b: float, c: float = 0.0) -> Figure:
        value, low, high = c, c, c
        known_low, known_high = True, True
        for weight, (each, (down, up)) in zip((a, b), ends, strict=True):
            if weight == 0.0:
                continue
            value += weight * each
            below, above = (down, up) if weight > 0 else (up, down)
            known_low, known_high = known_low and below is not None, known_high and above is not None
            low += weight * (below or 0.0)
            high += weight * (above or 0.0)
        return figure(value, (low if known_low else None, high if known_high else None))

    bounds = []
    for kind, written, tolerance in bounds_of(target):
        excess = of(*combination(tolerance, higher_is_better=higher))
        bounds.append(Bound(kind=kind, tolerance=written, excess=excess, verdict=verdict_of(excess)))
    return Comparison(
        metric=metric,
        slice=slice_name,
        higher_is_better=higher,
        unit=UNITS[metric],
        candidate=of(1.0, 0.0),
        incumbent=of(0.0, 1.0),
        difference=of(1.0, -1.0),
        count=pair[0].offered,
        groups=pair[0].blocks,
        method="between the highest load that is carried and the lowest that is not",
        bounds=tuple(bounds),
    )


def _throughput(levels: Sequence[Level], load: Load, arm: str) -> tuple[float, Ends]:
    """Return the highest load that is carried, as are all below it, and up to where it may lie; no more than the peak was asked."""
    ladder = [each for each in levels if each.name != REPLAY]
    verdicts = [each.candidate_verdict if arm == "candidate" else each.incumbent_verdict for each in ladder]
    carried = 0.0
    for level, verdict in zip(ladder, verdicts, strict=True):
        if verdict is not Verdict.PASS:
            break
        carried = level.rate
    not_carried = [level.rate for level, verdict in zip(ladder, verdicts, strict=True) if verdict is Verdict.FAIL]
    return carried, (carried, not_carried[0] if not_carried else load.levels[-1])


def _per_hour(price: float, throughput: tuple[float, Ends]) -> tuple[float, Ends]:
    value, (low, high) = throughput

    def cost(rate: float | None) -> float | None:
        return price / 3600 / rate * 1000 if rate else None

    worst = cost(low)
    return (worst if worst is not None else np.nan), (cost(high), cost(low) if value else None)


def _cpu_cost(arm: Arm, drawn: Floats, *, price: float) -> Floats:
    assert arm.cpu is not None  # noqa: S101 - its callers have looked
    answered = drawn @ arm.answered_in
    found: Floats = np.divide(
        price / 3600 * 1000 * (drawn @ arm.cpu), answered, out=np.full(len(drawn), np.nan), where=answered > 0
    )
    return found


def _carried(arm: Arm, drawn: Floats, *, confidence: float) -> Carried:
    def latency(level: float) -> Figure:
        boot = intervals.percentiles(_quantiles(arm, level, drawn), confidence=confidence, groups=arm.blocks)
        return figure(_quantile(arm.latency, level), _wider(boot, _exact(arm.latency, level, confidence=confidence)))

    cpu = None
    if arm.cpu is not None:
        seconds = _cpu_cost(arm, drawn, price=3600.0)
        value = _cpu_cost(arm, np.ones((1, arm.blocks)), price=3600.0)[0]
        cpu = figure(float(value), intervals.percentiles(seconds, confidence=confidence, groups=arm.blocks))
    return Carried(
        offered=arm.offered,
        answered=arm.answered,
        late=arm.answered - arm.carried,
        failed=arm.offered - arm.answered,
        carried=figure(
            arm.carried / max(1, arm.offered), intervals.share(arm.carried, arm.offered, confidence=confidence)
        ),
        per_second=figure(arm.answered / arm.seconds).value or 0.0,
        latency_p50=latency(0.5),
        latency_p95=latency(0.95),
        latency_p99=latency(0.99),
        sent_late_p99=figure(arm.lag_p99).value or 0.0,
        cpu_per_thousand=cpu,
    )


def _is_carried(share: Figure, *, at_least: float) -> Verdict:
    if share.low is not None and share.low >= at_least:
        return Verdict.PASS
    if share.high is not None and share.high < at_least:
        return Verdict.FAIL
    return Verdict.INCONCLUSIVE
