"""Whether bets ever cross their line, over many runs at once and at every outcome, and the same by the shipped evaluator.

A run is a row of cells: whose outcome, in which bin, under which coin. Wealth is followed in blocks. From the counts of a block follow
what it ends with and what it could at the most have reached within; only the few blocks that could have reached the line are
walked outcome by outcome. So no look is left out, and most of them cost nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glideslope.stats.counts import Table
from glideslope.stats.wealth import Bets, crossed

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Coins = Sequence[tuple[int, int]]
Asked = Any
"""Any test of tables."""

BLOCK = 40
CHUNK = 4_000_000
"""Cells of counts that are held at once."""


@dataclass(frozen=True, slots=True)
class Course:
    """A test under some coins: its cells are those of `Table` under the first coin, then the next, and last one that is nothing."""

    test: Asked
    coins: Coins
    prior: Floats
    weights: Floats
    """Per alternative and cell."""

    @classmethod
    def of(cls, test: Asked, coins: Coins, *, swap: bool = False) -> "Course":
        """`swap` puts the incumbent where the test has the candidate, as proofs on latencies do."""
        each: list[Bets] = [test.bets(Fraction(b if swap else a, a + b)) for a, b in coins]
        weights = np.concatenate([np.array(bets.weights) for bets in each], axis=1)
        if swap:
            half = test.bins
            order = np.concatenate(
                [np.r_[k + half : k + 2 * half, k : k + half] for k in range(0, weights.shape[1], 2 * half)]
            )
            weights = weights[:, order]
        none = np.zeros((len(weights), 1))
        return cls(test, coins, np.array(each[0].rows)[:, 0], np.concatenate([weights, none], axis=1))

    @property
    def nothing(self) -> int:
        """The cell of no outcome."""
        return self.weights.shape[1] - 1


def firsts(course: Course, cells: Ints, *, alpha: float, stakes: Floats | None = None) -> Ints:
    """Return per run at which outcome the wealth first reaches 1/alpha, -1 if never. `stakes` instead of the test's own."""
    prior = course.prior if stakes is None else np.log(stakes)
    size = max(1, CHUNK * BLOCK // (cells.shape[1] * course.weights.shape[1]))
    parts = [
        _firsts(prior, course.weights, cells[at : at + size], line=log(1 / alpha)) for at in range(0, len(cells), size)
    ]
    return np.concatenate(parts)


def _firsts(prior: Floats, weights: Floats, cells: Ints, *, line: float) -> Ints:
    runs, outcomes = cells.shape
    width, blocks = weights.shape[1], -(-outcomes // BLOCK)
    padded = np.full((runs, blocks * BLOCK), width - 1, dtype=np.int64)
    padded[:, :outcomes] = cells
    in_blocks = padded.reshape(runs * blocks, BLOCK)
    place = in_blocks + np.arange(runs * blocks)[:, None] * width
    counts = np.bincount(place.ravel(), minlength=runs * blocks * width).reshape(runs * blocks, width).astype(float)
    moved = (counts @ weights.T).reshape(runs, blocks, -1)
    start = prior + np.cumsum(moved, axis=1) - moved
    most = start + (counts @ np.maximum(weights, 0.0).T).reshape(runs, blocks, -1)
    # A nat in a thousand for the rounding of sums: who might cross is walked.
    near = np.exp(np.minimum(most, 500.0)).sum(axis=2) >= np.exp(line - 1e-3)
    first = np.full(runs, -1)
    run, block = np.nonzero(near)
    for at in range(0, len(run), 20_000):
        mine, which = run[at : at + 20_000], block[at : at + 20_000]
        path = np.zeros((len(mine), BLOCK))
        steps = in_blocks[mine * blocks + which]
        for h in range(len(prior)):
            path += np.exp(np.minimum(start[mine, which, h][:, None] + np.cumsum(weights[h][steps], axis=1), 500.0))
        hit = path >= np.exp(line)
        found = np.flatnonzero(hit.any(axis=1))
        # Blocks come in order, so the first that is found for a run stands.
        for k in found[::-1]:
            if first[mine[k]] < 0 or first[mine[k]] > which[k] * BLOCK:
                first[mine[k]] = which[k] * BLOCK + hit[k].argmax()
    return first


def shipped_first(
    test_of: Callable[[list[Table]], Asked],
    cells: Sequence[int],
    coins: Coins,
    *,
    bins: int,
    alpha: float,
    swap: bool = False,
) -> int:
    """Return the same for one run by the shipped evaluator, asked after every outcome. `test_of` gives the test for tables."""
    counts = [[0] * (2 * bins) for _ in coins]
    for at, cell in enumerate(cells):
        if cell == len(coins) * 2 * bins:
            continue
        coin, place = divmod(int(cell), 2 * bins)
        counts[coin][place] += 1
        tables = []
        for (a, b), row in zip(coins, counts, strict=True):
            candidate, incumbent = tuple(row[:bins]), tuple(row[bins:])
            if any(row):
                tables.append(Table(b, a, incumbent, candidate) if swap else Table(a, b, candidate, incumbent))
        if crossed(test_of(tables), tables, alpha):
            return at
    return -1
