"""The measures of an outcome that is one of several classes, each of which an answer gives a probability.

Macro figures are means over the classes that occur among the rows. In a sample in which a class of them neither occurs nor is told its
recall or F1 is undefined, and so is the mean: of a class too rare to be resampled nothing is promised.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from glideslope.evaluate.measures import CLIP, Calibration, Floats, Ints, Key, Scored, by_group, ratio


@dataclass(frozen=True, slots=True)
class Multiclass:
    """Both arms' rows, summed up so that samples of weights are cheap."""

    names: tuple[str, ...]
    """Those classes that occur."""
    means: Floats
    """By group: how many rows, then log loss, Brier score and correctness of each arm."""
    occurred: Floats
    """By group: how many rows of each class."""
    told: tuple[Floats, ...]
    """Of each arm by group: how many rows were told as each class."""
    right: tuple[Floats, ...]
    """And of them how many rightly."""
    calibrations: tuple[Calibration, ...]

    @classmethod
    def of(cls, scored: Scored) -> "Multiclass":
        """Sum up what is needed."""
        happened: Ints = scored.happened
        present = np.unique(happened)
        truth = happened[:, None] == present
        losses: list[Floats] = [np.ones(len(happened))]
        told, right, calibrations = [], [], []
        for scores in scored.arms:
            chosen = most_probable(scores)
            correct = (chosen == happened).astype(np.float64)
            losses += [*_losses(scores, happened), correct]
            as_class = chosen[:, None] == present
            told.append(by_group(as_class.astype(np.float64), scored))
            right.append(by_group((as_class & truth).astype(np.float64), scored))
            calibrations.append(Calibration.of(scores.max(axis=1), correct, scored))
        return cls(
            tuple(scored.classes[int(k)] for k in present),
            by_group(np.column_stack(losses), scored),
            by_group(truth.astype(np.float64), scored),
            tuple(told),
            tuple(right),
            tuple(calibrations),
        )

    @property
    def raw(self) -> Mapping[Key, Floats]:
        """Return the calibration errors as they are, with what chance adds."""
        return {("calibration_error", ""): np.array([each.raw() for each in self.calibrations])}

    def values(self, weights: Floats) -> Mapping[Key, Floats]:
        """Return each metric for samples of weights; see `Measure`."""
        added = weights @ self.means
        means = added[:, 1:] / added[:, :1]
        occurred = weights @ self.occurred
        # Shape (arms, samples, classes).
        right = np.stack([weights @ each for each in self.right])
        told = np.stack([weights @ each for each in self.told])
        recall = ratio(right, np.broadcast_to(occurred, right.shape))
        f1 = ratio(2 * right, told + occurred)
        found: dict[Key, Floats] = {
            ("log_loss", ""): means[:, (0, 3)].T,
            ("brier", ""): means[:, (1, 4)].T,
            ("accuracy", ""): means[:, (2, 5)].T,
            ("macro_f1", ""): f1.mean(axis=2),
            ("macro_recall", ""): recall.mean(axis=2),
            ("calibration_error", ""): np.stack([each.debiased(weights) for each in self.calibrations]),
        }
        for metric, each in (("recall", recall), ("f1", f1)):
            found |= {(metric, name): each[:, :, k] for k, name in enumerate(self.names)}
        return found


def most_probable(scores: Floats) -> Ints:
    """Return the class that each row is told as; of equal ones the first."""
    found: Ints = np.argmax(scores, axis=1).astype(np.int64)
    return found


def _losses(scores: Floats, happened: Ints) -> tuple[Floats, Floats]:
    rows = np.arange(len(happened))
    log_loss = -np.log(np.clip(scores[rows, happened], CLIP, 1.0 - CLIP))
    squares = (scores**2).sum(axis=1) - 2 * scores[rows, happened] + 1.0
    return log_loss, squares
