"""Policies and whatever else is agreed on: what is in force, what is tabled, what it says; and the answers that people give."""

import difflib
from collections.abc import Sequence
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from glideslope.domain.commands import AnswerAgreement, ReviewAgreement
from glideslope.domain.errors import NotFound
from glideslope.domain.ids import digest
from glideslope.engine.advisories import AdvisoriesView
from glideslope.engine.governing_views import AgreementView, EditionView
from glideslope.interfaces.api.problems import RequestInvalid
from glideslope.interfaces.dashboard.door import PageDoor, Visitor, key_of
from glideslope.interfaces.dashboard.rendering import Pages
from glideslope.interfaces.dashboard.words import Word


def routes(door: PageDoor, pages: Pages) -> list[Route]:
    """Return the routes of agreements."""
    service = door.service

    async def listed(request: Request) -> Response:
        visitor = door.visitor(request)
        found = await service.agreements()
        try:
            advisories: AdvisoriesView | None = await service.advisories()
        except NotFound:
            advisories = None
        return pages.page(
            request,
            "policies.html",
            visitor=visitor,
            live=True,
            found=sorted(((each, standing(each)) for each in found), key=lambda each: each[0].tabled is None),
            dues={(each.of, each.name): each for each in await service.dues() if each.what == "review"},
            advisories=advisories,
        )

    async def show(request: Request) -> Response:
        visitor = door.visitor(request)
        view = await service.agreement(request.path_params["of"], request.path_params["name"])
        return pages.page(
            request,
            "agreement.html",
            visitor=visitor,
            live=True,
            view=view,
            standing=standing(view),
            difference=lines_of_difference(view.in_force, view.tabled),
            why_not=why_not(view, visitor, await service.functions(visitor.actor)),
        )

    async def answer(request: Request) -> Response:
        visitor, fields = await door.form(request, act="answer an agreement")
        said = fields.get("answer", "")
        if said not in ("grant", "deny"):
            raise RequestInvalid("an agreement is agreed to or not")
        of, name = request.path_params["of"], request.path_params["name"]
        command = AnswerAgreement(
            of=of,
            name=name,
            digest=digest(fields.get("digest", "")),
            granted=said == "grant",
            by=visitor.actor,
            why=fields.get("why", ""),
        )
        await service.answer(command, key=key_of(fields))
        return RedirectResponse(f"/agreements/{of}/{name}", status_code=HTTPStatus.SEE_OTHER)

    async def review(request: Request) -> Response:
        visitor, fields = await door.form(request, act="review an agreement")
        of, name = request.path_params["of"], request.path_params["name"]
        command = ReviewAgreement(of=of, name=name, by=visitor.actor, why=fields.get("why", ""))
        await service.review(command, key=key_of(fields))
        return RedirectResponse(f"/agreements/{of}/{name}", status_code=HTTPStatus.SEE_OTHER)

    async def moved(request: Request) -> Response:
        del request
        return RedirectResponse("/policies", status_code=HTTPStatus.SEE_OTHER)

    return [
        Route("/policies", listed, methods=["GET"]),
        Route("/agreements", moved, methods=["GET"]),
        Route("/agreements/{of}/{name}", show, methods=["GET"]),
        Route("/agreements/{of}/{name}/answer", answer, methods=["POST"]),
        Route("/agreements/{of}/{name}/review", review, methods=["POST"]),
    ]


def standing(view: AgreementView) -> Word:
    """Say how an agreement stands."""
    if view.tabled is not None:
        return Word("a change is tabled" if view.in_force is not None else "tabled, not in force", "open", "person")
    return Word("in force", "good", "check") if view.in_force is not None else Word("never in force", "quiet", "dash")


def why_not(view: AgreementView, visitor: Visitor, functions: Sequence[str] | None) -> str:
    """Say why a visitor's answer to what is tabled would not count; empty when it would. The engine decides again."""
    if view.tabled is None:
        return "Nothing is tabled."
    if not visitor.may_act:
        return "Your token only looks."
    if visitor.actor == view.tabled.by:
        return "You tabled it, so your yes does not count."
    needed = {need.function for need in view.needs}
    if functions is not None and needed and not needed & {*functions, "administer"}:
        return f"It waits for {', '.join(sorted(needed))}; you answer as {', '.join(functions) or 'nobody'}."
    return ""


def lines_of_difference(before: EditionView | None, after: EditionView | None) -> Sequence[tuple[str, str]]:
    """Return by which lines two texts differ, each with its sign: `+`, `-`, a space, or `@` between parts that are alike."""
    if before is None or after is None:
        return ()
    lines = list(difflib.unified_diff(before.text.splitlines(), after.text.splitlines(), lineterm="", n=2))[2:]
    return [(line[:1], line[1:] if line[:1] != "@" else line) for line in lines]
