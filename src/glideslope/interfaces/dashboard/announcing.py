"""The page of a change for the people affected; `glideslope announce` writes the same words as one file."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from glideslope.domain.ids import RolloutId
from glideslope.interfaces.dashboard.door import PageDoor
from glideslope.interfaces.dashboard.rendering import Pages
from glideslope.interfaces.dashboard.rollouts import entry_of
from glideslope.interfaces.document import paper
from glideslope.interfaces.document.announcing import announcement


def routes(door: PageDoor, pages: Pages) -> list[Route]:
    """Return the page's route."""
    service = door.service

    async def show(request: Request) -> Response:
        visitor = door.visitor(request)
        id_, as_of = RolloutId(request.path_params["rollout"]), entry_of(request)
        view = await service.announcement(id_, as_of=as_of)
        pulse = await service.pulse()
        kinds = {paper.Text: "text", paper.Items: "items", paper.Table: "table", paper.Lacks: "lacks"}
        told = announcement(view)
        return pages.page(
            request,
            "announcement.html",
            visitor=visitor,
            live=as_of is None and not view.ended,
            as_of=as_of,
            newest=pulse.entries - 1,
            view=view,
            paper=told,
            sections=[(each.title, [(kinds[type(block)], block) for block in each.blocks]) for each in told.sections],
        )

    return [Route("/rollouts/{rollout}/announcement", show, methods=["GET"])]
