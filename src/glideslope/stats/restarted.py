"""Label bets without an end: do the arms differ from some moment on? Shiryaev-Roberts sums of the bets of `PlacesDiffer`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from math import exp, inf, log
from operator import mul

from glideslope.stats.counts import Table
from glideslope.stats.twosided import PlacesDiffer
from glideslope.stats.wealth import Bets

MOST_BINS = 14
"""More are joined in neighbours: the sums are over bins times bets."""


@dataclass(slots=True)
class Difference:
    """An e-detector of a change between the arms (Shin, Ramdas & Rinaldo 2023). `see` takes what was counted since the last look.

    Under the coin and equal arms each alternative's factor has mean 1 given the past, whatever happens to both. So the expected number
    of flags in n looks is at most n over the line: exactly, for any traffic.
    """

    sums: list[float] = field(default_factory=list)

    @property
    def evidence(self) -> float:
        """Return the mean of the sums, weighed by their prior: what reaches the line."""
        return self.sums[-1] if self.sums else 0.0

    def see(self, tables: Sequence[Table], *, line: float = inf) -> bool:
        """Take the growth of each step's table and tell whether the arms are flagged as different: then the sums begin anew."""
        grown = [joined(table) for table in tables if any(table.candidate) or any(table.incumbent)]
        if not grown:
            return False
        books = [(_bets(table.bins, table.candidate_weight, table.control_weight), table) for table in grown]
        prior = [exp(row[0]) for row in books[0][0].rows]
        if len(self.sums) != len(prior) + 1:
            self.sums = [0.0] * (len(prior) + 1)
        for h in range(len(prior)):
            grew = sum(sum(map(mul, bets.weights[h], table.candidate + table.incumbent)) for bets, table in books)
            self.sums[h] = exp(min(690.0, log(1 + self.sums[h]) + grew))
        self.sums[-1] = sum(map(mul, prior, self.sums[:-1]))
        if self.evidence < line:
            return False
        self.sums = [0.0] * len(self.sums)
        return True


def joined(table: Table) -> Table:
    """Join neighbouring bins until there are MOST_BINS at most."""
    width = -(-table.bins // MOST_BINS)
    if width == 1:
        return table
    return Table(
        table.candidate_weight, table.control_weight, _added(table.candidate, width), _added(table.incumbent, width)
    )


def _added(counts: Sequence[int], width: int) -> tuple[int, ...]:
    return tuple(sum(counts[k : k + width]) for k in range(0, len(counts), width))


@lru_cache(maxsize=256)
def _bets(bins: int, candidate: int, control: int) -> Bets:
    return PlacesDiffer(bins).bets(Fraction(candidate, candidate + control))
