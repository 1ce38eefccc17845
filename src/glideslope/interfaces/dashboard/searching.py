"""Search from every page: models, versions, rollouts and people by what they are called and why, then entries of the record."""

from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from glideslope.domain.errors import Invalid
from glideslope.domain.governing.query import LONGEST_QUESTION
from glideslope.engine.views import FleetView, ModelView, RolloutView, SearchView, VersionView
from glideslope.interfaces.dashboard.door import PageDoor
from glideslope.interfaces.dashboard.fields import EXAMPLES, TOLD
from glideslope.interfaces.dashboard.rendering import Pages
from glideslope.interfaces.dashboard.suggesting import people_called, suggestions

MOST: Final = 20
"""Of each kind; the ledger's own page has the rest."""


def routes(door: PageDoor, pages: Pages) -> list[Route]:
    """Return the routes of the search."""
    service = door.service

    async def show(request: Request) -> Response:
        visitor = door.visitor(request)
        question = request.query_params.get("q", "").strip()
        fleet = await service.fleet()
        if any(question == each.id for each in fleet.rollouts):
            return RedirectResponse(f"/rollouts/{question}", status_code=HTTPStatus.SEE_OTHER)
        entry = question.removeprefix("#")
        if question.startswith("#") and entry.isascii() and entry.isdecimal() and len(entry) <= 15:
            return RedirectResponse(f"/ledger/{entry}", status_code=HTTPStatus.SEE_OTHER)
        found: SearchView | None = None
        error: Invalid | None = None
        if question:
            try:
                found = await service.search(question, limit=MOST)
            except Invalid as refused:
                error = refused
        return pages.page(
            request,
            "search.html",
            visitor=visitor,
            question=question,
            models=models_called(fleet, question)[:MOST],
            versions=versions_called(fleet, question)[:MOST],
            rollouts=rollouts_about(fleet, question)[:MOST],
            people=people_called(fleet, question)[:MOST] if question else (),
            known=[*(each.name for each in fleet.models[:MOST]), *(each.id for each in fleet.rollouts[:MOST])],
            fields=TOLD,
            examples=EXAMPLES,
            found=found,
            error=error,
        )

    async def suggest(request: Request) -> Response:
        visitor = door.visitor(request)
        typed = request.query_params.get("q", "")[:LONGEST_QUESTION]
        fleet = await service.fleet()
        found = suggestions(fleet, typed, entries=fleet.entries)
        return pages.page(request, "suggested.html", visitor=visitor, found=found)

    return [Route("/search", show, methods=["GET"]), Route("/search/suggested", suggest, methods=["GET"])]


def models_called(fleet: FleetView, question: str) -> list[ModelView]:
    """Return the models whose name holds every word."""
    return [each for each in fleet.models if _holds(question, each.name)]


def versions_called(fleet: FleetView, question: str) -> list[tuple[str, VersionView]]:
    """Return the versions whose name, digest or author holds every word, the newest first, each with its model."""
    return [
        (each.name, version)
        for each in fleet.models
        for version in reversed(each.versions)
        if _holds(question, each.name, version.version, version.digest, version.by) and not _holds(question, each.name)
    ]


def rollouts_about(fleet: FleetView, question: str) -> list[RolloutView]:
    """Return the rollouts whose names, people or reason hold every word."""
    return [
        each
        for each in fleet.rollouts
        if _holds(
            question,
            each.id,
            each.model,
            each.incumbent,
            each.candidate,
            each.owner,
            each.why,
            each.proposed_by,
            each.phase,
        )
    ]


def _holds(question: str, *texts: str) -> bool:
    words = question.casefold().split()
    return bool(words) and all(any(word in text.casefold() for text in texts) for word in words)
