"""The routes of incidents."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from glideslope.domain.commands import CloseIncident, NoteIncident
from glideslope.domain.ids import RolloutId
from glideslope.engine.governing_views import IncidentView
from glideslope.engine.incident_record import IncidentRecordView
from glideslope.interfaces.api.bodies import NoteBody, ReasonBody
from glideslope.interfaces.api.conditional import seen
from glideslope.interfaces.api.door import ACTING, LOOKING, Door, answer, body
from glideslope.interfaces.api.openapi import described
from glideslope.interfaces.api.paging import Page, newest_first
from glideslope.interfaces.api.queries import AsOf


def incidents(door: Door) -> APIRouter:
    """Return the routes about what went wrong."""
    router = APIRouter(tags=["governing"])
    service = door.service

    @router.get(
        "/v1/incidents",
        summary="List incidents, newest first",
        **described(answer=tuple[IncidentView, ...], paged=True),
    )
    async def every(request: Request, asked: Page) -> Response:
        door.caller(request, LOOKING, act="look")
        return newest_first(request, asked, await service.incidents())

    @router.get("/v1/incidents/{rollout}", summary="Show an incident", **described(answer=IncidentView))
    async def incident(request: Request, rollout: str) -> Response:
        door.caller(request, LOOKING, act="look")
        return answer(await service.incident(RolloutId(rollout)))

    @router.get(
        "/v1/incidents/{rollout}/record",
        summary="Show an incident with the course of its rollout, moment by moment",
        **described(answer=IncidentRecordView),
    )
    async def told(request: Request, rollout: str, as_of: AsOf = None) -> Response:
        door.caller(request, LOOKING, act="look")
        return answer(await service.incident_record(RolloutId(rollout), as_of=as_of))

    @router.post(
        "/v1/incidents/{rollout}/notes",
        summary="Note what one makes of an incident",
        **described(body=NoteBody, answer=IncidentView, keyed=True, matched=True),
    )
    async def note(request: Request, rollout: str) -> Response:
        by = door.caller(request, ACTING, act="note an incident").actor
        written = await body(request, NoteBody)
        command = NoteIncident(
            rollout=RolloutId(rollout),
            by=by,
            why=written.why,
            gap=written.gap,
            hypotheses=written.hypotheses,
            remedies=written.remedies,
            tag=seen(request),
        )
        return answer(await service.note_incident(command, key=door.key(request)))

    @router.post(
        "/v1/incidents/{rollout}/close",
        summary="Close an incident that says all that it must",
        **described(body=ReasonBody, answer=IncidentView, keyed=True, matched=True),
    )
    async def close(request: Request, rollout: str) -> Response:
        by = door.caller(request, ACTING, act="close an incident").actor
        why = (await body(request, ReasonBody)).why
        command = CloseIncident(rollout=RolloutId(rollout), by=by, why=why, tag=seen(request))
        return answer(await service.close_incident(command, key=door.key(request)))

    return router
