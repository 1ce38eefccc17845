"""Incidents: what a breach did from its detection to zero exposure, what people make of it, and what is lacking to close it."""

import asyncio
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

from msgspec import UNSET
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from glideslope.domain.commands import CloseIncident, NoteIncident
from glideslope.domain.governing.incident import Remedy
from glideslope.domain.governing.organisation import Right
from glideslope.domain.ids import WHOLE, Actor, RolloutId
from glideslope.engine.courses import ProposalView
from glideslope.engine.governing_views import IncidentView
from glideslope.engine.views import GuardrailView, RolloutView
from glideslope.interfaces.api.problems import RequestInvalid
from glideslope.interfaces.dashboard.door import PageDoor, key_of
from glideslope.interfaces.dashboard.fleet import ROWS, page_number
from glideslope.interfaces.dashboard.rendering import Pages
from glideslope.interfaces.dashboard.rights import access_of, without
from glideslope.interfaces.dashboard.rollouts import entry_of
from glideslope.interfaces.dashboard.words import Word

AUDIT: Final = "Post-deployment audit: did it do what was declared"
"""What the audit is called among what is to be done."""
MOMENTS: Final = {
    "first exposed": Word("first exposed", "open", "forward"),
    "detected": Word("detected and decided", "bad", "back"),
    "zero exposure": Word("zero exposure confirmed", "good", "check"),
    "opened": Word("incident opened", "quiet", "warn"),
    "noted": Word("noted", "quiet", "person"),
    "closed": Word("closed", "good", "check"),
}


def routes(door: PageDoor, pages: Pages) -> list[Route]:
    """Return the routes of incidents."""
    service = door.service

    async def listed(request: Request) -> Response:
        visitor, number = door.visitor(request), page_number(request)
        found = sorted(await service.incidents(), key=lambda each: bool(each.closed_by))
        return pages.page(
            request,
            "incidents.html",
            visitor=visitor,
            live=True,
            found=[(each, standing(each)) for each in found[(number - 1) * ROWS : number * ROWS]],
            open_count=sum(not each.closed_by for each in found),
            number=number,
            last=max(1, -(-len(found) // ROWS)),
        )

    async def show(request: Request) -> Response:
        visitor, as_of = door.visitor(request), entry_of(request)
        id_ = RolloutId(request.path_params["rollout"])
        found = await service.incident_record(id_, as_of=as_of)
        rollout, proposed, pulse = await asyncio.gather(
            service.rollout(id_, as_of=as_of), service.proposal(id_), service.pulse()
        )
        view = found.incident
        access = await access_of(service, visitor)
        return pages.page(
            request,
            "incident.html",
            visitor=visitor,
            live=as_of is None,
            as_of=as_of,
            newest=pulse.entries - 1,
            found=found,
            view=view,
            standing=standing(view),
            moments=[(each, MOMENTS[each.what]) for each in found.moments],
            declared=declared(rollout, proposed),
            proposed=proposed,
            audit=next((each for each in view.remedies if each.what == AUDIT), None),
            audit_name=AUDIT,
            notable=visitor.may_act and as_of is None and not view.closed_by,
            named=access is None or bool(access.rights or access.functions or access.team),
            why_not_close=without(access, Right.REVIEW)
            or (
                "You proposed what failed, so somebody else closes it." if visitor.actor == rollout.proposed_by else ""
            ),
        )

    async def note(request: Request) -> Response:
        visitor, fields = await door.form(request, act="note an incident")
        rollout = RolloutId(request.path_params["rollout"])
        command = noted(await service.incident(rollout), fields, by=visitor.actor)
        await service.note_incident(command, key=key_of(fields))
        return RedirectResponse(f"/incidents/{rollout}", status_code=HTTPStatus.SEE_OTHER)

    async def close(request: Request) -> Response:
        visitor, fields = await door.form(request, act="close an incident")
        rollout = RolloutId(request.path_params["rollout"])
        command = CloseIncident(rollout=rollout, by=visitor.actor, why=fields.get("why", ""))
        await service.close_incident(command, key=key_of(fields))
        return RedirectResponse(f"/incidents/{rollout}", status_code=HTTPStatus.SEE_OTHER)

    return [
        Route("/incidents", listed, methods=["GET"]),
        Route("/incidents/{rollout}", show, methods=["GET"]),
        Route("/incidents/{rollout}/note", note, methods=["POST"]),
        Route("/incidents/{rollout}/close", close, methods=["POST"]),
    ]


def standing(view: IncidentView) -> Word:
    """Say how an incident stands."""
    if view.closed_by:
        return Word("closed", "good", "check")
    return Word("can be closed", "open", "person") if not view.lacking else Word("open", "bad", "warn")


def noted(view: IncidentView, fields: Mapping[str, str], *, by: Actor) -> NoteIncident:
    """Return what a form says about an incident: what is new is added to what was noted, and what is said twice stands once.

    So whoever wrote on a page that is not the newest takes nothing back, and a double click is one act.
    """
    gap, hypothesis = fields.get("gap", "").strip(), fields.get("hypothesis", "").strip()
    what, owner, due = (fields.get(name, "").strip() for name in ("what", "owner", "due"))
    if bool(what) != bool(owner and due) or bool(owner) != bool(due):
        raise RequestInvalid("what is to be done has an owner and a day")
    done = {name.removeprefix("done-") for name in fields if name.startswith("done-")}
    remedies = [
        Remedy(what=r.what, owner=r.owner, due=r.due, done=r.done or str(number) in done)
        for number, r in enumerate(view.remedies, start=1)
    ]
    new = Remedy(what=what, owner=owner, due=due)
    if what and (what, owner, due) not in {(r.what, r.owner, r.due) for r in remedies}:
        remedies.append(new)
    hypotheses = (*view.hypotheses, *([hypothesis] if hypothesis and hypothesis not in view.hypotheses else []))
    return NoteIncident(
        rollout=RolloutId(view.rollout),
        by=by,
        why=fields.get("why", ""),
        gap=gap or UNSET,
        hypotheses=hypotheses if hypothesis else UNSET,
        remedies=tuple(remedies) if what or done else UNSET,
    )


def declared(view: RolloutView, proposed: ProposalView) -> Sequence[tuple[GuardrailView, float | None]]:
    """Return what each guardrail showed on the whole, beside the offline difference that was declared for its metric."""
    offline = {e.metric: e.candidate - e.incumbent for e in reversed(proposed.plan.evaluations)}
    return [(each, offline.get(each.metric)) for each in view.guardrails if each.slice == WHOLE]
