"""What every request passes: who calls and may they, how long may the body be, under which key, and the answer's bytes."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

import msgspec
from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from glideslope.domain.errors import NotAllowed, TokenUnknown
from glideslope.domain.identity import Act, Identity, Means, Proved, Role
from glideslope.engine.service import Service
from glideslope.interfaces.api.conditional import tag_of
from glideslope.interfaces.api.problems import BodyTooLarge, RequestInvalid
from glideslope.settings import ROLE_HEADER

T = TypeVar("T")

LOOKING: Final = frozenset({Role.READER, Role.MEMBER, Role.ADMIN})
ACTING: Final = frozenset({Role.MEMBER, Role.ADMIN})
REPORTING: Final = frozenset({Role.SOURCE, Role.ADMIN})
TELLING: Final = frozenset({Role.SOURCE, Role.MEMBER, Role.ADMIN})
"""Outcomes also come from people, in files."""

SHOWN: Final = Proved(Means.TOKEN)
"""What a call proves: that its caller has a token now. Whether that is enough, a tier says."""

BODY: Final = 1 << 20
"""Bytes of a command's body."""

JSON: Final = "application/json"

_BEARER: Final = re.compile(r"Bearer +([\x21-\x7e]{1,512})", re.IGNORECASE)
_KEY: Final = re.compile(r"[\x21-\x7e]{1,200}")


@dataclass(frozen=True, slots=True)
class Door:
    """Lets requests in to one service."""

    service: Service
    new_key: Callable[[], str]
    """Makes the idempotency key of a command that came without one."""

    def caller(self, request: Request, roles: frozenset[Role], *, act: str, kind: Act | None = None) -> Identity:
        """Return who calls. `kind` is what a token limited to some acts must name; None where none may. Raises TokenUnknown, NotAllowed."""
        match = _BEARER.fullmatch(request.headers.get("authorization", ""))
        if match is None:
            raise TokenUnknown
        identity = narrowed(self.service.identify(match[1]), to=request.headers.get(ROLE_HEADER))
        if identity.role not in roles or (roles != LOOKING and not identity.may(kind)):
            raise NotAllowed(actor=identity.actor, act=act)
        _require_known(request)
        return identity

    def key(self, request: Request) -> str:
        """Return the key under which a command is carried out once. Raises RequestInvalid."""
        given = request.headers.get("idempotency-key")
        if given is None:
            return self.new_key()
        if not _KEY.fullmatch(given):
            raise RequestInvalid("an Idempotency-Key is 1 to 200 visible ASCII characters")
        return given


def narrowed(identity: Identity, *, to: str | None) -> Identity:
    """Return who calls in the role in which they ask to be heard: as a reader, whatever else they may be.

    Raises RequestInvalid, and NotAllowed for whom that would give more. Whoever acts for somebody else asks so, and a mistake of
    theirs changes nothing: what is asked for here is refused here.
    """
    if to is None or to == identity.role:
        return identity
    if to != Role.READER:
        raise RequestInvalid(f"{ROLE_HEADER} can be `reader` alone")
    if identity.role not in LOOKING:
        raise NotAllowed(actor=identity.actor, act="look")
    return replace(identity, role=Role.READER)


def _require_known(request: Request) -> None:
    """Refuse a question that says what is not asked here: passed over, a misspelt one would be answered with everything."""
    route = request.scope.get("route")
    if not request.query_params or not isinstance(route, APIRoute):
        return
    known = _asked(route.dependant)
    for name in request.query_params:
        if name not in known:
            there = (
                f"there {'are' if len(known) > 1 else 'is'} {', '.join(sorted(known))}" if known else "there is none"
            )
            raise RequestInvalid(f"nothing asks for the parameter {name[:80]!r} here; {there}")


def _asked(dependant: Dependant) -> set[str]:
    own = {each.alias for each in dependant.query_params}
    return own.union(*(_asked(inner) for inner in dependant.dependencies))


async def body(request: Request, kind: type[T], *, limit: int = BODY) -> T:
    """Read and decode a body. Raises BodyTooLarge, RequestInvalid."""
    found = bytearray()
    try:
        async for piece in request.stream():
            found += piece
            if len(found) > limit:
                raise BodyTooLarge(limit=limit)
    except ClientDisconnect:
        raise RequestInvalid("its caller left before its end") from None
    try:
        return msgspec.json.decode(found, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RequestInvalid(str(error).rstrip(".")) from None
    except RecursionError:
        raise RequestInvalid("it is nested too deep") from None


def answer(
    view: Any,  # noqa: ANN401 - any view
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    tag: str | None = None,
) -> Response:
    """Return a view as JSON, encoded as it is, under a tag: of all of its bytes where none is given."""
    content, more = msgspec.json.encode(view), headers or {}
    if tag is None:
        tag = tag_of(content + more.get("Link", "").encode(), view=view)
    # Whoever keeps it asks again whether it is still so, and shows it to nobody else.
    known = {"ETag": tag, "Cache-Control": "private, no-cache", **more}
    return Response(content, status_code=status, media_type=JSON, headers=known)
