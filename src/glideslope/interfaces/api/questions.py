"""The routes of what people say that moves nothing: ask for more, reply, judge what the machine cannot."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from glideslope.domain.commands import AskMore, Judge, Reply
from glideslope.domain.ids import RolloutId
from glideslope.engine.views import RolloutView
from glideslope.interfaces.api.bodies import JudgementBody, ReasonBody
from glideslope.interfaces.api.door import ACTING, Door, answer, body
from glideslope.interfaces.api.openapi import described


def questions(door: Door) -> APIRouter:
    """Return the routes by which people ask, reply and judge."""
    router = APIRouter(tags=["acts"])
    service = door.service

    @router.post(
        "/v1/rollouts/{rollout}/questions",
        summary="Ask its proposer for more, before a yes",
        **described(body=ReasonBody, answer=RolloutView, keyed=True),
    )
    async def ask(request: Request, rollout: str) -> Response:
        by = door.caller(request, ACTING, act="ask for more").actor
        why = (await body(request, ReasonBody)).why
        return answer(
            await service.ask_more(AskMore(rollout=RolloutId(rollout), by=by, why=why), key=door.key(request))
        )

    @router.post(
        "/v1/rollouts/{rollout}/questions/{question}/reply",
        summary="Reply to what was asked for",
        **described(body=ReasonBody, answer=RolloutView, keyed=True),
    )
    async def reply(request: Request, rollout: str, question: Annotated[int, Path(ge=1, le=2**53)]) -> Response:
        by = door.caller(request, ACTING, act="reply").actor
        why = (await body(request, ReasonBody)).why
        command = Reply(rollout=RolloutId(rollout), question=question, by=by, why=why)
        return answer(await service.reply(command, key=door.key(request)))

    @router.post(
        "/v1/rollouts/{rollout}/judgements",
        summary="Judge what the machine cannot, and let it go on as it is",
        **described(body=JudgementBody, answer=RolloutView, keyed=True),
    )
    async def judge(request: Request, rollout: str) -> Response:
        by = door.caller(request, ACTING, act="judge").actor
        written = await body(request, JudgementBody)
        command = Judge(rollout=RolloutId(rollout), about=written.about, by=by, why=written.why)
        return answer(await service.judge(command, key=door.key(request)))

    return router
