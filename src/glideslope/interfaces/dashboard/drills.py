"""Drills: when going back was practised, how long it took, what is overdue; and asking for one."""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from glideslope.domain.commands import BeginDrill
from glideslope.domain.governing.drill import SHARE, DrillKind
from glideslope.domain.governing.organisation import Right
from glideslope.domain.ids import model_name
from glideslope.engine.drill_player import HELD, LEASE
from glideslope.engine.drilling import DrillView
from glideslope.engine.dues import DueView
from glideslope.interfaces.api.problems import RequestInvalid
from glideslope.interfaces.dashboard.door import PageDoor, key_of
from glideslope.interfaces.dashboard.fleet import ROWS, page_number
from glideslope.interfaces.dashboard.rendering import Pages
from glideslope.interfaces.dashboard.rights import access_of, without
from glideslope.interfaces.dashboard.rollouts import entry_of
from glideslope.interfaces.dashboard.words import Word

MOST_MONTHS: Final = 12
"""Of the calendar."""


def routes(door: PageDoor, pages: Pages) -> list[Route]:
    """Return the routes of drills."""
    service = door.service

    async def listed(request: Request) -> Response:
        visitor, number = door.visitor(request), page_number(request)
        models = (await service.fleet()).models
        shown = models[(number - 1) * ROWS : number * ROWS]
        found = await asyncio.gather(*(service.drills(model_name(each.name)) for each in shown))
        dues = {each.name: each for each in await service.dues() if each.what == "drill"}
        rows = [(model, last(drills), dues.get(model.name)) for model, drills in zip(shown, found, strict=True)]
        return pages.page(
            request,
            "drills.html",
            visitor=visitor,
            live=True,
            rows=sorted(rows, key=lambda row: row[2] is None or not row[2].overdue),
            months=calendar([each for drills in found for each in drills], [each for _, _, each in rows if each]),
            outcome=outcome,
            number=number,
            last=max(1, -(-len(models) // ROWS)),
        )

    async def show(request: Request) -> Response:
        visitor, as_of = door.visitor(request), entry_of(request)
        name = model_name(request.path_params["model"])
        model, drills, pulse = await asyncio.gather(
            service.model(name, as_of=as_of), service.drills(name, as_of=as_of), service.pulse()
        )
        fleet = await service.fleet()
        return pages.page(
            request,
            "drill.html",
            visitor=visitor,
            live=as_of is None,
            as_of=as_of,
            newest=pulse.entries - 1,
            model=model,
            drills=drills,
            due=next((each for each in await service.dues() if (each.what, each.name) == ("drill", name)), None),
            outcome=outcome,
            under_way=next(
                (each for each in fleet.rollouts if each.id == model.rollout and each.phase != "proposed"), None
            ),
            moved=SHARE.candidate,
            lease=LEASE,
            held=HELD,
            possible=visitor.may_act and as_of is None,
            why_not=without(await access_of(service, visitor), Right.OPERATE),
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


def last(drills: Sequence[DrillView]) -> DrillView | None:
    """Return the drill under way, or the one held last."""
    return next(iter(drills), None)


def calendar(drills: Sequence[DrillView], dues: Sequence[DueView]) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """Return months, the newest first, each with what was held in it and what falls due: the day, the model, and what it is."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for drill in drills:
        told = ", told" if drill.told else ""
        found.setdefault(drill.at[:7], []).append((drill.at, drill.model, f"{drill.kind} {drill.state}{told}"))
    for due in dues:
        if due.due:
            found.setdefault(due.due[:7], []).append((due.due, due.name, "overdue" if due.overdue else "due"))
    newest = sorted(found, reverse=True)[:MOST_MONTHS]
    return [(month, sorted(found[month], reverse=True)) for month in newest]


def outcome(view: DrillView) -> Word:
    """Say how a drill ended."""
    match view.state:
        case "passed":
            return Word("passed", "good", "check")
        case "failed":
            return Word("failed", "bad", "cross")
        case _:
            return Word(view.state, "open", "forward")
