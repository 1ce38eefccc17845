"""The OpenAPI description: made from the same types that decode bodies and encode answers."""

from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response

from glideslope.interfaces.api.bodies import Problem
from glideslope.interfaces.api.problems import MEDIA

_TEMPLATE: Final = "#/components/schemas/{name}"
_COMPONENTS: Final = "x-components"
_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key carries a command out once, however often it is sent.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": r"^[!-~]+$"},
}
_MATCH: Final = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of the view on which this rests; refused where that is not so any more.",
    "schema": {"type": "string", "pattern": r'^"[!#-~]*"$'},
}
_NONE_MATCH: Final = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of what is known; answered with 304 where there is nothing else. What is no tag is passed over.",
    "schema": {"type": "string"},
}
_ETAG: Final = {"description": "Stands for this answer.", "schema": {"type": "string"}}
_LINK: Final = {
    "description": 'How to ask for the next page, as `<...>; rel="next"`; absent from the last.',
    "schema": {"type": "string"},
}
_REFUSALS: Final = {
    HTTPStatus.UNAUTHORIZED: "Nobody known calls, or one who may not do this.",
    HTTPStatus.FORBIDDEN: "A rule says no; asking again will not help.",
    HTTPStatus.NOT_FOUND: "There is no such thing.",
    HTTPStatus.CONFLICT: "Somebody was faster, or it is not in a state for this.",
    HTTPStatus.PRECONDITION_FAILED: "It is not as the caller saw it.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is longer than what is read here.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "The request cannot be understood; nothing was done.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "A mistake of the server, whose log says which.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Something needed does not answer; trying later may help.",
}
"""Each branch of the error tree, as `problems.STATUSES` has them."""


def described(
    *,
    answer: Any,  # noqa: ANN401 - a type, or a media type for what is not JSON
    body: Any = None,  # noqa: ANN401 - a type
    status: int = 200,
    keyed: bool = False,
    matched: bool = False,
    paged: bool = False,
    public: bool = False,
    refusals: tuple[HTTPStatus, ...] = (),
) -> dict[str, Any]:
    """Return what a route adds to its description: types of body and answer, token, idempotency key, what it rests on, pages.

    `refusals` are the statuses that do not follow from these or from its address.
    """
    components: dict[str, Any] = {}

    def content(kind: Any, media: str = "application/json") -> dict[str, Any]:  # noqa: ANN401 - as above
        if isinstance(kind, str):
            return {kind: {}}  # what is no JSON has no JSON Schema: OpenAPI 3.1 leaves it out
        schema, found = _schema(kind)
        components.update(found)
        return {media: {"schema": schema}}

    good: dict[str, Any] = {"description": "Done."}
    if answer is not None:
        good["content"] = content(answer)
        if not isinstance(answer, str):
            good["headers"] = {"ETag": _ETAG} | ({"Link": _LINK} if paged else {})
    extra: dict[str, Any] = {
        "responses": {
            str(status): good,
            **{str(int(refusal)): {} for refusal in refusals},
        },
        "security": [] if public else [{"token": []}],
    }
    if body is not None:
        extra["requestBody"] = {"required": True, "content": content(body)}
    if keyed:
        extra["parameters"] = [_KEY, *([_MATCH] if matched else [])]
    return {
        "response_class": Response,
        "status_code": status,
        "openapi_extra": {**extra, _COMPONENTS: components},
        "responses": {"default": {}},
    }


@cache
def _schema(kind: Any) -> tuple[dict[str, Any], dict[str, Any]]:  # noqa: ANN401 - a type
    schemas, components = msgspec.json.schema_components([kind], ref_template=_TEMPLATE)
    return schemas[0], components


def install(app: FastAPI) -> None:
    """Let the application describe itself at `/v1/openapi.json`."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _describe(app)
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]  # the way FastAPI documents


def _describe(app: FastAPI) -> dict[str, Any]:
    found = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes, openapi_version="3.1.0"
    )
    problem, schemas = _schema(Problem)
    schemas = dict(schemas)
    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            _join(schemas, operation.pop(_COMPONENTS, {}))
            answers = operation["responses"]
            if "ETag" in answers.get("200", {}).get("headers", {}) and method == "get":
                operation["parameters"] = [*operation.get("parameters", ()), _NONE_MATCH]
                answers["304"] = {
                    "description": "There is nothing else than what is known.",
                    "headers": {"ETag": _ETAG},
                }
            answers.pop("default", None)
            known = {int(status) for status, told in answers.items() if not told}
            answers |= {
                str(int(status)): {"description": sentence, "content": {MEDIA: {"schema": problem}}}
                for status, sentence in _REFUSALS.items()
                if status in known | _refusals(path, operation)
            }
    found["components"] = {
        "schemas": dict(sorted(schemas.items())),
        "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
    }
    return found


def _join(schemas: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Take in what an operation speaks of. Two types of one name would each be described as the other: that is a fault of ours."""
    for name, schema in more.items():
        if schemas.setdefault(name, schema) != schema:
            raise ValueError(f"two types are called {name}, and a description can name but one of them")


def _refusals(path: str, operation: dict[str, Any]) -> set[HTTPStatus]:
    """Return how an operation may refuse, by what it takes: a public one takes nothing and refuses nothing."""
    if not operation["security"]:
        return set()
    found = {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.UNPROCESSABLE_ENTITY,  # by a parameter that nothing asks for, if by nothing else
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.SERVICE_UNAVAILABLE,
    }
    if _MATCH in operation.get("parameters", ()):
        found |= {HTTPStatus.PRECONDITION_FAILED}
    if "{" in path:
        found |= {HTTPStatus.NOT_FOUND}
    if "requestBody" in operation:
        found |= {HTTPStatus.REQUEST_ENTITY_TOO_LARGE}
    if _KEY in operation.get("parameters", ()):
        found |= {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}
    return found
