"""The route of the inbox: what waits for whoever asks, for somebody else, or for anybody."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from glideslope.domain.ids import Actor, RolloutId
from glideslope.engine.inbox_views import InboxView
from glideslope.engine.weighing import WeighingView
from glideslope.interfaces.api.door import ACTING, LOOKING, Door, answer
from glideslope.interfaces.api.openapi import described
from glideslope.interfaces.api.problems import RequestInvalid


def inbox(door: Door) -> APIRouter:
    """Return the inbox's route."""
    router = APIRouter(tags=["inbox"])
    service = door.service

    @router.get(
        "/v1/inbox",
        summary="List what waits for people",
        **described(answer=InboxView, refusals=(HTTPStatus.UNPROCESSABLE_ENTITY,)),
    )
    async def waits(
        request: Request,
        who: Annotated[str, Query(max_length=200)] = "",
        everybody: Annotated[bool, Query()] = False,
    ) -> Response:
        caller = door.caller(request, LOOKING, act="look")
        if everybody and who:
            raise RequestInvalid("an inbox is of `who` or of `everybody`, not of both")
        if everybody:
            return answer(await service.inbox(None))
        if who and who != caller.actor:
            return answer(await service.inbox(Actor(who)))
        return answer(await service.inbox(caller.actor, may_act=caller.role in ACTING))

    @router.get(
        "/v1/rollouts/{rollout}/weighing",
        summary="Show what its plan can tell, whom it reaches, and what each answer would do to traffic",
        **described(answer=WeighingView),
    )
    async def weigh(request: Request, rollout: str) -> Response:
        door.caller(request, LOOKING, act="look")
        return answer(await service.weigh(RolloutId(rollout)))

    return router
