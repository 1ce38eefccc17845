"""The people behind actors: personal data that lies beside the ledger and can be erased."""

import re
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from glideslope.domain.commands import DescribePerson, ErasePerson
from glideslope.domain.errors import NameInvalid, NotAllowed
from glideslope.domain.governing.person import Person
from glideslope.domain.identity import Identity, Role
from glideslope.domain.ids import Actor
from glideslope.engine.views import PersonView
from glideslope.interfaces.api.bodies import ReasonBody
from glideslope.interfaces.api.door import ACTING, Door, answer, body
from glideslope.interfaces.api.openapi import described
from glideslope.interfaces.api.paging import Page, page

_LONGEST: Final = 200
_ACTOR: Final = re.compile(r"\S(?:.*\S)?")


def people(door: Door) -> APIRouter:
    """Return the routes about people. Whom it is about and admins may change it; those who act may look."""
    router = APIRouter(tags=["people"])
    service = door.service

    @router.get(
        "/v1/people",
        summary="List the people behind actors",
        **described(answer=tuple[PersonView, ...], paged=True),
    )
    async def listed(request: Request, asked: Page) -> Response:
        door.caller(request, ACTING, act="look at people")
        return page(request, asked, await service.people(), place=lambda each: (each.actor,))

    @router.get("/v1/people/{actor}", summary="Show who an actor is", **described(answer=PersonView))
    async def one(request: Request, actor: str) -> Response:
        door.caller(request, ACTING, act="look at people")
        return answer(await service.person(_actor(actor)))

    @router.post(
        "/v1/people/{actor}",
        summary="Say who an actor is; the ledger gets a salted commitment only",
        **described(body=Person, answer=PersonView, keyed=True),
    )
    async def describe(request: Request, actor: str) -> Response:
        by = door.caller(request, ACTING, act="say who an actor is")
        about = _own(by, actor)
        command = DescribePerson(actor=about, person=await body(request, Person), by=by.actor)
        return answer(await service.describe_person(command, key=door.key(request)))

    @router.post(
        "/v1/people/{actor}/erase",
        summary="Erase who an actor is, data and salt",
        **described(body=ReasonBody, answer=PersonView, keyed=True),
    )
    async def erase(request: Request, actor: str) -> Response:
        by = door.caller(request, ACTING, act="erase who an actor is")
        about = _own(by, actor)
        command = ErasePerson(actor=about, by=by.actor, why=(await body(request, ReasonBody)).why)
        return answer(await service.erase_person(command, key=door.key(request)))

    return router


def _actor(text: str) -> Actor:
    if len(text) > _LONGEST or not text.isprintable() or not _ACTOR.fullmatch(text):
        raise NameInvalid(what="actor", text=text, expected=f"1 to {_LONGEST} printable characters")
    return Actor(text)


def _own(by: Identity, text: str) -> Actor:
    """Let admins speak about everybody, and others about themselves. Raises NotAllowed."""
    about = _actor(text)
    if by.role is not Role.ADMIN and by.actor != about:
        raise NotAllowed(actor=by.actor, act="change what is kept about somebody else")
    return about
