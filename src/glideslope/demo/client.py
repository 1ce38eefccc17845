"""One keep-alive HTTP/1.1 connection that asks one thing at a time, at a cost of some 60 microseconds.

It is no general client: it speaks to the demo's own gateway on one machine, where the replay must leave the cores to
the gateway and the models. Bodies of answers are delimited by content-length or chunks (RFC 9112, sections 6.2 and 7.1).
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_END: Final = b"\r\n\r\n"
_LAST_CHUNK: Final = b"0\r\n\r\n"


class Disconnected(ConnectionError):
    """The connection ended, or said something that is not HTTP, before the answer was complete."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer's status and headers (names in lower case); its body is read and dropped."""

    status: int
    headers: Mapping[str, str]


class Connection(asyncio.Protocol):
    """Made by `Connection.open`; closed by the peer, by `close`, or by an answer that cannot be understood."""

    __slots__ = ("_buffer", "_chunked", "_end", "_response", "_transport", "_waiting")

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._waiting: asyncio.Future[Response] | None = None
        self._response: Response | None = None
        self._end = 0
        self._chunked = False

    @classmethod
    async def open(cls, host: str, port: int) -> "Connection":
        """Connect; raises `OSError` if nobody listens."""
        _, connection = await asyncio.get_running_loop().create_connection(cls, host, port)
        return connection

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def ask(self, request: bytes) -> Response:
        """Send *request* and wait for the whole answer. Raises `Disconnected`; the caller sets the time limit."""
        if self._transport is None or self._transport.is_closing():
            raise Disconnected("the connection is closed")
        if self._waiting is not None:
            raise RuntimeError("this connection has not answered yet")
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            return await self._waiting
        finally:
            if not self._waiting.done() or self._waiting.cancelled():
                self.close()  # an answer to a question that nobody asks any more would be taken for the next one's
            self._waiting = None

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - the event loop's promise, narrowed for the types
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(Disconnected(f"the connection ended before the answer: {exc or 'closed'}"))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._response is None and not self._read_head():
            return
        complete = self._buffer.endswith(_LAST_CHUNK) if self._chunked else len(self._buffer) >= self._end
        if not complete or self._response is None:
            return
        response, self._response = self._response, None
        self._buffer.clear()
        if response.headers.get("connection") == "close":
            self.close()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(response)

    def _read_head(self) -> bool:
        end = self._buffer.find(_END)
        if end < 0:
            return False
        try:
            first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
            headers = {}
            for line in lines:
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            self._response = Response(int(first.split(" ", 2)[1]), headers)
            self._chunked = headers.get("transfer-encoding") == "chunked"
            self._end = end + len(_END) + (0 if self._chunked else int(headers.get("content-length", "0")))
        except (ValueError, IndexError):
            self.close()
            return False
        return True
