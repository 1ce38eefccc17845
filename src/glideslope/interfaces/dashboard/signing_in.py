"""Signing in and out: with a token, or with a link that signs in once.

A link is confirmed by a button: whatever previews links would use it up, and nobody should find themselves signed in as somebody
else by following one.
"""

from functools import partial
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from glideslope.domain.errors import Denied, NotAllowed
from glideslope.interfaces.api.door import LOOKING
from glideslope.interfaces.api.door import Door as ApiDoor
from glideslope.interfaces.dashboard.attempts import Attempts
from glideslope.interfaces.dashboard.door import PageDoor, cookie_of, remember, secret_of
from glideslope.interfaces.dashboard.link import SignInLink
from glideslope.interfaces.dashboard.rendering import THEME, THEMES, Pages
from glideslope.interfaces.dashboard.sessions import LINK_LASTS, Proof

YEAR: Final = 365 * 24 * 3600


def signing_in(door: PageDoor, pages: Pages, api: ApiDoor, attempts: Attempts) -> list[Route]:
    """Return the routes by which people come in and go."""

    async def show(request: Request) -> Response:
        return pages.page(
            request, "sign-in.html", visitor=None, next=inside(request.query_params.get("next", "")), error=""
        )

    async def with_token(request: Request) -> Response:
        fields = await door.fields(request)
        token, target = fields.get("token", "").strip(), inside(fields.get("next", ""))
        try:
            return _signed_in(request, partial(door.service.identify, token), target)
        except Denied as error:
            wait = attempts.failed(request.client.host if request.client else "")
            told = f"{error.sentence} Wait {wait:.0f} s before you try again." if wait else error.sentence
            status = HTTPStatus.TOO_MANY_REQUESTS if wait else HTTPStatus.UNAUTHORIZED
            page = pages.page(request, "sign-in.html", visitor=None, status=status, next=target, error=told)
            if wait:
                page.headers["Retry-After"] = f"{wait:.0f}"
            return page

    async def show_link(request: Request) -> Response:
        identity = door.sessions.look(request.path_params["code"])()
        target = inside(request.query_params.get("next", ""))
        return pages.page(request, "sign-in-link.html", visitor=None, identity=identity, next=target)

    async def with_link(request: Request) -> Response:
        target = inside((await door.fields(request)).get("next", ""))
        return _signed_in(request, door.sessions.redeem(request.path_params["code"]), target)

    async def offer(request: Request) -> Response:
        api.caller(request, LOOKING, act="look")
        token = request.headers["authorization"].split()[1]
        code = door.sessions.offer(partial(door.service.identify, token))
        return Response(
            msgspec.json.encode(SignInLink(path=f"/sign-in/{code}", seconds=LINK_LASTS)), media_type="application/json"
        )

    async def sign_out(request: Request) -> Response:
        await door.form(request, act="")
        door.sessions.end(secret_of(request))
        response = RedirectResponse("/sign-in", status_code=HTTPStatus.SEE_OTHER)
        response.delete_cookie(cookie_of(request), secure=request.url.scheme == "https")
        return response

    async def theme(request: Request) -> Response:
        fields = await door.fields(request)
        response = RedirectResponse(inside(fields.get("next", "")), status_code=HTTPStatus.SEE_OTHER)
        chosen = fields.get("theme", "")
        if chosen in THEMES:
            response.set_cookie(THEME, chosen, max_age=YEAR, path="/", samesite="lax")
        else:
            response.delete_cookie(THEME)
        return response

    def _signed_in(request: Request, proof: Proof, target: str) -> Response:
        identity = proof()
        if identity.role not in LOOKING:
            raise NotAllowed(actor=identity.actor, act="look")
        response = RedirectResponse(target, status_code=HTTPStatus.SEE_OTHER)
        door.sessions.end(secret_of(request))
        remember(response, door.sessions.begin(proof), request)
        return response

    return [
        Route("/sign-in", show, methods=["GET"]),
        Route("/sign-in", with_token, methods=["POST"]),
        Route("/sign-in/links", offer, methods=["POST"]),
        Route("/sign-in/{code}", show_link, methods=["GET"]),
        Route("/sign-in/{code}", with_link, methods=["POST"]),
        Route("/sign-out", sign_out, methods=["POST"]),
        Route("/theme", theme, methods=["POST"]),
    ]


def inside(target: str) -> str:
    """Return a path of this site to go on to: whatever else is asked for leads to the first page."""
    parts = urlsplit(target)
    plain = target.startswith("/") and not target.startswith(("//", "/\\")) and "\\" not in target
    return target if plain and not parts.scheme and not parts.netloc and target.isprintable() else "/"
