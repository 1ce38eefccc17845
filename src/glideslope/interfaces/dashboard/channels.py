"""The page of channels: where people and programs are told, how each stands, what was tried last."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from glideslope.domain.errors import NotAllowed
from glideslope.interfaces.api.channels import RUNNING
from glideslope.interfaces.dashboard.door import PageDoor, Visitor
from glideslope.interfaces.dashboard.rendering import Pages
from glideslope.interfaces.dashboard.words import Word

ROWS = 25
PATH = "/settings/channels"

STATES = {
    "works": Word("works", "good", "check"),
    "new": Word("nothing delivered yet", "quiet", "dash"),
    "behind": Word("some wait", "open", "pause"),
    "failing": Word("failing", "bad", "cross"),
}
ENDS = {
    "delivered": Word("delivered", "good", "check"),
    "failed": Word("failed", "open", "pause"),
    "given-up": Word("given up", "bad", "cross"),
}


def routes(door: PageDoor, pages: Pages) -> list[Route]:
    """Return the page's routes."""
    service = door.service

    async def show(request: Request) -> Response:
        visitor = door.visitor(request)
        found = await service.channels()
        names = {each.name for each in found.channels}
        channel = request.query_params.get("channel", "")
        return pages.page(
            request,
            "channels.html",
            visitor=visitor,
            live=True,
            found=found,
            deliveries=await service.deliveries(channel if channel in names else "", limit=ROWS),
            channel=channel if channel in names else "",
            runs=_runs(visitor),
            states=STATES,
            ends=ENDS,
        )

    async def test(request: Request) -> Response:
        visitor, _ = await door.form(request, act="send through a channel")
        if not _runs(visitor):
            raise NotAllowed(actor=visitor.actor, act="send through a channel")
        name = str(request.path_params["channel"])
        await service.test_channel(name, by=visitor.actor)
        return RedirectResponse(f"{PATH}?channel={name}#tried", status_code=303)

    return [
        Route(PATH, show, methods=["GET"]),
        Route(f"{PATH}/{{channel}}/test", test, methods=["POST"]),
    ]


def _runs(visitor: Visitor) -> bool:
    return visitor.identity.role in RUNNING
