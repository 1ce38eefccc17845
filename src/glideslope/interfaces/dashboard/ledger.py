"""The ledger as pages: entries that answer a question, one entry whole, and the command by which anybody checks all of it."""

import json
import re
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from glideslope.domain.errors import Invalid, NotFound
from glideslope.domain.governing.query import FIELDS
from glideslope.engine.views import SearchView
from glideslope.interfaces.api.problems import RequestInvalid
from glideslope.interfaces.dashboard.door import PageDoor
from glideslope.interfaces.dashboard.rendering import Pages

EVERYTHING: Final = "after:1970"
"""A question that every entry answers."""
ROWS: Final = 50
_NUMBERS: Final = re.compile(r"\[\s+-?\d[-+.eE\d]*(?:,\s+-?\d[-+.eE\d]*)*\s+\]")


def routes(door: PageDoor, pages: Pages) -> list[Route]:
    """Return the routes of the ledger."""
    service = door.service

    async def listed(request: Request) -> Response:
        visitor = door.visitor(request)
        question, below = request.query_params.get("q", "").strip(), _below(request)
        error: Invalid | None = None
        found: SearchView | None = None
        try:
            found = await service.search(question or EVERYTHING, limit=ROWS, below=below)
        except Invalid as refused:
            error = refused
        return pages.page(
            request,
            "ledger.html",
            visitor=visitor,
            status=200 if error is None else 422,
            live=not question and below is None,
            question=question,
            found=found,
            error=error,
            fields=FIELDS,
            key=await service.verifier(),
        )

    async def show(request: Request) -> Response:
        visitor = door.visitor(request)
        number = int(request.path_params["entry"])
        newest = (await service.pulse()).entries - 1
        # (Ledgers are smaller than the numbers that can be written into an address.)
        found = (
            () if number > newest else (await service.search(EVERYTHING, limit=1, below=number + 1, whole=True)).found
        )
        if not found or found[0].entry != number:
            raise NotFound(what="ledger entry", name=str(number), next_command="glideslope search kind:decided")
        return pages.page(
            request,
            "entry.html",
            visitor=visitor,
            entry=found[0],
            page_link=page_of(found[0].link),
            whole=laid_out(found[0].whole),
            newest=newest,
        )

    return [Route("/ledger", listed, methods=["GET"]), Route("/ledger/{entry:int}", show, methods=["GET"])]


def laid_out(text: str) -> str:
    """Return JSON indented for people, each list of numbers on one line."""
    indented = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    return _NUMBERS.sub(lambda found: " ".join(found[0].split()), indented)


def page_of(link: str) -> str:
    """Return the page that shows what a link of the API shows."""
    return link.removeprefix("/v1").replace("/search?", "/ledger?", 1)


def _below(request: Request) -> int | None:
    text = request.query_params.get("below")
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):
        raise RequestInvalid("below is the number of a ledger entry")
    return int(text)
