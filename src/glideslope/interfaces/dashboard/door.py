"""Who looks at a page, and whether a form is really theirs: the session of the cookie, the token in the form, the origin of the request."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from glideslope.domain.errors import Denied, NotAllowed, Refused
from glideslope.domain.identity import Identity, Proved
from glideslope.domain.ids import Actor
from glideslope.engine.service import Service
from glideslope.interfaces.api.door import ACTING, LOOKING
from glideslope.interfaces.api.problems import BodyTooLarge, RequestInvalid
from glideslope.interfaces.dashboard.sessions import LASTS, Session, Sessions

LARGEST_FORM: Final = 64 * 1024
"""Bytes; a reason is a few sentences."""
MOST_FIELDS: Final = 50
_NAVIGATIONS: Final = frozenset({"same-origin", "none"})
"""What a browser says of a request that this site or its user made."""


class SignedOut(Denied):
    """Nobody is signed in at this browser, so there is a page to sign in at instead of a refusal."""

    code = "signed-out"

    def __init__(self) -> None:
        super().__init__("You are not signed in at this browser.", next_command="glideslope open")


class FormForeign(Refused):
    code = "form-foreign"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"This form is not one that was given to you now: {why}. Nothing was done; load the page again."
        )


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody signed in, and the token that their forms carry."""

    identity: Identity
    form: str
    proved: Proved | None = None
    """By what they proved who they are, and how long ago; None counts as never."""

    @property
    def actor(self) -> Actor:
        return self.identity.actor

    @property
    def may_act(self) -> bool:
        """Whether any form is for them: a reader only looks, and a token limited to acts is a machine's."""
        return self.identity.role in ACTING and self.identity.acts is None


@dataclass(frozen=True, slots=True)
class PageDoor:
    """Lets visitors in to one service."""

    service: Service
    sessions: Sessions

    def visitor(self, request: Request) -> Visitor:
        """Return who looks. Raises SignedOut, NotAllowed."""
        session = self._session(request)
        try:
            identity = session.proof()
        except Denied:
            self.sessions.end(secret_of(request))
            raise SignedOut from None
        if identity.role not in LOOKING:
            raise NotAllowed(actor=identity.actor, act="look")
        return Visitor(identity=identity, form=session.token, proved=self.sessions.proved(session))

    async def form(self, request: Request, *, act: str) -> tuple[Visitor, Mapping[str, str]]:
        """Return who sent a form, and what it says. Raises SignedOut, NotAllowed, FormForeign, RequestInvalid, BodyTooLarge."""
        visitor = self.visitor(request)
        fields = await self.fields(request)
        if not self._session(request).vouches(fields.get("form", "")):
            raise FormForeign("it is of an earlier session")
        if not visitor.may_act and act:
            raise NotAllowed(actor=visitor.actor, act=act)
        return visitor, fields

    async def fields(self, request: Request) -> Mapping[str, str]:
        """Return what a form of this site says. Raises FormForeign, RequestInvalid, BodyTooLarge."""
        if not is_ours(request):
            raise FormForeign("it comes from another site")
        body = bytearray()
        try:
            async for piece in request.stream():
                body += piece
                if len(body) > LARGEST_FORM:
                    raise BodyTooLarge(limit=LARGEST_FORM)
        except ClientDisconnect:
            raise RequestInvalid("its caller left before its end") from None
        try:
            return dict(
                parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, strict_parsing=bool(body))
            )
        except ValueError as error:
            raise RequestInvalid(f"its form is malformed ({error})") from None

    def _session(self, request: Request) -> Session:
        found = self.sessions.find(secret_of(request))
        if found is None:
            raise SignedOut
        return found


def key_of(fields: Mapping[str, str]) -> str:
    """Return the idempotency key of a form, by which a double click is one act. Raises RequestInvalid."""
    key = fields.get("key", "")
    if not (0 < len(key) <= 200 and key.isascii() and key.isprintable()):
        raise RequestInvalid("its form carries no key")
    return key


def is_ours(request: Request) -> bool:
    """Tell whether a page of this site sent a request that changes something."""
    origin = request.headers.get("origin")
    if origin is not None:
        return urlsplit(origin).netloc == request.headers.get("host", "")
    return request.headers.get("sec-fetch-site", "") in _NAVIGATIONS


def comes_from_elsewhere(request: Request) -> bool:
    """Tell whether a link on another site led here: then a strict cookie stays at home although there may be one."""
    return request.method == "GET" and request.headers.get("sec-fetch-site") in ("cross-site", "same-site")


def cookie_of(request: Request) -> str:
    """Return the name of the session's cookie: with the port, which browsers do not tell hosts apart by, and bound to it over TLS."""
    name = f"glideslope-{request.url.port}" if request.url.port else "glideslope"
    return f"__Host-{name}" if request.url.scheme == "https" else name


def secret_of(request: Request) -> str:
    """Return what a session's cookie says; empty when there is none."""
    return request.cookies.get(cookie_of(request), "")


def remember(response: Response, secret: str, request: Request) -> None:
    """Set the cookie of a session: for this host alone, out of reach of scripts, and never sent from another site."""
    response.set_cookie(
        cookie_of(request),
        secret,
        max_age=int(LASTS),
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
