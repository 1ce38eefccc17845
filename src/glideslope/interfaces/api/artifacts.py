"""The documents about a version: facts of how it was made, and what is made from them."""

import asyncio
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import Response

from glideslope.domain.commands import RecordFacts
from glideslope.domain.identity import Act
from glideslope.domain.ids import model_name, version_name
from glideslope.engine.facts import FactsView
from glideslope.engine.version_record import VersionRecordView
from glideslope.interfaces.api.bodies import FactsBody
from glideslope.interfaces.api.door import ACTING, LOOKING, Door, answer, body
from glideslope.interfaces.api.openapi import described
from glideslope.interfaces.document import facts as written_facts

LARGEST = 2 * written_facts.LARGEST
"""Bytes of a body."""


def artifacts(door: Door) -> APIRouter:
    """Return the routes of the documents about a version."""
    router = APIRouter(tags=["artifacts"])
    service = door.service

    @router.post(
        "/v1/models/{model}/versions/{version}/facts",
        summary="Record how a version was made",
        **described(body=FactsBody, answer=FactsView, keyed=True),
    )
    async def record(request: Request, model: str, version: str) -> Response:
        caller = door.caller(request, ACTING, act="record facts about a version", kind=Act.REGISTER)
        caller.require(model_name(model))
        by = caller.actor
        about = (model_name(model), version_name(version))
        written = await body(request, FactsBody, limit=LARGEST)
        document = await asyncio.to_thread(
            written_facts.read, written.text, file=written.file, model=about[0], version=about[1]
        )
        command = RecordFacts(facts=document.facts, by=by, why=written.why)
        with document.located():
            return answer(await service.record_facts(command, key=door.key(request)))

    @router.get(
        "/v1/models/{model}/versions/{version}/facts",
        summary="Show how a version was made",
        **described(answer=FactsView, refusals=(HTTPStatus.NOT_FOUND,)),
    )
    async def show(request: Request, model: str, version: str) -> Response:
        door.caller(request, LOOKING, act="look")
        return answer(await service.facts(model_name(model), version_name(version)))

    @router.get(
        "/v1/models/{model}/versions/{version}",
        summary="Show all that the ledger says about a version",
        **described(answer=VersionRecordView, refusals=(HTTPStatus.NOT_FOUND,)),
    )
    async def known(request: Request, model: str, version: str) -> Response:
        door.caller(request, LOOKING, act="look")
        return answer(await service.version(model_name(model), version_name(version)))

    return router
