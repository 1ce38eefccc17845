"""The review queue: evidence that the machine cannot judge, each with its context and the answers that are possible on one page."""

import asyncio
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from glideslope.domain.errors import NotFound
from glideslope.domain.ids import WHOLE, RolloutId, model_name
from glideslope.domain.rollout import Phase
from glideslope.engine.conflicts import conflict, disagreement
from glideslope.engine.inbox_views import Asking, ItemView
from glideslope.engine.slices_display import worst_first
from glideslope.engine.views import DecisionView, JudgementView, RolloutView, SignalView
from glideslope.interfaces.dashboard import charts
from glideslope.interfaces.dashboard.door import PageDoor
from glideslope.interfaces.dashboard.rendering import Pages
from glideslope.interfaces.dashboard.words import urgency, verdict

MOST_SLICES: Final = 8
MOST_PAIRS: Final = 5
MOST_DECISIONS: Final = 5
MOST_JUDGED: Final = 20
"""Judgements of the whole fleet below the queue, the newest."""

QUEUED: Final = frozenset({Asking.JUDGEMENT.value, Asking.HALT.value})


@dataclass(frozen=True, slots=True)
class Judged:
    """A judgement and the rollout that it was about."""

    view: RolloutView
    judgement: JudgementView


def routes(door: PageDoor, pages: Pages) -> list[Route]:
    """Return the routes of the queue and of one review."""
    service = door.service

    async def queue(request: Request) -> Response:
        visitor = door.visitor(request)
        found = await service.inbox(visitor.actor, may_act=visitor.may_act)
        judged = [Judged(view, each) for view in (await service.fleet()).rollouts for each in view.judged]
        return pages.page(
            request,
            "reviews.html",
            visitor=visitor,
            live=True,
            mine=[each for each in found.items if each.asks in QUEUED],
            others=[each for each in found.others if each.asks in QUEUED],
            judged=sorted(judged, key=lambda each: each.judgement.at, reverse=True)[:MOST_JUDGED],
        )

    async def one(request: Request) -> Response:
        visitor = door.visitor(request)
        id_ = RolloutId(request.path_params["rollout"])
        view = await service.rollout(id_)
        found = await service.inbox(visitor.actor, may_act=visitor.may_act)
        item = next((e for e in (*found.items, *found.others) if e.of == id_ and e.asks in QUEUED), None)
        course, decisions, weighing, pairs, story = await asyncio.gather(
            service.course(id_),
            service.decisions(id_),
            service.weigh(id_),
            service.disagreements(id_, slice_=WHOLE),
            service.story(id_),
        )
        declared = worst_first(view.guardrails)
        pair = conflict(view.guardrails)
        whole = sorted((g for g in view.guardrails if g.slice == WHOLE), key=lambda g: urgency(verdict(g.word)))
        return pages.page(
            request,
            "review.html",
            visitor=visitor,
            live=not view.ended,
            view=view,
            item=item,
            said=_said(view, item),
            disagreement="" if pair is None else disagreement(pair),
            whole=whole,
            trends=[
                (g, drawn)
                for g in whole
                if (drawn := charts.looks([x for x in course.looks if x.metric == g.metric], g, until=course.until))
            ],
            slices=declared[:MOST_SLICES],
            unshown=max(0, len(declared) - MOST_SLICES),
            pairs=pairs[:MOST_PAIRS],
            flags=await _flags(view),
            decisions=list(reversed(decisions))[:MOST_DECISIONS],
            answered=[each for each in reversed(story) if each.kind in ("halted", "resumed", "judgement-given")],
            weighing=weighing,
        )

    async def _flags(view: RolloutView) -> list[SignalView]:
        try:
            return [each for each in (await service.flags(model_name(view.model))).flags if each.rollout == view.id]
        except NotFound:
            return []

    return [Route("/review", queue, methods=["GET"]), Route("/review/{rollout}", one, methods=["GET"])]


def _said(view: RolloutView, item: ItemView | None) -> str:
    """Say in one sentence what is asked, or that nothing is."""
    if item is not None:
        return item.sentence
    last: DecisionView | None = view.last
    if view.ended:
        return f"{view.id} has ended; nothing is to be judged."
    if view.phase == Phase.PROPOSED or last is None:
        return f"{view.id} has not begun; nothing is to be judged."
    return f"Nothing about {view.id} waits for a judgement now."
