"""How a call is made from what it is about: its address, what is asked or sent, and the type of its answer."""

import secrets
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from glideslope.sdk.requests import JSON, Call

T = TypeVar("T")


def at(*parts: str | int) -> str:
    """Return an address under `/v1`, each part escaped."""
    return "/v1/" + "/".join(quote(str(part), safe="") for part in parts)


def ask(kind: type[T], path: str, query: Mapping[str, Any] | None = None, *, wait: float = 0.0) -> Call[T]:
    """Return a question; of the query what is None or empty is left out."""
    asked = {name: _plain(value) for name, value in (query or {}).items() if value not in (None, "", (), [])}
    return Call(
        method="GET",
        path=f"{path}?{urlencode(asked, doseq=True)}" if asked else path,
        body=None,
        content_type="",
        decode=decoder(kind),
        wait=wait,
    )


def tell(kind: type[T], path: str, body: Mapping[str, Any]) -> Call[T]:
    """Return a call with a body that may be sent twice without harm; of the body what is None is left out."""
    return Call(method="POST", path=path, body=_json(body), content_type=JSON, decode=decoder(kind))


def send(kind: type[T], path: str, body: Mapping[str, Any] | None = None) -> Call[T]:
    """Return a call that does something each time it is sent, so that no client sends it again by itself."""
    return Call(
        method="POST",
        path=path,
        body=None if body is None else _json(body),
        content_type="" if body is None else JSON,
        decode=decoder(kind),
        repeatable=False,
    )


def order(kind: type[T], path: str, body: Mapping[str, Any], *, key: str, seen: str = "") -> Call[T]:
    """Return a command. The same value sent again is the same command: its key is made here, once, where none is given.

    `seen` is the tag of the view on which it rests, as the view or the answer's ETag has it.
    """
    headers = {"Idempotency-Key": key or secrets.token_urlsafe(18)}
    if seen:
        headers["If-Match"] = seen if seen.startswith('"') else f'"{seen}"'
    return Call(method="POST", path=path, body=_json(body), content_type=JSON, decode=decoder(kind), headers=headers)


def decoder(kind: Any) -> Callable[[bytes], Any]:  # noqa: ANN401 - a type; what comes out is of it
    """Return what reads an answer of a type: JSON, or the bytes and the text as they came."""
    if kind is bytes:
        return bytes
    if kind is str:
        return bytes.decode
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(kind).decode
    return decode


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a query holds
    return str(value).lower() if isinstance(value, bool) else value


def _json(body: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode({name: value for name, value in body.items() if value is not None})
