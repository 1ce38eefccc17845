"""Refusals as problem documents (RFC 9457): one status per branch of the error tree, and no internals ever."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.routing import Match

from glideslope.domain.errors import (
    Conflict,
    Denied,
    GlideslopeError,
    Invalid,
    NotFound,
    PageStale,
    PlanInvalid,
    Refused,
    Unavailable,
)
from glideslope.interfaces.api.bodies import Problem
from glideslope.interfaces.document.contracts import ContractRefused
from glideslope.interfaces.document.text import DocumentInvalid

MEDIA: Final = "application/problem+json"

STATUSES: Final[dict[type[GlideslopeError], HTTPStatus]] = {
    Invalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    Refused: HTTPStatus.FORBIDDEN,
    Denied: HTTPStatus.UNAUTHORIZED,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}


_METHODS: Final = ("GET", "POST")
"""All that this API knows."""


class BodyTooLarge(Invalid):
    code = "body-too-large"

    def __init__(self, *, limit: int) -> None:
        super().__init__(f"The request's body is longer than the {limit:,} bytes that are read here.")


class RequestInvalid(Invalid):
    code = "request-invalid"

    def __init__(self, why: str) -> None:
        super().__init__(f"The request cannot be read: {why}.")


class Internal(GlideslopeError):
    code = "internal"

    def __init__(self) -> None:
        super().__init__(
            "Something went wrong inside the server, and its log says what. Whether the request was carried out is unknown.",
            traffic="Exposure that cannot be renewed returns to the incumbent when its lease ends.",
            next_command="glideslope doctor",
        )


def status_of(error: GlideslopeError) -> int:
    """Return the HTTP status of an error's branch."""
    if isinstance(error, BodyTooLarge):
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    if isinstance(error, PageStale):
        return HTTPStatus.PRECONDITION_FAILED
    found = next((status for branch, status in STATUSES.items() if isinstance(error, branch)), None)
    return HTTPStatus.INTERNAL_SERVER_ERROR if found is None else found


def problem_of(error: GlideslopeError) -> Problem:
    """Return what the caller is told."""
    status = status_of(error)
    place = error if isinstance(error, PlanInvalid) else None
    return Problem(
        type=f"urn:glideslope:error:{error.code}",
        title=error.code.replace("-", " "),
        status=status,
        detail=error.sentence,
        code=error.code,
        traffic=error.traffic,
        next_command=error.next_command,
        file=error.file if isinstance(error, (DocumentInvalid, ContractRefused)) else "",
        where=place.where if place else "",
        line=place.line if place else 0,
        column=place.column if place else 0,
        width=place.width if place and place.line else 0,
        source=place.source if place else "",
        suggestion=place.suggestion if place else "",
        allowed=error.allowed if isinstance(error, (DocumentInvalid, ContractRefused)) else (),
    )


def refused(error: GlideslopeError, *, status: int | None = None, headers: Mapping[str, str] | None = None) -> Response:
    """Return the response for an error."""
    problem = problem_of(error)
    if status is not None:
        problem = msgspec.structs.replace(problem, status=status)
    known = dict(headers or {})
    if problem.status == HTTPStatus.UNAUTHORIZED:
        known["WWW-Authenticate"] = "Bearer"
    return Response(msgspec.json.encode(problem), status_code=problem.status, media_type=MEDIA, headers=known)


def install(app: FastAPI) -> None:
    """Answer every refusal with a problem document; whatever else is raised is logged by the server and told as `internal`."""

    async def ours(_: Request, error: Exception) -> Response:
        return refused(error if isinstance(error, GlideslopeError) else Internal())

    async def unreadable(_: Request, error: Exception) -> Response:
        why = error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": (), "msg": "it is malformed"}
        return refused(RequestInvalid(f"{'.'.join(str(part) for part in why['loc'])}: {why['msg']}"))

    async def unrouted(request: Request, error: Exception) -> Response:
        status, headers = HTTPStatus.NOT_FOUND, None
        if isinstance(error, HTTPException):
            status, headers = HTTPStatus(error.status_code), error.headers
        if status is HTTPStatus.NOT_FOUND:
            return refused(NotFound(what="address", name=request.url.path, next_command=""))
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            headers = {"Allow": ", ".join(_methods(app, request))}
        why = RequestInvalid(f"{request.method} {request.url.path} is not possible")
        return refused(why, status=status, headers=headers)

    app.add_exception_handler(GlideslopeError, ours)
    app.add_exception_handler(RequestValidationError, unreadable)
    app.add_exception_handler(HTTPException, unrouted)
    app.add_exception_handler(Exception, ours)


def _methods(app: FastAPI, request: Request) -> list[str]:
    """Return what is possible at an address, from all of its routes: the router itself tells of the first alone."""
    found: set[str] = set()
    for method in _METHODS:
        scope = {**request.scope, "method": method}
        if any(route.matches(scope)[0] is Match.FULL for route in app.routes):
            found.add(method)
    return sorted(found)
