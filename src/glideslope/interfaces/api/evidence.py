"""What auditors ask for: the evidence pack of one change, and a search of the whole record."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from glideslope.domain.governing.query import LONGEST_QUESTION
from glideslope.domain.ids import RolloutId
from glideslope.engine.repository import MOST_FOUND
from glideslope.engine.views import SearchView
from glideslope.interfaces.api.door import LOOKING, Door, answer
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

    @router.get(
        "/v1/search",
        summary="Find entries of the record by words and fields, newest first",
        **described(answer=SearchView, refusals=(HTTPStatus.UNPROCESSABLE_ENTITY,)),
    )
    async def search(
        request: Request,
        q: Annotated[str, Query(max_length=LONGEST_QUESTION)],
        limit: Annotated[int, Query(ge=1, le=MOST_FOUND)] = 50,
        below: Annotated[int | None, Query(ge=0, le=2**53)] = None,
        whole: Annotated[bool, Query()] = False,
    ) -> Response:
        door.caller(request, LOOKING, act="search")
        return answer(await service.search(q, limit=limit, below=below, whole=whole))

    return router
