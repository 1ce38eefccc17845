"""Drills: when going back was practised, how long it took, what is overdue; and asking for one."""

import asyncio
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from glideslope.domain.commands import BeginDrill
from glideslope.domain.governing.drill import DrillKind
from glideslope.domain.ids import model_name
from glideslope.engine.drilling import DrillView
from glideslope.interfaces.api.problems import RequestInvalid
from glideslope.interfaces.dashboard.door import PageDoor, key_of
from glideslope.interfaces.dashboard.fleet import ROWS, page_number
from glideslope.interfaces.dashboard.rendering import Pages
from glideslope.interfaces.dashboard.words import Word


def routes(door: PageDoor, pages: Pages) -> list[Route]:
    """Return the routes of drills."""
    service = door.service

    async def listed(request: Request) -> Response:
        visitor, number = door.visitor(request), page_number(request)
        models = (await service.fleet()).models
        shown = models[(number - 1) * ROWS : number * ROWS]
        found = await asyncio.gather(*(service.drills(model_name(each.name)) for each in shown))
        return pages.page(
            request,
            "drills.html",
            visitor=visitor,
            live=True,
            rows=[(model, next(iter(drills), None)) for model, drills in zip(shown, found, strict=True)],
            dues={each.name: each for each in await service.dues() if each.what == "drill"},
            outcome=outcome,
            number=number,
            last=max(1, -(-len(models) // ROWS)),
        )

    async def show(request: Request) -> Response:
        visitor, name = door.visitor(request), model_name(request.path_params["model"])
        model, drills = await asyncio.gather(service.model(name), service.drills(name))
        return pages.page(
            request,
            "drill.html",
            visitor=visitor,
            live=True,
            model=model,
            drills=drills,
            due=next((each for each in await service.dues() if (each.what, each.name) == ("drill", name)), None),
            outcome=outcome,
        )

    async def begin(request: Request) -> Response:
        visitor, fields = await door.form(request, act="begin a drill")
        name, kind = model_name(request.path_params["model"]), fields.get("kind", "")
        if kind not in {each.value for each in DrillKind}:
            raise RequestInvalid("a drill is of the kind rollback or lapse")
        command = BeginDrill(model=name, kind=DrillKind(kind), by=visitor.actor, why=fields.get("why", ""))
        await service.begin_drill(command, key=key_of(fields))
        return RedirectResponse(f"/drills/{name}", status_code=HTTPStatus.SEE_OTHER)

    return [
        Route("/drills", listed, methods=["GET"]),
        Route("/drills/{model}", show, methods=["GET"]),
        Route("/drills/{model}/begin", begin, methods=["POST"]),
    ]


def outcome(view: DrillView) -> Word:
    """Say how a drill ended."""
    match view.state:
        case "passed":
            return Word("passed", "good", "check")
        case "failed":
            return Word("failed", "bad", "cross")
        case _:
            return Word(view.state, "open", "forward")
