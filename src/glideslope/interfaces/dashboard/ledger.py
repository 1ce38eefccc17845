"""The ledger as pages: entries that answer a question, one entry whole with its proof, all of it checked in place or taken along."""

import json
import re
from collections.abc import AsyncIterator
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from glideslope.domain.errors import Invalid, NotFound
from glideslope.engine.repository import MOST_FOUND
from glideslope.engine.self_check import InclusionView
from glideslope.engine.service import Service
from glideslope.engine.views import SearchView
from glideslope.interfaces.api.problems import RequestInvalid
from glideslope.interfaces.dashboard.door import PageDoor
from glideslope.interfaces.dashboard.fields import EXAMPLES, TOLD
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
            fields=TOLD,
            examples=EXAMPLES,
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
            proof=await _proof(service, number),
        )

    async def verify(request: Request) -> Response:
        visitor = door.visitor(request)
        return pages.page(
            request, "verified.html", visitor=visitor, found=await service.verified(), key=await service.verifier()
        )

    async def take_all(request: Request) -> Response:
        door.visitor(request)
        return _attached(await service.ledger(), "ledger.bundle")

    async def take_found(request: Request) -> Response:
        door.visitor(request)
        question = request.query_params.get("q", "").strip() or EVERYTHING
        # (Asked once before the answer begins, so that a question that cannot be read is refused as such.)
        await service.search(question, limit=1)
        return _attached(_lines(service, question), "entries.jsonl")

    async def take_entry(request: Request) -> Response:
        door.visitor(request)
        number = int(request.path_params["entry"])
        await service.inclusion(number)
        found = (await service.search(EVERYTHING, limit=1, below=number + 1, whole=True)).found
        return _attached(_one(found[0].whole.encode()), f"entry-{number}.json")

    async def take_proof(request: Request) -> Response:
        door.visitor(request)
        number = int(request.path_params["entry"])
        return _attached(_one((await service.inclusion(number)).proof.encode()), f"entry-{number}.tlog-proof")

    return [
        Route("/ledger", listed, methods=["GET"]),
        Route("/ledger/verify", verify, methods=["GET"]),
        Route("/ledger/ledger.bundle", take_all, methods=["GET"]),
        Route("/ledger/entries.jsonl", take_found, methods=["GET"]),
        Route("/ledger/{entry:int}", show, methods=["GET"]),
        Route("/ledger/{entry:int}/entry.json", take_entry, methods=["GET"]),
        Route("/ledger/{entry:int}/entry.tlog-proof", take_proof, methods=["GET"]),
    ]


async def _proof(service: Service, number: int) -> InclusionView | None:
    """Return what proves an entry; None for one so new that no checkpoint covers it."""
    try:
        return await service.inclusion(number)
    except NotFound:
        return None


async def _lines(service: Service, question: str) -> AsyncIterator[bytes]:
    """Yield what answers a question, newest first: its position and the entry's own bytes on each line."""
    below: int | None = None
    while True:
        view = await service.search(question, limit=MOST_FOUND, below=below, whole=True)
        for each in view.found:
            yield f'{{"position":{each.entry},"entry":{each.whole}}}\n'.encode()
        if view.next is None:
            return
        below = view.next


async def _one(content: bytes) -> AsyncIterator[bytes]:
    yield content


def _attached(content: AsyncIterator[bytes], name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(content, media_type="application/octet-stream", headers=headers)


def laid_out(text: str) -> str:
    """Return JSON indented for people, each list of numbers on one line."""
    indented = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    return _NUMBERS.sub(lambda found: " ".join(found[0].split()), indented)


def page_of(link: str) -> str:
    """Return the page that shows what a link of the API shows."""
    return link.removeprefix("/v1").replace("/search?", "/ledger?", 1).replace("/record?", "?", 1)


def _below(request: Request) -> int | None:
    text = request.query_params.get("below")
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):
        raise RequestInvalid("below is the number of a ledger entry")
    return int(text)
