"""The first page: what is asked of the visitor, what is under way, what serves, what ended lately."""

from collections.abc import Sequence
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from glideslope.domain.ids import WHOLE, RolloutId
from glideslope.engine.views import GuardrailView, RolloutView
from glideslope.interfaces.api.problems import RequestInvalid
from glideslope.interfaces.dashboard.asks import Ask, asks
from glideslope.interfaces.dashboard.door import PageDoor, Visitor
from glideslope.interfaces.dashboard.rendering import Pages
from glideslope.interfaces.dashboard.words import state, urgency

T = TypeVar("T")

ROWS = 25
"""Rollouts and models on one page; the rest is a page further on."""


def routes(door: PageDoor, pages: Pages) -> list[Route]:
    """Return the first page's route."""
    service = door.service

    async def show(request: Request) -> Response:
        visitor = door.visitor(request)
        number = page_number(request)
        view = await service.fleet()
        waiting = await asked(door, visitor, view.rollouts)
        open_ = sorted((each for each in view.rollouts if not each.ended), key=lambda each: urgency(state(each)))
        shown = [await service.rollout(RolloutId(each.id)) for each in _paged(open_, number)]
        ended = [each for each in view.rollouts if each.ended]
        return pages.page(
            request,
            "fleet.html",
            visitor=visitor,
            live=True,
            waiting=waiting,
            fleet=view,
            rows=[(each, worst(each)) for each in shown],
            open_count=len(open_),
            ended=_paged(ended, number),
            ended_count=len(ended),
            models=_paged(view.models, number),
            number=number,
            last=max(1, *(-(-len(rows) // ROWS) for rows in (open_, ended, view.models))),
        )

    return [Route("/", show, methods=["GET"])]


async def asked(door: PageDoor, visitor: Visitor, rollouts: Sequence[RolloutView]) -> list[Ask]:
    """Return what waits for a visitor."""
    service = door.service
    return asks(
        rollouts,
        await service.agreements(),
        await service.incidents(),
        visitor=visitor,
        functions=await service.functions(visitor.actor),
    )


def worst(view: RolloutView) -> GuardrailView | None:
    """Return the guardrail that is nearest to harm, the whole before slices of the same."""
    judged = [each for each in view.guardrails if each.estimate is not None and each.harm_line > 0]
    return max(judged, key=lambda each: (each.harm_wealth / each.harm_line, each.slice == WHOLE), default=None)


def page_number(request: Request) -> int:
    """Return which page is asked for, from 1. Raises RequestInvalid."""
    text = request.query_params.get("page", "1")
    if not (text.isascii() and text.isdecimal() and int(text[:9]) >= 1 and len(text) <= 9):
        raise RequestInvalid("a page is a number from 1")
    return int(text)


def _paged(rows: Sequence[T], number: int) -> Sequence[T]:
    return rows[(number - 1) * ROWS : number * ROWS]
