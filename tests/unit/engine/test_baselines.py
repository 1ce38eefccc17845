"""The last day against the same hours of earlier weeks: what was seen, what was usual, what is not known."""

from math import log

from glideslope.engine.baselines import HOURS, usual_view
from glideslope.stats.anomaly import History, Look, Shape

HOUR, WEEK = 3_600, 7 * 24 * 3_600


def week(**values: float) -> History:
    found = History()
    for hour, value in values.items():
        found.add(Look(value * 60, 60), hour=int(hour[1:]))
    return found


def test_an_hour_stands_beside_the_same_hours_of_earlier_weeks() -> None:
    weeks = {7: week(h100=3.0), 8: week(h100=9.0), 9: week(h100=5.0), 10: week(h100=20.0, h99=1.0)}
    view = usual_view("requests", "", Shape.RATE, weeks, flagged=[], seconds=10 * WEEK + 100 * HOUR + 30)
    last, before = view.hours[-1], view.hours[-2]

    assert (len(view.hours), view.weeks, view.unit) == (HOURS, 3, "per minute")
    assert (last.low, last.usual, last.high, last.seen) == (3.0, 5.0, 9.0, 20.0)
    assert (before.low, before.seen) == (None, 1.0), "what is not known is not zero"


def test_the_first_hours_of_a_week_lie_in_the_week_before() -> None:
    weeks = {9: week(h167=2.0), 10: week(h167=4.0, h0=7.0), 11: week(h0=8.0)}
    view = usual_view("errors", "incumbent", Shape.SHARE, weeks, flagged=[], seconds=11 * WEEK + 60)

    assert (view.hours[-1].seen, view.hours[-1].usual) == (8.0, 7.0)
    assert (view.hours[-2].seen, view.hours[-2].usual) == (4.0, 2.0)


def test_a_latency_is_told_in_milliseconds_and_a_flag_marks_its_hours() -> None:
    flagged = [(10 * WEEK + 99 * HOUR + 600.0, 10 * WEEK + 99 * HOUR + 1200.0)]
    weeks = {10: week(h100=log(25.0))}
    view = usual_view("latency p95", "incumbent", Shape.LEVEL, weeks, flagged=flagged, seconds=10 * WEEK + 100 * HOUR)

    assert view.unit == "ms"
    assert view.hours[-1].seen is not None
    assert abs(view.hours[-1].seen - 25.0) < 1e-9
    assert [hour.flagged for hour in view.hours[-3:]] == [False, True, False]
