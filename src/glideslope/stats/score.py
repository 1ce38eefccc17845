"""Tests on means: bet on the arm in proportion to how far a bounded loss lies from its centre.

Weaker null than the label tests: only the means are compared, so a candidate may change the shape of the losses. One
bet multiplies the wealth by 1 + lam * z with z = (A - pi)(L - centre) - pi(1 - pi) margin, whose mean is
pi(1 - pi)(E L candidate - E L incumbent - margin). (Waudby-Smith & Ramdas 2024; centring as in CUPED and AIPW.)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from glideslope.stats.betting import check_base_rate, check_margin, equal
from glideslope.stats.reals import written
from glideslope.stats.wealth import Bets

BOLDEST = Fraction(4, 5)
"""The largest part of the wealth that one outcome can cost."""

BOLDNESS = tuple(BOLDEST / 2**step for step in range(8))
"""Parts of the wealth at risk, halving: the best one depends on effect over variance, which nobody knows beforehand."""


def mean_bets(moves: Sequence[Fraction]) -> Bets:
    """Return bets 1 + lam * z for the null that the mean of z is at most 0, given z per cell.

    Raises `ValueError` if no cell is negative: then nothing could ever speak for the null.
    """
    worst = -min(moves)
    if worst <= 0:
        raise ValueError("every outcome would speak against the null; the margin or the centre is out of range")
    return Bets.of(
        prior=equal(len(BOLDNESS)),
        factors=[[1 + boldness / worst * move for move in moves] for boldness in BOLDNESS],
    )


def check_values(values: Sequence[float]) -> list[Fraction]:
    """Return values as written; `ValueError` unless finite and not all equal."""
    exact = [written(value) for value in values]
    if len(set(exact)) < 2:
        raise ValueError(f"values must be finite and differ, got {tuple(values)}")
    return exact


def _moves(
    *, values: Sequence[Fraction], centre: Fraction, margin: Fraction, pi: Fraction, sign: int
) -> list[Fraction]:
    shift = pi * (1 - pi) * margin
    candidate = [sign * ((1 - pi) * (value - centre) - shift) for value in values]
    incumbent = [sign * (-pi * (value - centre) - shift) for value in values]
    return candidate + incumbent


def _check(values: Sequence[float], *, centre: float, margin: float, positive: bool) -> None:
    exact = check_values(values)
    check_margin(margin, positive=positive)
    if not min(exact) <= written(centre) <= max(exact):
        raise ValueError(f"the centre {centre} lies outside the values {tuple(values)}")
    if written(margin) >= max(exact) - min(exact):
        raise ValueError(f"no candidate could break a margin of {margin} with values {tuple(values)}")


@dataclass(frozen=True, slots=True)
class ScoreHarm:
    """Harm on a bounded loss. Null: the candidate's mean loss never exceeds the incumbent's by more than the margin.

    `values` is the loss of each bin, in any units; `centre` is the incumbent's usual mean, frozen beforehand: being
    wrong about it costs power (much of it), never the guarantee.
    """

    values: tuple[float, ...]
    centre: float
    margin: float = 0.0

    def __post_init__(self) -> None:
        _check(self.values, centre=self.centre, margin=self.margin, positive=False)

    @property
    def bins(self) -> int:
        return len(self.values)

    def bets(self, pi: Fraction) -> Bets:
        values = list(map(written, self.values))
        return mean_bets(_moves(values=values, centre=written(self.centre), margin=written(self.margin), pi=pi, sign=1))


@dataclass(frozen=True, slots=True)
class ScorePass:
    """Proof on a bounded loss. Null: the candidate's mean loss exceeds the incumbent's by the margin or more."""

    values: tuple[float, ...]
    centre: float
    margin: float

    def __post_init__(self) -> None:
        _check(self.values, centre=self.centre, margin=self.margin, positive=True)

    @property
    def bins(self) -> int:
        return len(self.values)

    def bets(self, pi: Fraction) -> Bets:
        values = list(map(written, self.values))
        return mean_bets(
            _moves(values=values, centre=written(self.centre), margin=written(self.margin), pi=pi, sign=-1)
        )


@dataclass(frozen=True, slots=True)
class DifferenceHarm:
    """Harm beyond an absolute margin on a binary event, bins (good, bad): 0.01 tolerates one bad in a hundred more."""

    margin: float
    base_rate: float

    def __post_init__(self) -> None:
        check_base_rate(self.base_rate)
        _check((0.0, 1.0), centre=self.base_rate, margin=self.margin, positive=False)

    @property
    def bins(self) -> int:
        return 2

    def bets(self, pi: Fraction) -> Bets:
        return ScoreHarm((0.0, 1.0), centre=self.base_rate, margin=self.margin).bets(pi)


@dataclass(frozen=True, slots=True)
class DifferencePass:
    """Proof on a binary event, bins (good, bad). Null: the difference of rates is at least the absolute margin."""

    margin: float
    base_rate: float

    def __post_init__(self) -> None:
        check_base_rate(self.base_rate)
        _check((0.0, 1.0), centre=self.base_rate, margin=self.margin, positive=True)

    @property
    def bins(self) -> int:
        return 2

    def bets(self, pi: Fraction) -> Bets:
        return ScorePass((0.0, 1.0), centre=self.base_rate, margin=self.margin).bets(pi)
