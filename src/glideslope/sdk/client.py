"""Two thin senders for the calls of `requests`, on the standard library: one that waits, one for asyncio.

They raise typed errors to whoever calls them; what runs inside a request path never does (`observe`, `middleware`).
`http.client` is loaded by the first call: with its mail parser and TLS it costs as much as all else here.
"""

import os
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from socket import SHUT_RDWR
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar
from urllib.parse import SplitResult, urlsplit

import msgspec

from glideslope.domain.errors import Invalid
from glideslope.sdk.errors import (
    AnswerUnreadable,
    CertificateRefused,
    ServerUnavailable,
    ServerUnreachable,
    problem,
    refusal,
    told,
)
from glideslope.sdk.following import events, from_there
from glideslope.sdk.requests import Answer, Call, Stream

if TYPE_CHECKING:
    import http.client
    import ssl

T = TypeVar("T")

TIMEOUT: Final = 5.0
"""Seconds for one answer, beside what the call lets the server hold it back."""
LARGEST: Final = 64 * 1024 * 1024
"""Bytes of an answer; a longer one is not ours."""
LONGEST_LINE: Final = 16 * 1024 * 1024
IDLE: Final = 60.0
"""Seconds of silence after which a stream is taken for broken; a server shows every 15 that it lives."""
PATIENCE: Final = 60.0
"""Seconds without any answer after which a stream is given up."""
PAUSE: Final = 0.25
"""Seconds before the second try; twice as long before each further one, and always the same before a stream is gone on with."""
NOT_MODIFIED: Final = 304
UNAVAILABLE: Final = 503
Found = tuple[int, Mapping[str, str], bytes]
"""Status, headers (names in lower case) and body of an answer."""
_NEXT: Final = re.compile(r'<(/(?!/)[!-;=?-~]*)>; rel="next"')
"""Of this server alone: a link that leads elsewhere is none."""
_CHUNK: Final = 64 * 1024
_IDLE: Final = 4


class Client:
    """Sends calls to one server and waits for the answers. May be shared by threads; connections are kept alive.

    At an https address it trusts the authorities in the file `ca`, else in the one that GLIDESLOPE_CA names, else that of the
    state folder here or above, if it is this server's, else those of the system. Raises Invalid for an address or token
    that cannot be sent, and for a file that names nobody.

    What may be sent twice is sent up to `tries` times while nobody answers or the server says that it cannot now: a command is the same
    one each time, since its key is the call's.
    """

    def __init__(
        self,
        url: str,
        token: str = "",
        *,
        timeout: float = TIMEOUT,
        ca: str = "",
        tries: int = 1,
        sleep: Callable[[float], None] = sleep,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        parts, host = _address(url)
        if not token.isprintable() or not token.isascii():
            raise Invalid("The token holds characters that no HTTP header can carry.")
        self.url = url.rstrip("/")
        self._tls = (
            _trusting(ca or os.environ.get("GLIDESLOPE_CA", "") or _beside(self.url))
            if parts.scheme == "https"
            else None
        )
        self._host = host
        self._port = parts.port
        self._prefix = parts.path.rstrip("/")
        self._token = token
        self._timeout = timeout
        self._tries = tries
        self._sleep = sleep
        self._clock = clock
        self._idle: list[http.client.HTTPConnection] = []
        self._busy: set[http.client.HTTPConnection] = set()
        self._closed = False

    def __repr__(self) -> str:
        """Hide the token."""
        return f"Client({self.url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, call: Call[T]) -> T:
        """Send and return what the answer says. Raises ServerRefused, ServerUnreachable, AnswerUnreadable."""
        return self._decoded(call, self._patiently(call)).value

    def news(self, call: Call[T], *, known: str) -> Answer[T] | None:
        """Send, and return the answer with its tag; None while it is still the one with the tag `known`. Raises as `send` does."""
        headers = {**call.headers, "If-None-Match": known} if known else call.headers
        found = self._patiently(replace(call, headers=headers))
        return None if found[0] == NOT_MODIFIED else self._decoded(call, found)

    def answers(self, call: Call[T]) -> Iterator[Answer[T]]:
        """Send, and then for each further page that the server names. Raises as `send` does."""
        following: Call[T] | None = call
        while following is not None:
            answer = self._decoded(following, self._patiently(following))
            yield answer
            following = answer.next

    def items(self, call: Call[tuple[T, ...]]) -> Iterator[T]:
        """Yield all that a list holds, page by page as it is needed. Raises as `send` does."""
        for answer in self.answers(call):
            yield from answer.value

    def follow(self, stream: Stream[T], *, idle: float = IDLE, patience: float = PATIENCE) -> Iterator[T]:
        """Yield what a stream of events says, over any break, until it has said its last.

        After a break it goes on after the last event that came. Raises ServerRefused, and ServerUnreachable or ServerUnavailable when
        for `patience` seconds nobody answered.
        """
        last, said, silent_since = "", b"", self._clock()
        while True:
            trouble: ServerUnreachable | ServerUnavailable | None = None
            try:
                for event in events(self.stream(from_there(stream.call, last=last), idle=idle)):
                    last, silent_since = event.id or last, self._clock()
                    if event.data is None or event.data == said:
                        continue
                    said = event.data
                    if event.kind == "problem":
                        raise refusal(told(said))
                    value = self._read(stream.call, said)
                    yield value
                    if stream.ends(value):
                        return
            except (CertificateRefused, AnswerUnreadable):
                raise
            except (ServerUnreachable, ServerUnavailable) as error:
                trouble = error
            if trouble is not None and self._clock() - silent_since > patience:
                raise trouble
            self._sleep(PAUSE)

    def _patiently(self, call: Call[T]) -> Found:
        for left in range(self._tries - 1 if call.repeatable else 0, 0, -1):
            try:
                found = self._exchange(call)
            except CertificateRefused:
                raise
            except ServerUnreachable:
                pass
            else:
                if found[0] != UNAVAILABLE:
                    return found
            self._sleep(PAUSE * 2 ** (self._tries - 1 - left))
        return self._exchange(call)

    def _decoded(self, call: Call[T], found: Found) -> Answer[T]:
        status, headers, body = found
        if not 200 <= status < 300:
            raise refusal(problem(status, body))
        link = _NEXT.fullmatch(headers.get("link", ""))
        following = replace(call, path=link[1]) if link else None
        return Answer(value=self._read(call, body), tag=headers.get("etag", ""), next=following)

    def _read(self, call: Call[T], body: bytes) -> T:
        try:
            return call.decode(body)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise AnswerUnreadable(url=self.url, why=f"its answer cannot be read ({error})") from error

    def stream(self, call: Call[Any], *, idle: float = IDLE) -> Iterator[bytes]:
        """Yield the answer's lines without their ends, as they come (server-sent events, for instance).

        Ends when the server closes the answer. Raises ServerRefused, and ServerUnreachable when nothing comes for
        `idle` seconds or the connection breaks. Closing the iterator closes the connection.
        """
        import http.client

        connection = self._connect(idle)
        self._busy.add(connection)
        try:
            response = self._ask(connection, call, accept="text/event-stream")
            if not 200 <= response.status < 300:
                raise refusal(problem(response.status, response.read(LARGEST)))
            while line := response.readline(LONGEST_LINE + 1):
                if len(line) > LONGEST_LINE:
                    # Cut in two it would be taken for two lines, and a ledger for one that was tampered with.
                    raise AnswerUnreadable(url=self.url, why=f"a line is longer than {LONGEST_LINE:,} bytes")
                yield line.rstrip(b"\r\n")
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _unreachable(self.url, error) from error
        finally:
            self._busy.discard(connection)
            connection.close()

    def close(self) -> None:
        """End all connections, also those on which an answer is awaited elsewhere: that wait ends as unreachable."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()
        for connection in tuple(self._busy):
            if (socket := connection.sock) is not None:
                with suppress(OSError):
                    socket.shutdown(SHUT_RDWR)

    def forked(self) -> None:
        """Let go of the parent's connections: two processes on one of them would read each other's answers."""
        self._idle, self._busy = [], set()

    def _exchange(self, call: Call[T]) -> Found:
        import http.client

        # A kept connection may have been closed by the server meanwhile; only what may be sent twice risks one.
        kept = self._idle.pop() if call.repeatable and self._idle else None
        if kept is not None:
            try:
                return self._once(kept, call)
            except (http.client.HTTPException, ConnectionError):
                kept.close()
            except (OSError, ValueError) as error:
                kept.close()
                raise _unreachable(self.url, error) from error
        fresh = self._connect(self._timeout + call.wait)
        try:
            return self._once(fresh, call)
        except (OSError, http.client.HTTPException, ValueError) as error:
            fresh.close()
            raise _unreachable(self.url, error) from error

    def _once(self, connection: "http.client.HTTPConnection", call: Call[T]) -> Found:
        timeout = self._timeout + call.wait
        deadline = monotonic() + timeout
        if connection.sock is not None:
            connection.sock.settimeout(timeout)
        self._busy.add(connection)
        try:
            if self._closed:
                raise ConnectionAbortedError("this client was closed")
            response = self._ask(connection, call, accept="application/json")
            body = _read(response, deadline=deadline)
        finally:
            self._busy.discard(connection)
        if response.will_close or self._closed or len(self._idle) >= _IDLE:
            connection.close()
        else:
            self._idle.append(connection)
        return response.status, {name.lower(): value for name, value in response.headers.items()}, body

    def _ask(
        self, connection: "http.client.HTTPConnection", call: Call[T], *, accept: str
    ) -> "http.client.HTTPResponse":
        headers = {**call.headers, "Accept": accept}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        if call.body is not None:
            headers["Content-Type"] = call.content_type
        connection.request(call.method, self._prefix + call.path, body=call.body, headers=headers)
        return connection.getresponse()

    def _connect(self, timeout: float) -> "http.client.HTTPConnection":
        import http.client

        if self._tls is not None:
            return http.client.HTTPSConnection(self._host, self._port, timeout=timeout, context=self._tls)
        return http.client.HTTPConnection(self._host, self._port, timeout=timeout)


class AsyncClient:
    """The same for asyncio: each call waits in a thread of the loop's pool, so that no loop is ever held up."""

    def __init__(self, url: str, token: str = "", *, timeout: float = TIMEOUT, ca: str = "", tries: int = 1) -> None:
        self._client = Client(url, token, timeout=timeout, ca=ca, tries=tries)
        self._again = partial(Client, url, token, timeout=timeout, ca=ca, tries=tries)
        self.url = self._client.url

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    async def send(self, call: Call[T]) -> T:
        """Send and return what the answer says. Raises ServerRefused, ServerUnreachable."""
        import asyncio  # costs more than all else here, and whoever awaits has it already

        return await asyncio.to_thread(self._client.send, call)

    async def news(self, call: Call[T], *, known: str) -> Answer[T] | None:
        """Return what is new; see `Client.news`."""
        import asyncio  # as above

        return await asyncio.to_thread(self._client.news, call, known=known)

    def answers(self, call: Call[T]) -> AsyncIterator[Answer[T]]:
        """Yield page after page; see `Client.answers`."""
        return self._each(lambda client: client.answers(call))

    def items(self, call: Call[tuple[T, ...]]) -> AsyncIterator[T]:
        """Yield all that a list holds; see `Client.items`."""
        return self._each(lambda client: client.items(call))

    def follow(self, stream: Stream[T], *, idle: float = IDLE, patience: float = PATIENCE) -> AsyncIterator[T]:
        """Yield what a stream of events says, over any break; see `Client.follow`."""
        return self._each(lambda client: client.follow(stream, idle=idle, patience=patience))

    def stream(self, call: Call[Any], *, idle: float = IDLE) -> AsyncIterator[bytes]:
        """Yield the answer's lines as they come; see `Client.stream`."""
        return self._each(lambda client: client.stream(call, idle=idle))

    async def _each(self, asked: Callable[[Client], Iterator[T]]) -> AsyncIterator[T]:
        import asyncio  # as above

        # A client of its own: closing it frees the thread that waits for what comes next.
        client = self._again()
        iterator, nothing = asked(client), object()
        try:
            while (found := await asyncio.to_thread(next, iterator, nothing)) is not nothing:
                yield found  # type: ignore[misc]  # it is not the one object that stands for nothing
        finally:
            client.close()
            with suppress(ValueError):  # the thread is still inside: it ends with its connection
                iterator.close()  # type: ignore[attr-defined]  # it is a generator; Iterator hides that

    def close(self) -> None:
        """End all connections."""
        self._client.close()


def _read(response: "http.client.HTTPResponse", *, deadline: float) -> bytes:
    import http.client

    # A socket's timeout starts again with each byte: a server that trickles would hold the caller for ever.
    parts: list[bytes] = []
    size = 0
    while part := response.read1(_CHUNK):
        parts.append(part)
        size += len(part)
        if size > LARGEST:
            raise http.client.HTTPException(f"an answer of more than {LARGEST} bytes")
        if monotonic() > deadline:
            raise TimeoutError("the answer took too long")
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)
    response.close()
    return b"".join(parts)


def _address(url: str) -> tuple[SplitResult, str]:
    """Take an address apart; return its parts and its host. Raises Invalid for what is none."""
    try:
        # urlsplit passes over line breaks and tabs: the address called would not be the one that was shown.
        parts = urlsplit(url if url.isprintable() and " " not in url else "")
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit(""), None, None
    if parts.scheme not in {"http", "https"} or not host or port == 0 or parts.query or parts.fragment:
        raise Invalid(f"{url!r} is not the address of a server: expected http://host:port.")
    return parts, host


def _beside(url: str) -> str:
    """Return the CA's file of the server's own state folder, here or above; empty when there is none."""
    for folder in (Path.cwd(), *Path.cwd().parents):
        state = folder / ".glideslope"
        with suppress(OSError):
            if (state / "address").read_text(encoding="utf-8").strip() == url and (state / "ca.pem").exists():
                return str(state / "ca.pem")
    return ""


def _trusting(ca: str) -> "ssl.SSLContext":
    import ssl  # as http.client does, with the first call that needs it

    try:
        return ssl.create_default_context(cafile=ca or None)
    except (OSError, ssl.SSLError) as error:
        raise Invalid(f"{ca} holds no certificate authority to trust: {error.strerror or error}.") from error


def _unreachable(url: str, error: Exception) -> ServerUnreachable:
    reason = getattr(error, "verify_message", "")  # only of an ssl.SSLCertVerificationError
    return CertificateRefused(url=url, why=reason) if reason else ServerUnreachable(url=url, why=_why(error))


def _why(error: Exception) -> str:
    return str(error) or type(error).__name__
