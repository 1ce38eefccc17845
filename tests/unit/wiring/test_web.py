"""Whoever does not finish a request is hung up on; whoever waits for an answer is not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

from glideslope.wiring.server import listen
from glideslope.wiring.web import WebServer


@asynccontextmanager
async def web(*, patience: float) -> AsyncIterator[int]:
    api = FastAPI()
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

    listening = listen(0, purpose="test", setting="--port")
    server = WebServer(api, stopping=stopping, patience=patience)
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
