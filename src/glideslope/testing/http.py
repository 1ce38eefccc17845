"""Model servers that misbehave on request, and callers that show exactly what came back. HTTP/1.1 over loopback."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Final, Self, assert_never

HEALTH: Final = "/healthz"

Dial = Callable[[str, int], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
"""Connects to a host and a port; may do so from another host's network."""


class Behaviour(StrEnum):
    """How a model server treats predictions. Its health answers stay good: only the predictions tell."""

    ANSWER = "answer"
    FAIL = "fail"  # status 500
    HANG = "hang"  # takes the request and never answers
    RESET = "reset"  # takes the request and resets the connection


@dataclass(frozen=True, slots=True)
class Message:
    """A request, or an answer (`line` is then the status line). Header names are in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """A request's path."""
        return self.line.split(" ")[1]

    @property
    def status(self) -> int:
        """An answer's status."""
        return int(self.line.split(" ")[1])


def listening(host: str, port: int) -> socket.socket:
    """Open a port of this host."""
    return socket.create_server((host, port))


@dataclass(slots=True, eq=False)
class ModelServer:
    """Serves one version under its name, and remembers the predictions it was asked for. Use as a context."""

    name: str
    behaviour: Behaviour = Behaviour.ANSWER
    delay: float = 0.0
    """Seconds before each answer."""
    headers: dict[str, str] = field(default_factory=dict)
    """Sent with each answer."""
    seen: list[Message] = field(default_factory=list)
    predicting: int = 0
    """Open connections that have carried a prediction."""
    port: int = 0
    host: str = "127.0.0.1"
    listen: Callable[[str, int], socket.socket] = listening
    """Opens the port; may do so in another host's network."""
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        """Where it is served."""
        return f"http://{self.host}:{self.port}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill()

    async def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        listening = await asyncio.to_thread(self.listen, self.host, self.port)
        self._server = await asyncio.start_server(self._serve, sock=listening, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def kill(self) -> None:
        """Close the port and reset every connection, as the end of a process does."""
        if self._server is None:
            return
        self._server.close()
        for writer in list(self._writers):
            _reset(writer)
        await self._server.wait_closed()
        self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        used = False
        try:
            while (request := await _read(reader)) is not None:
                if not used and request.path != HEALTH:
                    used = True
                    self.predicting += 1
                if not await self._answer(request, writer):
                    return
        except (ConnectionError, asyncio.CancelledError):
            return
        finally:
            self.predicting -= used
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, request: Message, writer: asyncio.StreamWriter) -> bool:
        if request.path == HEALTH:
            await _write(writer, "HTTP/1.1 200 OK", {}, b"well")
            return True
        self.seen.append(request)
        if self.delay:
            await asyncio.sleep(self.delay)
        match self.behaviour:
            case Behaviour.ANSWER:
                await _write(writer, "HTTP/1.1 200 OK", self.headers, f"{self.name} {request.path}".encode())
                return True
            case Behaviour.FAIL:
                await _write(writer, "HTTP/1.1 500 Internal Server Error", self.headers, b"broken")
                return True
            case Behaviour.HANG:
                await asyncio.Event().wait()
                return False
            case Behaviour.RESET:
                _reset(writer)
                return False
            case _:
                assert_never(self.behaviour)


class Caller:
    """One keep-alive connection to a gateway. Use as a context."""

    def __init__(
        self,
        port: int,
        *,
        host: str = "127.0.0.1",
        dial: Dial = asyncio.open_connection,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._tls = tls
        self._host = host
        self._dial = dial
        self._port = port
        self._connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        writer = self._connection[1] if self._connection else None
        self.close()
        if writer is not None:
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def close(self) -> None:
        """Hang up; the next request opens another connection."""
        if self._connection is not None:
            self._connection[1].close()
            self._connection = None

    async def ask(self, path: str, *, headers: dict[str, str] | None = None, body: bytes = b"{}") -> Message:
        """Send a POST and return the answer. Raises ConnectionError when the gateway closes instead."""
        if self._connection is None:
            self._connection = await _dialled(self._dial, self._host, self._port, self._tls)
        reader, writer = self._connection
        await _write(writer, f"POST {path} HTTP/1.1", {"host": "models"} | (headers or {}), body)
        answer = await _read(reader)
        if answer is None:
            self.close()
            raise ConnectionError("closed without an answer")
        if answer.headers.get("connection") == "close":
            self.close()
        return answer


async def _dialled(
    dial: Dial, host: str, port: int, tls: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a connection, with TLS if its context is given: then there is no other way than the usual one."""
    return await dial(host, port) if tls is None else await asyncio.open_connection(host, port, ssl=tls)


async def exchange(
    port: int,
    method: str,
    path: str,
    *,
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    host: str = "127.0.0.1",
    dial: Dial = asyncio.open_connection,
    tls: ssl.SSLContext | None = None,
) -> Message:
    """Ask once, on a connection of its own. Raises ConnectionError when nobody answers."""
    reader, writer = await _dialled(dial, host, port, tls)
    try:
        await _write(writer, f"{method} {path} HTTP/1.1", {"host": host, "connection": "close"} | (headers or {}), body)
        answer = await _read(reader)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    if answer is None:
        raise ConnectionError("closed without an answer")
    return answer


async def _read(reader: asyncio.StreamReader) -> Message | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("utf-8", errors="surrogateescape")
        line, *rest = head.removesuffix("\r\n\r\n").split("\r\n")
        headers = {name.lower(): value for name, _, value in (field.partition(": ") for field in rest)}
        if headers.get("transfer-encoding") == "chunked":
            return Message(line, headers, await _chunks(reader))
        return Message(line, headers, await reader.readexactly(int(headers.get("content-length", "0"))))
    except asyncio.IncompleteReadError:
        return None


async def _line(reader: asyncio.StreamReader) -> bytes:
    line = await reader.readline()
    if not line:
        raise asyncio.IncompleteReadError(line, None)  # whoever sent it was cut off, and so is what he passes on
    return line


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    parts: list[bytes] = []
    while size := int(await _line(reader), 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readline()
    return b"".join(parts)


async def _write(writer: asyncio.StreamWriter, line: str, headers: dict[str, str], body: bytes) -> None:
    fields = headers | {"content-length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    writer.write(f"{line}\r\n{head}\r\n".encode() + body)
    await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
