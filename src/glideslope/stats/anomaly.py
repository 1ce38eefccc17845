"""Is a series as usual? A detector that never ends, with a stated budget of false flags over all series together.

Each look is turned into a score against what is usual at that hour of the week; the score's rank among all earlier scores is a
conformal p-value (Vovk, Gammerman & Shafer 2005); bets on small p-values are added up over all possible starts, as Shiryaev and Roberts
did, which makes an e-detector (Shin, Ramdas & Rinaldo 2023). If scores are exchangeable, the expected number of flags in any n looks is
at most n over the line, whatever other series do. See docs/explanation/drift.md for the proof, and for where the assumption is
thin. Advisory.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf, log, sqrt
from statistics import median
from typing import Final

HOURS: Final = 168
"""Hours of a week."""
FEWEST: Final = 20
"""Events below which a share or a mean is not looked at yet, but goes on growing."""
EXPECTED: Final = 5.0
"""Events of a SHARE that are to be expected in a look; fewer would tell little, one more or less being half of the score."""
PATIENCE: Final = 10
"""Looks after which a SHARE is looked at however few are expected."""
EDGES: Final = tuple(sorted(sign * 2.0 ** (k / 3) for k in range(-15, 19) for sign in (-1.0, 1.0)))
"""Scores fall into 69 bins, whose widths grow by a quarter away from zero: ranks among integers that add up."""
POWERS: Final = (0.1, 0.3, 0.6)
"""The bets on a p-value: k p**(k - 1), whose mean is 1 if p is uniform. Small powers bet on few extremes, large ones on runs."""
DAY: Final = 1_440
"""Looks of a day, whose highest evidence is one block maximum."""
SILENT: Final = 7
"""Days that are only learned from: before it flags, a series shows how high its evidence climbs by itself."""
REMEMBERED: Final = 28
"""Days whose highest evidence draws the line."""
STRAYS: Final = 3.0
"""Standard deviations of the daily maxima by which a line lies above their mean, at the least."""
ABOVE: Final = 4.0
"""Nats by which it lies above the highest of them, at the least."""
RAISE: Final = 3.0
"""Nats by which each flag raises its series' line; it comes down by as much in the time that the budget grants for a flag."""
MOST: Final = 1e30

SPANS: Final = (0.0, 1 / 240, 1 / 60, 1 / 15, 1 / 4)
"""By how much a local level follows each look: not at all, over four hours, one, a quarter, or minutes, at a look a minute."""


class Shape(StrEnum):
    """What a series is, and so how far from usual is measured."""

    RATE = "rate"  # events per look
    SHARE = "share"  # of events, from 0 to 1
    MEAN = "mean"  # of a bounded value over events
    LEVEL = "level"  # of something per look, known the better the more events it rests on: the logarithm of a quantile


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a series: a sum over so many events. A RATE sums events over `count` minutes; a LEVEL is its value times `count`."""

    total: float
    count: float

    @property
    def value(self) -> float:
        return self.total / self.count


@dataclass(slots=True)
class History:
    """One week of a series: totals and counts per hour of the week. They add up."""

    totals: list[float] = field(default_factory=lambda: [0.0] * HOURS)
    counts: list[float] = field(default_factory=lambda: [0.0] * HOURS)

    def add(self, look: Look, *, hour: int) -> None:
        self.totals[hour] += look.total
        self.counts[hour] += look.count


def usual(weeks: Sequence[History], at: float, *, fewest: float) -> float | None:
    """Return what is usual `at` hours into the week, from earlier weeks; None where these hold less than `fewest` about there.

    Per hour the median over weeks (of two their mean), so that one bad week does not become what is usual. Within an hour a
    parabola that has the hour's own mean, so that a morning's rise is no surprise.
    """
    known = about(weeks, int(at), fewest=fewest)
    return None if known is None else within(known, at)


def about(weeks: Sequence[History], hour: int, *, fewest: float) -> tuple[float, float, float] | None:
    """Return what is usual in the hour before, in this one and in the next; None where one of them is not known."""
    before, here, after = (_hourly(weeks, (hour + k) % HOURS, fewest=fewest) for k in (-1, 0, 1))
    return None if before is None or here is None or after is None else (before, here, after)


def within(known: tuple[float, float, float], at: float) -> float:
    """Return the parabola through three hours, `at` some moment of the middle one."""
    before, here, after = known
    u = at % 1 - 0.5
    found = here + u * (after - before) / 2 + (u * u - 1 / 12) * (after - 2 * here + before) / 2
    # Between rare events a parabola may dip below zero.
    return max(min(before, here, after), min(found, max(before, here, after)))


def _hourly(weeks: Sequence[History], hour: int, *, fewest: float) -> float | None:
    known = [w.totals[hour] / w.counts[hour] for w in weeks if w.counts[hour] >= fewest]
    return median(known) if known else None


def score(shape: Shape, look: Look, expected: float, *, scale: float = 1.0) -> float:
    """Return how far a look is from what was expected, in about its own standard deviations; `scale` is the range of a MEAN."""
    match shape:
        case Shape.RATE:
            m = max(0.0, expected * look.count)
            # Of counts; and where there are many, callers come in crowds, some per cent of them at once.
            return 2 * (sqrt(look.total + 0.375) - sqrt(m + 0.375)) / sqrt(1 + m * 0.0004)
        case Shape.SHARE:
            m = expected * look.count
            return 2 * (sqrt(look.total + 0.375) - sqrt(m + 0.375)) / sqrt(max(1 - expected, 0.05))
        case Shape.MEAN | Shape.LEVEL:
            return (look.value - expected) * sqrt(look.count) / (scale / 4)


@dataclass(slots=True)
class Detector:
    """All that is remembered of a series' scores; `see` takes the next."""

    bag: list[int] = field(default_factory=lambda: [0] * (len(EDGES) + 1))
    """Earlier scores, by bin."""
    levels: list[float] = field(default_factory=lambda: [0.0] * len(SPANS))
    errors: list[float] = field(default_factory=lambda: [0.0] * len(SPANS))
    """Squared errors of each local level so far; the best one is taken off the next score."""
    sums: list[float] = field(default_factory=lambda: [0.0] * (2 * len(POWERS)))
    """Shiryaev-Roberts sums, per power for large scores, then for small ones."""
    raised: float = 0.0
    """Nats by which its flags have raised this series' line."""
    seen: int = 0
    """Looks so far."""
    highest: list[float] = field(default_factory=list)
    """The logarithm of the highest evidence of each of the last days, but for what was flagged."""
    top: float = 0.0
    """That of the day in progress."""

    @property
    def evidence(self) -> float:
        """Return the mean of the sums: what reaches the line."""
        return sum(self.sums) / len(self.sums)

    @property
    def silent(self) -> bool:
        """Tell whether it is still learning what the series does by itself."""
        return len(self.highest) < SILENT

    @property
    def fits(self) -> bool:
        """Tell whether it was made by a release that follows as many levels as this one; else it must be learned anew."""
        return len(self.levels) == len(self.errors) == len(SPANS) and len(self.bag) == len(EDGES) + 1

    def limit(self, line: float) -> float:
        """Return the logarithm of this series' line: the common one, or the one that it draws by itself, raised by its flags.

        Daily maxima are block maxima: each is the highest of very many sums, whatever runs among them, so the next day's is like them.
        """
        if self.silent:
            return inf
        mean = sum(self.highest) / len(self.highest)
        spread = sqrt(sum((each - mean) ** 2 for each in self.highest) / max(1, len(self.highest) - 1))
        return max(log(line), mean + STRAYS * spread, max(self.highest) + ABOVE) + self.raised

    def see(self, score: float, *, chance: float, line: float, looks: int = 1) -> bool:
        """Take a score and tell whether it is flagged: then the sums begin anew, and this series' line rises.

        `chance` is uniform on (0, 1), independent of everything; it breaks ties among scores of one bin. `looks` is how many went into
        the score.
        """
        self._bet(self._rank(score, chance=chance))
        reached = log(max(self.evidence, 1e-300))
        silent, days, limit = self.silent, self.seen // DAY, self.limit(line)
        self.seen += looks
        flagged = not silent and reached >= limit
        if not flagged:  # what is flagged is no example of what the series does by itself
            self.top = max(self.top, reached)
        if self.seen // DAY > days:
            self.highest = [*self.highest, self.top][-REMEMBERED:]
            self.top = 0.0
        if silent:
            # Whatever it does by itself, be it in runs, is not news; the sums go on, so that their highest is found.
            if not self.silent:
                self.sums = [0.0] * len(self.sums)
            return False
        self.raised = max(0.0, self.raised - RAISE * looks / line)
        if flagged:
            self.raised += RAISE
            self.sums, self.top = [0.0] * len(self.sums), 0.0
        return flagged

    def for_another(self) -> "Detector":
        """Return a detector that knows what this one learned and has seen nothing: for a candidate, which has no past of its own."""
        return Detector(
            bag=list(self.bag),
            levels=[0.0] * len(SPANS),
            errors=list(self.errors),
            raised=self.raised,
            seen=self.seen,
            highest=list(self.highest),
        )

    def _rank(self, score: float, *, chance: float) -> float:
        """Return the conformal p-value of a large score, and remember it."""
        best = min(range(len(SPANS)), key=self.errors.__getitem__)
        left = score - self.levels[best]
        for k, span in enumerate(SPANS):
            error = score - self.levels[k]
            # Far outliers would decide alone, and the past counts less and less: some days.
            self.errors[k] = self.errors[k] * 0.9998 + min(error * error, 25.0) + (0.0 if k == 0 else 1e-3)
            self.levels[k] += span * max(-5.0, min(5.0, error))
        bin_ = bisect_left(EDGES, left)
        p = (sum(self.bag[bin_ + 1 :]) + chance * (self.bag[bin_] + 1)) / (sum(self.bag) + 1)
        self.bag[bin_] += 1
        return p

    def _bet(self, p: float) -> None:
        for k, power in enumerate(POWERS):
            self.sums[k] = min((1 + self.sums[k]) * power * max(p, 1e-12) ** (power - 1), MOST)
            low = k + len(POWERS)
            self.sums[low] = min((1 + self.sums[low]) * power * max(1 - p, 1e-12) ** (power - 1), MOST)


def is_enough(shape: Shape, look: Look, expected: float, *, held: int) -> bool:
    """Tell whether a look can be scored, or must grow with the next; it has grown `held` times. Asks nothing about what was seen."""
    if shape is Shape.RATE:
        return True
    if look.count < FEWEST:
        return False
    return shape is not Shape.SHARE or expected * look.count >= EXPECTED or held + 1 >= PATIENCE


def line_of(*, series: int, looks_per_week: float, budget: float) -> float:
    """Return the line at which all series together raise at most `budget` false flags a week on average. Raises `ValueError`."""
    if series < 1 or not looks_per_week > 0 or not budget > 0:
        raise ValueError(f"no line keeps {budget} flags over {series} series and {looks_per_week} looks a week")
    return max(1.0, looks_per_week * series / budget)


def quantile(counts: Sequence[int], edges: Sequence[float], q: float) -> float | None:
    """Return the logarithm of a quantile of positive values from their bins, interpolated; None without values."""
    total = sum(counts)
    if not total:
        return None
    left = q * total
    for bin_, count in enumerate(counts):
        if count and left <= count:
            low = log(edges[bin_ - 1]) if bin_ else log(edges[0]) - log(edges[1] / edges[0])
            high = log(edges[bin_]) if bin_ < len(edges) else low + log(edges[1] / edges[0])
            return low + (high - low) * left / count
        left -= count
    return log(edges[-1])
