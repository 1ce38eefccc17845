"""Settings: one index of what a server is told and what it says of itself; tokens, witnesses, health and versions."""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from glideslope.interfaces.dashboard.door import PageDoor
from glideslope.interfaces.dashboard.rendering import Pages


@dataclass(frozen=True, slots=True)
class Section:
    """One page of the settings, as the index leads to it."""

    page: str
    name: str
    says: str


SECTIONS: Final = (
    Section(
        "/dues", "Dues and reviews", "what comes round: reviews of what is in force, drills of models; overdue first"
    ),
    Section("/people", "People and access", "who may do what and why; what nobody owns"),
)
"""In the order in which they are read; a new page of settings is one line here."""


def routes(door: PageDoor, pages: Pages) -> list[Route]:
    """Return the routes of settings."""

    async def index(request: Request) -> Response:
        visitor = door.visitor(request)
        return pages.page(request, "settings.html", visitor=visitor, sections=SECTIONS)

    return [Route("/settings", index, methods=["GET"])]
