"""How long the answers of this server take, by route: counted around every application that it serves."""

import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glideslope.engine.telemetry import names
from glideslope.engine.telemetry.families import Family
from glideslope.engine.telemetry.meters import REQUEST_BUCKETS, Histogram

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NO_ROUTE: Final = "none"
"""Stands for every address that leads nowhere: addresses are what callers make up, and would be series without end."""


class HttpMeter:
    """Counts answers from their first byte asked to their last sent. Event streams count when they end."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
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
            try:
                await app(scope, receive, noting)
            finally:
                self._open -= 1
                taken = getattr(scope.get("route"), "path", None)
                route = str(taken or paths.get(scope.get("endpoint"), NO_ROUTE))
                method = scope["method"] if scope["method"] in METHODS else "other"
                key = (method, route, str(status))
                seen = self._seen.get(key)
                if seen is None:
                    seen = self._seen[key] = Histogram(REQUEST_BUCKETS)
                seen.see(self._monotonic() - began)

        return counted

    def families(self) -> tuple[Family, ...]:
        """Return what was counted."""
        durations, open_ = Family(names.HTTP), Family(names.HTTP_OPEN)
        for labels, seen in sorted(self._seen.items()):
            durations.add(seen, *labels)
        open_.add(self._open)
        return durations, open_
