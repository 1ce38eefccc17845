"""A line between a browser and a server, which breaks when it is told to."""

import asyncio
import contextlib
from urllib.parse import urlsplit


class Line:
    """A line to a server that can be cut, as a laptop's is when its lid is closed."""

    def __init__(self, address: str) -> None:
        self._to = urlsplit(address)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def mend(self) -> None:
        """Let calls through, at the same port as before."""
        self._server = await asyncio.start_server(self._call, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Let none through, and end those that there are."""
        if self._server is not None:
            self._server.close()
        for writer in self._open:
            writer.transport.abort()

    async def _call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, beyond = await asyncio.open_connection(self._to.hostname, self._to.port)
        self._open |= {writer, beyond}
        with contextlib.suppress(OSError):
            await asyncio.gather(_carry(reader, beyond), _carry(there, writer))
        self._open -= {writer, beyond}


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(1 << 16):
            writer.write(piece)
            await writer.drain()
    finally:
        writer.close()
