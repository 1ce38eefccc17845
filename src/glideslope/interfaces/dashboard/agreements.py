"""Policies and whatever else is agreed on: what is in force, what is tabled, what it says; and the answers that people give."""

import asyncio
import difflib
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from glideslope.domain.commands import AnswerAgreement, ReviewAgreement
from glideslope.domain.errors import GlideslopeError, NotFound
from glideslope.domain.governing.kinds import REVIEWED
from glideslope.domain.ids import RolloutId, digest
from glideslope.engine.access import AccessView
from glideslope.engine.advisories import AdvisoriesView
from glideslope.engine.agreement_record import EditionRecordView, SaidView
from glideslope.engine.explaining import ExplanationView
from glideslope.engine.governing_views import AgreementView
from glideslope.interfaces.api.problems import RequestInvalid
from glideslope.interfaces.dashboard.door import PageDoor, Visitor, key_of
from glideslope.interfaces.dashboard.rendering import Pages
from glideslope.interfaces.dashboard.rights import access_of, no_reviewer
from glideslope.interfaces.dashboard.rollouts import entry_of
from glideslope.interfaces.dashboard.words import Word

TONES: Final = {
    "stricter": Word("stricter", "good", "check"),
    "looser": Word("looser", "bad", "warn"),
    "other": Word("otherwise", "open", "dash"),
}
"""Which way an edit goes, as it is shown."""
MOST_CHANGES: Final = 200
"""Changes about which a policy can be asked from its page, the newest."""


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
            exempted=[each for each in (await service.fleet()).rollouts if each.governed and each.governed.glass],
        )

    async def show(request: Request) -> Response:
        visitor, as_of = door.visitor(request), entry_of(request)
        of, name = request.path_params["of"], request.path_params["name"]
        found, pulse, dues = await asyncio.gather(
            service.agreement_record(of, name, as_of=as_of), service.pulse(), service.dues()
        )
        view, access = found.agreement, await access_of(service, visitor)
        chosen = request.query_params.get("change", "")
        explained, trouble = await explanation(chosen) if of == "policy" and chosen else (None, None)
        return pages.page(
            request,
            "agreement.html",
            visitor=visitor,
            live=as_of is None,
            as_of=as_of,
            newest=pulse.entries - 1,
            view=view,
            found=found,
            standing=standing(view),
            held=next((each for each in found.editions if each.state == "in force"), None),
            tabled=next((each for each in found.editions if each.state == "tabled"), None),
            earlier=[each for each in found.editions if each.state not in ("in force", "tabled")],
            parts=parts,
            lines_of_difference=lines_of_difference,
            tone=TONES,
            due=next(
                (each for each in dues if each.what == "review" and REVIEWED[each.of] == of and each.name == name), None
            ),
            why_not=why_not(view, visitor, access),
            no_reviewer=no_reviewer(access),
            reviewable=visitor.may_act and as_of is None and view.in_force is not None,
            rollouts=(await service.fleet()).rollouts[:MOST_CHANGES] if of == "policy" else (),
            explained=explained,
            trouble=trouble,
        )

    async def explanation(rollout: str) -> tuple[ExplanationView | None, GlideslopeError | None]:
        try:
            return await service.explain(RolloutId(rollout)), None
        except GlideslopeError as error:
            # What is agreed is readable whatever was asked about it.
            return None, error

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


def why_not(view: AgreementView, visitor: Visitor, access: AccessView | None) -> str:
    """Say why a visitor's answer to what is tabled would not count; empty when it would. The engine decides again."""
    if view.tabled is None:
        return "Nothing is tabled."
    if not visitor.may_act:
        return "Your token only looks."
    if visitor.actor == view.tabled.by:
        return "You tabled it, so your yes does not count."
    if visitor.actor in {grant.by for grant in view.tabled.granted}:
        return "You have agreed to it."
    needed = {need.function for need in view.needs}
    if access is not None and needed and not needed & {*access.reviews_as, *access.rights}:
        return f"It waits for {', '.join(sorted(needed))}; you answer as {', '.join(access.reviews_as) or 'nobody'}."
    return ""


def parts(edition: EditionRecordView) -> list[tuple[str, list[SaidView]]]:
    """Return what an edition says, part by part, in the order in which it is said."""
    found: dict[str, list[SaidView]] = {}
    for said in edition.says:
        found.setdefault(said.part, []).append(said)
    return list(found.items())


def lines_of_difference(before: str, after: str) -> Sequence[tuple[str, str]]:
    """Return by which lines two texts differ, each with its sign: `+`, `-`, a space, or `@` between parts that are alike."""
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2))[2:]
    return [(line[:1], line if line[:1] == "@" else line[1:]) for line in lines]
