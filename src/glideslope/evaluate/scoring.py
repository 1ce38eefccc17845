"""How well both arms' answers met the truth on the same rows: points, paired intervals, and what was asked of them.

Groups are drawn with replacement, both arms and all metrics under the same draws, so what makes a day hard for both cancels.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final, assert_never

import numpy as np

from glideslope.domain.plan import Margin, MarginKind
from glideslope.evaluate import intervals
from glideslope.evaluate.binary import Binary
from glideslope.evaluate.declared import HIGHER_IS_BETTER, PER_CLASS, QUALITY, Kind, Target
from glideslope.evaluate.measures import Floats, Key, Measure, Scored, bins_of
from glideslope.evaluate.multiclass import Multiclass, most_probable
from glideslope.evaluate.regression import Regression
from glideslope.evaluate.results import Bound, Comparison, Figure, Reliability, figure, verdict_of

Asked = Mapping[str, Sequence[tuple[str, str, float | Margin]]]
"""Per metric the bounds that were asked: kind, as written, and what it is."""

WHOLE: Final = "all"
"""The slice that is no slice."""
UNITS: Final = {"log_loss": "nats", "accuracy": "share", "calibration_error": "probability", "recall": "share"}
_SHARES: Final = frozenset({"accuracy", "recall"})
_OF_SHARES: Final = frozenset({"f1", "macro_f1", "macro_recall"})
METHODS: Final = {"calibration_error": "debiased, bootstrap by group", "bias": "size of the mean, bootstrap by group"}


@dataclass(frozen=True, slots=True)
class _Samples:
    """A metric's value on all rows and on each replicate; the first axis is the arm, candidate first."""

    value: Floats
    replicates: Floats


def compare(
    scored: Scored,
    *,
    slice_name: str,
    asked: Asked,
    threshold: float,
    confidence: float,
    replicates: int,
    seed: Sequence[int],
    quantile: float = 0.5,
    outcome: str = "outcome",
) -> tuple[Comparison, ...]:
    """Compare the arms by every metric of quality, and judge what was asked.

    `threshold` is of a binary outcome and `quantile` of a regression. A class's own metrics stand as a slice, named by `outcome`, and
    come with the whole only.
    """
    rng = np.random.default_rng(seed)
    measure = _measure(scored, threshold=threshold, quantile=quantile)
    samples = _bootstrap(scored, measure, replicates=replicates, rng=rng)
    found = []
    for metric in QUALITY[scored.kind]:
        each = samples[metric, ""]
        found.append(
            _comparison(metric, scored, each, slice_name=slice_name, asked=asked.get(metric, ()), confidence=confidence)
        )
    if scored.kind == "multiclass" and slice_name == WHOLE:
        for metric, number, name in _of_classes(scored.classes):
            rows = scored.happened == number
            part = scored.select(rows)
            bounds, of_class = asked.get(metric, ()), class_slice(outcome, name)
            if not rows.any():
                found.append(_unknown(metric, of_class, bounds))
                continue
            each = samples[metric, name]
            found.append(_comparison(metric, part, each, slice_name=of_class, asked=bounds, confidence=confidence))
    return tuple(found)


def class_slice(outcome: str, name: str) -> str:
    """Name the rows of one class."""
    return f"{outcome}={name}"


def _of_classes(classes: Sequence[str]) -> Iterator[tuple[str, int, str]]:
    for metric in PER_CLASS:
        for number, name in enumerate(classes):
            yield metric, number, name


def bounds_of(target: Target | None, *, slices: bool = False) -> tuple[tuple[str, str, float | Margin], ...]:
    """Return what a target asks, of the whole or of each slice."""
    if target is None:
        return ()
    margin = target.slices if slices else target.margin
    found: list[tuple[str, str, float | Margin]] = []
    if target.limit is not None and not slices:
        found.append(("limit", f"{target.limit:g}", target.limit))
    if margin is not None:
        found.append(("margin", shown_margin(margin), margin))
    return tuple(found)


def shown_margin(margin: Margin) -> str:
    """Write a margin as people do."""
    return f"{margin.size:g}" if margin.kind is MarginKind.ABSOLUTE else f"{margin.size * 100:g}%"


def reliability(scored: Scored) -> Iterator[Reliability]:
    """Yield each arm's bins of equal count, for the eye: predicted and happened. Of several classes, that the most probable is right."""
    for arm, answers in (("candidate", scored.candidate), ("incumbent", scored.incumbent)):
        several = scored.kind == "multiclass"
        scores = answers.max(axis=1) if several else answers
        happened = most_probable(answers) == scored.happened if several else scored.happened
        bins = bins_of(scores)
        for each in range(int(bins.max()) + 1):
            chosen = bins == each
            yield Reliability(
                arm=arm,
                predicted=float(f"{scores[chosen].mean():.6g}"),
                happened=float(f"{happened[chosen].mean():.6g}"),
                count=int(chosen.sum()),
            )


def _comparison(
    metric: str,
    scored: Scored,
    samples: _Samples,
    *,
    slice_name: str,
    asked: Sequence[tuple[str, str, float | Margin]],
    confidence: float,
) -> Comparison:
    higher = metric in HIGHER_IS_BETTER
    spread = _SPREADS.get(metric, _plain_spread)

    def of(candidate: float, incumbent: float, constant: float = 0.0) -> Figure:
        found = spread(samples, candidate, incumbent, constant, confidence=confidence, groups=scored.groups)
        if metric in _SHARES | _OF_SHARES and (candidate == 0.0 or incumbent == 0.0):
            return _at_least_exact(
                found, metric, samples, (candidate, incumbent), constant, scored=scored, confidence=confidence
            )
        return found

    bounds = []
    for kind, written, tolerance in asked:
        excess = of(*combination(tolerance, higher_is_better=higher))
        bounds.append(Bound(kind=kind, tolerance=written, excess=excess, verdict=verdict_of(excess)))
    return Comparison(
        metric=metric,
        slice=slice_name,
        higher_is_better=higher,
        unit=UNITS.get(metric, ""),
        candidate=of(1.0, 0.0),
        incumbent=of(0.0, 1.0),
        difference=of(1.0, -1.0),
        count=len(scored.happened),
        groups=scored.groups,
        method=METHODS.get(metric, "paired bootstrap by group"),
        bounds=tuple(bounds),
    )


def _at_least_exact(
    found: Figure,
    metric: str,
    samples: _Samples,
    weights: tuple[float, float],
    constant: float,
    *,
    scored: Scored,
    confidence: float,
) -> Figure:
    """Widen the interval of one arm's share to the exact one, since rows without a mistake give samples without a mistake.

    The exact interval takes rows as independent, or, where no sample differs from another, groups. Figures that are made of several
    shares have no exact interval, and where no sample differs they have none.
    """
    arm = 0 if weights[0] else 1
    if found.low is None or found.high is None or found.value is None:
        return found
    constant_samples = np.ptp(samples.replicates[arm]) == 0.0
    if metric in _OF_SHARES:
        return figure(found.value) if constant_samples else found
    count = scored.groups if constant_samples else len(scored.happened)
    ends = intervals.share(round(float(samples.value[arm]) * count), count, confidence=confidence)
    low, high = sorted(weights[arm] * end + constant for end in ends)
    return figure(found.value, (min(low, found.low), max(high, found.high)))


def combination(tolerance: float | Margin, *, higher_is_better: bool) -> tuple[float, float, float]:
    """Return (a, b, c) so that a candidate + b incumbent + c is at most zero exactly when the bound is kept."""
    sign = -1.0 if higher_is_better else 1.0
    match tolerance:
        case Margin(kind=MarginKind.RELATIVE, size=size):
            return sign, -sign * (1.0 + sign * size), 0.0
        case Margin(size=size):
            return sign, -sign, -size
        case limit:
            return sign, 0.0, -sign * limit


def _plain_spread(
    samples: _Samples, candidate: float, incumbent: float, constant: float, *, confidence: float, groups: int
) -> Figure:
    weight = np.array([candidate, incumbent])
    used = weight != 0.0
    value = float(weight[used] @ samples.value[used]) + constant
    drawn = weight[used] @ samples.replicates[used] + constant
    return figure(value, intervals.percentiles(drawn, confidence=confidence, groups=groups))


def _calibration_spread(
    samples: _Samples, candidate: float, incumbent: float, constant: float, *, confidence: float, groups: int
) -> Figure:
    """Combine two root mean squared errors, each with an interval of its own (Zou and Donner 2008).

    Their correlation is left out: with a positive one, as on the same rows, the interval is wider than it need be.
    """
    parts: list[tuple[float, float | None, float | None]] = []
    for arm, weight in enumerate((candidate, incumbent)):
        if weight == 0.0:
            continue
        ends = _root_interval(samples, arm, confidence=confidence, groups=groups)
        value = float(np.sqrt(np.maximum(0.0, samples.value[arm])))
        if ends is None:
            parts.append((weight * value, None, None))
        else:
            low, high = sorted((weight * ends[0], weight * ends[1]))
            parts.append((weight * value, weight * value - low, high - weight * value))
    value = sum(part for part, _, _ in parts) + constant
    downs, ups = [down for _, down, _ in parts], [up for _, _, up in parts]
    return figure(
        value,
        (
            None if None in downs else value - float(np.hypot.reduce([d or 0.0 for d in downs])),
            None if None in ups else value + float(np.hypot.reduce([u or 0.0 for u in ups])),
        ),
    )


def _size_spread(
    samples: _Samples, candidate: float, incumbent: float, constant: float, *, confidence: float, groups: int
) -> Figure:
    """Combine the sizes of two means; they may lie on different sides of zero, so neither is taken as independent of the other.

    The size of one follows from the mean's own interval, and holds when that one does. Of two, a|c| - b|i| is the largest over the
    sign of c of the smallest over the sign of i of linear combinations, each of which has a paired interval: the same choice of their
    ends is an end of it. Two of them must hold at once, so each may err half as often.
    """
    weights = (candidate, incumbent)
    value = sum(weight * abs(float(mean)) for weight, mean in zip(weights, samples.value, strict=True)) + constant

    def end(weights: tuple[float, float]) -> float | None:
        """Return an upper end, without the constant."""
        ends: dict[tuple[int, int], float] = {}
        for signs in product((1, -1), (1, -1)):
            drawn = sum(
                weight * sign * each for weight, sign, each in zip(weights, signs, samples.replicates, strict=True)
            )
            found = intervals.percentiles(drawn, confidence=(1.0 + confidence) / 2, groups=groups)
            if found is None:
                return None
            ends[signs] = found[1]
        grows = 0 if weights[0] > 0 else 1
        return max(min(each for signs, each in ends.items() if signs[grows] == sign) for sign in (1, -1))

    if 0.0 in weights:
        return _size_of_one(samples, weights, constant, confidence=confidence, groups=groups)
    high, low = end(weights), end((-candidate, -incumbent))
    if high is None or low is None:
        return figure(value)
    return figure(value, (constant - low, constant + high))


def _size_of_one(
    samples: _Samples, weights: tuple[float, float], constant: float, *, confidence: float, groups: int
) -> Figure:
    arm = 0 if weights[0] else 1
    value = weights[arm] * abs(float(samples.value[arm])) + constant
    found = intervals.percentiles(samples.replicates[arm], confidence=confidence, groups=groups)
    if found is None:
        return figure(value)
    smallest, largest = sorted(abs(each) for each in found)
    if found[0] <= 0.0 <= found[1]:
        smallest = 0.0
    low, high = sorted(weights[arm] * each + constant for each in (smallest, largest))
    return figure(value, (low, high))


_SPREADS: Final = {"calibration_error": _calibration_spread, "bias": _size_spread}


def _root_interval(samples: _Samples, arm: int, *, confidence: float, groups: int) -> tuple[float, float] | None:
    """Return the interval of a root mean squared calibration error.

    On replicates the same debiased estimate is unbiased for the sample's own, raw value; how it scatters about that is how the
    estimate scatters about the truth (the basic bootstrap).
    """
    raw, drawn = samples.replicates[arm, 0], samples.replicates[arm, 1:]
    found = intervals.percentiles(drawn - raw, confidence=confidence, groups=groups)
    if found is None:
        return None
    estimate = samples.value[arm]
    return float(np.sqrt(max(0.0, estimate - found[1]))), float(np.sqrt(max(0.0, estimate - found[0])))


def _measure(scored: Scored, *, threshold: float, quantile: float) -> Measure:
    match scored.kind:
        case "binary":
            return Binary.of(scored, threshold=threshold)
        case "multiclass":
            return Multiclass.of(scored)
        case "regression":
            return Regression.of(scored, quantile=quantile)
        case _:
            assert_never(scored.kind)


def _bootstrap(scored: Scored, measure: Measure, *, replicates: int, rng: np.random.Generator) -> dict[Key, _Samples]:
    """Compute every metric on all rows and on replicates. Of calibration the first replicate is the raw value (see above)."""
    portions = intervals.portions(max(scored.groups, len(scored.happened)), replicates)
    values = {key: each[:, 0] for key, each in measure.values(np.ones((1, scored.groups))).items()}
    drawn: dict[Key, list[Floats]] = {key: [measure.raw[key][:, None]] if key in measure.raw else [] for key in values}
    for start, stop in portions:
        for key, each in measure.values(intervals.weights(scored.groups, stop - start, rng=rng)).items():
            drawn[key].append(each)
    return {key: _Samples(value, np.concatenate(drawn[key], axis=1)) for key, value in values.items()}


def nothing(
    slice_name: str, asked: Asked, *, kind: Kind = "binary", classes: Sequence[str] = (), outcome: str = "outcome"
) -> tuple[Comparison, ...]:
    """Return what is known of a slice without rows: nothing, so that whatever was asked of it is inconclusive."""
    found = [_unknown(metric, slice_name, asked.get(metric, ())) for metric in QUALITY[kind]]
    if kind == "multiclass" and slice_name == WHOLE:
        found += [_unknown(m, class_slice(outcome, name), asked.get(m, ())) for m, _, name in _of_classes(classes)]
    return tuple(found)


def _unknown(metric: str, slice_name: str, asked: Sequence[tuple[str, str, float | Margin]]) -> Comparison:
    unknown = Figure(value=None)
    return Comparison(
        metric=metric,
        slice=slice_name,
        higher_is_better=metric in HIGHER_IS_BETTER,
        unit=UNITS.get(metric, ""),
        candidate=unknown,
        incumbent=unknown,
        difference=unknown,
        count=0,
        groups=0,
        method="no row that both arms answered",
        bounds=tuple(Bound(kind=k, tolerance=w, excess=unknown, verdict=verdict_of(unknown)) for k, w, _ in asked),
    )
