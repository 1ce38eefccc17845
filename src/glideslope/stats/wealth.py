"""The one evaluator of all tests: a test is a table of bets, its wealth is a product, and 1/alpha is the line.

Wealth starts at 1 and, if the null is true, its mean never rises. So the probability that it ever reaches 1/alpha is at
most alpha, however often one looks (Ville's inequality). See docs/explanation/label-e-process.md for the proof.

A look has three speeds, and each answers only when it is sure: sums of integers for all alternatives at once, which decide
nearly everything; correctly rounded floats, which define the wealth that is written down; and 50-digit decimals at the line.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache, partial
from itertools import chain
from math import fsum
from operator import mul
from struct import Struct
from typing import Protocol, overload

from glideslope.stats.counts import Table, Tally, joined
from glideslope.stats.reals import FINAL, LONG, decimal_ln, exp, ln, log_sum_exp, written

_BAND = 1e-9
"""Closer than this to the line, in nats, floats hand over to decimals."""

_ROUNDING = 2.0**-53
"""Half a unit in the last place: each weight, each product and each addition may be off by this part of itself."""

_UNIT = 2.0**-38
"""Nats in one unit of a column: fine enough to tell nearly every verdict, coarse enough for ten million subjects."""

_ZERO = 1 << 63
"""Where each of the 64-bit fields of a sum of columns has its zero, since a part of a wide integer cannot be negative."""

_MOST_DOUBT = 2.0**-14
"""Nats beyond which sums of columns are not read: below, no field has moved by more than 2**62 units."""


@dataclass(frozen=True, slots=True, eq=False)  # compared by identity: each is made once, and found again at every look
class Bets:
    """What a test stakes under one coin: per alternative, the factor by which one outcome multiplies the wealth.

    Cells are the candidate's bins, then the incumbent's; a test without arms has its bins alone. `rows` holds, per
    alternative, the logarithm of its prior followed by the logarithms of its factors, each rounded correctly; `weights` are
    the latter alone. `columns` holds the same per cell, the logarithms of all alternatives side by side in one wide integer
    in fixed point: one product with a count moves every alternative, exactly. `start` holds the priors.
    """

    prior: tuple[Fraction, ...]
    factors: tuple[tuple[Fraction, ...], ...]
    rows: tuple[tuple[float, ...], ...]
    weights: tuple[tuple[float, ...], ...]
    steepest: float
    columns: tuple[int, ...]
    start: int
    layout: Struct
    """How the fields of a sum of columns are read."""
    doubt: float
    """Nats, per counted subject, by which a sum of columns may differ from the exact one and from the one in floats."""
    spread: float

    @classmethod
    def of(cls, *, prior: Sequence[Fraction], factors: Sequence[Sequence[Fraction]]) -> "Bets":
        """Freeze a table of bets.

        Raises `ValueError` unless the prior is positive and sums to one and every factor is positive: a factor of zero
        would let one outcome end the test for good.
        """
        if sum(prior) != 1:
            raise ValueError(f"a prior must be positive and sum to one over {len(factors)} alternatives, got {prior}")
        return cls.staked(prior, factors=factors)

    @classmethod
    def staked(cls, prior: Sequence[Fraction], *, factors: Sequence[Sequence[Fraction]]) -> "Bets":
        """Freeze a table of bets whose stakes may sum to anything: see `stats/credit.py` for when that is fair.

        Raises `ValueError` unless stakes and factors are positive.
        """
        if len(prior) != len(factors) or min(prior) <= 0:
            raise ValueError(f"a prior must be positive and sum to one over {len(factors)} alternatives, got {prior}")
        if any(factor <= 0 for row in factors for factor in row):
            raise ValueError("a bet must leave some wealth whatever happens, got a factor at or below 0")
        rows = tuple(
            (float(decimal_ln(weight)), *(float(decimal_ln(factor)) for factor in row))
            for weight, row in zip(prior, factors, strict=True)
        )
        priors, *columns = map(_column, zip(*rows, strict=True))
        steepest = max(abs(weight) for row in rows for weight in row[1:])
        return cls(
            prior=tuple(prior),
            factors=tuple(tuple(row) for row in factors),
            rows=rows,
            weights=tuple(row[1:] for row in rows),
            steepest=steepest,
            columns=tuple(columns),
            start=priors + sum(_ZERO << 64 * h for h in range(len(rows))),
            layout=Struct(f"<{len(rows)}Q"),
            doubt=(_ROUNDING * (len(columns) + 8) + _UNIT) * max(steepest, 1.0),
            spread=ln(float(len(rows))),
        )


def _column(logarithms: Sequence[float]) -> int:
    return sum(round(log / _UNIT) << 64 * h for h, log in enumerate(logarithms))


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


# Rates taken from traffic make each rollout's tests its own, so what is kept here stays long after the rollout: it must be
# enough for some hundreds at once, and little enough to keep.
_KEPT = 4096


@lru_cache(maxsize=_KEPT)
def _book(test: Test) -> Callable[[int, int], Bets]:
    """Return the test's bets by the weights of a coin's arms: a test is hashed once per look, not once per table."""
    return lru_cache(maxsize=256)(lambda candidate, control: _lean(_bets(test, candidate, control)))


@lru_cache(maxsize=_KEPT)
def _staked(test: TallyTest) -> Bets:
    return _lean(test.bets())


def held(test: Test, *, candidate: int, control: int) -> Bets:
    """Return what a test stakes under a coin of these weights, without the fractions, as it is kept for looking."""
    return _book(test)(candidate, control)  # type: ignore[arg-type]  # tests are frozen values, and hash


def held_pairs(test: TallyTest) -> Bets:
    """Return the same of a test of tallies."""
    return _staked(test)  # type: ignore[arg-type]  # as above


def _bets(test: Test, candidate: int, control: int) -> Bets:
    return test.bets(Fraction(candidate, candidate + control))


def _lean(bets: Bets) -> Bets:
    """Leave out the fractions, three quarters of the memory: they are asked for on the line alone, and then made again."""
    return replace(bets, prior=(), factors=())


def _refusal(test: Test | TallyTest, evidence: Table | Tally) -> ValueError:
    what = "the tally" if isinstance(evidence, Tally) else "a table"
    return ValueError(f"{test} expects {test.bins} bins, {what} has {evidence.bins}")


def _move(bets: Bets, candidate: tuple[int, ...], incumbent: tuple[int, ...]) -> tuple[int, float]:
    """Return by how much outcomes move the logarithms of all alternatives, as a sum of columns, and the doubt in it."""
    cells = candidate + incumbent
    return sum(map(mul, bets.columns, cells)), sum(cells) * bets.doubt


_moved = lru_cache(maxsize=16384)(_move)  # between two looks most tables stay as they are


def _summed(test: Test | TallyTest, evidence: Sequence[Table] | Tally) -> tuple[Bets, int, float]:
    """Return the logarithms of all alternatives' wealth as a sum of columns, and by how many nats each may be off.

    Before them bets by which they can be read, those under any of the coins. Raises `ValueError` on other bins than the
    test's; there must be some evidence.
    """
    if isinstance(evidence, Tally):
        bets = _staked(test)  # type: ignore[arg-type]  # the overloads pair tests with evidence
        if len(evidence.counts) != len(bets.columns):
            raise _refusal(test, evidence)
        logs, doubt = (_moved if len(evidence.counts) > 4 else _move)(bets, evidence.counts, ())
        return bets, bets.start + logs, doubt + _BAND
    book = _book(test)  # type: ignore[arg-type]  # as above
    logs, doubt = 0, _BAND
    for table in evidence:
        candidate = table.candidate
        bets = book(table.candidate_weight, table.control_weight)
        if 2 * len(candidate) != len(bets.columns):
            raise _refusal(test, table)
        if len(candidate) > 2:
            moved, more = _moved(bets, candidate, table.incumbent)
            logs += moved
            doubt += more
        else:  # as `_move` does: so few products are sooner made than looked up
            cells = candidate + table.incumbent
            logs += sum(map(mul, bets.columns, cells))
            doubt += sum(cells) * bets.doubt
    return bets, bets.start + logs, doubt  # type: ignore[possibly-undefined]  # there is some evidence


def _read(fields: Sequence[int]) -> float:
    return log_sum_exp([(field - _ZERO) * _UNIT for field in fields])


_Parts = list[tuple[Bets, tuple[int, ...]]]


def _parts(test: Test | TallyTest, evidence: Sequence[Table] | Tally, *, exactly: bool = False) -> _Parts:
    """Return what is staked on which cells. Tables under one coin are joined, since products are about to be rounded.

    With `exactly`, the fractions too.
    """
    if isinstance(evidence, Tally):
        return [(test.bets() if exactly else _staked(test), evidence.counts)]  # type: ignore[arg-type,call-arg]  # as above
    book = partial(_bets, test) if exactly else _book(test)  # type: ignore[arg-type]  # as above
    return [
        (book(table.candidate_weight, table.control_weight), table.candidate + table.incumbent)
        for table in (evidence if len(evidence) == 1 else joined(evidence))
    ]


def _scores(parts: _Parts) -> list[float]:
    """Return the same in floats, as wealth is defined: products rounded, and sums rounded correctly, so in no order."""
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
    if any(len(cells) != len(bets.columns) for bets, cells in parts):
        raise _refusal(test, evidence if isinstance(evidence, Tally) else evidence[0])
    return log_sum_exp(_scores(parts)) if parts else 0.0


@overload
def crossed(test: Test, evidence: Sequence[Table], alpha: float) -> bool: ...
@overload
def crossed(test: TallyTest, evidence: Tally, alpha: float) -> bool: ...
def crossed(test: Test | TallyTest, evidence: Sequence[Table] | Tally, alpha: float) -> bool:
    """Return whether the wealth now is at or above 1/alpha.

    The guarantee is on *ever* crossing, so a caller records the first time and does not wait for it to last. Decided in
    integers where they are sure, then in floats, then in 50-digit decimals. Raises `ValueError` on an alpha outside
    (0, 1) and on evidence of other bins.
    """
    line = _line(alpha)
    if not evidence:
        return False
    bets, logs, doubt = _summed(test, evidence)
    if doubt < _MOST_DOUBT:
        fields = bets.layout.unpack(logs.to_bytes(bets.layout.size, "little"))
        # The sum of k terms is at most k times the largest: most tests are decided without one exponential.
        if (max(fields) - _ZERO) * _UNIT + bets.spread < line - doubt:
            return False
        wealth = _read(fields)
        if abs(wealth - line) > doubt:
            return wealth > line
    return _crossed_closely(test, evidence, _parts(test, evidence), alpha=alpha)


@overload
def weighed(test: Test, evidence: Sequence[Table], alpha: float, *, places: int) -> tuple[bool, float]: ...
@overload
def weighed(test: TallyTest, evidence: Tally, alpha: float, *, places: int) -> tuple[bool, float]: ...
def weighed(
    test: Test | TallyTest, evidence: Sequence[Table] | Tally, alpha: float, *, places: int
) -> tuple[bool, float]:
    """Return what `crossed` says, and the `log_wealth` rounded to so many places: both at the price of one.

    Raises `ValueError` as they do.
    """
    line = _line(alpha)
    if not evidence:
        return False, 0.0
    bets, logs, doubt = _summed(test, evidence)
    if doubt < _MOST_DOUBT:
        wealth = _read(bets.layout.unpack(logs.to_bytes(bets.layout.size, "little")))
        # Rounding keeps order: where both ends agree, so does what lies between. But a zero may have either sign.
        low, high = round(wealth - doubt, places), round(wealth + doubt, places)
        if low == high != 0.0 and abs(wealth - line) > doubt:
            return wealth > line, low
    parts = _parts(test, evidence)
    return _crossed_closely(test, evidence, parts, alpha=alpha), round(log_sum_exp(_scores(parts)), places)


@lru_cache(maxsize=1024)
def _line(alpha: float) -> float:
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha is {alpha!r}; expected a number between 0 and 1")
    return float(decimal_ln(1 / written(alpha)))


def _crossed_closely(test: Test | TallyTest, evidence: Sequence[Table] | Tally, parts: _Parts, *, alpha: float) -> bool:
    line, wealth = _line(alpha), log_sum_exp(_scores(parts))
    terms = sum(len(cells) for _, cells in parts)
    band = _BAND + _ROUNDING * (terms + 8) * sum(sum(cells) * bets.steepest for bets, cells in parts)
    if abs(wealth - line) > band:
        return wealth > line
    return _crossed_exactly(_parts(test, evidence, exactly=True), alpha=alpha)


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
