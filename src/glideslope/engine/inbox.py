"""What waits for people, decided from what is shown: of each thing what is asked, of whom, until when, and what they may answer.

One list for pages, terminals and notifications. Whoever answers is asked again by the command itself, so this grants nothing.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from urllib.parse import quote

from msgspec.structs import replace

from glideslope.domain.governing.organisation import Right
from glideslope.domain.reasons import FOR_PEOPLE
from glideslope.domain.rollout import Phase
from glideslope.engine.access import AccessView
from glideslope.engine.conflicts import about_pair, conflict, disagreement, is_stuck
from glideslope.engine.conflicts import grounds as grounds_of
from glideslope.engine.dues import DueView, page_of
from glideslope.engine.governing_views import AgreementView, GovernedView, IncidentView, NeedView
from glideslope.engine.inbox_views import Act, Asking, InboxView, ItemView
from glideslope.engine.views import RolloutView, SignalView


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Whose inbox it is."""

    actor: str
    may_act: bool = True
    """Whether their token lets them do anything."""
    access: AccessView | None = None
    """What the organisation in force says of them; None where it says nothing."""
    governed: bool = False
    """Whether an organisation is in force."""


_LATE: Final = "~"
"""Sorts after every instant."""


def inbox(
    rollouts: Iterable[RolloutView],
    agreements: Iterable[AgreementView],
    incidents: Iterable[IncidentView],
    dues: Iterable[DueView],
    flags: Iterable[SignalView],
    *,
    reader: Reader | None,
    at: str,
) -> InboxView:
    """Return what waits for a reader, or for anybody. Rollouts come with their guardrails where those conflict."""
    rollouts, flags = tuple(rollouts), tuple(flags)
    proposers = {view.id: view.proposed_by for view in rollouts}
    found = [
        *(each for view in rollouts for each in _of_rollout(view, flags, reader)),
        *(each for agreement in agreements for each in _of_agreement(agreement, reader)),
        *(each for incident in incidents for each in _of_incident(incident, proposers, reader)),
        *(_of_due(due, reader) for due in dues if due.overdue),
    ]
    found.sort(key=lambda each: (each.since or _LATE, each.id))
    if reader is None:
        return InboxView(who="", items=tuple(found), others=(), at=at)
    mine = tuple(each for each in found if not each.why_not)
    return InboxView(
        who=reader.actor,
        items=mine,
        others=tuple(replace(each, why_me="") for each in found if each.why_not),
        at=at,
        known=not reader.governed or reader.access is not None,
    )


def change_of(view: RolloutView) -> str:
    """Name what a rollout is about."""
    return f"{view.model} {view.incumbent} → {view.candidate}"


def needs_approval(view: RolloutView) -> bool:
    """Tell whether somebody's yes is missing."""
    if view.ended or view.phase in (Phase.ROLLING_BACK, Phase.PROMOTING):
        return False
    if view.governed is not None and view.governed.missing:
        return True
    # What the plan itself asks for comes on top, before it begins.
    return view.phase == Phase.PROPOSED and len(_others(view)) < view.approvals_needed


def why_not_approve(view: RolloutView, reader: Reader) -> str:
    """Say why somebody's approval would not count; empty when it would."""
    if not reader.may_act:
        return "Your token only looks."
    if reader.actor == view.proposed_by:
        return "You proposed it, so your yes does not count."
    governed = view.governed
    if governed is None:
        return "You have approved it." if reader.actor in view.approved_by else ""
    if reader.actor in governed.makers:
        return "You had a part in making it, so your yes does not count."
    functions = reader.access.reviews_as if reader.access is not None else ()
    if not functions:
        return "The organisation gives you no function to approve in." if reader.governed else ""
    if reader.actor in {grant.by for grant in governed.approvals} or (
        not governed.missing and reader.actor in view.approved_by
    ):
        return "You have approved it."
    missing = {need.function for need in governed.missing}
    if missing and not missing & set(functions):
        return f"It waits for {', '.join(sorted(missing))}; you approve as {', '.join(functions)}."
    return ""


def _others(view: RolloutView) -> list[str]:
    return [name for name in view.approved_by if name != view.proposed_by]


def _of_rollout(view: RolloutView, flags: Sequence[SignalView], reader: Reader | None) -> Iterator[ItemView]:
    if needs_approval(view):
        yield _approval(view, reader)
    if not view.ended:
        yield from _questions(view, reader)
    governed = view.governed
    if governed is not None:
        yield from _glass(view, governed, reader)
        if view.standing.escalated_to and needs_approval(view):
            yield _escalation(view, governed, reader)
    if view.phase == Phase.HALTED:
        yield _halt(view, reader)
    elif not view.ended:
        yield from _judgement(view, [each for each in flags if each.rollout == view.id], reader)


def _approval(view: RolloutView, reader: Reader | None) -> ItemView:
    governed = view.governed
    needs: tuple[NeedView, ...] = governed.missing if governed is not None else ()
    if not needs:
        needs = (NeedView(function="anybody else", count=view.approvals_needed - len(_others(view))),)
    until, then = _meanwhile(view)
    functions = () if reader is None or reader.access is None else reader.access.reviews_as
    asked = [need.function for need in needs if need.function in functions]
    return _item(
        view,
        Asking.APPROVAL,
        f"approval/{view.id}",
        sentence=f"Approve or deny {view.id}, proposed by {view.proposed_by}: {view.why}{_waits_for_reply(view, reader)}",
        since=view.proposed_at,
        until=until,
        then=then,
        needs=needs,
        why_me=_mine(
            reader, f"you approve as {', '.join(asked)}" if asked else "you did not propose it", always=not asked
        ),
        why_not="" if reader is None else why_not_approve(view, reader),
        allowed=(Act.APPROVE, Act.DENY, Act.ASK),
        page=f"/approvals#{view.id}",
    )


def _waits_for_reply(view: RolloutView, reader: Reader | None) -> str:
    asked = [more for more in view.asked if reader is not None and more.by == reader.actor]
    if not asked:
        return ""
    last = asked[-1]
    if last.replied_by:
        return f" {last.replied_by} replied to you: {last.reply}"
    return f" You asked for more, and {view.proposed_by} has not replied yet."


def _questions(view: RolloutView, reader: Reader | None) -> Iterator[ItemView]:
    for more in view.asked:
        if more.replied_by:
            continue
        why_not = "" if reader is None or reader.may_act else "Your token only looks."
        if reader is not None and not why_not and not _answers_for(view, reader):
            why_not = f"It is asked of {view.proposed_by}."
        yield _item(
            view,
            Asking.QUESTION,
            f"question/{view.id}/{more.question}",
            sentence=f"{more.by} asks for more about {view.id}: {more.why}",
            since=more.at,
            then="Meanwhile the approval is missing." if needs_approval(view) else "Nothing waits for the reply.",
            needs=(NeedView(function="its proposer", count=1),),
            why_me=_mine(reader, "you answer for it", always=True),
            why_not=why_not,
            allowed=(Act.REPLY, Act.ROLL_BACK),
            page=f"/approvals#{view.id}",
        )


def _answers_for(view: RolloutView, reader: Reader) -> bool:
    makers = () if view.governed is None else view.governed.makers
    team = "" if reader.access is None else reader.access.team
    return reader.actor in {view.proposed_by, view.owner, *makers} or bool(team and team == view.owner)


_STANDS: Final = "Nothing happens by itself: silence is never consent."


def _meanwhile(view: RolloutView) -> tuple[str, str]:
    """Return what happens while an approval is missing, and when."""
    if view.phase != Phase.PROPOSED:
        return "", "Meanwhile it goes no further."
    if view.standing.escalates_at:
        return view.standing.escalates_at, f"Then {', '.join(view.standing.escalates_to)} will be told. {_STANDS}"
    return "", _STANDS


def _glass(view: RolloutView, governed: GovernedView, reader: Reader | None) -> Iterator[ItemView]:
    if governed.glass_asked_by and not view.ended:
        by = governed.glass_asked_by
        yield _item(
            view,
            Asking.GLASS,
            f"glass/{view.id}/{by}",
            sentence=f"{by} asks to break the glass of {view.id}; a second person must agree.",
            since=view.standing.glass_asked_at or view.changed_at,
            then="Until then nothing is passed.",
            needs=(NeedView(function=Right.OPERATE.value, count=1),),
            why_me=_mine(reader, "you may operate"),
            why_not=_barred(reader, Right.OPERATE, but=(by,), since="You asked for it yourself."),
            allowed=(Act.BREAK_GLASS,),
            page=f"/rollouts/{view.id}/glass",
            command=f"glideslope show {view.id}",
        )
    if governed.glass_owed_by:
        breakers = governed.glass_owed_by
        yield _item(
            view,
            Asking.GLASS_REVIEW,
            f"glass-review/{view.id}/{view.standing.glass_broken_at}",
            sentence=f"Review the broken glass of {view.id}: {' and '.join(breakers)} passed what forbade it.",
            since=view.standing.glass_broken_at or view.changed_at,
            then=f"Until then no other change of {view.model} begins.",
            needs=(NeedView(function=Right.REVIEW.value, count=1),),
            why_me=_mine(reader, "you may review"),
            why_not=_barred(reader, Right.REVIEW, but=breakers, since="You had a part in breaking it."),
            allowed=(Act.REVIEW,),
            page=f"/rollouts/{view.id}/glass",
            command=f"glideslope show {view.id}",
        )


def _escalation(view: RolloutView, governed: GovernedView, reader: Reader | None) -> ItemView:
    told, missing = view.standing.escalated_to, ", ".join(f"{n.count} x {n.function}" for n in governed.missing)
    access = None if reader is None else reader.access
    mine = reader is None or reader.actor in told or (access is not None and access.team in told)
    return _item(
        view,
        Asking.ESCALATION,
        f"escalation/{view.id}/{view.standing.escalated_at}",
        sentence=f"{view.id} waits since {view.proposed_at[:16].replace('T', ' ')} UTC for {missing}: see that somebody answers.",
        since=view.standing.escalated_at,
        until=view.standing.escalates_at,
        then=_meanwhile(view)[1],
        needs=governed.missing,
        why_me=_mine(reader, "the organisation escalates to you"),
        why_not="" if mine else f"It was escalated to {', '.join(told)}.",
        allowed=(),
        page=f"/approvals#{view.id}",
    )


def _halt(view: RolloutView, reader: Reader | None) -> ItemView:
    return _item(
        view,
        Asking.HALT,
        f"halt/{view.id}/{view.standing.since}",
        sentence=f"{view.id} is halted: resume it, or roll it back. {' '.join(view.sentences)}".rstrip(),
        since=view.standing.since or view.changed_at,
        then="Meanwhile nobody is exposed.",
        needs=(NeedView(function=Right.OPERATE.value, count=1),),
        why_me=_mine(reader, "you may operate"),
        why_not=_barred(reader, Right.OPERATE),
        allowed=(Act.RESUME, Act.ROLL_BACK),
        page=f"/review/{view.id}",
    )


def _judgement(view: RolloutView, flags: Sequence[SignalView], reader: Reader | None) -> Iterator[ItemView]:
    """Say what the machine cannot judge: one item of a rollout, whatever speaks for a look at it."""
    about = grounds_of(view, flags)
    if not about:
        return
    pair = conflict(view.guardrails)
    said = list(view.sentences) if FOR_PEOPLE.intersection(about) else []
    said += [] if pair is None or about_pair(pair) not in about else [disagreement(pair)]
    told = [each for each in flags if each.id in about]
    said += [each.sentence for each in told]
    yield _item(
        view,
        Asking.JUDGEMENT,
        f"judgement/{view.id}/{view.step}/{'+'.join(about)}",
        sentence=f"{view.id} needs somebody who looks: {' '.join(said)}",
        since=view.standing.since if is_stuck(view) else min((f.first for f in told), default=view.standing.since),
        until=view.standing.deadline,
        then=view.standing.at_deadline or "Meanwhile it stays where it is.",
        needs=(NeedView(function=Right.OPERATE.value, count=1),),
        why_me=_mine(reader, "you may operate"),
        why_not=_barred(reader, Right.OPERATE),
        allowed=(Act.JUDGE, Act.HALT, Act.ROLL_BACK),
        page=f"/review/{view.id}",
        grounds=about,
    )


def _of_agreement(each: AgreementView, reader: Reader | None) -> Iterator[ItemView]:
    tabled = each.tabled
    if tabled is None or not each.needs:
        return
    named = each.of if each.of == each.name else f"{each.of} {each.name}"
    access = None if reader is None else reader.access
    able = () if access is None else (*access.reviews_as, *access.rights)
    asked = [need.function for need in each.needs if need.function in able]
    if reader is None:
        why_not = ""
    elif not reader.may_act:
        why_not = "Your token only looks."
    elif reader.actor == tabled.by:
        why_not = "You tabled it, so your yes does not count."
    elif reader.actor in tabled.denied or reader.actor in {grant.by for grant in tabled.granted}:
        why_not = "You have answered it."
    else:
        why_not = "" if asked else f"It waits for {', '.join(sorted(need.function for need in each.needs))}."
    yield ItemView(
        id=f"agreement/{each.of}/{each.name}/{tabled.digest}",
        asks=Asking.AGREEMENT.value,
        about=named,
        of=named,
        model="",
        sentence=f"Answer the {named} that {tabled.by} tabled: {tabled.why}",
        since=tabled.at,
        until="",
        then=_STANDS if each.in_force is None else "Meanwhile what is in force stays in force.",
        needs=each.needs,
        why_me=_mine(reader, f"you answer as {', '.join(asked)}"),
        why_not=why_not,
        allowed=(Act.APPROVE.value, Act.DENY.value),
        page=f"/agreements/{quote(each.of)}/{quote(each.name)}#tabled",
        command=f"glideslope agree diff {named}",
    )


def _of_incident(each: IncidentView, proposers: dict[str, str], reader: Reader | None) -> Iterator[ItemView]:
    if each.closed_by:
        return
    undone = [r for r in each.remedies if not r.done]
    lacking = f"it lacks {'; '.join(each.lacking)}" if each.lacking else "all it needs is said, so it can be closed"
    proposer = proposers.get(each.rollout, "")
    closable = not each.lacking and (reader is None or reader.actor != proposer)
    team = "" if reader is None or reader.access is None else reader.access.team
    theirs = [r.what for r in undone if reader is not None and r.owner in (reader.actor, team)]
    why_not = _barred(reader, Right.REVIEW)
    if reader is not None and reader.may_act and theirs:
        why_not = ""
    elif not why_not and not each.lacking and not closable:
        why_not = "You proposed what failed, so somebody else closes it."
    yield ItemView(
        id=f"incident/{each.rollout}",
        asks=Asking.INCIDENT.value,
        about=f"{each.model} {each.incumbent} → {each.candidate}",
        of=each.rollout,
        model=each.model,
        sentence=f"The incident of {each.rollout} is open; {lacking}.",
        since=each.opened_at,
        until=min((_end_of(r.due) for r in undone), default=""),
        then=f"By then this is to be done: {'; '.join(r.what for r in undone)}."
        if undone
        else "It stays open until somebody closes it.",
        needs=(NeedView(function=Right.REVIEW.value, count=1),),
        why_me=_mine(reader, f"it is yours to {'; to '.join(theirs)}" if theirs else "you may review"),
        why_not=why_not,
        allowed=(Act.NOTE.value, Act.CLOSE.value) if closable else (Act.NOTE.value,),
        page=f"/incidents/{each.rollout}",
        command=f"glideslope incident show {each.rollout}",
    )


def _end_of(day: str) -> str:
    return f"{date.fromisoformat(day).isoformat()}T23:59:59.999Z"


def _of_due(due: DueView, reader: Reader | None) -> ItemView:
    drill = due.what == "drill"
    right = Right.OPERATE if drill else Right.REVIEW
    rights = () if reader is None or reader.access is None else reader.access.rights
    if not drill and Right.ADMINISTER.value in rights:
        right = Right.ADMINISTER
    late = f"was due {due.due[:10]}" if due.due else "was never done"
    what = f"{due.of} drill" if drill else f"review of the {due.of}"
    return ItemView(
        id=f"due/{due.what}/{due.of}/{due.name}/{due.due}",
        asks=Asking.DUE.value,
        about=due.name or due.of,
        of=due.name or due.of,
        model=due.name if drill else "",
        sentence=f"The {what}{f' of {due.name}' if due.name else ''} {late}.",
        since=due.due,
        until="",
        then="A policy or a tier that asks for it lets nothing new begin meanwhile.",
        needs=(NeedView(function=right.value, count=1),),
        why_me=_mine(reader, f"you may {right.value}"),
        why_not=_barred(reader, right),
        allowed=(Act.DRILL.value,) if drill else (Act.REVIEW.value,),
        page=page_of(due),
        command=due.next_command,
    )


def _barred(reader: Reader | None, right: Right, *, but: Collection[str] = (), since: str = "") -> str:
    """Say why somebody may not do what a right is needed for; empty where they may."""
    if reader is None:
        return ""
    if not reader.may_act:
        return "Your token only looks."
    if reader.actor in but:
        return since
    if reader.governed and (reader.access is None or right.value not in reader.access.rights):
        return f"The organisation does not let you {right.value}."
    return ""


def _mine(reader: Reader | None, why: str, *, always: bool = False) -> str:
    """Say as what somebody is asked; where no organisation is in force rights and functions are nobody's, but `always` holds."""
    if reader is None:
        return ""
    return f"{why[0].upper()}{why[1:]}." if reader.governed or always else "Anybody who may act can answer."


def _item(
    view: RolloutView,
    asks: Asking,
    id_: str,
    *,
    sentence: str,
    since: str,
    then: str,
    needs: tuple[NeedView, ...],
    why_me: str,
    why_not: str,
    allowed: tuple[Act, ...],
    until: str = "",
    page: str = "",
    command: str = "",
    grounds: tuple[str, ...] = (),
) -> ItemView:
    return ItemView(
        id=id_,
        asks=asks.value,
        about=change_of(view),
        of=view.id,
        model=view.model,
        sentence=sentence,
        since=since,
        until=until,
        then=then,
        needs=needs,
        why_me=why_me,
        why_not=why_not,
        allowed=tuple(act.value for act in allowed),
        page=page or f"/rollouts/{view.id}",
        command=command or f"glideslope show {view.id}",
        grounds=grounds,
    )
