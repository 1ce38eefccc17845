"""Asks Envoy's admin, which listens on a private unix socket only; a client of forty lines instead of a dependency."""

import asyncio
import json
from pathlib import Path
from typing import Any, Final

from glideslope.domain.errors import DriverUnavailable

_LIMIT: Final = 64 * 1024 * 1024


class Admin:
    """Envoy's admin behind a socket. Every call raises DriverUnavailable when Envoy does not answer in `timeout` seconds."""

    def __init__(self, socket: Path, *, timeout: float = 2.0) -> None:
        self._socket = socket
        self._timeout = timeout

    async def get(self, path: str) -> str:
        """Return the body of a successful answer."""
        return await self._ask("GET", path)

    async def post(self, path: str) -> str:
        """Cause what only POST may cause, and return the body."""
        return await self._ask("POST", path)

    async def json(self, path: str) -> Any:  # noqa: ANN401 - JSON is anything until it is looked into
        """Return the decoded body of a successful answer."""
        return json.loads(await self._ask("GET", path))

    async def stats(self, pattern: str) -> dict[str, str]:
        """Return the statistics whose names match, as text."""
        body = await self._ask("GET", f"/stats?filter={pattern}")
        return dict(line.split(": ", 1) for line in body.splitlines() if ": " in line)

    async def _ask(self, method: str, path: str) -> str:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._exchange(method, path)
        except (OSError, TimeoutError, ValueError, EOFError) as error:
            why = str(error) or type(error).__name__
            raise DriverUnavailable(driver="envoy", why=f"its admin: {why}") from error

    async def _exchange(self, method: str, path: str) -> str:
        reader, writer = await asyncio.open_unix_connection(str(self._socket), limit=_LIMIT)
        try:
            writer.write(f"{method} {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n".encode())
            await writer.drain()
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            body = await (_chunks(reader) if "transfer-encoding: chunked" in head else reader.read(_LIMIT))
        finally:
            writer.close()
        status = head.split(" ", 2)[1]
        if status != "200":
            message = f"{path} answered {status}: {body.decode(errors='replace').strip()[:200]}"
            raise ValueError(message)
        return body.decode()


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    parts: list[bytes] = []
    while size := int(await reader.readline(), 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    return b"".join(parts)
