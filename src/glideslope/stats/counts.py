"""Outcomes as integers: tables per step and arm, tallies without arms, and totals that merge in any order.

Integers are what makes a verdict independent of sharding, order and repetition; floats enter only when a verdict is read.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


_INTEGERS = {int}


def _checked(counts: Sequence[int], *, what: str) -> tuple[int, ...]:
    if not counts:
        raise ValueError(f"{what} has no bins")
    # Two passes in C: this runs for every table of every look.
    if set(map(type, counts)) != _INTEGERS or min(counts) < 0:
        wrong = next(count for count in counts if type(count) is not int or count < 0)
        raise ValueError(f"{what} holds {wrong!r}; expected integers at or above 0")
    return tuple(counts)


@dataclass(frozen=True, slots=True)
class Table:
    """Outcomes of one step under one coin, per arm and bin, the worst bin last.

    Weights are the arms' parts of the data plane's total; only their ratio matters, since the subjects of neither arm
    are not counted. Raises `ValueError` on anything but integers at or above 0 (weights above 0) and equal lengths.
    """

    candidate_weight: int
    control_weight: int
    candidate: tuple[int, ...]
    incumbent: tuple[int, ...]

    def __post_init__(self) -> None:
        for weight in (self.candidate_weight, self.control_weight):
            if type(weight) is not int or weight <= 0:
                raise ValueError(f"a weight is {weight!r}; expected an integer above 0")
        object.__setattr__(self, "candidate", _checked(self.candidate, what="candidate"))
        object.__setattr__(self, "incumbent", _checked(self.incumbent, what="incumbent"))
        if len(self.candidate) != len(self.incumbent):
            raise ValueError(
                f"the arms differ in bins: candidate has {len(self.candidate)}, incumbent {len(self.incumbent)}"
            )

    @property
    def bins(self) -> int:
        return len(self.candidate)

    @property
    def coin(self) -> Fraction:
        """The probability that a counted subject was sent to the candidate."""
        return Fraction(self.candidate_weight, self.candidate_weight + self.control_weight)

    def sizes(self) -> "Table":
        """Return the same step with one bin: how many subjects each arm has."""
        return Table(self.candidate_weight, self.control_weight, (sum(self.candidate),), (sum(self.incumbent),))


@dataclass(frozen=True, slots=True)
class Tally:
    """Outcomes per bin where no coin chose an arm: pairs, or one arm against a fixed limit."""

    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "counts", _checked(self.counts, what="the tally"))

    @property
    def bins(self) -> int:
        return len(self.counts)

    @classmethod
    def of_candidate(cls, tables: Iterable[Table]) -> "Tally":
        """Add the candidate's bins over all steps."""
        return cls(_added([table.candidate for table in tables]))

    @classmethod
    def of_incumbent(cls, tables: Iterable[Table]) -> "Tally":
        """Add the incumbent's bins over all steps."""
        return cls(_added([table.incumbent for table in tables]))

    @classmethod
    def pooled(cls, tables: Iterable[Table]) -> "Tally":
        """Add both arms' bins over all steps."""
        return cls(_added([row for table in tables for row in (table.candidate, table.incumbent)]))


def _added(rows: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    return rows[0] if len(rows) == 1 else tuple(map(sum, zip(*rows, strict=True)))


def joined(tables: Sequence[Table]) -> Sequence[Table]:
    """Add tables tossed with the same coin: the form in which tables are evaluated.

    Steps with equal odds are one step to the statistics, however often a ramp visited them.
    """
    groups: dict[tuple[int, int], list[Table]] = {}
    for table in tables:
        divisor = gcd(table.candidate_weight, table.control_weight)
        key = (table.candidate_weight // divisor, table.control_weight // divisor)
        groups.setdefault(key, []).append(table)
    if len(groups) == len(tables):
        return tables
    return tuple(
        Table(*key, _added([table.candidate for table in group]), _added([table.incumbent for table in group]))
        for key, group in groups.items()
    )


class Totals(Generic[K]):
    """Grow-only counters per source and epoch, merged by maximum, read as one sum.

    A source counts upwards within an epoch and sends its totals again and again; after a restart it opens a new epoch.
    A message that comes twice, late or out of order therefore changes nothing, and a total that shrinks is absorbed.
    The one mutable value of this room: `absorb` costs what the message holds, not what was ever counted.
    """

    __slots__ = ("_seen", "_sum")

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], dict[K, int]] = {}
        self._sum: Counter[K] = Counter()

    def absorb(self, source: str, *, epoch: str, counts: Mapping[K, int]) -> dict[K, int]:
        """Take in one message and return by how much each key of the sum grew (keys that did not grow are left out).

        Raises `ValueError`, changing nothing, if a count is not an integer at or above 0.
        """
        for key, count in counts.items():
            if type(count) is not int or count < 0:
                raise ValueError(f"{source} sent {count!r} for {key!r}; expected an integer at or above 0")
        seen = self._seen.setdefault((source, epoch), {})
        grown: dict[K, int] = {}
        for key, count in counts.items():
            before = seen.get(key, 0)
            if count > before:
                seen[key] = count
                grown[key] = count - before
                self._sum[key] += count - before
        return grown

    def of(self, source: str, *, epoch: str) -> Mapping[K, int]:
        """Return one source's totals of an epoch, as they are."""
        return self._seen.get((source, epoch), {})

    def items(self) -> Iterable[tuple[tuple[str, str], Mapping[K, int]]]:
        """Yield ((source, epoch), totals), for storing and sending on."""
        return ((origin, dict(counts)) for origin, counts in self._seen.items())

    def sum(self) -> Counter[K]:
        """Return the sum over all sources and epochs, as a copy."""
        return self._sum.copy()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Totals):
            return NotImplemented
        return self._lit() == other._lit()

    __hash__ = None  # type: ignore[assignment]  # mutable, so it cannot be a key

    def _lit(self) -> dict[tuple[str, str], dict[K, int]]:
        return {origin: counts for origin, counts in self._seen.items() if counts}


def merge(a: Totals[K], b: Totals[K]) -> Totals[K]:
    """Return the join of two totals, changing neither: associative, commutative, idempotent."""
    both = Totals[K]()
    for totals in (a, b):
        for (source, epoch), counts in totals.items():
            both.absorb(source, epoch=epoch, counts=counts)
    return both


def total(parts: Iterable[Totals[K]]) -> Counter[K]:
    """Return the sum over all sources of any number of overlapping totals."""
    both = Totals[K]()
    for part in parts:
        for (source, epoch), counts in part.items():
            both.absorb(source, epoch=epoch, counts=counts)
    return both.sum()
