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

CONFIDENT = Fraction(19, 20)
"""The same where the usual histogram is trusted, as a plan may say: values that hardly differ are proven with bold bets."""

HALF = Fraction(1, 2)

BOLDNESS = tuple(BOLDEST / 2**step for step in range(8))
"""Parts of the wealth at risk, halving: the best one depends on effect over variance, which nobody knows beforehand."""


def mean_bets(
    moves: Sequence[Fraction], *, likely: Sequence[Fraction] = (), trust: Fraction = HALF, boldest: Fraction = BOLDEST
) -> Bets:
    """Return bets 1 + lam * z for the null that the mean of z is at most 0, given z per cell.

    `likely`, if given, are the probabilities of the cells under the truth one hopes to prove: the lam that grows fastest
    under it, at most `boldest`, then gets `trust` of the prior. Raises `ValueError` if no z is negative: nothing could speak for the null.
    """
    worst = -min(moves)
    if worst <= 0:
        raise ValueError("every outcome would speak against the null; the margin or the centre is out of range")
    scaled = [move / worst for move in moves]
    prior, boldness = equal(len(BOLDNESS)), BOLDNESS
    if likely:
        prior = (trust, *(weight * (1 - trust) for weight in prior))
        boldness = (_fastest(scaled, likely=likely, boldest=boldest), *boldness)
    return Bets.of(prior=prior, factors=[[1 + bold * move for move in scaled] for bold in boldness])


def trusted(trust: float | None) -> tuple[Fraction, Fraction]:
    """Return what is staked on the usual histogram, and how boldly, if a plan says so; `ValueError` unless it is a part."""
    if trust is None:
        return HALF, BOLDEST
    if not 0 < written(trust) < 1:
        raise ValueError(f"what is trusted to the usual histogram must be a part of the wealth, got {trust}")
    return written(trust), CONFIDENT


def _fastest(moves: Sequence[Fraction], *, likely: Sequence[Fraction], boldest: Fraction) -> Fraction:
    """Return the boldness of the fastest mean growth of log wealth, to one part in 65,536.

    Bisection on the derivative, in doubles without any function of the C library: it chooses a bet and proves nothing,
    but it must choose the same on every machine.
    """
    steps = 1 << 16
    pairs = [(float(move), float(weight)) for move, weight in zip(moves, likely, strict=True)]
    low, high = 1, int(boldest * steps)
    while low < high:
        middle = (low + high) // 2
        slope = 0.0
        for move, weight in pairs:
            slope += weight * move / (1.0 + middle / steps * move)
        low, high = (middle + 1, high) if slope > 0.0 else (low, middle)
    return Fraction(low, steps)


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

    def __hash__(self) -> int:
        # Looked up at every look: the rest would cost more than it tells apart.
        return hash((self.centre, self.margin))

    @property
    def bins(self) -> int:
        return len(self.values)

    def bets(self, pi: Fraction) -> Bets:
        values = list(map(written, self.values))
        return mean_bets(_moves(values=values, centre=written(self.centre), margin=written(self.margin), pi=pi, sign=1))


@dataclass(frozen=True, slots=True)
class ScorePass:
    """Proof on a bounded loss. Null: the candidate's mean loss exceeds the incumbent's by the margin or more.

    `reference`, if known, is the incumbent's usual histogram over the same bins: it sizes the bets, which saves about a
    fifth of the subjects. `trust` is the part of the wealth that rests on it, a half if nothing is said.
    """

    values: tuple[float, ...]
    centre: float
    margin: float
    reference: tuple[int, ...] = ()
    trust: float | None = None

    def __post_init__(self) -> None:
        trusted(self.trust)
        _check(self.values, centre=self.centre, margin=self.margin, positive=True)
        if self.reference and (len(self.reference) != len(self.values) or min(self.reference) < 0):
            raise ValueError(f"a reference must hold a count per value, got {self.reference}")
        if self.reference and not sum(self.reference):
            raise ValueError("a reference must hold at least one subject")

    def __hash__(self) -> int:
        # Looked up at every look: the rest would cost more than it tells apart.
        return hash((self.centre, self.margin))

    @property
    def bins(self) -> int:
        return len(self.values)

    def bets(self, pi: Fraction) -> Bets:
        usual = [Fraction(count, sum(self.reference)) for count in self.reference]
        return _pass_bets(
            self.values, centre=self.centre, margin=self.margin, pi=pi, usual=usual, trust=trusted(self.trust)
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
        base = written(self.base_rate)
        return _pass_bets((0.0, 1.0), centre=self.base_rate, margin=self.margin, pi=pi, usual=[1 - base, base])


@dataclass(frozen=True, slots=True)
class StrataMean:
    """Harm or proof on the mean of the whole, whose strata have centres of their own; the bins of each follow each other.

    Null of harm: the candidate's mean loss, over all strata as they come, never exceeds the incumbent's by more than the
    margin; of a proof, it exceeds it by the margin or more. What is staked is the same in every stratum. Whoever staked more where
    losses vary little could prove a candidate that is well within the margin there and far beyond it elsewhere.
    """

    values: tuple[float, ...]
    centres: tuple[float, ...]
    margin: float
    proof: bool

    def __post_init__(self) -> None:
        if not self.centres:
            raise ValueError("there must be at least one stratum")
        for centre in self.centres:
            _check(self.values, centre=centre, margin=self.margin, positive=self.proof)

    def __hash__(self) -> int:
        # Looked up at every look: the rest would cost more than it tells apart.
        return hash((self.centres, self.margin, self.proof))

    @property
    def bins(self) -> int:
        return len(self.values) * len(self.centres)

    def bets(self, pi: Fraction) -> Bets:
        values, margin = list(map(written, self.values)), written(self.margin)
        sign, size = -1 if self.proof else 1, len(self.values)
        each = [
            _moves(values=values, centre=written(centre), margin=margin, pi=pi, sign=sign) for centre in self.centres
        ]
        candidate = [move for moves in each for move in moves[:size]]
        return mean_bets(candidate + [move for moves in each for move in moves[size:]], likely=self._likely(pi))

    def _likely(self, pi: Fraction) -> list[Fraction]:
        """Return the cells' chances if an event is as usual in all strata, the last of which is empty; else nothing."""
        if not self.proof or self.bins != 2 * len(self.centres) or self.values != (0.0, 1.0):
            return []
        shares = [Fraction(1, max(1, len(self.centres) - 1))] * (len(self.centres) - 1) or [Fraction(1)]
        shares += [Fraction(0)] * (len(self.centres) - len(shares))
        usual = [
            share * p
            for share, centre in zip(shares, self.centres, strict=True)
            for p in (1 - written(centre), written(centre))
        ]
        return [pi * p for p in usual] + [(1 - pi) * p for p in usual]


def _pass_bets(
    values: Sequence[float],
    *,
    centre: float,
    margin: float,
    pi: Fraction,
    usual: Sequence[Fraction],
    trust: tuple[Fraction, Fraction] = (HALF, BOLDEST),
) -> Bets:
    moves = _moves(values=list(map(written, values)), centre=written(centre), margin=written(margin), pi=pi, sign=-1)
    likely = [pi * p for p in usual] + [(1 - pi) * p for p in usual]
    return mean_bets(moves, likely=likely, trust=trust[0], boldest=trust[1])
