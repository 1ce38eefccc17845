"""Credit for overshoot: a bet that lands beyond the line has won more than was asked for, and this pays it back.

A wealth that jumps past 1/alpha makes a test stricter than it says. While nothing is known but bad outcomes under one coin, the
state of the bets is two integers, so the chance of a false alarm can be computed instead of bounded: here the
alternatives are given more to start with than a unit of wealth, as much more as leaves that chance at alpha.

What comes later is not known: the coin may change at any moment, chosen from all that was seen, and then only the plain wealth
counts. So the chance that is computed is the largest over all such moments (a Snell envelope). Proof and limits are in
docs/explanation/closer-to-the-limit.md; the idea is that of Fischer & Ramdas (2024), made independent of order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import floor

from glideslope.stats.betting import check_ratios, errors_only_bets
from glideslope.stats.counts import Table
from glideslope.stats.reals import ln, written
from glideslope.stats.wealth import Bets

RATIOS = (1.2, 1.5, 2.0, 3.5, 8.0, 25.0)
"""How many times worse a candidate may be."""

SHARES = (0.17, 0.15, 0.18, 0.19, 0.17, 0.14)
"""Of the unit of wealth, per ratio: tuned on nine effects from 1.2 to 20, three shares and two alphas."""

FREQUENT_RATIOS = (1.2, 1.5, 2.0, 3.0, 6.0)
"""The same where bad outcomes are not rare: nobody can be twenty-five times as bad as one in ten, and what is staked on it is lost."""

FREQUENT_SHARES = (0.22, 0.19, 0.21, 0.2, 0.18)
"""Tuned on usual rates from 6 to 30 %, seven effects from 1.2 to 6, two shares and two alphas."""

RESERVE = 1.1
"""The plain wealth starts at one part in so many, which pays for the freedom to change the coin whenever one likes."""

MOST_BAD = 200
"""Credit ends after so many bad outcomes: what is found later overshoots by little."""

_HALVINGS = 7
_PLACES = 6
_SAFETY = 1.0 - 1e-6
"""Far more than rounding errors of some thousand additions of chances."""

_FAINT = 1e-3
"""Below this wealth the chance of an alarm is bounded by the wealth instead of computed."""


@dataclass(frozen=True, slots=True)
class StakedHarm:
    """Harm on a binary event by its bad outcomes alone, bins (good, bad), with stakes that need not sum to one.

    Null: the candidate's rate of bad never exceeds the incumbent's. `stakes` is what each of `ratios` starts with. If they sum
    to at most one, the guarantee is that of Ville; if to more, it is that of `credited`, under its conditions alone.
    """

    ratios: tuple[float, ...]
    stakes: tuple[float, ...]

    def __post_init__(self) -> None:
        check_ratios(self.ratios, above=1.0)
        if len(self.stakes) != len(self.ratios) or min(map(written, self.stakes)) <= 0:
            raise ValueError(f"there must be a stake above 0 for each of {len(self.ratios)} ratios, got {self.stakes}")

    def __hash__(self) -> int:
        # Looked up at every look: the rest would cost more than it tells apart.
        return hash(self.stakes)

    @property
    def bins(self) -> int:
        return 2

    def bets(self, pi: Fraction) -> Bets:
        return errors_only_bets(
            pi=pi, null=Fraction(1), prior=tuple(map(written, self.stakes)), ratios=list(map(written, self.ratios))
        )


def reserved(shares: Sequence[float] = SHARES) -> tuple[float, ...]:
    """Return the stakes of the plain wealth, written with six places."""
    return tuple(_down(share / RESERVE) for share in shares)


def applies(tables: Sequence[Table], *, coin: tuple[int, int]) -> bool:
    """Tell whether credit holds: all bad outcomes so far are under this coin, and they are not too many.

    It holds from the beginning until it ends, and never again: counts only grow.
    """
    bad = 0
    for table in tables:
        more = table.candidate[-1] + table.incumbent[-1]
        if more and table.candidate_weight * coin[1] != table.control_weight * coin[0]:
            return False
        bad += more
    return bad <= MOST_BAD


@lru_cache(maxsize=256)
def credited(
    ratios: tuple[float, ...], plain: tuple[float, ...], *, coin: tuple[int, int], alpha: float
) -> tuple[float, ...]:
    """Return the stakes that are credited while `applies` holds, for a test that later has the stakes *plain*.

    With them the chance of ever crossing 1/alpha, before or after, is at most alpha under every course of base rates and every
    later course of coins. Costs some ten thousand additions. Raises `ValueError` as `StakedHarm` does, and if the plain
    stakes sum to more than one.
    """
    StakedHarm(ratios, plain)
    if sum(map(written, plain)) > 1:
        raise ValueError(f"plain stakes must not sum to more than one, got {plain}")
    pi = Fraction(coin[0], sum(coin))
    wanted = [stake * (RESERVE * _overshoot(ratio, pi=pi) - 1.0) for ratio, stake in zip(ratios, plain, strict=True)]
    stakes = plain
    # First all of them; then, since one alternative can be stopped where a single outcome decides, the rest by themselves.
    for kept in (len(ratios), len(ratios) // 2):
        more = [each if place < kept else 0.0 for place, each in enumerate(wanted)]
        lattice = _Lattice.of(ratios, plain, stakes, more, pi=float(pi), alpha=alpha)
        low, high = 0.0, 2.0
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if lattice.chance(middle) <= alpha * _SAFETY else (low, middle)
        stakes = tuple(max(stake, _down(stake + low * each)) for stake, each in zip(stakes, more, strict=True))
    return stakes


def chance_of_alarm(
    ratios: tuple[float, ...],
    plain: tuple[float, ...],
    stakes: tuple[float, ...],
    *,
    coin: tuple[int, int],
    alpha: float,
) -> float:
    """Return the largest chance of ever crossing that any course of coins and base rates gives the null."""
    pi = float(Fraction(coin[0], sum(coin)))
    return _Lattice.of(ratios, plain, stakes, [0.0] * len(ratios), pi=pi, alpha=alpha).chance(0.0)


def _overshoot(ratio: float, *, pi: Fraction) -> float:
    """Return about the mean of the factor by which the last bet on this ratio goes too far."""
    up = float(written(ratio) / (pi * written(ratio) + 1 - pi))
    # A jump of u nats that begins anywhere below the line goes on average u / (1 - exp(-u)) times too far.
    return ln(up) / (1.0 - 1.0 / up)


@dataclass(frozen=True, slots=True)
class _Row:
    """Wealth after so many bad outcomes, by how many of them were the candidate's: from `first` on, to where all cross.

    If `is_cut`, whoever has fewer than `first` has next to nothing.
    """

    first: int
    is_cut: bool
    plain: tuple[float, ...]
    credited: tuple[float, ...]
    more: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class _Lattice:
    pi: float
    alpha: float
    rows: tuple[_Row, ...]

    @classmethod
    def of(
        cls,
        ratios: Sequence[float],
        plain: Sequence[float],
        credited: Sequence[float],
        more: Sequence[float],
        *,
        pi: float,
        alpha: float,
    ) -> "_Lattice":
        downs = [1.0 / (pi * ratio + 1.0 - pi) for ratio in ratios]
        edge, first = [1.0] * len(ratios), 0  # the wealth per unit of stake where the row begins
        rows = []
        for n in range(MOST_BAD + 1):
            wealth = []
            at = edge
            for _ in range(first, n + 1):
                wealth.append(tuple(_added(at, stakes=stakes) for stakes in (plain, credited, more)))
                if wealth[-1][0] * alpha >= 1.0:
                    break
                at = [each * ratio for each, ratio in zip(at, ratios, strict=True)]
            # One more bad outcome of the candidate only adds to the wealth, so a row begins at most one after the last.
            moved = len(wealth) > 1 and wealth[1][1] < _FAINT
            if moved:
                wealth, first = wealth[1:], first + 1
                edge = [each * ratio for each, ratio in zip(edge, ratios, strict=True)]
            rows.append(
                _Row(
                    first=first,
                    is_cut=wealth[0][1] < _FAINT,
                    plain=tuple(each for each, _, _ in wealth),
                    credited=tuple(each for _, each, _ in wealth),
                    more=tuple(each for _, _, each in wealth),
                )
            )
            edge = [each * down for each, down in zip(edge, downs, strict=True)]
        return cls(pi=pi, alpha=alpha, rows=tuple(rows))

    def chance(self, times: float) -> float:
        """Return the chance of an alarm from the start, with so many times `more` added to the credited wealth.

        Backwards from the last row: whoever may choose either goes on, or changes the coin and is left with the plain wealth,
        whose chance of ever crossing is at most alpha times itself.
        """
        alpha, pi = self.alpha, self.pi
        line = _SAFETY / alpha  # slightly before the line, since whoever judges there does so exactly
        ahead: list[float] = []
        offset = 0
        for row in reversed(self.rows):
            here: list[float] = []
            at = row.first - offset
            for plain, credited, more in zip(row.plain, row.credited, row.more, strict=True):
                wealth = credited + times * more
                if wealth >= line:
                    chance = 1.0
                elif row is self.rows[-1]:
                    chance = alpha * plain
                elif row.is_cut and not here:
                    chance = alpha * wealth
                else:
                    up = ahead[at + 1] if at + 1 < len(ahead) else 1.0
                    stay = ahead[at] if at < len(ahead) else 1.0
                    chance = max(alpha * plain, pi * up + (1.0 - pi) * stay)
                here.append(min(1.0, chance))
                at += 1
            ahead, offset = here, row.first
        return ahead[0]


def _added(wealth: Sequence[float], *, stakes: Sequence[float]) -> float:
    total = 0.0
    for each, stake in zip(wealth, stakes, strict=True):
        total += each * stake
    return total


def _down(number: float) -> float:
    unit = 10**_PLACES
    return float(floor(number * unit) / unit)
