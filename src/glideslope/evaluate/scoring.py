"""How well both arms' probabilities met the truth on the same rows: points, paired intervals, and what was asked of them.

Groups are drawn with replacement, both arms and all metrics under the same draws, so what makes a day hard for both cancels.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from glideslope.domain.plan import Margin, MarginKind
from glideslope.evaluate import intervals
from glideslope.evaluate.declared import HIGHER_IS_BETTER, QUALITY, Target
from glideslope.evaluate.results import Bound, Comparison, Figure, Reliability, figure, verdict_of

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

Asked = Mapping[str, Sequence[tuple[str, str, float | Margin]]]
"""Per metric the bounds that were asked: kind, as written, and what it is."""

BINS: Final = 15
FEWEST_IN_BIN: Final = 20
CLIP: Final = 1e-6
"""Probabilities are taken as no closer to 0 and 1 than this, so that one certain mistake costs 13.8 nats and not infinity."""

UNITS: Final = {"log_loss": "nats", "brier": "", "accuracy": "share", "auc": "", "calibration_error": "probability"}


@dataclass(frozen=True, slots=True)
class Scored:
    """The rows that both arms answered. `group` numbers the groups from 0 without gaps."""

    happened: Bools
    candidate: Floats
    incumbent: Floats
    group: Ints

    def select(self, rows: Bools) -> "Scored":
        """Return some of the rows."""
        _, group = np.unique(self.group[rows], return_inverse=True)
        return Scored(self.happened[rows], self.candidate[rows], self.incumbent[rows], group.astype(np.int64))

    @property
    def groups(self) -> int:
        """Return how many groups there are."""
        return int(self.group.max()) + 1 if len(self.group) else 0


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
) -> tuple[Comparison, ...]:
    """Compare the arms by every metric of quality, and judge what was asked."""
    rng = np.random.default_rng(seed)
    samples = _bootstrap(scored, threshold=threshold, replicates=replicates, rng=rng)
    return tuple(
        _comparison(
            metric, scored, samples[metric], slice_name=slice_name, asked=asked.get(metric, ()), confidence=confidence
        )
        for metric in QUALITY
    )


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
    """Yield each arm's bins of equal count, for the eye."""
    for arm, scores in (("candidate", scored.candidate), ("incumbent", scored.incumbent)):
        bins = _bins(scores)
        for each in range(int(bins.max()) + 1):
            chosen = bins == each
            yield Reliability(
                arm=arm,
                predicted=float(f"{scores[chosen].mean():.6g}"),
                happened=float(f"{scored.happened[chosen].mean():.6g}"),
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
    spread = _calibration_spread if metric == "calibration_error" else _plain_spread

    def of(candidate: float, incumbent: float, constant: float = 0.0) -> Figure:
        return spread(samples, candidate, incumbent, constant, confidence=confidence, groups=scored.groups)

    bounds = []
    for kind, written, tolerance in asked:
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
        count=len(scored.happened),
        groups=scored.groups,
        method="debiased, bootstrap by group" if metric == "calibration_error" else "paired bootstrap by group",
        bounds=tuple(bounds),
    )


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
        value = float(np.sqrt(max(0.0, samples.value[arm])))
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


def _bootstrap(scored: Scored, *, threshold: float, replicates: int, rng: np.random.Generator) -> dict[str, _Samples]:
    """Compute every metric on all rows and on replicates. Of calibration the first replicate is the raw value (see above)."""
    arms = (scored.candidate, scored.incumbent)
    truth = scored.happened.astype(np.float64)
    losses = [_losses(scores, truth, threshold=threshold) for scores in arms]
    # Columns: how many rows, then three losses of each arm, added up within each group.
    sums = _by_group(np.column_stack([np.ones(len(truth)), *(each for loss in losses for each in loss)]), scored)
    ranks = [_Ranks.of(scores, scored) for scores in arms]
    calibrations = [_Calibration.of(scores, truth, scored) for scores in arms]
    portions = intervals.portions(max(scored.groups, len(truth)), replicates)
    whole = np.ones((1, scored.groups))
    drawn: dict[str, list[Floats]] = {metric: [] for metric in QUALITY}
    values: dict[str, Floats] = {}
    for portion in (None, *portions):
        weights = whole if portion is None else intervals.weights(scored.groups, portion[1] - portion[0], rng=rng)
        added = weights @ sums
        means = added[:, 1:] / added[:, :1]
        found = {
            "log_loss": means[:, (0, 3)].T,
            "brier": means[:, (1, 4)].T,
            "accuracy": means[:, (2, 5)].T,
            "auc": np.stack([each.auc(weights) for each in ranks]),
            "calibration_error": np.stack([each.debiased(weights) for each in calibrations]),
        }
        for metric, each in found.items():
            if portion is None:
                values[metric] = each[:, 0]
            else:
                drawn[metric].append(each)
    raw = np.array([[each.raw()] for each in calibrations])
    drawn["calibration_error"].insert(0, raw)
    return {m: _Samples(values[m], np.concatenate(drawn[m], axis=1)) for m in QUALITY}


def _losses(scores: Floats, truth: Floats, *, threshold: float) -> tuple[Floats, Floats, Floats]:
    clipped = np.clip(scores, CLIP, 1.0 - CLIP)
    log_loss = -np.where(truth > 0, np.log(clipped), np.log1p(-clipped))
    return log_loss, (scores - truth) ** 2, ((scores >= threshold) == (truth > 0)).astype(np.float64)


def _by_group(columns: Floats, scored: Scored) -> Floats:
    return np.stack([np.bincount(scored.group, each, minlength=scored.groups) for each in columns.T], axis=1)


@dataclass(frozen=True, slots=True)
class _Ranks:
    """An arm's rows in ascending order of score, equal scores together."""

    group: Ints
    positive: Bools
    starts: Ints

    @classmethod
    def of(cls, scores: Floats, scored: Scored) -> "_Ranks":
        order = np.argsort(scores, kind="stable")
        ascending = scores[order]
        starts = np.flatnonzero(np.concatenate([[True], ascending[1:] != ascending[:-1]]))
        return cls(scored.group[order], scored.happened[order], starts)

    def auc(self, weights: Floats) -> Floats:
        """Return the area under the curve for each sample of weights, ties counting half; NaN with rows of one kind only."""
        weight = weights[:, self.group]
        positive = np.add.reduceat(weight * self.positive, self.starts, axis=1)
        negative = np.add.reduceat(weight * ~self.positive, self.starts, axis=1)
        below = np.cumsum(negative, axis=1) - negative / 2
        pairs = positive.sum(axis=1) * negative.sum(axis=1)
        above = (positive * below).sum(axis=1)
        found: Floats = np.divide(above, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)
        return found


@dataclass(frozen=True, slots=True)
class _Calibration:
    """An arm's residuals (probability minus truth) added up by group and by bin of the probability; shape (groups, bins)."""

    rows: Floats
    residual: Floats

    @classmethod
    def of(cls, scores: Floats, truth: Floats, scored: Scored) -> "_Calibration":
        bins = _bins(scores)
        size = (scored.groups, int(bins.max()) + 1)
        cell = scored.group * size[1] + bins
        count = np.bincount(cell, minlength=size[0] * size[1]).reshape(size).astype(np.float64)
        residual = np.bincount(cell, scores - truth, minlength=size[0] * size[1]).reshape(size).astype(np.float64)
        return cls(count, residual)

    def raw(self) -> float:
        """Return the mean squared gap between probability and truth, which chance alone makes positive."""
        rows, residual = self.rows.sum(axis=0), self.residual.sum(axis=0)
        return float((residual**2 / rows).sum() / rows.sum())

    def debiased(self, weights: Floats) -> Floats:
        """Return the same without what chance adds, for each sample of weights; may be below zero.

        Kumar, Liang and Ma (2019) subtract a binomial variance; here it is the variance of the group's sums, so that rows of one
        group may depend on each other.
        """
        rows, residual = weights @ self.rows, weights @ self.residual
        gap = np.divide(residual, rows, out=np.zeros_like(rows), where=rows > 0)
        squares = (
            weights @ self.residual**2
            - 2 * gap * (weights @ (self.residual * self.rows))
            + gap**2 * (weights @ self.rows**2)
        )
        groups = weights.sum(axis=1, keepdims=True)
        variance = np.divide(squares, rows**2, out=np.zeros_like(rows), where=rows > 0) * groups / (groups - 1)
        found: Floats = (rows * (gap**2 - variance)).sum(axis=1) / rows.sum(axis=1)
        return found


def _bins(scores: Floats) -> Ints:
    """Number bins of nearly equal count, equal scores together, by an arm's own probabilities on all rows."""
    bins = max(1, min(BINS, len(scores) // FEWEST_IN_BIN))
    edges = np.unique(np.quantile(scores, np.arange(1, bins) / bins))
    _, numbered = np.unique(np.searchsorted(edges, scores, side="left"), return_inverse=True)
    return numbered.astype(np.int64)


def nothing(slice_name: str, asked: Asked) -> tuple[Comparison, ...]:
    """Return what is known of a slice without rows: nothing, so that whatever was asked of it is inconclusive."""
    unknown = Figure(value=None)
    return tuple(
        Comparison(
            metric=metric,
            slice=slice_name,
            higher_is_better=metric in HIGHER_IS_BETTER,
            unit=UNITS[metric],
            candidate=unknown,
            incumbent=unknown,
            difference=unknown,
            count=0,
            groups=0,
            method="no row that both arms answered",
            bounds=tuple(
                Bound(kind=k, tolerance=w, excess=unknown, verdict=verdict_of(unknown))
                for k, w, _ in asked.get(metric, ())
            ),
        )
        for metric in QUALITY
    )
