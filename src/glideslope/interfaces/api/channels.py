"""The routes of channels: how each stands, what was tried; a sample, and telling again."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from glideslope.domain.identity import Role
from glideslope.engine.telling.views import ChannelsView, DeliveryView, ReplayedView, TriedView
from glideslope.interfaces.api.bodies import ReplayChannelBody
from glideslope.interfaces.api.door import LOOKING, Door, answer, body
from glideslope.interfaces.api.openapi import described

RUNNING = frozenset({Role.ADMIN})
"""Who runs the server: what these send goes to others."""

Limit = Annotated[int, Query(ge=1, le=200, description="At most so many.")]
Below = Annotated[int | None, Query(ge=0, le=2**53, description="Only attempts with a smaller number.")]


def channels(door: Door) -> APIRouter:
    """Return the routes about channels."""
    router = APIRouter(tags=["channels"])
    service = door.service

    @router.get("/v1/channels", summary="Show all channels and how each stands", **described(answer=ChannelsView))
    async def every(request: Request) -> Response:
        door.caller(request, LOOKING, act="look")
        return answer(await service.channels())

    @router.get(
        "/v1/deliveries",
        summary="List attempts to deliver, newest first",
        **described(answer=tuple[DeliveryView, ...], refusals=(HTTPStatus.UNPROCESSABLE_ENTITY,)),
    )
    async def attempts(
        request: Request,
        channel: Annotated[str, Query(max_length=40, description="Of this channel alone.")] = "",
        limit: Limit = 50,
        below: Below = None,
    ) -> Response:
        door.caller(request, LOOKING, act="look")
        return answer(await service.deliveries(channel, limit=limit, below=below))

    @router.post(
        "/v1/channels/{channel}/test",
        summary="Send a sample through a channel, and tell what came of it",
        **described(answer=TriedView),
    )
    async def test(request: Request, channel: str) -> Response:
        by = door.caller(request, RUNNING, act="send through a channel").actor
        return answer(await service.test_channel(channel, by=by))

    @router.post(
        "/v1/channels/{channel}/replay",
        summary="Tell a channel again of everything from an entry on that is for it",
        **described(body=ReplayChannelBody, answer=ReplayedView),
    )
    async def replay(request: Request, channel: str) -> Response:
        door.caller(request, RUNNING, act="send through a channel")
        written = await body(request, ReplayChannelBody)
        return answer(await service.replay_channel(channel, start=written.start))

    return router
