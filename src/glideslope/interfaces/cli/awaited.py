"""Who is waited for: missing approvals, answers, reviews of broken glass and open incidents, gathered from what is shown."""

from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec

from glideslope.domain.governing.organisation import Right
from glideslope.engine.access import AccessView
from glideslope.engine.governing_views import AgreementView, GovernedView, IncidentView, NeedView
from glideslope.engine.views import RolloutView


class Awaited(msgspec.Struct, frozen=True, kw_only=True):
    """Something that goes on, or ends, when somebody has done their part."""

    what: str
    since: str
    """RFC 3339."""
    needs: str
    look: str
    """The command that shows it on one page."""


def awaited(
    rollouts: Iterable[RolloutView],
    agreements: Iterable[AgreementView],
    incidents: Iterable[IncidentView],
    person: AccessView | None,
) -> Sequence[Awaited]:
    """Return what waits for anybody, or for one person as far as they may do it now; that which waits longest comes first."""
    found = [*_rollouts(rollouts, person), *_agreements(agreements, person), *_incidents(incidents, person)]
    return sorted(found, key=lambda each: each.since)


def _rollouts(rollouts: Iterable[RolloutView], person: AccessView | None) -> Iterator[Awaited]:
    for view in rollouts:
        change = f"{view.id} {view.model} {view.incumbent} -> {view.candidate}"
        under = view.governed
        if under is None:
            if (
                not view.ended
                and len(view.approved_by) < view.approvals_needed
                and _other(person, view.approved_by, view)
            ):
                yield _of(f"approve {change}", view, f"{view.approvals_needed - len(view.approved_by)} x anybody else")
            continue
        if not view.ended and (needs := _theirs(under.missing, person)) and _may_approve(view, under, person):
            yield _of(f"approve {change}", view, needs)
        if under.glass_asked_by and not view.ended and _may(person, Right.OPERATE, but=(under.glass_asked_by,)):
            yield _of(f"agree to break the glass of {change}", view, Right.OPERATE.value)
        if under.glass_owed_by and _may(person, Right.REVIEW, but=under.glass_owed_by):
            yield _of(f"review the broken glass of {change}", view, Right.REVIEW.value)


def _of(what: str, view: RolloutView, needs: str) -> Awaited:
    return Awaited(what=what, since=view.proposed_at, needs=needs, look=f"glideslope show {view.id}")


def _agreements(agreements: Iterable[AgreementView], person: AccessView | None) -> Iterator[Awaited]:
    for each in agreements:
        tabled = each.tabled
        if tabled is None or (person and person.actor in {tabled.by, *tabled.denied, *(g.by for g in tabled.granted)}):
            continue
        if needs := _theirs(each.needs, person):
            what, look = (
                f"answer {each.of} {each.name}, tabled by {tabled.by}",
                f"glideslope agree diff {each.of} {each.name}",
            )
            yield Awaited(what=what, since=tabled.at, needs=needs, look=look)


def _incidents(incidents: Iterable[IncidentView], person: AccessView | None) -> Iterator[Awaited]:
    for each in incidents:
        if not each.closed_by and _may(person, Right.REVIEW):
            lacking = f"lacks: {'; '.join(each.lacking)}" if each.lacking else "can be closed"
            look = f"glideslope incident show {each.rollout}"
            what = f"close the incident of {each.rollout} {each.model} {each.incumbent} -> {each.candidate}"
            yield Awaited(what=what, since=each.opened_at, needs=lacking, look=look)


def _theirs(needs: Iterable[NeedView], person: AccessView | None) -> str:
    """Return the needs that a person can meet, in words; empty for none."""
    able = None if person is None else {*person.reviews_as, *person.rights}
    return ", ".join(f"{n.count} x {n.function}" for n in needs if able is None or n.function in able)


def _may_approve(view: RolloutView, under: GovernedView, person: AccessView | None) -> bool:
    given = {grant.by for grant in under.approvals}
    return person is None or person.actor not in {view.proposed_by, *under.makers, *given}


def _may(person: AccessView | None, right: Right, *, but: Collection[str] = ()) -> bool:
    return person is None or (right.value in person.rights and person.actor not in but)


def _other(person: AccessView | None, given: Iterable[str], view: RolloutView) -> bool:
    return person is None or person.actor not in {view.proposed_by, *given}
