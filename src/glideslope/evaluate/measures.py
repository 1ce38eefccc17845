"""What the measures of each kind of outcome share: the rows that both arms answered, sums by group, and calibration.

A measure gives every metric of both arms for many samples of weights at once. A sample says how often each group counts; that of
ones is the rows as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from glideslope.evaluate.declared import Kind

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

Key = tuple[str, str]
"""A metric, and the class it is of; empty for what is of all rows."""

BINS: Final = 15
FEWEST_IN_BIN: Final = 20
CLIP: Final = 1e-6
"""Probabilities are taken as no closer to 0 and 1 than this, so that one certain mistake costs 13.8 nats and not infinity."""


@dataclass(frozen=True, slots=True)
class Scored:
    """The rows that both arms answered. `group` numbers the groups from 0 without gaps.

    Of a binary outcome `happened` is true or false, and an arm's answers are probabilities (n,); of a multiclass one it is the number
    of the class, and answers are (n, classes); of a regression both are numbers (n,).
    """

    happened: npt.NDArray[Any]
    candidate: Floats
    incumbent: Floats
    group: Ints
    kind: Kind = "binary"
    classes: tuple[str, ...] = ()

    def select(self, rows: Bools) -> "Scored":
        """Return some of the rows."""
        _, group = np.unique(self.group[rows], return_inverse=True)
        return Scored(
            self.happened[rows],
            self.candidate[rows],
            self.incumbent[rows],
            group.astype(np.int64),
            self.kind,
            self.classes,
        )

    @property
    def arms(self) -> tuple[Floats, Floats]:
        """Return both arms' answers, the candidate's first."""
        return self.candidate, self.incumbent

    @property
    def groups(self) -> int:
        """Return how many groups there are."""
        return int(self.group.max()) + 1 if len(self.group) else 0


class Measure(Protocol):
    """Every metric of one kind of outcome, on samples of weights."""

    @property
    def raw(self) -> Mapping[Key, Floats]:
        """Return what a metric is before chance is subtracted, of those metrics where it is; shape (2,), candidate first."""
        ...

    def values(self, weights: Floats) -> Mapping[Key, Floats]:
        """Return each metric for weights of shape (samples, groups); shape (2, samples), candidate first. NaN is undefined."""
        ...


def by_group(columns: Floats, scored: Scored) -> Floats:
    """Add columns (n, k) up within each group; shape (groups, k)."""
    return np.stack([np.bincount(scored.group, each, minlength=scored.groups) for each in columns.T], axis=1)


def ratio(above: Floats, below: Floats) -> Floats:
    """Divide, NaN where there is nothing to divide by."""
    found: Floats = np.divide(above, below, out=np.full(np.broadcast(above, below).shape, np.nan), where=below > 0)
    return found


@dataclass(frozen=True, slots=True)
class Calibration:
    """An arm's residuals (probability minus truth) added up by group and by bin of the probability; shape (groups, bins)."""

    rows: Floats
    residual: Floats

    @classmethod
    def of(cls, scores: Floats, truth: Floats, scored: Scored) -> "Calibration":
        bins = bins_of(scores)
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
        # How groups differ cannot be seen in one: then nothing is known of what chance adds.
        widened = np.divide(groups, groups - 1, out=np.full_like(groups, np.nan), where=groups > 1)
        variance = np.divide(squares, rows**2, out=np.zeros_like(rows), where=rows > 0) * widened
        found: Floats = (rows * (gap**2 - variance)).sum(axis=1) / rows.sum(axis=1)
        return found


def bins_of(scores: Floats) -> Ints:
    """Number bins of nearly equal count, equal scores together, by an arm's own probabilities on all rows."""
    bins = max(1, min(BINS, len(scores) // FEWEST_IN_BIN))
    edges = np.unique(np.quantile(scores, np.arange(1, bins) / bins))
    _, numbered = np.unique(np.searchsorted(edges, scores, side="left"), return_inverse=True)
    return numbered.astype(np.int64)
