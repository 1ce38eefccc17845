"""The routes of what comes round: drills, advisories, what is due, who may do what, and what nobody owns."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from glideslope.domain.commands import BeginDrill, RecordAdvisories, TellDrill
from glideslope.domain.events import instant
from glideslope.domain.governing.dossier import Advisories, advisories_digest
from glideslope.domain.ids import ModelName
from glideslope.engine.access import AccessView
from glideslope.engine.advisories import AdvisoriesView
from glideslope.engine.drilling import DrillView
from glideslope.engine.dues import DueView
from glideslope.engine.orphans import OrphanView
from glideslope.interfaces.api.bodies import AdvisoriesBody, DrillBody, ToldDrillBody
from glideslope.interfaces.api.door import ACTING, LOOKING, Door, answer, body
from glideslope.interfaces.api.openapi import described
from glideslope.interfaces.api.paging import Page, page

LARGEST = 8 << 20
"""Bytes of a body of advisories."""


def upkeep(door: Door) -> APIRouter:
    """Return the routes about what must be done again and again."""
    router = APIRouter(tags=["governing"])
    service = door.service

    @router.get(
        "/v1/dues",
        summary="List reviews and drills with when each is due",
        **described(answer=tuple[DueView, ...], paged=True),
    )
    async def dues(request: Request, asked: Page) -> Response:
        door.caller(request, LOOKING, act="look")
        # What is overdue was due before all else, so it comes first.
        found = await service.dues()
        return page(request, asked, found, place=lambda each: (each.due, each.of, each.name, each.what))

    @router.get("/v1/access", summary="Show who may do what", **described(answer=tuple[AccessView, ...], paged=True))
    async def access(
        request: Request,
        asked: Page,
        who: Annotated[str, Query(description="This person alone.")] = "",
        right: Annotated[str, Query(description="Those who have this right.")] = "",
        function: Annotated[str, Query(description="Those who may approve in this function now.")] = "",
    ) -> Response:
        door.caller(request, LOOKING, act="look")
        found = await service.access(who=who, right=right, function=function)
        return page(request, asked, found, place=lambda each: (each.actor,))

    @router.get(
        "/v1/orphans",
        summary="List what nobody owns who can be reached",
        **described(answer=tuple[OrphanView, ...], paged=True),
    )
    async def orphans(request: Request, asked: Page) -> Response:
        door.caller(request, LOOKING, act="look")
        return page(request, asked, await service.orphans(), place=lambda each: (each.kind, each.name))

    @router.get(
        "/v1/models/{model}/drills",
        summary="List a model's drills, newest first",
        **described(answer=tuple[DrillView, ...], paged=True),
    )
    async def drills(request: Request, model: str, asked: Page) -> Response:
        door.caller(request, LOOKING, act="look")
        found = await service.drills(ModelName(model))
        return page(request, asked, found, place=lambda each: (-instant(each.at), each.kind, each.by, each.why))

    @router.post(
        "/v1/models/{model}/drills",
        summary="Practise going back: the machine plays it and measures",
        **described(body=DrillBody, answer=tuple[DrillView, ...], keyed=True),
    )
    async def begin(request: Request, model: str) -> Response:
        by = door.caller(request, ACTING, act="ask for a drill").actor
        written = await body(request, DrillBody)
        command = BeginDrill(model=ModelName(model), kind=written.drill, by=by, why=written.why)
        return answer(await service.begin_drill(command, key=door.key(request)))

    @router.post(
        "/v1/models/{model}/drills/told",
        summary="Tell of an exercise that the machine did not measure",
        **described(body=ToldDrillBody, answer=tuple[DrillView, ...], keyed=True),
    )
    async def tell(request: Request, model: str) -> Response:
        by = door.caller(request, ACTING, act="tell of a drill").actor
        written = await body(request, ToldDrillBody)
        command = TellDrill(
            model=ModelName(model),
            kind=written.drill,
            held_at=written.held_at,
            passed=written.passed,
            by=by,
            why=written.why,
            restored_in=written.restored_in,
        )
        return answer(await service.tell_drill(command, key=door.key(request)))

    @router.get("/v1/advisories", summary="Show which advisories are known", **described(answer=AdvisoriesView))
    async def advisories(request: Request) -> Response:
        door.caller(request, LOOKING, act="look")
        return answer(await service.advisories())

    @router.post(
        "/v1/advisories",
        summary="Record known weaknesses of packages, in place of those before",
        **described(body=AdvisoriesBody, answer=AdvisoriesView, keyed=True),
    )
    async def record(request: Request) -> Response:
        by = door.caller(request, ACTING, act="record advisories").actor
        written = await body(request, AdvisoriesBody, limit=LARGEST)
        found = Advisories(
            source=written.source,
            as_of=written.as_of,
            digest=advisories_digest(written.entries),
            entries=written.entries,
        )
        command = RecordAdvisories(advisories=found, by=by, why=written.why)
        return answer(await service.record_advisories(command, key=door.key(request)))

    return router
