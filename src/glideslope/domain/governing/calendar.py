"""Calendars: when nothing is begun or widened, when people are there to look, and how many rollouts may be under way at once.

A rule here says what it asks at a local moment; which moment that is, in which zone, and which days are holidays is handed in.
A rollback asks no calendar.
"""

import re
from collections.abc import Collection
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Final

import msgspec

from glideslope.domain.errors import AgreementInvalid
from glideslope.domain.governing.governed import Freeze
from glideslope.domain.ids import ModelName


class Day(StrEnum):
    """A day of the week."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


DAYS: Final = tuple(Day)


class FreezeRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A freeze: from one moment to another, on some days of the week, at some hours, or all of these together.

    `since` and `until` are milliseconds since the epoch, UTC; `from_` and `to` are local and may pass midnight.
    """

    name: str
    asks: Freeze = Freeze.HOLD
    since: int | msgspec.UnsetType = msgspec.UNSET
    until: int | msgspec.UnsetType = msgspec.UNSET
    days: tuple[Day, ...] | msgspec.UnsetType = msgspec.UNSET
    from_: str | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="from")
    to: str | msgspec.UnsetType = msgspec.UNSET


class Hours(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When people are there: rollouts are begun and widened then alone."""

    days: tuple[Day, ...] = (Day.MON, Day.TUE, Day.WED, Day.THU, Day.FRI)
    from_: str = msgspec.field(default="09:00", name="from")
    to: str = "17:00"


class Holidays(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Public holidays of a country (ISO 3166-1), or of a part of it (ISO 3166-2), as the package `holidays` knows them."""

    country: str
    part: str = ""
    asks: Freeze = Freeze.HOLD


class Calendar(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a group of models keeps to. Empty `models` and `tiers` mean all."""

    name: str
    zone: str
    """IANA time zone, like `Europe/Berlin`."""
    models: tuple[ModelName, ...] = ()
    tiers: tuple[str, ...] = ()
    freezes: tuple[FreezeRule, ...] = ()
    holidays: Holidays | msgspec.UnsetType = msgspec.UNSET
    hours: Hours | msgspec.UnsetType = msgspec.UNSET
    at_once: int | msgspec.UnsetType = msgspec.UNSET
    """How many rollouts of these models may be under way at once."""
    first: tuple[ModelName, ...] = ()
    """Who goes first when more want to begin; then whoever was proposed first."""

    def covers(self, model: ModelName, tier: str) -> bool:
        """Tell whether a model keeps to this calendar."""
        return (not self.models or model in self.models) and (not self.tiers or tier in self.tiers)


class Open(msgspec.Struct, frozen=True):
    """What a calendar asks at a moment, and until when at least (local)."""

    name: str
    asks: Freeze
    until: datetime


STRICTEST: Final = (Freeze.RETURN, Freeze.HOLD, Freeze.FINISH)
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
_LATEST: Final = 253_370_764_800_000
"""The year 9999, which a zone could push beyond what a date can say."""
_FAR: Final = 8
"""Days in which a rule that repeats weekly must end."""


def asked(calendar: Calendar, at: datetime, *, holidays: Collection[date]) -> Open | None:
    """Return the strictest that a calendar asks at a moment in its own zone; None when nothing is frozen."""
    found = [Open(rule.name, rule.asks, _until(rule, at)) for rule in calendar.freezes if _holds(rule, at)]
    if isinstance(calendar.holidays, Holidays) and at.date() in holidays:
        found.append(Open("a public holiday", calendar.holidays.asks, _midnight(at)))
    if isinstance(calendar.hours, Hours) and not _staffed(calendar.hours, at):
        found.append(Open("outside the hours in which people look", Freeze.HOLD, _opening(calendar.hours, at)))
    return min(found, key=lambda o: (STRICTEST.index(o.asks), -o.until.timestamp()), default=None)


def _holds(rule: FreezeRule, at: datetime) -> bool:
    now = at.timestamp() * 1000
    if isinstance(rule.since, int) and now < rule.since:
        return False
    if isinstance(rule.until, int) and now >= rule.until:
        return False
    if not (isinstance(rule.from_, str) and isinstance(rule.to, str)):
        return isinstance(rule.days, msgspec.UnsetType) or DAYS[at.weekday()] in rule.days
    begin, end = _clock(rule.from_), _clock(rule.to)
    through_midnight = end <= begin
    clock = at.time()
    # What began in the evening belongs to the day on which it began.
    began = at - timedelta(days=1) if through_midnight and clock < end else at
    on_day = isinstance(rule.days, msgspec.UnsetType) or DAYS[began.weekday()] in rule.days
    inside = clock >= begin or clock < end if through_midnight else begin <= clock < end
    return on_day and inside


def _until(rule: FreezeRule, at: datetime) -> datetime:
    """Return when a rule that holds now ends; at most eight days on for one that ends later or never.

    It can end at its last moment, at midnight or at a time of day that it names: only these are asked, since this is asked
    of every rollout at every look.
    """
    last = datetime.fromtimestamp(rule.until / 1000, at.tzinfo) if isinstance(rule.until, int) else None
    if last is not None and isinstance(rule.days, msgspec.UnsetType) and not isinstance(rule.from_, str):
        return last
    named = (clock for clock in (rule.from_, rule.to) if isinstance(clock, str))
    times = sorted({time(0), *map(_clock, named)})
    for ahead in range(_FAR + 1):
        day = (at + timedelta(days=ahead)).date()
        for clock in times:
            probe = datetime.combine(day, clock, at.tzinfo)
            if last is not None and at < last <= probe:
                return last
            if probe > at and not _holds(rule, probe):
                return probe
    return at + timedelta(days=_FAR)


def _staffed(hours: Hours, at: datetime) -> bool:
    return DAYS[at.weekday()] in hours.days and _clock(hours.from_) <= at.time() < _clock(hours.to)


def _opening(hours: Hours, at: datetime) -> datetime:
    begin = _clock(hours.from_)
    for ahead in range(_FAR):
        day = at + timedelta(days=ahead)
        opening = day.replace(hour=begin.hour, minute=begin.minute, second=0, microsecond=0)
        if opening > at and DAYS[opening.weekday()] in hours.days:
            return opening
    return at + timedelta(days=_FAR)


def _midnight(at: datetime) -> datetime:
    return (at + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)


def _clock(written: str) -> time:
    hour, minute = written.split(":")
    return time(int(hour), int(minute))


def check_calendar(calendar: Calendar) -> None:
    """Refuse what says nothing or cannot be. Raises AgreementInvalid with the path of what is wrong."""
    if not _NAME.fullmatch(calendar.name):
        _refuse("name", "a name is lower-case letters, digits and dashes")
    says = calendar.freezes or any(
        not isinstance(each, msgspec.UnsetType) for each in (calendar.holidays, calendar.hours, calendar.at_once)
    )
    if not says:
        _refuse("name", "it says nothing: give freezes, holidays, hours or at_once")
    for number, rule in enumerate(calendar.freezes):
        _check_rule(rule, f"freezes.{number}")
    if isinstance(calendar.hours, Hours):
        _check_hours(calendar.hours)
    if isinstance(calendar.at_once, int) and not 1 <= calendar.at_once <= 100_000:
        _refuse("at_once", "it is a number from 1 up")


def _check_rule(rule: FreezeRule, where: str) -> None:
    if not rule.name.strip():
        _refuse(f"{where}.name", "a freeze has a name, which people will read")
    if all(isinstance(each, msgspec.UnsetType) for each in (rule.since, rule.until, rule.days, rule.from_)):
        _refuse(where, "it would hold for ever: say since and until, days, or from and to")
    for key, moment in (("since", rule.since), ("until", rule.until)):
        if isinstance(moment, int) and not 0 <= moment < _LATEST:
            _refuse(f"{where}.{key}", "it is a moment from 1970 to 9998")
    if isinstance(rule.since, int) and isinstance(rule.until, int) and rule.since >= rule.until:
        _refuse(f"{where}.until", "it ends before it begins")
    if isinstance(rule.from_, str) != isinstance(rule.to, str):
        _refuse(where, "`from` and `to` go together")
    for key, clock in (("from", rule.from_), ("to", rule.to)):
        if isinstance(clock, str) and not _CLOCK.fullmatch(clock):
            _refuse(f"{where}.{key}", f"{clock!r} is not a time of day, like 17:30")
    if isinstance(rule.days, tuple) and not rule.days:
        _refuse(f"{where}.days", "a freeze on no day is none")


def _check_hours(hours: Hours) -> None:
    for key, clock in (("from", hours.from_), ("to", hours.to)):
        if not _CLOCK.fullmatch(clock):
            _refuse(f"hours.{key}", f"{clock!r} is not a time of day, like 17:30")
    if not hours.days or _clock(hours.from_) >= _clock(hours.to):
        _refuse("hours", "nobody would ever be there, so nothing would ever begin")


def _refuse(where: str, sentence: str) -> None:
    raise AgreementInvalid(sentence, where=where)
