"""The OpenAPI description: made from the same types that decode bodies and encode answers."""

from functools import cache
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
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
}


def described(
    *,
    answer: Any,  # noqa: ANN401 - a type, or a media type for what is not JSON
    body: Any = None,  # noqa: ANN401 - a type
    status: int = 200,
    keyed: bool = False,
    public: bool = False,
) -> dict[str, Any]:
    """Return what a route adds to its description: types of body and answer, token, idempotency key."""
    components: dict[str, Any] = {}

    def content(kind: Any, media: str = "application/json") -> dict[str, Any]:  # noqa: ANN401 - as above
        if isinstance(kind, str):
            return {kind: {"schema": {"type": "string"}}}
        schema, found = _schema(kind)
        components.update(found)
        return {media: {"schema": schema}}

    good: dict[str, Any] = {"description": "Done."}
    if answer is not None:
        good["content"] = content(answer)
    extra: dict[str, Any] = {
        "responses": {
            str(status): good,
            "default": {"description": "A refusal.", "content": content(Problem, MEDIA)},
        },
        "security": [] if public else [{"token": []}],
    }
    if body is not None:
        extra["requestBody"] = {"required": True, "content": content(body)}
    if keyed:
        extra["parameters"] = [_KEY]
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
    schemas: dict[str, Any] = {}
    for operations in found["paths"].values():
        for operation in operations.values():
            schemas.update(operation.pop(_COMPONENTS, {}))
    found["components"] = {
        "schemas": dict(sorted(schemas.items())),
        "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
    }
    return found
