"""The HTTP server as we run it: it hangs up on whoever does not finish a request or take its answer, and leaves through the front door."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from glideslope.adapters.certificates import Shown
from glideslope.domain.errors import CertificateUnusable
from glideslope.interfaces.api.problems import RequestInvalid, refused
from glideslope.wiring.entrance import Entrance

SHUTDOWN: Final = 3
"""Seconds that open answers may hold up a shutdown."""

PATIENCE: Final = 30.0
"""Seconds in which a request must have come whole, or LEAST of its answer been taken; uvicorn itself waits for ever."""

LEAST: Final = 16 * 1024
"""Bytes of a waiting answer that a caller takes within PATIENCE: less than any line brings, and more than who only holds it up."""


class _InOrder(dict[H11Protocol, None]):
    """Connections, oldest first: uvicorn keeps them in a set, which does not know who came before whom."""

    def add(self, connection: H11Protocol) -> None:
        self[connection] = None

    def discard(self, connection: H11Protocol) -> None:
        self.pop(connection, None)


_log = logging.getLogger(__name__)


class _Connection(H11Protocol):
    """Says no to what is not HTTP once; otherwise the application answers as well, and fails loudly."""

    @property
    def waits(self) -> bool:
        """Tell whether there is no request that is being answered."""
        return (self.cycle is None or self.cycle.response_complete) and not self.transport.is_closing()

    def send_400_response(self, msg: str) -> None:
        """Answer, and let the application know that nobody listens any more."""
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        super().send_400_response(msg)


class WebServer(uvicorn.Server):
    """Serves an application until `stop`. Setting `stopping` must end every answer that never ends by itself."""

    def __init__(
        self, app: ASGIApp, *, stopping: asyncio.Event, patience: float = PATIENCE, shown: Shown | None = None
    ) -> None:
        super().__init__(
            uvicorn.Config(
                _read_one_way(app),
                http=_Connection,
                ws="none",
                log_config=None,
                log_level="warning",
                access_log=False,
                timeout_graceful_shutdown=SHUTDOWN,
                lifespan="off",
            )
        )
        self.server_state.connections = _InOrder()  # type: ignore[assignment]  # it does what uvicorn asks of its set
        self._shown = shown
        if shown is not None:
            # (uvicorn takes paths, and reads them once.)
            self.config.load()
            self.config.ssl = shown.context
        self._stopping = stopping
        self._patience = patience
        self._refused = ""
        self._admitting: list[asyncio.Task[None]] = []
        self._owing: dict[_Connection, tuple[object, float]] = {}
        """Connections that owe the rest of a request: which one, and since when."""
        self._waiting: dict[_Connection, tuple[int, float]] = {}
        """Connections that have not taken all of their answer: how many bytes were left when LEAST had gone last, and when that was."""

    def stop(self) -> None:
        """Take no more requests; end what never ends by itself."""
        self._stopping.set()
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Let callers in through entrances of our own."""
        self.servers = []
        for listening in sockets or ():
            entrance = Entrance(
                listening,
                self._connection,
                tls=None if self._shown is None else self._shown.context,
                inside=self.server_state.connections.__len__,
                dismiss=self._dismiss,
            )
            self._admitting.append(asyncio.create_task(entrance.admit()))
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let nobody in any more, and wait for those inside."""
        for admitting in self._admitting:
            admitting.cancel()
        await asyncio.wait(self._admitting)
        await super().shutdown(sockets)

    def _connection(self) -> asyncio.Protocol:
        return _Connection(self.config, self.server_state, self.lifespan.state)

    def _dismiss(self) -> bool:
        """Hang up on whoever has waited longest without a request."""
        connections = self.server_state.connections
        waiting = next((c for c in connections if isinstance(c, _Connection) and c.waits), None)
        if waiting is not None:
            waiting.transport.abort()
        return waiting is not None

    async def on_tick(self, counter: int) -> bool:
        """Look, once a second, for those who let us wait."""
        for admitting in self._admitting:
            if admitting.done():
                admitting.result()  # it ends by an error of ours alone
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
        owing, self._owing = self._owing, {}
        waiting, self._waiting = self._waiting, {}
        for connection in self.server_state.connections:
            if not isinstance(connection, _Connection):
                continue
            # A cycle is a request and its answer; there is none before the first head is complete.
            cycle, left = connection.cycle, connection.transport.get_write_buffer_size()
            if left:
                before, since = waiting.get(connection, (left, now))
                if not before - LEAST < left <= before:  # it has read, or there is more for it
                    before, since = left, now
                self._waiting[connection] = (before, since)
            elif cycle is not None and not cycle.response_complete and not cycle.more_body:
                continue
            else:
                owed, since = owing.get(connection, (cycle, now))
                since = since if owed is cycle else now
                self._owing[connection] = (cycle, since)
            if now - since > self._patience:
                connection.transport.abort()


def _read_one_way(app: ASGIApp) -> ASGIApp:
    """Refuse a request with both a length and chunks, and hang up: a proxy before us may have seen its end elsewhere.

    h11 would go by the chunks and read on (RFC 9112, section 6.3: whoever does must close the connection).
    """

    async def strict(scope: Scope, receive: Receive, send: Send) -> None:
        names = {name for name, _ in scope.get("headers", ())}
        if names >= {b"content-length", b"transfer-encoding"}:
            why = RequestInvalid("it has both a Content-Length and a Transfer-Encoding")
            refusal = refused(why, status=HTTPStatus.BAD_REQUEST, headers={"Connection": "close"})
            await refusal(scope, receive, send)
            return
        await app(scope, receive, send)

    return strict
