"""What comes round: reviews of what is in force and drills of models, overdue things first."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from glideslope.engine.dues import page_of
from glideslope.interfaces.dashboard.door import PageDoor
from glideslope.interfaces.dashboard.rendering import Pages


def routes(door: PageDoor, pages: Pages) -> list[Route]:
    """Return the page's route."""
    service = door.service

    async def show(request: Request) -> Response:
        visitor = door.visitor(request)
        found = await service.dues()
        return pages.page(
            request,
            "dues.html",
            visitor=visitor,
            live=True,
            found=[(each, page_of(each)) for each in found],
            overdue=sum(each.overdue for each in found),
            governed=any(each.of == "organisation" for each in await service.agreements()),
        )

    return [Route("/dues", show, methods=["GET"])]
