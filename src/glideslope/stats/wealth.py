"""The one evaluator of all tests: a test is a table of bets, its wealth is a product, and 1/alpha is the line.

Wealth starts at 1 and, if the null is true, its mean never rises. So the probability that it ever reaches 1/alpha is at
most alpha, however often one looks (Ville's inequality). See docs/explanation/label-e-process.md for the proof.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import chain
from math import fsum
from operator import mul
from typing import Protocol, overload

from glideslope.stats.counts import Table, Tally, joined
from glideslope.stats.reals import FINAL, LONG, decimal_ln, exp, ln, log_sum_exp, written

_BAND = 1e-9
"""Closer than this to the line, in nats, floats hand over to decimals."""

_ROUNDING = 2.0**-53
"""Half a unit in the last place: each weight, each product and each addition may be off by this part of itself."""


@dataclass(frozen=True, slots=True)
class Bets:
    """What a test stakes under one coin: per alternative, the factor by which one outcome multiplies the wealth.

    Cells are the candidate's bins, then the incumbent's; a test without arms has its bins alone. `rows` holds, per
    alternative, the logarithm of its prior followed by the logarithms of its factors, each rounded correctly; `weights` are
    the latter alone.
    """

    prior: tuple[Fraction, ...]
    factors: tuple[tuple[Fraction, ...], ...]
    rows: tuple[tuple[float, ...], ...]
    weights: tuple[tuple[float, ...], ...]
    steepest: float
    spread: float

    @classmethod
    def of(cls, *, prior: Sequence[Fraction], factors: Sequence[Sequence[Fraction]]) -> "Bets":
        """Freeze a table of bets.

        Raises `ValueError` unless the prior is positive and sums to one and every factor is positive: a factor of zero
        would let one outcome end the test for good.
        """
        if len(prior) != len(factors) or sum(prior) != 1 or min(prior) <= 0:
            raise ValueError(f"a prior must be positive and sum to one over {len(factors)} alternatives, got {prior}")
        if any(factor <= 0 for row in factors for factor in row):
            raise ValueError("a bet must leave some wealth whatever happens, got a factor at or below 0")
        rows = tuple(
            (float(decimal_ln(weight)), *(float(decimal_ln(factor)) for factor in row))
            for weight, row in zip(prior, factors, strict=True)
        )
        return cls(
            prior=tuple(prior),
            factors=tuple(tuple(row) for row in factors),
            rows=rows,
            weights=tuple(row[1:] for row in rows),
            steepest=max(abs(weight) for row in rows for weight in row[1:]),
            spread=ln(float(len(rows))),
        )


class Test(Protocol):
    """A test of tables: it bets on which arm the coin chose, given the outcome."""

    @property
    def bins(self) -> int:
        """Bins per arm that a table must have."""

    def bets(self, pi: Fraction) -> Bets:
        """Return what is staked when a counted subject goes to the candidate with probability *pi*."""


class TallyTest(Protocol):
    """A test of tallies: pairs, or one arm against a limit. No coin is involved."""

    @property
    def bins(self) -> int:
        """Bins that a tally must have."""

    def bets(self) -> Bets:
        """Return what is staked."""


@lru_cache(maxsize=16384)
def staked(test: Test, candidate_weight: int, control_weight: int, /) -> Bets:
    """Return the test's bets under one coin, computed once."""
    return test.bets(Fraction(candidate_weight, candidate_weight + control_weight))


@lru_cache(maxsize=16384)
def staked_tally(test: TallyTest) -> Bets:
    """Return the bets of a test without a coin, computed once."""
    return test.bets()


_Parts = list[tuple[Bets, tuple[int, ...]]]


def _parts(test: Test | TallyTest, evidence: Sequence[Table] | Tally) -> _Parts:
    if isinstance(evidence, Tally):
        if evidence.bins != test.bins:
            raise ValueError(f"{test} expects {test.bins} bins, the tally has {evidence.bins}")
        return [(staked_tally(test), evidence.counts)]  # type: ignore[arg-type]  # the overloads pair tests with evidence
    parts = []
    for table in evidence if len(evidence) == 1 else joined(evidence):
        if len(table.candidate) != test.bins:
            raise ValueError(f"{test} expects {test.bins} bins, a table has {table.bins}")
        bets = staked(test, table.candidate_weight, table.control_weight)  # type: ignore[arg-type]  # as above
        parts.append((bets, table.candidate + table.incumbent))
    return parts


def _scores(parts: _Parts) -> list[float]:
    """Return ln(prior) plus the log of the wealth per alternative; correctly rounded sums, so in no order at all."""
    (first, cells), *more = parts
    if not more:
        return [
            fsum((row[0], *map(mul, weights, cells))) for row, weights in zip(first.rows, first.weights, strict=True)
        ]
    return [
        fsum(chain((row[0],), *(map(mul, bets.weights[h], counts) for bets, counts in parts)))
        for h, row in enumerate(first.rows)
    ]


@overload
def log_wealth(test: Test, evidence: Sequence[Table]) -> float: ...
@overload
def log_wealth(test: TallyTest, evidence: Tally) -> float: ...
def log_wealth(test: Test | TallyTest, evidence: Sequence[Table] | Tally) -> float:
    """Return the natural logarithm of the wealth now, in nats: 0.0 without evidence, the same bits everywhere.

    Raises `ValueError` if the evidence has other bins than the test.
    """
    parts = _parts(test, evidence)
    return log_sum_exp(_scores(parts)) if parts else 0.0


@overload
def crossed(test: Test, evidence: Sequence[Table], alpha: float) -> bool: ...
@overload
def crossed(test: TallyTest, evidence: Tally, alpha: float) -> bool: ...
def crossed(test: Test | TallyTest, evidence: Sequence[Table] | Tally, alpha: float) -> bool:
    """Return whether the wealth now is at or above 1/alpha.

    The guarantee is on *ever* crossing, so a caller records the first time and does not wait for it to last. Decided in
    floats where they are sure and in 50-digit decimals where they are not. Raises `ValueError` on an alpha outside
    (0, 1) and on evidence of other bins.
    """
    line = _line(alpha)
    parts = _parts(test, evidence)
    if not parts:
        return False
    rough = _rough_scores(parts)
    size, terms = 0.0, 0
    for bets, cells in parts:
        size += sum(cells) * bets.steepest
        terms += len(cells)
    band = _BAND + _ROUNDING * (terms + 8) * size
    top = max(rough)
    if top > line + band:
        return True
    # The sum of k terms is at most k times the largest: most tests are decided without one exponential.
    if top + parts[0][0].spread < line - band:
        return False
    wealth = log_sum_exp(rough)
    if abs(wealth - line) > band:
        return wealth > line
    return _crossed_exactly(parts, alpha=alpha)


def _rough_scores(parts: _Parts) -> list[float]:
    """Return what `_scores` does within the band and in a fraction of the time; good enough to be sure, mostly."""
    first = parts[0][0]
    if len(parts) == 1 and len(parts[0][1]) == 4:
        a, b, c, d = map(float, parts[0][1])
        return [prior + a * w + b * x + c * y + d * z for prior, w, x, y, z in first.rows]
    # The built-in `sum` of floats rounds differently from Python 3.12 on, but always within the band.
    rough = [row[0] for row in first.rows]
    for bets, cells in parts:
        floats = tuple(map(float, cells))
        rough = [score + sum(map(mul, weights, floats)) for score, weights in zip(rough, bets.weights, strict=True)]
    return rough


@lru_cache(maxsize=1024)
def _line(alpha: float) -> float:
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha is {alpha!r}; expected a number between 0 and 1")
    return float(decimal_ln(1 / written(alpha)))


def _crossed_exactly(parts: _Parts, *, alpha: float) -> bool:
    wealth = LONG.create_decimal(0)
    for h, prior in enumerate(parts[0][0].prior):
        score = decimal_ln(prior, context=LONG)
        for bets, cells in parts:
            for factor, count in zip(bets.factors[h], cells, strict=True):
                if count:
                    score = LONG.fma(count, decimal_ln(factor, context=LONG), score)
        wealth = LONG.add(wealth, LONG.exp(score))
    numerator, denominator = map(LONG.create_decimal, written(alpha).as_integer_ratio())
    return FINAL.divide(LONG.multiply(wealth, numerator), denominator) >= 1


def anytime_p(log_wealth: float) -> float:
    """Return min(1, 1/wealth): a p-value that stays valid however often one looked, if given the running maximum."""
    return 1.0 if log_wealth <= 0.0 else exp(-log_wealth)
