"""The page that explains the pages: their words, their keys, and where to learn more."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from glideslope.interfaces.dashboard.door import PageDoor
from glideslope.interfaces.dashboard.glossary import PARTS, RECORD, STATISTICS
from glideslope.interfaces.dashboard.rendering import Pages


def routes(door: PageDoor, pages: Pages) -> list[Route]:
    """Return the page's route."""

    async def show(request: Request) -> Response:
        visitor = door.visitor(request)
        parts = (
            ("What figures mean", STATISTICS),
            ("What a rollout is made of", PARTS),
            ("What the record proves", RECORD),
        )
        return pages.page(request, "help.html", visitor=visitor, parts=parts)

    return [Route("/help", show, methods=["GET"])]
