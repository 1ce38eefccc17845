"""The measures of an outcome that is a number, in its unit: MAE, RMSE, bias, pinball loss at a quantile, R squared."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from glideslope.evaluate.measures import Floats, Key, Scored, by_group, ratio

_LOSSES = 4


@dataclass(frozen=True, slots=True)
class Regression:
    """Both arms' rows, summed up by group so that samples of weights are cheap."""

    sums: Floats
    """By group: how many rows, the outcome and its square about the mean of all, then four losses of each arm."""

    @classmethod
    def of(cls, scored: Scored, *, quantile: float) -> "Regression":
        """Sum up what is needed."""
        outcome = scored.happened.astype(np.float64)
        # About their mean, else the variance would be a small difference of large numbers.
        centred = outcome - outcome.mean()
        columns = [np.ones(len(outcome)), centred, centred**2]
        for predicted in scored.arms:
            error = predicted - outcome
            pinball = np.where(error > 0, (1.0 - quantile) * error, -quantile * error)
            columns += [np.abs(error), error**2, error, pinball]
        return cls(by_group(np.column_stack(columns), scored))

    @property
    def raw(self) -> Mapping[Key, Floats]:
        """Return nothing: chance is subtracted from no figure."""
        return {}

    def values(self, weights: Floats) -> Mapping[Key, Floats]:
        """Return each metric for samples of weights; see `Measure`. The bias is signed here."""
        added = weights @ self.sums
        means = (added[:, 1:] / added[:, :1]).T
        variance = np.maximum(0.0, means[1] - means[0] ** 2)
        # Rounding leaves a little of a variance that is none.
        variance[variance <= 1e-12 * means[1]] = 0.0
        mae, square, error, pinball = (np.stack([means[2 + k], means[2 + k + _LOSSES]]) for k in range(_LOSSES))
        return {
            ("mae", ""): mae,
            ("rmse", ""): np.sqrt(square),
            ("bias", ""): error,
            ("pinball", ""): pinball,
            ("r2", ""): 1.0 - ratio(square, np.broadcast_to(variance, square.shape)),
        }
