"""What the calendars in force ask of a model at this moment, and who goes first when too many want to begin."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from glideslope.domain.consent import unapproved
from glideslope.domain.errors import AgreementInvalid
from glideslope.domain.governing.calendar import STRICTEST, Calendar, Holidays, Open, asked
from glideslope.domain.governing.governed import Answered, Block, Governed, Lane, Window
from glideslope.domain.ids import RolloutId
from glideslope.domain.rollout import Phase, Rollout

HolidaysOf = Callable[[str, str, int], Collection[date]]
"""Country, part of it or empty, and year to its public holidays. Raises AgreementInvalid for what it does not know."""


def no_holidays(country: str, part: str, year: int) -> Collection[date]:
    """Know of no holidays. Raises AgreementInvalid."""
    del part, year
    raise AgreementInvalid(
        f"The public holidays of {country} are not known here: the package `holidays` is not installed.",
        where="holidays",
        next_command='pip install "glideslope[calendar]"',
    )


def check_zone(calendar: Calendar, holidays: HolidaysOf, *, year: int) -> None:
    """Refuse a zone or a country that nobody knows. Raises AgreementInvalid."""
    _zone(calendar)
    if isinstance(calendar.holidays, Holidays):
        holidays(calendar.holidays.country, calendar.holidays.part, year)


def window(calendars: Iterable[Calendar], rollout: Rollout, *, now: int, holidays: HolidaysOf) -> Window | None:
    """Return the strictest freeze that covers a rollout at an instant. Raises AgreementInvalid: then nothing is known."""
    found: list[tuple[Calendar, Open]] = []
    for calendar in calendars:
        if not calendar.covers(rollout.plan.model, _tier(rollout)):
            continue
        at = datetime.fromtimestamp(now / 1000, UTC).astimezone(_zone(calendar))
        days: Collection[date] = ()
        if isinstance(calendar.holidays, Holidays):
            days = holidays(calendar.holidays.country, calendar.holidays.part, at.year)
        if (open_ := asked(calendar, at, holidays=days)) is not None:
            found.append((calendar, open_))
    if not found:
        return None
    calendar, open_ = min(found, key=lambda each: (STRICTEST.index(each[1].asks), -each[1].until.timestamp()))
    return Window(name=f"{calendar.name}: {open_.name}", asks=open_.asks, until=round(open_.until.timestamp() * 1000))


def queues(
    calendars: Iterable[Calendar],
    rollouts: Sequence[Rollout],
    *,
    now: int,
    lane: Callable[[Rollout], Lane | msgspec.UnsetType] = lambda _: msgspec.UNSET,
) -> Mapping[RolloutId, Block]:
    """Return which proposals wait for their turn and why; of all at once, since each look asks about each of them.

    Whoever still waits for approvals is ahead of nobody: else one proposal that nobody signs would keep all others from beginning.
    """
    found: dict[RolloutId, Block] = {}
    for calendar in calendars:
        if isinstance(calendar.at_once, msgspec.UnsetType):
            continue
        covered = [r for r in rollouts if calendar.covers(r.plan.model, _tier(r))]
        proposed = _in_turn([r for r in covered if r.phase is Phase.PROPOSED], calendar)
        running = len(covered) - len(proposed)
        first: Rollout | None = None
        ahead = 0
        for rollout in proposed:
            if running + ahead >= calendar.at_once:
                waits = f", and {first.id} goes first" if first is not None else ""
                why = f"{running} of {calendar.at_once} rollouts are under way{waits}"
                block = Block(rule=f"{calendar.name}/at_once", answer=Answered.FAIL, why=why)
                found.setdefault(rollout.id, block)
            if _is_approved(rollout, now=now, lane=lane):
                first = first or rollout
                ahead += 1
    return found


def _in_turn(rollouts: Iterable[Rollout], calendar: Calendar) -> Sequence[Rollout]:
    return sorted(rollouts, key=lambda r: _turn(r, calendar))


def _turn(rollout: Rollout, calendar: Calendar) -> tuple[int, int, str]:
    models = calendar.first
    place = models.index(rollout.plan.model) if rollout.plan.model in models else len(models)
    return place, rollout.proposed_at, rollout.id


def _is_approved(rollout: Rollout, *, now: int, lane: Callable[[Rollout], Lane | msgspec.UnsetType]) -> bool:
    governed = rollout.plan.governed
    if len(rollout.granted - {rollout.proposed_by}) < rollout.plan.approvals:
        return False
    return isinstance(governed, Governed) and not unapproved(rollout, governed, now=now, lane=lane(rollout))


def _tier(rollout: Rollout) -> str:
    governed = rollout.plan.governed
    return governed.tier if isinstance(governed, Governed) else ""


def _zone(calendar: Calendar) -> ZoneInfo:
    try:
        return ZoneInfo(calendar.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise AgreementInvalid(
            f"There is no time zone {calendar.zone!r}; write it like Europe/Berlin.", where="zone"
        ) from None
