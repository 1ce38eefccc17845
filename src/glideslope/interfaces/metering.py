"""How long the answers of this server take, by route: counted around every application that it serves."""

import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glideslope.engine.telemetry import names
from glideslope.engine.telemetry.families import Family
from glideslope.engine.telemetry.meters import REQUEST_BUCKETS, Histogram
from glideslope.engine.tracing import NO_TRACER, Tracer, Value

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NO_ROUTE: Final = "none"
"""Stands for every address that leads nowhere: addresses are what callers make up, and would be series without end."""
UNTRACED: Final = frozenset({"/metrics", "/v1/healthz", "/v1/readyz"})
"""What machines ask every few seconds, and nobody follows."""
_TRACING: Final = frozenset({b"traceparent", b"tracestate"})


class HttpMeter:
    """Counts answers from their first byte asked to their last sent. Event streams count when they end."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic, tracer: Tracer = NO_TRACER) -> None:
        self._tracer = tracer
        self._monotonic = monotonic
        self._seen: dict[tuple[str, str, str], Histogram] = {}
        self._open = 0

    def around(self, app: ASGIApp, routes: Iterable[Any]) -> ASGIApp:
        """Return the application, counted. `routes` are those of Starlette that it has; FastAPI says in the scope which it took."""
        paths = {
            route.endpoint: route.path for route in routes if hasattr(route, "endpoint") and hasattr(route, "path")
        }

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            began, status = self._monotonic(), 500

            async def noting(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                await send(message)

            self._open += 1
            with self._tracer.request(_headers(scope), quiet=scope["path"] in UNTRACED) as span:
                try:
                    await app(scope, receive, noting)
                finally:
                    self._open -= 1
                    taken = getattr(scope.get("route"), "path", None)
                    route = str(taken or paths.get(scope.get("endpoint"), NO_ROUTE))
                    method = scope["method"] if scope["method"] in METHODS else "other"
                    self._see((method, route, str(status)), self._monotonic() - began)
                    if self._tracer is not NO_TRACER:
                        span.rename(f"{method} {route}")
                        span.set(_told(scope, method=method, route=route, status=status))

        return counted

    def _see(self, key: tuple[str, str, str], seconds: float) -> None:
        seen = self._seen.get(key)
        if seen is None:
            seen = self._seen[key] = Histogram(REQUEST_BUCKETS)
        seen.see(seconds)

    def families(self) -> tuple[Family, ...]:
        """Return what was counted."""
        durations, open_ = Family(names.HTTP), Family(names.HTTP_OPEN)
        for labels, seen in sorted(self._seen.items()):
            durations.add(seen, *labels)
        open_.add(self._open)
        return durations, open_


def _headers(scope: Scope) -> dict[str, str]:
    """Return the headers that name a trace."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"] if name in _TRACING}


def _told(scope: Scope, *, method: str, route: str, status: int) -> dict[str, Value]:
    """Return a request by OpenTelemetry's names for HTTP servers. No query: people put into it what is nobody's business."""
    told: dict[str, Value] = {
        "http.request.method": method if method != "other" else "_OTHER",
        "http.response.status_code": status,
        "url.scheme": scope["scheme"],
        "url.path": scope["path"],
    }
    if route != NO_ROUTE:
        told["http.route"] = route
    if scope.get("server"):
        told["server.address"], told["server.port"] = scope["server"][0], scope["server"][1] or 0
    if status >= 500:
        told["error.type"] = str(status)
    return told
