"""Signing in by an identity provider: there and back, by a cookie that only the browser that began it has.

The way there is a link and no form, since the policy of our pages lets forms go nowhere else. The way back comes from another site, so
the session's own strict cookie is not with it: what must be known of who was signed in travels in the flow.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from glideslope.domain.errors import Denied, ProviderRefused, Unavailable
from glideslope.domain.identity import Means
from glideslope.engine.providers import Flow
from glideslope.interfaces.dashboard.door import cookie_of
from glideslope.interfaces.dashboard.entry import Entry, SignInOther, inside
from glideslope.interfaces.dashboard.tickets import LASTS, Tickets, TicketSpent
from glideslope.interfaces.dashboard.ways import Ways, origin_of

FLOW: Final = "flow"
"""The purpose of a ticket."""
LONGEST_TARGET: Final = 1_000


def by_provider(entry: Entry, ways: Ways, tickets: Tickets, *, chance: Callable[[], str]) -> list[Route]:
    """Return the routes there and back."""
    providers = ways.providers

    async def there(request: Request) -> Response:
        visitor, target = entry.visitor(request), inside(request.query_params.get("next", ""))
        flow = Flow(
            provider=request.path_params["provider"],
            state=chance(),
            nonce=chance(),
            # 43 to 128 signs (RFC 7636); two chances are enough of them, whatever makes them.
            verifier=f"{chance()}-{chance()}"[:128],
            began=int(ways.now().timestamp()),
            target=target if len(target) <= LONGEST_TARGET else "/",
            actor="" if visitor is None else visitor.actor,
        )
        try:
            address = await providers.address(flow, callback=_callback(request, flow.provider))
        except Unavailable as error:
            return entry.page(request, target=target, error=error.sentence, status=HTTPStatus.SERVICE_UNAVAILABLE)
        response = RedirectResponse(address, status_code=HTTPStatus.SEE_OTHER)
        response.set_cookie(
            _cookie(request),
            urlsafe_b64encode(tickets.issue(FLOW, msgspec.json.encode(flow))).decode(),
            max_age=int(LASTS),
            path="/",
            secure=request.url.scheme == "https",
            httponly=True,
            # Lax: the way back is a link from another site.
            samesite="lax",
        )
        return response

    async def back(request: Request) -> Response:
        target = "/"
        try:
            ticket, flow = _flow(request)
            target = flow.target
            if flow.provider != request.path_params["provider"]:
                raise ProviderRefused(provider=flow.provider, why="another provider answered")
            if request.query_params.get("state", "") != flow.state:
                raise ProviderRefused(provider=flow.provider, why="the answer is of another attempt")
            if len(request.query_params.multi_items()) != len(request.query_params):
                raise ProviderRefused(provider=flow.provider, why="its answer says something twice")
            entered = await providers.finish(
                flow,
                dict(request.query_params),
                callback=_callback(request, flow.provider),
                home=f"{origin_of(request)}/sign-in",
            )
            tickets.spend(FLOW, ticket)
            proof = partial(providers.identify, entered.vouched)
            if flow.actor and proof().actor != flow.actor:
                raise SignInOther(actor=flow.actor)
            response = entry.let_in(request, proof, Means.PROVIDER, target, way_out=entered.way_out, ago=entered.ago)
        except (Denied, Unavailable) as error:
            busy = isinstance(error, Unavailable)
            status = HTTPStatus.SERVICE_UNAVAILABLE if busy else HTTPStatus.UNAUTHORIZED
            response = entry.page(request, target=target, error=error.sentence, status=status)
        response.delete_cookie(_cookie(request), path="/", secure=request.url.scheme == "https", httponly=True)
        return response

    def _flow(request: Request) -> tuple[bytes, Flow]:
        try:
            ticket = urlsafe_b64decode(request.cookies.get(_cookie(request), ""))
        except ValueError:
            raise TicketSpent from None
        return ticket, msgspec.json.decode(tickets.read(FLOW, ticket), type=Flow)

    return [
        Route("/sign-in/by/{provider}", there, methods=["GET"]),
        Route("/sign-in/by/{provider}/done", back, methods=["GET"]),
    ]


def _callback(request: Request, provider: str) -> str:
    return f"{origin_of(request)}/sign-in/by/{provider}/done"


def _cookie(request: Request) -> str:
    return f"{cookie_of(request)}-flow"
