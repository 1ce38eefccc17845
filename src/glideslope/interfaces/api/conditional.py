"""Tags of answers, and questions that are answered only where there is something new (RFC 9110, section 13)."""

import re
from http import HTTPStatus
from typing import Any, Final

import xxhash
from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glideslope.interfaces.api.problems import RequestInvalid

_TAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e]{0,200}"')
_OF_BODY: Final = frozenset({b"content-length", b"content-type", b"content-encoding"})


def tag_of(content: bytes, *, view: Any) -> str:  # noqa: ANN401 - any view
    """Return a strong tag: of a view that acts rest on its own tag first, then what stands for all of its bytes."""
    own = getattr(view, "tag", "")
    return f'"{own}.{xxhash.xxh3_64_hexdigest(content)}"' if own else f'"{xxhash.xxh3_128_hexdigest(content)}"'


def seen(request: Request) -> str:
    """Return the tag of the view on which an act rests, from `If-Match`; empty where it rests on none. Raises RequestInvalid.

    What the gateway counted since changes the bytes of a view, and not what an act on it rests on: so of a view's tag the part
    before the dot is compared, and a tag that has that part alone is as good.
    """
    given = request.headers.get("if-match", "").strip()
    if given in {"", "*"}:
        return ""
    rests_on = given[1:-1].partition(".")[0]
    if given.startswith("W/") or not _TAG.fullmatch(given) or not rests_on:
        raise RequestInvalid("If-Match holds one strong tag in quotes, the ETag of what was looked at")
    return rests_on


class Conditional:
    """Answers `304` without a body to whoever has what there is. Wraps an application that tags its answers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and hold back the body of an answer that is known."""
        known = Headers(scope=scope).get("if-none-match") if scope["type"] == "http" else None
        if known is None or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        tags = {found.removeprefix("W/") for found in _TAG.findall(known)}
        same = False

        async def answered(message: Message) -> None:
            nonlocal same
            if message["type"] == "http.response.start" and message["status"] == HTTPStatus.OK:
                tag = Headers(raw=message["headers"]).get("etag")
                same = tag is not None and (known.strip() == "*" or tag.removeprefix("W/") in tags)
                if same:
                    kept = [(name, value) for name, value in message["headers"] if name.lower() not in _OF_BODY]
                    message = {**message, "status": HTTPStatus.NOT_MODIFIED.value, "headers": kept}
            elif same and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app(scope, receive, answered)
