"""Puts the pages together into one application over a service, beside the HTTP API and through the same commands and queries."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glideslope.domain.errors import GlideslopeError, NotFound
from glideslope.engine.service import Service
from glideslope.interfaces.api.door import Door as ApiDoor
from glideslope.interfaces.api.problems import Internal, RequestInvalid, refused, status_of
from glideslope.interfaces.api.streams import EVENTS, MOST, TooManyStreams
from glideslope.interfaces.api.telemetry import METRICS
from glideslope.interfaces.dashboard import (
    agreements,
    announcing,
    approvals,
    breaking,
    channels,
    drills,
    dues,
    fleet,
    helping,
    incidents,
    ledger,
    live,
    models,
    people,
    reviewing,
    rollouts,
    searching,
    settings,
    touring,
    versions,
)
from glideslope.interfaces.dashboard.assets import Assets
from glideslope.interfaces.dashboard.attempts import Attempts
from glideslope.interfaces.dashboard.by_provider import by_provider
from glideslope.interfaces.dashboard.door import PageDoor, SignedOut, comes_from_elsewhere
from glideslope.interfaces.dashboard.entry import Entry
from glideslope.interfaces.dashboard.guesses import Guesses
from glideslope.interfaces.dashboard.own_account import own_account
from glideslope.interfaces.dashboard.rendering import Pages
from glideslope.interfaces.dashboard.sessions import Sessions
from glideslope.interfaces.dashboard.setting_up import setting_up
from glideslope.interfaces.dashboard.signing_in import signing_in
from glideslope.interfaces.dashboard.stream import news
from glideslope.interfaces.dashboard.tickets import Tickets
from glideslope.interfaces.dashboard.touring import Tour
from glideslope.interfaces.dashboard.ways import Ceremonies, Ways

API: Final = "/v1"

ALLOWED: Final = (
    "default-src 'none'",
    *(f"{kind}-src 'self'" for kind in ("script", "style", "img", "connect")),
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
)
"""What a page may load and do: nothing but what this site itself serves, and nothing inline."""

HEADERS: Final = (
    ("Content-Security-Policy", "; ".join(ALLOWED)),
    ("X-Content-Type-Options", "nosniff"),
    # Not `no-referrer`: then forms would come with the origin `null`, and could not be told from those of other sites.
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
)


def create_site(
    service: Service,
    *,
    monotonic: Callable[[], float],
    chance: Callable[[], str],
    stopping: asyncio.Event | None = None,
    ways: Ways | None = None,
) -> Starlette:
    """Return the pages over *service*. `chance` makes secrets and keys; setting `stopping` ends all streams.

    Without `ways` people sign in by tokens alone.
    """
    stopping = stopping or asyncio.Event()
    sessions = Sessions(monotonic=monotonic, chance=chance)
    door, assets = PageDoor(service=service, sessions=sessions), Assets()
    tour = Tour()
    pages = Pages(assets, tour=tour, new_key=chance, accounts=ways is not None)
    api = ApiDoor(service=service, new_key=chance)
    ceremonies = None
    if ways is not None:
        tickets = Tickets(monotonic=monotonic, chance=chance)
        ceremonies = Ceremonies(ways, tickets=tickets, guesses=Guesses(monotonic=monotonic))
    entry = Entry(door, pages, ceremonies=ceremonies)
    routes = [
        *signing_in(entry, pages, api, Attempts(monotonic=monotonic)),
        *_of_accounts(entry, pages, chance=chance),
        *fleet.routes(door, pages, monotonic=monotonic),
        *rollouts.routes(door, pages),
        *announcing.routes(door, pages),
        *breaking.routes(door, pages),
        *approvals.routes(door, pages),
        *live.routes(door, pages),
        *reviewing.routes(door, pages),
        *models.routes(door, pages),
        *incidents.routes(door, pages),
        *drills.routes(door, pages),
        *agreements.routes(door, pages),
        *dues.routes(door, pages),
        *versions.routes(door, pages),
        *ledger.routes(door, pages),
        *people.routes(door, pages),
        *settings.routes(door, pages),
        *searching.routes(door, pages),
        *channels.routes(door, pages),
        *helping.routes(door, pages),
        *touring.routes(door, pages, tour),
        Route("/events", _events(door, stopping=stopping), methods=["GET"]),
        Route("/static/{name}", assets.serve, methods=["GET"]),
    ]
    site = Starlette(routes=routes, middleware=[Middleware(_Guarded)])
    _install(site, door, pages)
    return site


def _of_accounts(entry: Entry, pages: Pages, *, chance: Callable[[], str]) -> list[Route]:
    ceremonies = entry.ceremonies
    if ceremonies is None:
        return []
    return [
        *by_provider(entry, ceremonies.ways, ceremonies.tickets, chance=chance),
        *setting_up(entry, pages, ceremonies),
        *own_account(entry, pages, ceremonies),
    ]


def beside(api: ASGIApp, pages: ASGIApp) -> ASGIApp:
    """Return one application: the API under /v1 and at /metrics, the pages everywhere else."""

    async def one(scope: Scope, receive: Receive, send: Send) -> None:
        path = str(scope.get("path", ""))
        await (api if path in (API, METRICS) or path.startswith(f"{API}/") else pages)(scope, receive, send)

    return one


class _Guarded:
    """Gives every answer the headers that keep a browser from doing more with it than to show it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                known = {name.lower() for name, _ in message["headers"]}
                more = [(name.lower().encode(), value.encode()) for name, value in HEADERS]
                if b"cache-control" not in known:
                    more.append((b"cache-control", b"no-store"))
                message["headers"] = [*message["headers"], *more]
            await send(message)

        await self._app(scope, receive, guarded)


def _events(door: PageDoor, *, stopping: asyncio.Event) -> Callable[[Request], Awaitable[Response]]:
    open_: set[object] = set()

    async def events(request: Request) -> Response:
        door.visitor(request)
        if len(open_) >= MOST:
            raise TooManyStreams("event streams", most=MOST)
        mark = object()

        async def counted() -> AsyncGenerator[bytes, None]:
            open_.add(mark)
            stream = news(door.service, still=lambda: door.visitor(request), stopping=stopping)
            try:
                async for piece in stream:
                    yield piece
            finally:
                open_.discard(mark)
                await stream.aclose()

        return StreamingResponse(counted(), media_type=EVENTS)

    return events


def _install(site: Starlette, door: PageDoor, pages: Pages) -> None:
    """Answer every refusal with a page that says what to do; programs get a problem document."""

    def told(request: Request, error: GlideslopeError, status: int) -> Response:
        if (
            not request.headers.get("accept", "text/html").startswith(("text/html", "*/*"))
            or "authorization" in request.headers
        ):
            return refused(error, status=status)
        try:
            visitor = door.visitor(request)
        except GlideslopeError:
            visitor = None
        return pages.page(request, "refused.html", visitor=visitor, status=status, error=error)

    async def ours(request: Request, error: Exception) -> Response:
        found = error if isinstance(error, GlideslopeError) else Internal()
        return told(request, found, status_of(found))

    async def signed_out(request: Request, error: Exception) -> Response:
        assert isinstance(error, SignedOut)  # noqa: S101 - Starlette's types say less than its promise
        here = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
        if comes_from_elsewhere(request):
            # The cookie of whoever is signed in comes once this site itself asks for the page.
            return pages.page(request, "from-elsewhere.html", visitor=None)
        if "hx-request" in request.headers:
            # What a script asks for may be a part of a page; whoever signs in goes on with the whole.
            shown = urlsplit(request.headers.get("hx-current-url", ""))
            here = f"{shown.path}?{shown.query}" if shown.query else shown.path or "/"
        target = f"/sign-in?next={quote(here, safe='')}" if request.method == "GET" and here != "/" else "/sign-in"
        if "hx-request" in request.headers or request.url.path == "/events":
            return Response(status_code=HTTPStatus.UNAUTHORIZED, headers={"HX-Redirect": target})
        return RedirectResponse(target, status_code=HTTPStatus.SEE_OTHER)

    async def unrouted(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else HTTPStatus.NOT_FOUND
        if status == HTTPStatus.NOT_FOUND:
            return told(request, NotFound(what="page", name=request.url.path, next_command=""), status)
        return told(request, RequestInvalid(f"{request.method} {request.url.path} is not possible"), status)

    site.add_exception_handler(SignedOut, signed_out)
    site.add_exception_handler(GlideslopeError, ours)
    site.add_exception_handler(HTTPException, unrouted)
    site.add_exception_handler(Exception, ours)
