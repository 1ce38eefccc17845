"""Now against the same hours of earlier weeks: for people to look at; nothing decides by it."""

from collections.abc import Mapping, Sequence
from math import exp
from statistics import median
from typing import Final, assert_never

import msgspec

from glideslope.domain.events import rfc3339
from glideslope.stats.anomaly import History, Shape

HOURS: Final = 24
"""Hours that are shown, the last under way."""
_HOUR: Final = 3_600
_WEEK: Final = 7 * 24 * _HOUR


class HourView(msgspec.Struct, frozen=True, kw_only=True):
    """One hour of a series, and what the same hour of the week was before. None where too little is known."""

    at: str
    """When it began, RFC 3339."""
    seen: float | None
    low: float | None
    """Of earlier weeks the least; with `high` the greatest."""
    usual: float | None
    """Their median."""
    high: float | None
    flagged: bool
    """Something about the series was flagged in it."""


class UsualView(msgspec.Struct, frozen=True, kw_only=True):
    """One series over a day, against the same hours of earlier weeks. Advisory."""

    series: str
    arm: str
    """Empty for both together."""
    unit: str
    """`per minute`, `share`, `mean` or `ms`."""
    weeks: int
    """How many earlier weeks are remembered."""
    hours: tuple[HourView, ...]


def usual_view(
    name: str,
    arm: str,
    shape: Shape,
    weeks: Mapping[int, History],
    *,
    flagged: Sequence[tuple[float, float]],
    seconds: float,
) -> UsualView:
    """Return one series' last day; `weeks` are counted from 1970, instants are seconds since then."""
    now = int(seconds // _HOUR)
    hours = [_hour(hour, shape, weeks, flagged) for hour in range(now - HOURS + 1, now + 1)]
    before = [week for week in weeks if week < int(seconds // _WEEK)]
    return UsualView(series=name, arm=arm, unit=_UNITS[shape], weeks=len(before), hours=tuple(hours))


def _hour(hour: int, shape: Shape, weeks: Mapping[int, History], flagged: Sequence[tuple[float, float]]) -> HourView:
    week, into = divmod(hour, _WEEK // _HOUR)
    earlier = [
        value for w, history in weeks.items() if w < week and (value := _value(history, into, shape)) is not None
    ]
    here = weeks.get(week)
    start, end = hour * _HOUR, (hour + 1) * _HOUR
    return HourView(
        at=rfc3339(start * 1000),
        seen=None if here is None else _value(here, into, shape),
        low=min(earlier, default=None),
        usual=median(earlier) if earlier else None,
        high=max(earlier, default=None),
        flagged=any(first < end and last >= start for first, last in flagged),
    )


def _value(history: History, hour: int, shape: Shape) -> float | None:
    if not history.counts[hour]:
        return None
    found = history.totals[hour] / history.counts[hour]
    match shape:
        case Shape.LEVEL:
            return exp(found)
        case Shape.RATE | Shape.SHARE | Shape.MEAN:
            return found
        case _:
            assert_never(shape)


_UNITS: Final[Mapping[Shape, str]] = {
    Shape.RATE: "per minute",
    Shape.SHARE: "share",
    Shape.MEAN: "mean",
    Shape.LEVEL: "ms",
}
