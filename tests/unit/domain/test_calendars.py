"""Freezes as values: at a local moment a calendar asks this, until then."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from glideslope.domain.errors import AgreementInvalid
from glideslope.domain.governing.calendar import Calendar, Day, FreezeRule, Holidays, Hours, asked, check_calendar
from glideslope.domain.governing.governed import Freeze

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = FreezeRule(name="night", days=(Day.FRI,), from_="22:00", to="06:00")
WEEKEND = FreezeRule(name="weekend", days=(Day.SAT, Day.SUN), asks=Freeze.FINISH)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


def ms(text: str) -> int:
    return int(at(text).timestamp() * 1000)


def calendar(**changes: object) -> Calendar:
    return Calendar(name="releases", zone="Europe/Berlin", **changes)  # type: ignore[arg-type]  # a row of the table


ROWS = [
    # 27 November 2026 is a Friday.
    ("nothing is asked on a plain day", calendar(freezes=(NIGHT, WEEKEND)), "2026-11-25T12:00", None, ""),
    ("a night begins", calendar(freezes=(NIGHT,)), "2026-11-27T22:00", Freeze.HOLD, "2026-11-28T06:00"),
    ("it passes midnight", calendar(freezes=(NIGHT,)), "2026-11-28T05:59", Freeze.HOLD, "2026-11-28T06:00"),
    ("it ends", calendar(freezes=(NIGHT,)), "2026-11-28T06:00", None, ""),
    ("the night of another day is none", calendar(freezes=(NIGHT,)), "2026-11-27T05:00", None, ""),
    ("a weekend lasts two days", calendar(freezes=(WEEKEND,)), "2026-11-28T00:00", Freeze.FINISH, "2026-11-30T00:00"),
    ("the strictest counts", calendar(freezes=(WEEKEND, NIGHT)), "2026-11-28T01:00", Freeze.HOLD, "2026-11-28T06:00"),
    (
        "an open end",
        calendar(freezes=(FreezeRule(name="open", since=0),)),
        "2026-11-25T10:00",
        Freeze.HOLD,
        "2026-12-03T10:00",
    ),
    (
        "its last moment comes before its day ends",
        calendar(freezes=(FreezeRule(name="short", days=(Day.WED,), until=ms("2026-11-25T12:34")),)),
        "2026-11-25T10:00",
        Freeze.HOLD,
        "2026-11-25T12:34",
    ),
    (
        "days and hours end at the hour",
        calendar(freezes=(FreezeRule(name="lunch", days=(Day.WED,), from_="11:30", to="13:15"),)),
        "2026-11-25T12:00",
        Freeze.HOLD,
        "2026-11-25T13:15",
    ),
    ("a holiday", calendar(holidays=Holidays(country="DE")), "2026-12-25T12:00", Freeze.HOLD, "2026-12-26T00:00"),
    ("within the hours", calendar(hours=Hours()), "2026-11-27T16:59", None, ""),
    ("after the hours", calendar(hours=Hours()), "2026-11-27T17:00", Freeze.HOLD, "2026-11-30T09:00"),
]


@pytest.mark.parametrize(("name", "kept", "moment", "asks", "until"), ROWS, ids=[row[0] for row in ROWS])
def test_what_a_calendar_asks_at_a_moment(
    name: str, kept: Calendar, moment: str, asks: Freeze | None, until: str
) -> None:
    del name
    found = asked(kept, at(moment), holidays={date(2026, 12, 25)})

    assert (found.asks if found else None) == asks
    assert not until or (found is not None and found.until == at(until))


def test_the_clock_goes_back_an_hour_and_the_night_is_longer() -> None:
    """On 25 October 2026 Berlin has 02:30 twice; the freeze of the night covers both."""
    sunday = calendar(freezes=(FreezeRule(name="night", from_="02:00", to="04:00"),))
    first = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN)
    for moment in (first, first.replace(fold=1)):
        assert asked(sunday, moment, holidays=()) is not None


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (calendar(), "says nothing"),
        (calendar(freezes=(FreezeRule(name="for ever"),)), "for ever"),
        (calendar(freezes=(FreezeRule(name="x", from_="22:00"),)), "go together"),
        (calendar(freezes=(FreezeRule(name="x", from_="22:00", to="25:00"),)), "not a time of day"),
        (calendar(freezes=(FreezeRule(name="x", since=2, until=1),)), "ends before"),
        (calendar(freezes=(FreezeRule(name="x", days=()),)), "no day"),
        (calendar(hours=Hours(from_="17:00", to="09:00")), "nobody would ever"),
        (calendar(at_once=0), "from 1 up"),
    ],
)
def test_a_calendar_that_cannot_be_kept_is_refused(wrong: Calendar, sentence: str) -> None:
    with pytest.raises(AgreementInvalid, match=sentence):
        check_calendar(wrong)


def test_a_moment_that_no_zone_can_say_is_refused() -> None:
    """At the end of the year 9999 a zone to the east is in a year that no date can say."""
    far = calendar(freezes=(FreezeRule(name="far", since=0, until=253_402_300_799_000),))
    with pytest.raises(AgreementInvalid, match="1970 to 9998"):
        check_calendar(far)
