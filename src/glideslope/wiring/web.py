"""The HTTP server as we run it: it hangs up on whoever does not finish a request, and leaves through the front door."""

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from typing import Final

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from glideslope.adapters.certificates import Shown
from glideslope.domain.errors import CertificateUnusable

SHUTDOWN: Final = 3
"""Seconds that open answers may hold up a shutdown."""

PATIENCE: Final = 30.0
"""Seconds in which a request must have come whole; uvicorn itself waits for ever."""


_log = logging.getLogger(__name__)


class _Connection(H11Protocol):
    """Says no to what is not HTTP once: without this the application answers as well, and fails loudly."""

    def send_400_response(self, msg: str) -> None:
        """Answer, and let the application know that nobody listens any more."""
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        super().send_400_response(msg)


class WebServer(uvicorn.Server):
    """Serves an application until `stop`. Setting `stopping` must end every answer that never ends by itself."""

    def __init__(
        self, api: FastAPI, *, stopping: asyncio.Event, patience: float = PATIENCE, shown: Shown | None = None
    ) -> None:
        super().__init__(
            uvicorn.Config(
                api,
                http=_Connection,
                ws="none",
                log_level="warning",
                access_log=False,
                timeout_graceful_shutdown=SHUTDOWN,
                lifespan="off",
            )
        )
        self._shown = shown
        if shown is not None:
            # (uvicorn takes paths, and reads them once.)
            self.config.load()
            self.config.ssl = shown.context
        self._stopping = stopping
        self._patience = patience
        self._refused = ""
        self._owing: dict[_Connection, tuple[object, float]] = {}
        """Connections that owe the rest of a request: which one, and since when."""

    def stop(self) -> None:
        """Take no more requests; end what never ends by itself."""
        self._stopping.set()
        self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Look, once a second, for those who let us wait."""
        if counter % 10 == 0:
            self._hang_up(now=asyncio.get_running_loop().time())
            self._renew()
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: uvicorn would raise them again and so end the process before anything is saved."""
        yield

    def _renew(self) -> None:
        try:
            if self._shown is not None and self._shown.renew():
                _log.warning("showing the renewed certificate from now on")
            self._refused = ""
        except CertificateUnusable as error:
            # Said once: it may well be that only one of two files has been replaced.
            if str(error) != self._refused:
                _log.warning("going on with the certificate from before: %s", error)
            self._refused = str(error)

    def _hang_up(self, *, now: float) -> None:
        before, self._owing = self._owing, {}
        for connection in self.server_state.connections:
            if not isinstance(connection, _Connection):
                continue
            # A cycle is a request and its answer; there is none before the first head is complete.
            cycle = connection.cycle
            if cycle is not None and not cycle.response_complete and not cycle.more_body:
                continue
            owed, since = before.get(connection, (cycle, now))
            since = since if owed is cycle else now
            self._owing[connection] = (cycle, since)
            if now - since > self._patience:
                connection.transport.abort()
