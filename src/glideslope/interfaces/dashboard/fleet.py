"""The first page: what is asked of the visitor, what is under way, what serves, what ended lately."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Final, TypeVar

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from glideslope.domain.ids import WHOLE, RolloutId
from glideslope.engine.service import Service
from glideslope.engine.views import GuardrailView, RolloutView
from glideslope.interfaces.api.problems import RequestInvalid
from glideslope.interfaces.dashboard.door import PageDoor
from glideslope.interfaces.dashboard.rendering import Pages
from glideslope.interfaces.dashboard.words import state, urgency

T = TypeVar("T")

ROWS = 25
"""Rollouts and models on one page; the rest is a page further on."""


GLANCE: Final = 10.0
"""Seconds for which figures on the first page may be old: of a rollout that measures they cost some 40 ms, whoever looks."""


class Glances:
    """Rollouts with their figures, kept for all who look at the first page."""

    def __init__(self, service: Service, *, monotonic: Callable[[], float]) -> None:
        self._service = service
        self._monotonic = monotonic
        self._kept: dict[str, tuple[int, float, RolloutView]] = {}

    async def of(self, view: RolloutView) -> RolloutView:
        """Return a rollout as it is, with figures that are at most GLANCE old and of the same decisions."""
        version, at, kept = self._kept.get(view.id, (0, 0.0, view))
        now = self._monotonic()
        if version != view.version or now - at >= GLANCE:
            kept = await self._service.rollout(RolloutId(view.id))
            self._kept[view.id] = (view.version, now, kept)
            # Others have their turn in between: leases are renewed by the same loop.
            await asyncio.sleep(0)
        return replace(view, guardrails=kept.guardrails)

    def forget(self, under_way: Collection[str]) -> None:
        """Keep only what is under way."""
        for id_ in [each for each in self._kept if each not in under_way]:
            del self._kept[id_]


def routes(door: PageDoor, pages: Pages, *, monotonic: Callable[[], float]) -> list[Route]:
    """Return the first page's route."""
    service = door.service
    glances = Glances(service, monotonic=monotonic)

    async def show(request: Request) -> Response:
        visitor = door.visitor(request)
        number = page_number(request)
        view = await service.fleet()
        waits = await service.inbox(visitor.actor, may_act=visitor.may_act)
        open_ = sorted((each for each in view.rollouts if not each.ended), key=lambda each: urgency(state(each)))
        glances.forget({each.id for each in open_})
        shown = [await glances.of(each) for each in _paged(open_, number)]
        ended = [each for each in view.rollouts if each.ended]
        return pages.page(
            request,
            "fleet.html",
            visitor=visitor,
            live=True,
            waiting=waits.items if visitor.may_act else waits.others,
            others=len(waits.others) if visitor.may_act else 0,
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
