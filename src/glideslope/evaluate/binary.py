"""The measures of an outcome that is one of two: log loss, Brier score, accuracy at a threshold, AUC, calibration."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from glideslope.evaluate.measures import CLIP, Bools, Calibration, Floats, Ints, Key, Scored, by_group


@dataclass(frozen=True, slots=True)
class Binary:
    """Both arms' rows, summed up so that samples of weights are cheap."""

    sums: Floats
    """By group: how many rows, then three losses of each arm."""
    ranks: "tuple[_Ranks, ...]"
    calibrations: tuple[Calibration, ...]

    @classmethod
    def of(cls, scored: Scored, *, threshold: float) -> "Binary":
        """Sum up what is needed."""
        truth = scored.happened.astype(np.float64)
        losses = [_losses(scores, truth, threshold=threshold) for scores in scored.arms]
        return cls(
            by_group(np.column_stack([np.ones(len(truth)), *(each for loss in losses for each in loss)]), scored),
            tuple(_Ranks.of(scores, scored) for scores in scored.arms),
            tuple(Calibration.of(scores, truth, scored) for scores in scored.arms),
        )

    @property
    def raw(self) -> Mapping[Key, Floats]:
        """Return the calibration errors as they are, with what chance adds."""
        return {("calibration_error", ""): np.array([each.raw() for each in self.calibrations])}

    def values(self, weights: Floats) -> Mapping[Key, Floats]:
        """Return each metric for samples of weights; see `Measure`."""
        added = weights @ self.sums
        means = added[:, 1:] / added[:, :1]
        return {
            ("log_loss", ""): means[:, (0, 3)].T,
            ("brier", ""): means[:, (1, 4)].T,
            ("accuracy", ""): means[:, (2, 5)].T,
            ("auc", ""): np.stack([each.auc(weights) for each in self.ranks]),
            ("calibration_error", ""): np.stack([each.debiased(weights) for each in self.calibrations]),
        }


def _losses(scores: Floats, truth: Floats, *, threshold: float) -> tuple[Floats, Floats, Floats]:
    clipped = np.clip(scores, CLIP, 1.0 - CLIP)
    log_loss = -np.where(truth > 0, np.log(clipped), np.log1p(-clipped))
    return log_loss, (scores - truth) ** 2, ((scores >= threshold) == (truth > 0)).astype(np.float64)


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
