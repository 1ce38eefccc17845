"""What auditors fetch: the evidence pack of one change."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from glideslope.domain.ids import RolloutId
from glideslope.interfaces.api.door import LOOKING, Door
from glideslope.interfaces.api.openapi import described

ZIP = "application/zip"


def evidence(door: Door) -> APIRouter:
    """Return the routes for whoever checks afterwards; the role of a reader suffices."""
    router = APIRouter(tags=["evidence"])
    service = door.service

    @router.get(
        "/v1/rollouts/{rollout}/pack",
        summary="Make the evidence pack of a rollout: one file that a stranger can check",
        **described(answer=ZIP),
    )
    async def pack(
        request: Request,
        rollout: str,
        checkpoint: Annotated[int | None, Query(ge=1, le=2**53)] = None,
        published: Annotated[list[Annotated[int, Query(ge=0, le=2**53)]], Query(max_length=100)] = [],  # noqa: B006 - FastAPI copies it
    ) -> Response:
        door.caller(request, LOOKING, act="fetch an evidence pack")
        found = await service.pack(RolloutId(rollout), size=checkpoint, published=published)
        name = (
            f'attachment; filename="{rollout}.pack.zip"' if rollout.isascii() and '"' not in rollout else "attachment"
        )
        return Response(found, media_type=ZIP, headers={"Content-Disposition": name})

    return router
