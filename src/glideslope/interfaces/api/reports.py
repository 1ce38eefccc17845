"""What services ask and tell: briefings, counts, shadow answers, outcomes. Decoded without the framework's validation."""

import asyncio
from http import HTTPStatus
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from glideslope.domain.identity import Act
from glideslope.domain.ids import model_name
from glideslope.domain.logged import Predictions, PredictionsTaken
from glideslope.domain.observation import (
    Briefing,
    FeaturesTaken,
    FeatureTotals,
    Outcomes,
    OutcomesTaken,
    ShadowAnswers,
    Totals,
    TotalsTaken,
)
from glideslope.domain.pairs import Halves
from glideslope.engine.sources import bound
from glideslope.interfaces.api.door import REPORTING, TELLING, Door, answer, body
from glideslope.interfaces.api.openapi import described

LARGEST_TOTALS: Final = 8 << 20
LARGEST_SHADOW: Final = 4 << 20
LARGEST_OUTCOMES: Final = 16 << 20
LARGEST_PREDICTIONS: Final = 16 << 20
LONGEST_WAIT: Final = 60.0
"""Seconds for which a briefing is held back at most."""


def reports(door: Door, *, stopping: asyncio.Event) -> APIRouter:
    """Return the routes for sources. Setting `stopping` answers every briefing that is held back."""
    router = APIRouter(tags=["sources"])
    service = door.service

    @router.get(
        "/v1/models/{model}/briefing",
        summary="Fetch what a service needs to assign, observe and mint; waits while it is still the one seen",
        **described(answer=Briefing),
    )
    async def briefing(
        request: Request,
        model: str,
        seen: Annotated[str, Query(max_length=200)] = "",
        wait: Annotated[float, Query(ge=0, allow_inf_nan=False)] = 0.0,
        source: Annotated[str, Query(max_length=200)] = "",
    ) -> Response:
        by = door.caller(request, REPORTING, act="fetch a briefing")
        name = model_name(model)
        by.require(name)
        who = bound(by.actor, source)
        asked = asyncio.ensure_future(service.briefing(name, seen=seen, wait=min(wait, LONGEST_WAIT), source=who))
        stopped = asyncio.ensure_future(stopping.wait())
        try:
            await asyncio.wait({asked, stopped}, return_when=asyncio.FIRST_COMPLETED)
            found = asked.result() if asked.done() else await service.briefing(name, seen=seen, wait=0, source=who)
        finally:
            asked.cancel()
            stopped.cancel()
        return answer(found, headers={"Cache-Control": "no-store"})

    @router.post(
        "/v1/observations",
        summary="Report a source's counts",
        **described(body=Totals, answer=TotalsTaken, refusals=(HTTPStatus.NOT_FOUND,)),
    )
    async def observations(request: Request) -> Response:
        by = door.caller(request, REPORTING, act="report observations")
        totals = await body(request, Totals, limit=LARGEST_TOTALS)
        by.require(totals.model)
        return answer(await service.observe(msgspec.structs.replace(totals, source=bound(by.actor, totals.source))))

    @router.post(
        "/v1/predictions",
        summary="Log what a service answered, for late outcomes and recomputation",
        **described(body=Predictions, answer=PredictionsTaken, refusals=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)),
    )
    async def predictions(request: Request) -> Response:
        by = door.caller(request, REPORTING, act="log predictions")
        found = await body(request, Predictions, limit=LARGEST_PREDICTIONS)
        by.require(found.model)
        return answer(await service.predictions(msgspec.structs.replace(found, source=bound(by.actor, found.source))))

    @router.post(
        "/v1/features",
        summary="Report a source's counts of feature values",
        **described(body=FeatureTotals, answer=FeaturesTaken, refusals=(HTTPStatus.NOT_FOUND,)),
    )
    async def features(request: Request) -> Response:
        by = door.caller(request, REPORTING, act="report features")
        totals = await body(request, FeatureTotals, limit=LARGEST_TOTALS)
        by.require(totals.model)
        return answer(
            await service.feature_counts(msgspec.structs.replace(totals, source=bound(by.actor, totals.source)))
        )

    @router.post(
        "/v1/shadow",
        summary="Report a shadowed candidate's answers",
        **described(body=ShadowAnswers, answer=None, status=204, refusals=(HTTPStatus.NOT_FOUND,)),
    )
    async def shadow(request: Request) -> Response:
        by = door.caller(request, REPORTING, act="report shadow answers")
        answers = await body(request, ShadowAnswers, limit=LARGEST_SHADOW)
        by.require(answers.model)
        await service.shadow(answers)
        return Response(status_code=204)

    @router.post(
        "/v1/pairs",
        summary="Report one arm's answers, to be compared with the other's",
        **described(body=Halves, answer=None, status=204, refusals=(HTTPStatus.NOT_FOUND,)),
    )
    async def pairs(request: Request) -> Response:
        by = door.caller(request, REPORTING, act="report answers")
        halves = await body(request, Halves, limit=LARGEST_SHADOW)
        by.require(halves.model)
        await service.halves(halves)
        return Response(status_code=204)

    @router.post(
        "/v1/outcomes", summary="Tell the truth about predictions", **described(body=Outcomes, answer=OutcomesTaken)
    )
    async def outcomes(request: Request) -> Response:
        by = door.caller(request, TELLING, act="report outcomes", kind=Act.TELL)
        return answer(await service.outcomes(await body(request, Outcomes, limit=LARGEST_OUTCOMES), by=by))

    return router
