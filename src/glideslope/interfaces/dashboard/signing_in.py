"""Signing in and out: with a token, a password, a passkey, or a link that signs in once.

A link is confirmed by a button: whatever previews links would use it up, and nobody should find themselves signed in as somebody
else by following one. Whoever is signed in already proves again who they are by the same page, as nobody else.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from glideslope.domain.account import LONGEST_NAME
from glideslope.domain.errors import Denied, TokenUnknown, Unavailable
from glideslope.domain.identity import Means
from glideslope.interfaces.api.door import LOOKING
from glideslope.interfaces.api.door import Door as ApiDoor
from glideslope.interfaces.dashboard.attempts import Attempts
from glideslope.interfaces.dashboard.door import PageDoor, cookie_of, secret_of
from glideslope.interfaces.dashboard.entry import Entry, inside
from glideslope.interfaces.dashboard.guesses import WaitFirst
from glideslope.interfaces.dashboard.link import SignInLink
from glideslope.interfaces.dashboard.rendering import THEME, THEMES, Pages
from glideslope.interfaces.dashboard.sessions import LINK_LASTS, Proof
from glideslope.interfaces.dashboard.ways import address_of

YEAR: Final = 365 * 24 * 3600
UNKNOWN: Final = "The server does not know this token: it was revoked, or is of another server."


def signing_in(entry: Entry, pages: Pages, api: ApiDoor, attempts: Attempts) -> list[Route]:
    """Return the routes by which people come in and go."""
    door, ceremonies = entry.door, entry.ceremonies

    async def show(request: Request) -> Response:
        return entry.page(request, target=inside(request.query_params.get("next", "")))

    def tried(
        attempt: Callable[[Request, Mapping[str, str]], Awaitable[tuple[Proof, Means]]],
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return what lets in whoever the attempt proves, and otherwise says on the same page what is wrong."""

        async def post(request: Request) -> Response:
            fields = await door.fields(request)
            target, name = inside(fields.get("next", "")), fields.get("name", "")
            try:
                return entry.let_in(request, *await attempt(request, fields), target)
            except WaitFirst as error:
                page = entry.page(
                    request, target=target, name=name, error=error.sentence, status=HTTPStatus.TOO_MANY_REQUESTS
                )
                page.headers["Retry-After"] = str(error.seconds)
                return page
            except (Denied, Unavailable) as error:
                busy = isinstance(error, Unavailable)
                status = HTTPStatus.SERVICE_UNAVAILABLE if busy else HTTPStatus.UNAUTHORIZED
                said = UNKNOWN if isinstance(error, TokenUnknown) else error.sentence
                return entry.page(request, target=target, name=name, error=said, status=status)

        return post

    async def by_token(request: Request, fields: Mapping[str, str]) -> tuple[Proof, Means]:
        proof = partial(door.service.identify, fields.get("token", "").strip())
        try:
            proof()
        except Denied:
            wait = attempts.failed(address_of(request))
            if wait:
                raise WaitFirst(wait) from None
            raise
        return proof, Means.TOKEN

    async def by_password(request: Request, fields: Mapping[str, str]) -> tuple[Proof, Means]:
        assert ceremonies is not None  # noqa: S101 - there is no such route without
        name, address = fields.get("name", "").strip()[:LONGEST_NAME], address_of(request)
        wait = ceremonies.guesses.begin(name, address)
        if wait:
            raise WaitFirst(wait)
        account = await ceremonies.ways.accounts.with_password(name, fields.get("password", ""))
        ceremonies.guesses.right(name, address)
        return ceremonies.ways.accounts.proof(account), Means.PASSWORD

    async def by_passkey(request: Request, fields: Mapping[str, str]) -> tuple[Proof, Means]:
        assert ceremonies is not None  # noqa: S101 - as above
        account = await ceremonies.signed(request, fields.get("answer", ""))
        return ceremonies.ways.accounts.proof(account), Means.PASSKEY

    of_accounts = {"/sign-in/password": by_password, "/sign-in/passkey": by_passkey} if ceremonies is not None else {}
    return [
        Route("/sign-in", show, methods=["GET"]),
        Route("/sign-in", tried(by_token), methods=["POST"]),
        *(Route(path, tried(attempt), methods=["POST"]) for path, attempt in of_accounts.items()),
        *_by_link(entry, pages, api),
        *_leaving(door, pages),
    ]


def _by_link(entry: Entry, pages: Pages, api: ApiDoor) -> list[Route]:
    door = entry.door

    async def show_link(request: Request) -> Response:
        identity = door.sessions.look(request.path_params["code"])()
        target = inside(request.query_params.get("next", ""))
        return pages.page(request, "sign-in-link.html", visitor=None, identity=identity, next=target)

    async def with_link(request: Request) -> Response:
        target = inside((await door.fields(request)).get("next", ""))
        proof = door.sessions.redeem(request.path_params["code"])
        # Whoever opens a link means to be its holder, whoever was signed in here before.
        door.sessions.end(secret_of(request))
        return entry.let_in(request, proof, Means.TOKEN, target)

    async def offer(request: Request) -> Response:
        api.caller(request, LOOKING, act="look")
        token = request.headers["authorization"].split()[1]
        code = door.sessions.offer(partial(door.service.identify, token))
        return Response(
            msgspec.json.encode(SignInLink(path=f"/sign-in/{code}", seconds=LINK_LASTS)), media_type="application/json"
        )

    return [
        Route("/sign-in/links", offer, methods=["POST"]),
        Route("/sign-in/{code}", show_link, methods=["GET"]),
        Route("/sign-in/{code}", with_link, methods=["POST"]),
    ]


def _leaving(door: PageDoor, pages: Pages) -> list[Route]:
    async def sign_out(request: Request) -> Response:
        await door.form(request, act="")
        session = door.sessions.find(secret_of(request))
        door.sessions.end(secret_of(request))
        response: Response = RedirectResponse("/sign-in", status_code=HTTPStatus.SEE_OTHER)
        if session is not None and session.way_out:
            # A link, since our forms lead nowhere else; and whoever wants to stay signed in there does.
            response = pages.page(request, "signed-out.html", visitor=None, way_out=session.way_out)
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

    return [Route("/sign-out", sign_out, methods=["POST"]), Route("/theme", theme, methods=["POST"])]
