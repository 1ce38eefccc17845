"""Breaking the glass on a page: one asks, another agrees, a third looks at it afterwards. Loud, and never by one person alone."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from glideslope.domain.commands import AskGlass, BreakGlass, ReviewGlass
from glideslope.domain.governing.glass import LONGEST, Emergency
from glideslope.domain.ids import RolloutId
from glideslope.engine.views import RolloutView
from glideslope.interfaces.api.problems import RequestInvalid
from glideslope.interfaces.dashboard.approvals import must_prove
from glideslope.interfaces.dashboard.door import PageDoor, Visitor, key_of
from glideslope.interfaces.dashboard.rendering import Pages

TOLD = {
    Emergency.OUTAGE: "an outage: what serves fails its callers",
    Emergency.SECURITY: "security: a weakness must be closed now",
    Emergency.SAFETY: "safety: somebody may be hurt",
    Emergency.LEGAL: "the law: an authority asks for it",
}


def routes(door: PageDoor, pages: Pages) -> list[Route]:
    """Return the page's routes."""
    service = door.service

    async def show(request: Request) -> Response:
        visitor = door.visitor(request)
        view = await service.rollout(RolloutId(request.path_params["rollout"]))
        return pages.page(
            request,
            "glass.html",
            visitor=visitor,
            live=not view.ended,
            view=view,
            offered=offered(view, visitor),
            prove=must_prove(view, visitor),
            emergencies=[(each.value, TOLD[each]) for each in Emergency],
            longest=LONGEST // 60_000,
        )

    async def act(request: Request) -> Response:
        id_ = RolloutId(request.path_params["rollout"])
        visitor, fields = await door.form(request, act="break the glass")
        await _carried_out(id_, visitor, fields, key_of(fields))
        return RedirectResponse(f"/rollouts/{id_}/glass", status_code=HTTPStatus.SEE_OTHER)

    async def _carried_out(id_: RolloutId, by: Visitor, fields: Mapping[str, str], key: str) -> RolloutView:
        why = fields.get("why", "")
        match fields.get("act", ""):
            case "ask":
                command = AskGlass(
                    rollout=id_,
                    emergency=_emergency(fields),
                    lasting=_minutes(fields) * 60_000,
                    by=by.actor,
                    why=why,
                    proved=by.proved,
                )
                return await service.ask_glass(command, key=key)
            case "agree":
                return await service.break_glass(
                    BreakGlass(rollout=id_, by=by.actor, why=why, proved=by.proved), key=key
                )
            case "justified" | "not-justified" as said:
                command_ = ReviewGlass(rollout=id_, justified=said == "justified", by=by.actor, why=why)
                return await service.review_glass(command_, key=key)
            case _:
                raise RequestInvalid("its form neither asks, agrees nor reviews")

    return [
        Route("/rollouts/{rollout}/glass", show, methods=["GET"]),
        Route("/rollouts/{rollout}/glass", act, methods=["POST"]),
    ]


def offered(view: RolloutView, visitor: Visitor) -> tuple[str, ...]:
    """Return what somebody could do about the glass; the engine decides again."""
    governed = view.governed
    if governed is None or not visitor.may_act:
        return ()
    found = []
    if not view.ended and not governed.glass_asked_by:
        found.append("ask")
    if not view.ended and governed.glass_asked_by and visitor.actor != governed.glass_asked_by:
        found.append("agree")
    if governed.glass_owed_by and visitor.actor not in governed.glass_owed_by:
        found.append("review")
    return tuple(found)


def _emergency(fields: Mapping[str, str]) -> Emergency:
    try:
        return Emergency(fields.get("emergency", ""))
    except ValueError:
        raise RequestInvalid(f"an emergency is one of {', '.join(Emergency)}") from None


def _minutes(fields: Mapping[str, str]) -> int:
    written = fields.get("minutes", "")
    if not (written.isascii() and written.isdecimal() and len(written) <= 5):
        raise RequestInvalid("it lasts a number of minutes")
    return int(written)
