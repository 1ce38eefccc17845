"""People and access: who may do what and why, what nobody owns, and when somebody looked at that last."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from glideslope.domain.errors import NotFound
from glideslope.engine.access import AccessView
from glideslope.engine.orphans import OrphanView
from glideslope.interfaces.dashboard.door import PageDoor
from glideslope.interfaces.dashboard.rendering import Pages
from glideslope.interfaces.dashboard.rollouts import entry_of

RIGHTS: Final = {
    "propose": "asks for a change",
    "operate": "resumes, drills, records advisories, lets a freeze be passed, breaks the glass with a second person",
    "review": "approves and denies in their functions, closes incidents, reviews",
    "audit": "reads everything on behalf of others",
    "administer": "tables and answers changes of the organisation",
}
"""What each right is for."""


def routes(door: PageDoor, pages: Pages) -> list[Route]:
    """Return the page's route."""
    service = door.service

    async def show(request: Request) -> Response:
        visitor, as_of = door.visitor(request), entry_of(request)
        people: list[AccessView] = []
        orphans: list[OrphanView] = []
        try:
            people = list(await service.access(who="", right="", function="", as_of=as_of))
            orphans = list(await service.orphans()) if as_of is None else []
            governed = True
        except NotFound:
            governed = False
        pulse = await service.pulse()
        return pages.page(
            request,
            "people.html",
            visitor=visitor,
            live=as_of is None,
            as_of=as_of,
            newest=pulse.entries - 1,
            governed=governed,
            rights=RIGHTS,
            people=people,
            orphans=orphans,
            due=next((each for each in await service.dues() if each.of == "access"), None),
        )

    return [Route("/people", show, methods=["GET"])]
