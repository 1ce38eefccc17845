"""Asks a model server for its health over HTTP/1.1."""

import asyncio
from typing import Final

from glideslope.domain.errors import NameInvalid
from glideslope.engine.addresses import host_and_port

PATIENCE: Final = 2.0
"""Seconds."""


class HttpProbe:
    """Keeps the port Probe: GET /healthz must answer below 500, as the gateway asks: not every model server has such a path."""

    async def ask(self, url: str) -> str | None:
        """Return None when it answers, else why not."""
        try:
            host, port = host_and_port(url)
        except NameInvalid:
            return "it is not an address like http://host:port"
        try:
            async with asyncio.timeout(PATIENCE):
                return await _status(host, port)
        except TimeoutError:
            return f"no answer within {PATIENCE:g} s"
        except OSError as error:
            return error.strerror or str(error)


async def _status(host: str, port: int) -> str | None:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(f"GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        line = (await reader.readline()).decode("latin-1").split()
    finally:
        writer.close()
    if len(line) < 2 or not line[1].isdigit():
        return "it answered no HTTP"
    return None if int(line[1]) < 500 else f"its /healthz answers {line[1]}"
