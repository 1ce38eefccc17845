"""Whoever does not finish a request is hung up on; whoever waits for an answer is not."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import Response, StreamingResponse

from glideslope.adapters.certificates import Shown
from glideslope.settings import own_ca, own_tls
from glideslope.wiring import entrance, tls
from glideslope.wiring.server import listen
from glideslope.wiring.web import WebServer


@asynccontextmanager
async def web(*, patience: float, left: asyncio.Event | None = None, shown: Shown | None = None) -> AsyncIterator[int]:
    """Serve; `left` is set when the endless answer has ended."""
    api = FastAPI()
    left = left or asyncio.Event()
    stopping = asyncio.Event()

    @api.post("/echo")
    async def echo(request: Request) -> int:
        return len(await request.body())

    @api.get("/slow")
    async def slow() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"one "
            await asyncio.sleep(3 * patience)
            yield b"two"

        return StreamingResponse(pieces())

    @api.get("/endless")
    async def endless() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield bytes(16 * 1024)
                    await asyncio.sleep(0)
            finally:
                left.set()

        return StreamingResponse(pieces())

    @api.get("/whole")
    async def whole() -> Response:
        return Response(bytes(32 << 20))

    listening = listen(0, purpose="test", setting="--port")
    server = WebServer(api, stopping=stopping, patience=patience, shown=shown)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield listening.getsockname()[1]
    finally:
        server.stop()
        await task
        assert stopping.is_set()


@pytest.mark.parametrize(
    "beginning",
    [b"", b"POST /ec", b"POST /echo HTTP/1.1\r\nhost: x\r\n", b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nab"],
    ids=["nothing", "half a line", "half a head", "half a body"],
)  # fmt: skip
async def test_half_a_request_is_not_waited_for_long(beginning: bytes) -> None:
    async with web(patience=1.0) as port, asyncio.timeout(8):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(beginning)
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await reader.readexactly(1)
        writer.close()


async def test_a_slow_answer_is_waited_for() -> None:
    async with web(patience=1.0) as port, asyncio.timeout(12):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /slow HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert b"two" in await reader.read()
        writer.close()


async def test_a_connection_that_asks_again_is_kept() -> None:
    async with web(patience=1.0) as port, asyncio.timeout(12):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(6):
            writer.write(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nab")
            await reader.readuntil(b"\r\n\r\n2")
            await asyncio.sleep(0.4)
        writer.close()


async def test_an_answer_of_two_writes_does_not_wait_for_the_first_to_be_acknowledged() -> None:
    """Else each answer on a kept connection takes 40 ms, however quick it was made."""
    admitted = asyncio.get_running_loop().create_future()

    class Admitted(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            inside = transport.get_extra_info("socket")
            admitted.set_result(inside.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            transport.abort()  # type: ignore[attr-defined]  # it is a full one

    listening = listen(0, purpose="test", setting="--port")
    door = entrance.Entrance(listening, Admitted, tls=None, inside=lambda: 0, dismiss=lambda: False)
    admitting = asyncio.create_task(door.admit())
    async with asyncio.timeout(8):
        _, writer = await asyncio.open_connection("127.0.0.1", listening.getsockname()[1])
        assert await admitted != 0
    writer.close()
    admitting.cancel()
    await asyncio.wait([admitting])
    listening.close()


def unread(port: int, path: str) -> socket.socket:
    """Ask, with room for a few kilobytes of the answer."""
    asking = socket.socket()
    asking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    asking.connect(("127.0.0.1", port))
    asking.sendall(f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    asking.setblocking(False)
    return asking


async def test_an_endless_answer_that_nobody_takes_is_ended() -> None:
    left = asyncio.Event()
    async with web(patience=1.0, left=left) as port, asyncio.timeout(12):
        asking = unread(port, "/endless")
        await left.wait()
        asking.close()


async def test_whoever_takes_a_byte_now_and_then_does_not_hold_an_answer_up_for_ever() -> None:
    left = asyncio.Event()
    async with web(patience=1.0, left=left) as port, asyncio.timeout(20):
        asking = unread(port, "/endless")
        while not left.is_set():
            with contextlib.suppress(BlockingIOError, ConnectionError):
                asking.recv(1)
            await asyncio.sleep(0.05)
        asking.close()


@pytest.mark.parametrize("path", ["/endless", "/whole"])
async def test_an_answer_that_is_taken_steadily_is_finished_however_long_it_takes(path: str) -> None:
    """For four times as long as the server is patient."""
    async with web(patience=1.0) as port, asyncio.timeout(30):
        asking = unread(port, path)
        loop = asyncio.get_running_loop()
        end = loop.time() + 4
        while loop.time() < end:
            async with asyncio.timeout(5):
                assert await loop.sock_recv(asking, 64 * 1024)
            await asyncio.sleep(0.02)
        asking.close()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def admitted(port: int, *, context: ssl.SSLContext | None) -> bytes:
    """Ask on a connection of its own; return the answer's first bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        writer.write(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nab")
        return await reader.readexactly(15)
    finally:
        writer.transport.abort()


@pytest.mark.parametrize("over", ["plain", "tls"])
async def test_callers_who_only_connect_never_take_more_than_their_share(
    over: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With TLS they need not even shake hands: each holds a descriptor from the moment it is accepted."""
    monkeypatch.setattr(entrance, "MOST", 20)
    made = tls.create(tmp_path, names=()) if over == "tls" else None
    pair = own_tls(tmp_path)
    trusting = ssl.create_default_context(cafile=own_ca(tmp_path)) if made else None
    async with AsyncExitStack() as stack:
        shown = Shown(pair.cert, pair.key) if made else None
        port = await stack.enter_async_context(web(patience=20.0, shown=shown))
        before = descriptors()
        idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
        most = 0
        for _ in range(20):
            async with asyncio.timeout(5):
                assert await admitted(port, context=trusting) == b"HTTP/1.1 200 OK"
            most = max(most, descriptors() - before - len(idle))
        assert most <= 20 + 2, "those it may hold, and the one that asks at both its ends"
        for caller in idle:
            caller.close()
