"""People and access: who may do what and why, what nobody owns, and when somebody looked at that last."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from glideslope.domain.errors import NotFound
from glideslope.engine.access import AccessView
from glideslope.engine.orphans import OrphanView
from glideslope.interfaces.dashboard.door import PageDoor
from glideslope.interfaces.dashboard.rendering import Pages


def routes(door: PageDoor, pages: Pages) -> list[Route]:
    """Return the page's route."""
    service = door.service

    async def show(request: Request) -> Response:
        visitor = door.visitor(request)
        people: list[AccessView] = []
        orphans: list[OrphanView] = []
        try:
            people = list(await service.access(who="", right="", function=""))
            orphans = list(await service.orphans())
            governed = True
        except NotFound:
            governed = False
        return pages.page(
            request,
            "people.html",
            visitor=visitor,
            live=True,
            governed=governed,
            people=people,
            orphans=orphans,
            due=next((each for each in await service.dues() if each.of == "access"), None),
        )

    return [Route("/people", show, methods=["GET"])]
