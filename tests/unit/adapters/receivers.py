"""Receivers over real sockets: HTTP servers that behave as they are told, and a real mail server."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass(slots=True)
class Heard:
    """A request that a receiver took."""

    path: str
    headers: dict[str, str]
    body: bytes


Behave = Callable[[Heard, asyncio.StreamWriter], Coroutine[Any, Any, None]]


def answers(status: str, *headers: str, body: str = "") -> Behave:
    """Answer with a status line, headers and a body."""

    async def behave(_: Heard, writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", body]
        writer.write("\r\n".join(lines).encode())
        await writer.drain()

    return behave


async def never(_: Heard, writer: asyncio.StreamWriter) -> None:
    """Take the request, and say nothing until the caller has gone."""
    await writer.wait_closed()


async def hangs_up(_: Heard, writer: asyncio.StreamWriter) -> None:
    """Close without an answer."""
    writer.close()


async def drips(_: Heard, writer: asyncio.StreamWriter) -> None:
    """Send an answer that never ends, a byte at a time."""
    writer.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not writer.is_closing():
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def speaks_otherwise(_: Heard, writer: asyncio.StreamWriter) -> None:
    """Answer in another protocol."""
    writer.write(b"220 mail.example ESMTP\r\n")
    await writer.drain()


@dataclass(slots=True)
class Receiver:
    """An HTTP server; `behave` says how, `heard` is what it took."""

    port: int = 0
    behave: Behave = field(default_factory=lambda: answers("204 No Content"))
    heard: list[Heard] = field(default_factory=list)
    callers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one request."""
        self.callers.append(writer)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (each.partition(":") for each in head[1:] if each)
            }
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            heard = Heard(path=head[0].split(" ")[1], headers=headers, body=body)
            self.heard.append(heard)
            await self.behave(heard, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def receiving(behave: Behave | None = None, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """Run a receiver on loopback."""
    receiver = Receiver()
    if behave is not None:
        receiver.behave = behave
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        await hung_up([each.transport for each in receiver.callers])


async def hung_up(lines: Sequence[Any]) -> None:
    """End all connections, and let whoever serves them see that."""
    for each in lines:
        each.abort()
    for _ in range(5):
        await asyncio.sleep(0)


@asynccontextmanager
async def silence() -> AsyncIterator[int]:
    """Run a server that takes callers and never says a word; yield its port."""
    callers: list[asyncio.StreamWriter] = []

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        callers.append(writer)
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await hung_up([each.transport for each in callers])


@dataclass(slots=True)
class Mailbox:
    """What a mail server took, and whom it refuses."""

    envelopes: list[Envelope] = field(default_factory=list)
    unknown: frozenset[str] = frozenset()
    answer: str = "250 taken"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name and arguments
        self, server: object, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a recipient, or not."""
        del server, session, options
        if address in self.unknown:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: object, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Take a mail."""
        del server, session
        self.envelopes.append(envelope)
        return self.answer


@asynccontextmanager
async def mailing(
    mailbox: Mailbox, *, tls: ssl.SSLContext | None = None, login: tuple[str, str] | None = None, direct: bool = False
) -> AsyncIterator[int]:
    """Run a real mail server on loopback, with STARTTLS where there is a context; yield its port."""

    def authenticated(server: object, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
        del server, session, envelope, mechanism
        known = isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode()) == login
        return AuthResult(success=known, handled=False)

    loop = asyncio.get_running_loop()

    conversations: list[SMTP] = []

    def conversation() -> SMTP:
        begun = SMTP(
            mailbox,
            hostname="mail.example",
            tls_context=None if direct else tls,
            require_starttls=tls is not None and not direct,
            auth_required=login is not None,
            auth_require_tls=login is not None and not direct,
            authenticator=authenticated if login is not None else None,
            loop=loop,
        )
        conversations.append(begun)
        return begun

    server = await loop.create_server(conversation, "127.0.0.1", 0, ssl=tls if direct else None)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await hung_up([each.transport for each in conversations if each.transport is not None])
