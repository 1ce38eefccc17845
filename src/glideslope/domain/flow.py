"""Traffic to come, as it came so far: subjects by the hour of the week, and their outcomes as late as they were."""

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from glideslope.domain.experience import DELAY_EDGES, HOURS, Experience

if TYPE_CHECKING:
    from glideslope.domain.freeze import Baseline

HOUR: Final = 3_600.0
DAY: Final = 24 * HOUR
WEEK: Final = HOURS * HOUR

LEAST_WATCHED: Final = 10
"""Minutes for which traffic must have been watched before its rhythm is believed more than the last minute."""


def second_of_week(instant: int) -> float:
    """Return the second of an instant in milliseconds since the epoch, which was a Thursday."""
    return (instant / 1000 + 3 * DAY) % WEEK


@dataclass(frozen=True)
class Flow:
    """Expected traffic. Times in seconds since the start, which lies `starts` seconds after Monday at midnight, UTC."""

    hourly: tuple[float, ...]
    """Subjects per second, per hour of the week."""
    starts: float = 0.0
    delays: tuple[tuple[float, float], ...] = ((0.0, 1.0),)
    """(seconds, share): how late outcomes come."""
    covered: float = 1.0
    """Share of the predictions whose outcome ever comes."""

    @cached_property
    def _sums(self) -> tuple[float, ...]:
        return (0.0, *accumulate(rate * HOUR for rate in self.hourly))

    @property
    def weekly(self) -> float:
        """Return the subjects of a week."""
        return self._sums[-1]

    @property
    def is_known(self) -> bool:
        """Tell whether any traffic is expected at all."""
        return self.weekly > 0.0

    def subjects(self, begin: float, end: float) -> float:
        """Return how many subjects come from one time until another."""
        return self._until(self.starts + end) - self._until(self.starts + begin) if end > begin else 0.0

    def outcomes(self, begin: float, end: float, *, now: float) -> float:
        """Return of how many of those the outcome has come by now."""
        return self.covered * sum(
            share * self.subjects(begin, min(end, now - delay)) for delay, share in self.delays if now - delay > begin
        )

    def when(self, begin: float, count: float) -> float:
        """Return the time by which so many subjects have come since one; infinite without traffic."""
        if not self.is_known:
            return float("inf")
        target = self._until(self.starts + begin) + count
        weeks, rest = divmod(target, self.weekly)
        hour = min(bisect_right(self._sums, rest) - 1, HOURS - 1)
        rate = self.hourly[hour]
        within = (rest - self._sums[hour]) / rate if rate > 0.0 else 0.0
        return max(begin, weeks * WEEK + hour * HOUR + within - self.starts)

    def _until(self, instant: float) -> float:
        weeks, rest = divmod(instant, WEEK)
        hour = min(int(rest // HOUR), HOURS - 1)
        return weeks * self.weekly + self._sums[hour] + self.hourly[hour] * (rest - hour * HOUR)


def flow_of(baseline: "Baseline", *, starts: float) -> Flow:
    """Return what to expect after this baseline, from `starts` seconds into the week."""
    known = baseline.experience
    return Flow(
        hourly=_hourly(known, now=baseline.subjects_per_second),
        starts=starts,
        delays=_delays(known),
        covered=_covered(baseline),
    )


def _hourly(known: Experience, *, now: float) -> tuple[float, ...]:
    """Return each hour's rate; an hour that was hardly watched is like all together, and before that like the last minute.

    The minute under way counts as watched and its traffic is still to come, so an hour that has just begun would look empty.
    """
    minutes = sum(known.watched)
    if minutes < LEAST_WATCHED:
        return (now,) * HOURS
    mean = sum(known.requests) / (60.0 * minutes)
    hours = zip(known.requests, known.watched, strict=True)
    return tuple(r / (60.0 * w) if w >= LEAST_WATCHED else mean for r, w in hours)


def _delays(known: Experience) -> tuple[tuple[float, float], ...]:
    """Stand for each bin by its geometric middle."""
    total = sum(known.delays)
    if not total:
        return ((0.0, 1.0),)
    middles = (0.5, *(edge / 2**0.5 for edge in DELAY_EDGES[1:]), DELAY_EDGES[-1])
    return tuple((middle, count / total) for middle, count in zip(middles, known.delays, strict=True) if count)


def _covered(baseline: "Baseline") -> float:
    known = baseline.experience
    if known.exposed and known.arrived:
        return min(1.0, known.arrived / known.exposed)
    if baseline.subjects_per_second > 0.0 and baseline.outcomes_per_second > 0.0:
        return min(1.0, baseline.outcomes_per_second / baseline.subjects_per_second)
    return 1.0
