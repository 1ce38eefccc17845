"""Incidents: what a breach did from its detection to zero exposure, what people make of it, and what is lacking to close it."""

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from glideslope.domain.commands import CloseIncident
from glideslope.domain.ids import RolloutId
from glideslope.engine.governing_views import IncidentView
from glideslope.interfaces.dashboard.door import PageDoor, key_of
from glideslope.interfaces.dashboard.fleet import ROWS, page_number
from glideslope.interfaces.dashboard.rendering import Pages
from glideslope.interfaces.dashboard.words import Word


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
        visitor = door.visitor(request)
        view = await service.incident(RolloutId(request.path_params["rollout"]))
        return pages.page(request, "incident.html", visitor=visitor, live=True, view=view, standing=standing(view))

    async def close(request: Request) -> Response:
        visitor, fields = await door.form(request, act="close an incident")
        rollout = RolloutId(request.path_params["rollout"])
        await service.close_incident(
            CloseIncident(rollout=rollout, by=visitor.actor, why=fields.get("why", "")), key=key_of(fields)
        )
        return RedirectResponse(f"/incidents/{rollout}", status_code=HTTPStatus.SEE_OTHER)

    return [
        Route("/incidents", listed, methods=["GET"]),
        Route("/incidents/{rollout}", show, methods=["GET"]),
        Route("/incidents/{rollout}/close", close, methods=["POST"]),
    ]


def standing(view: IncidentView) -> Word:
    """Say how an incident stands."""
    if view.closed_by:
        return Word("closed", "good", "check")
    return Word("can be closed", "open", "person") if not view.lacking else Word("open", "bad", "warn")
