"""The routes of governance: agreements, owners, and taking an approval back."""

import asyncio
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from glideslope.domain.commands import (
    AnswerAgreement,
    AskGlass,
    BreakGlass,
    ReviewAgreement,
    ReviewGlass,
    TableAgreement,
    Withdraw,
)
from glideslope.domain.governing.kinds import document_of
from glideslope.domain.identity import Role
from glideslope.domain.ids import RolloutId, digest
from glideslope.engine.agreement_record import AgreementRecordView
from glideslope.engine.explaining import ExplanationView
from glideslope.engine.governing_views import AgreementView, OwnedView
from glideslope.engine.views import RolloutView
from glideslope.interfaces.api.bodies import AgreementBody, AnswerBody, GlassBody, GlassReviewBody, ReasonBody
from glideslope.interfaces.api.conditional import seen
from glideslope.interfaces.api.door import ACTING, LOOKING, SHOWN, Door, answer, body
from glideslope.interfaces.api.openapi import described
from glideslope.interfaces.api.paging import Page, oldest_first, page
from glideslope.interfaces.api.queries import AsOf
from glideslope.interfaces.document import agreements

LARGEST = 2 * agreements.LARGEST
"""Bytes of a body."""


def governing(door: Door) -> APIRouter:
    """Return the routes about who decides."""
    router = APIRouter(tags=["governing"])
    service = door.service

    @router.get(
        "/v1/agreements",
        summary="List agreements, oldest first",
        **described(answer=tuple[AgreementView, ...], paged=True),
    )
    async def every(request: Request, asked: Page) -> Response:
        door.caller(request, LOOKING, act="look")
        return oldest_first(request, asked, await service.agreements())

    @router.post(
        "/v1/agreements",
        summary="Ask that a document be in force",
        **described(
            body=AgreementBody, answer=AgreementView, keyed=True, refusals=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
        ),
    )
    async def table(request: Request) -> Response:
        caller = door.caller(request, ACTING, act="table an agreement")
        written = await body(request, AgreementBody, limit=LARGEST)
        document = await asyncio.to_thread(agreements.read, written.text, file=written.file)
        command = TableAgreement(
            of=document.of,
            name=document.name,
            document=document_of(document.agreed),
            text=written.text,
            by=caller.actor,
            why=written.why,
            admin=caller.role is Role.ADMIN,
        )
        return answer(await service.table(command, key=door.key(request)))

    @router.get("/v1/agreements/{of}/{name}", summary="Show an agreement", **described(answer=AgreementView))
    async def one(request: Request, of: str, name: str) -> Response:
        door.caller(request, LOOKING, act="look")
        return answer(await service.agreement(of, name))

    @router.get(
        "/v1/agreements/{of}/{name}/record",
        summary="Show all that is recorded about an agreement, in words",
        **described(answer=AgreementRecordView),
    )
    async def told(request: Request, of: str, name: str, as_of: AsOf = None) -> Response:
        door.caller(request, LOOKING, act="look")
        return answer(await service.agreement_record(of, name, as_of=as_of))

    @router.post(
        "/v1/agreements/{of}/{name}/answers",
        summary="Say yes or no to what is tabled",
        **described(body=AnswerBody, answer=AgreementView, keyed=True),
    )
    async def say(request: Request, of: str, name: str) -> Response:
        by = door.caller(request, ACTING, act="answer an agreement").actor
        written = await body(request, AnswerBody)
        command = AnswerAgreement(
            of=of, name=name, digest=digest(written.digest), granted=written.granted, by=by, why=written.why
        )
        return answer(await service.answer(command, key=door.key(request)))

    @router.post(
        "/v1/agreements/{of}/{name}/reviews",
        summary="Stand by what is in force",
        **described(body=ReasonBody, answer=AgreementView, keyed=True, matched=True),
    )
    async def review(request: Request, of: str, name: str) -> Response:
        by = door.caller(request, ACTING, act="review an agreement").actor
        why = (await body(request, ReasonBody)).why
        command = ReviewAgreement(of=of, name=name, by=by, why=why, tag=seen(request))
        return answer(await service.review(command, key=door.key(request)))

    @router.get(
        "/v1/rollouts/{rollout}/explanation",
        summary="Ask policies about a change, rule by rule; nothing is decided by it",
        **described(answer=ExplanationView, refusals=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)),
    )
    async def explain(request: Request, rollout: str) -> Response:
        door.caller(request, LOOKING, act="look")
        return answer(await service.explain(RolloutId(rollout)))

    @router.get(
        "/v1/owned",
        summary="Show who owns what",
        **described(answer=tuple[OwnedView, ...], paged=True, refusals=(HTTPStatus.NOT_FOUND,)),
    )
    async def owned(
        request: Request,
        asked: Page,
        owner: Annotated[str, Query(description="All that this person or team owns.")] = "",
        kind: Annotated[str, Query(description="Things of this kind alone.")] = "",
        name: Annotated[str, Query(description="The thing of this name.")] = "",
    ) -> Response:
        door.caller(request, LOOKING, act="look")
        found = await service.owned(owner=owner, kind=kind, name=name)
        return page(request, asked, found, place=lambda each: (each.kind, each.name))

    @router.post(
        "/v1/rollouts/{rollout}/glass",
        summary="Ask to pass what governance forbids, in an emergency",
        **described(body=GlassBody, answer=RolloutView, keyed=True, matched=True),
    )
    async def ask_glass(request: Request, rollout: str) -> Response:
        by = door.caller(request, ACTING, act="break the glass").actor
        written = await body(request, GlassBody)
        command = AskGlass(
            rollout=RolloutId(rollout),
            emergency=written.emergency,
            lasting=written.minutes * 60_000,
            by=by,
            why=written.why,
            proved=SHOWN,
            tag=seen(request),
        )
        return answer(await service.ask_glass(command, key=door.key(request)))

    @router.post(
        "/v1/rollouts/{rollout}/glass/agree",
        summary="Agree with whoever asked to break the glass",
        **described(body=ReasonBody, answer=RolloutView, keyed=True, matched=True),
    )
    async def break_glass(request: Request, rollout: str) -> Response:
        by = door.caller(request, ACTING, act="break the glass").actor
        why = (await body(request, ReasonBody)).why
        command = BreakGlass(rollout=RolloutId(rollout), by=by, why=why, proved=SHOWN, tag=seen(request))
        return answer(await service.break_glass(command, key=door.key(request)))

    @router.post(
        "/v1/rollouts/{rollout}/glass/review",
        summary="Say afterwards whether breaking the glass was justified",
        **described(body=GlassReviewBody, answer=RolloutView, keyed=True),
    )
    async def review_glass(request: Request, rollout: str) -> Response:
        by = door.caller(request, ACTING, act="review a broken glass").actor
        written = await body(request, GlassReviewBody)
        command = ReviewGlass(rollout=RolloutId(rollout), justified=written.justified, by=by, why=written.why)
        return answer(await service.review_glass(command, key=door.key(request)))

    @router.post(
        "/v1/rollouts/{rollout}/withdraw",
        summary="Take one's approval back",
        **described(body=ReasonBody, answer=RolloutView, keyed=True),
    )
    async def withdraw(request: Request, rollout: str) -> Response:
        by = door.caller(request, ACTING, act="take an approval back").actor
        why = (await body(request, ReasonBody)).why
        command = Withdraw(rollout=RolloutId(rollout), by=by, why=why)
        return answer(await service.withdraw(command, key=door.key(request)))

    return router
