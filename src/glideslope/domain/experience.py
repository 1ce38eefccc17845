"""What earlier traffic and earlier rollouts of a model teach the next: its week, how late outcomes come, how values spread."""

from collections.abc import Mapping
from typing import Final

import msgspec

from glideslope.domain.ids import MetricName

HOURS: Final = 168
"""Of a week, from Monday at midnight, UTC."""

TRAFFIC: Final = MetricName("traffic.hour")
"""Counted of a model's traffic, a bin per hour of the week. No plan can name a metric so, for the dot."""
WATCHED: Final = MetricName("traffic.watched")
"""Minutes in which that traffic was watched, a bin per hour of the week."""
DELAY: Final = MetricName("outcome.delay")
"""Counted of each outcome under the rollout that it is about: how long after the prediction it came."""

DELAY_EDGES: Final = tuple(float(2**k) for k in range(23))
"""Upper edges in seconds, from 1 s to 48 days; one more bin lies beyond."""


class Lesson(msgspec.Struct, frozen=True, kw_only=True):
    """One thing learned, and from where."""

    about: str
    """A metric, `outcome delays`, `outcomes that come`, a metric with `pairs of` before it, or what pairs are compared by."""
    source: str
    """The rollout, or `traffic`."""
    count: int
    """Of how many it was learned."""


class Experience(msgspec.Struct, frozen=True, kw_only=True):
    """All of it, as integers. Empty where nothing is known."""

    requests: tuple[int, ...] = ()
    """Per hour of the week."""
    watched: tuple[int, ...] = ()
    """Minutes, per hour of the week."""
    delays: tuple[int, ...] = ()
    """Outcomes by how late they came."""
    exposed: int = 0
    arrived: int = 0
    """Of how many predictions the outcome came, of `exposed` in the rollouts that the delays are from."""
    pairs: Mapping[MetricName, tuple[int, ...]] = {}
    """Per metric, how the losses of both arms on the same requests differed; and how their answers did, by `answers_metric`."""
    lessons: tuple[Lesson, ...] = ()


def delay_bin(seconds: float) -> int:
    """Return the bin of a delay; clocks that disagree make none below zero."""
    return next((k for k, edge in enumerate(DELAY_EDGES) if seconds <= edge), len(DELAY_EDGES))


def hour_of_week(instant: int) -> int:
    """Return the hour of an instant in milliseconds since the epoch, which was a Thursday."""
    return (instant // 3_600_000 + 3 * 24) % HOURS
