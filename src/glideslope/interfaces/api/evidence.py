"""What auditors ask for: the evidence pack of one change, and a search of the whole record."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from glideslope.domain.governing.dossier import Dossier
from glideslope.domain.governing.query import LONGEST_QUESTION
from glideslope.domain.ids import RolloutId
from glideslope.engine.repository import MOST_FOUND
from glideslope.engine.views import CheckpointView, SearchView
from glideslope.interfaces.api.bodies import CosignaturesBody
from glideslope.interfaces.api.door import ACTING, LOOKING, Door, answer, body
from glideslope.interfaces.api.openapi import described
from glideslope.ledger.note import MOST_SIGNATURES

ZIP = "application/zip"
TEXT = "text/plain"
Size = Annotated[int | None, Query(ge=0, le=2**53, description="Over the first so many entries; else the newest.")]


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
        "/v1/rollouts/{rollout}/dossier",
        summary="Show all that a policy is shown about a rollout's change now",
        **described(answer=Dossier, refusals=(HTTPStatus.CONFLICT,)),
    )
    async def dossier(request: Request, rollout: str) -> Response:
        door.caller(request, LOOKING, act="look at a dossier")
        return answer(await service.dossier(RolloutId(rollout)))

    @router.get(
        "/v1/ledger/checkpoint",
        summary="Show a signed checkpoint with its cosignatures",
        **described(answer=CheckpointView, refusals=(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)),
    )
    async def checkpoint(
        request: Request,
        size: Size = None,
        cosigned: Annotated[int, Query(ge=0, le=MOST_SIGNATURES, description="By at least so many witnesses.")] = 0,
    ) -> Response:
        door.caller(request, LOOKING, act="look at a checkpoint")
        return answer(await service.checkpoint(size=size, cosigned=cosigned))

    @router.get(
        "/v1/ledger/checkpoint/request",
        summary="Ask for a witness's cosignature, in its words: what it is sent (C2SP add-checkpoint)",
        **described(answer=TEXT, refusals=(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)),
    )
    async def witness_request(
        request: Request,
        older: Annotated[int, Query(ge=0, le=2**53, description="How many entries the witness saw last.")],
        size: Size = None,
    ) -> Response:
        door.caller(request, LOOKING, act="look at a checkpoint")
        return Response(await service.witness_request(older=older, size=size), media_type=TEXT)

    @router.post(
        "/v1/ledger/checkpoint/cosignatures",
        summary="Take in what witnesses signed",
        **described(body=CosignaturesBody, answer=CheckpointView, refusals=(HTTPStatus.NOT_FOUND,)),
    )
    async def cosign(request: Request) -> Response:
        door.caller(request, ACTING, act="hand in a cosignature")
        given = await body(request, CosignaturesBody)
        return answer(await service.cosign(size=given.size, lines=given.lines))

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
