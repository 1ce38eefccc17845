"""Asks a model server over HTTP/1.1 and reads its answers as they are: a probability, a refusal, or something broken."""

import asyncio
import math
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

import msgspec

from glideslope.evaluate.declared import Request

LARGEST_HEAD: Final = 65_536
LARGEST_ANSWER: Final = 1 << 20
SHOWN: Final = 160
"""Characters of an answer that a report shows."""

Pairs = Sequence[tuple[str, object]]


class Kind(StrEnum):
    """What came back."""

    ANSWERED = "answered"  # 2xx with a finite probability from 0 to 1
    REFUSED = "refused"  # 4xx: the server says that it does not answer this
    BROKEN = "broken"  # anything else: 5xx, no answer in time, a closed connection, no probability in it


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one request. `why` says what was wrong with it, for people."""

    kind: Kind
    probability: float = math.nan
    why: str = ""


class AnswerInvalid(ValueError):
    """Bytes that are no HTTP answer, or one that is too long."""


def body_of(features: Pairs, request: Request) -> bytes:
    """Write features as a request's body; a name may stand there twice, as no mapping could say it."""
    encode = msgspec.json.encode
    if request.form == "list":
        inner = encode([value for _, value in features])
    else:
        inner = b"{" + b",".join(encode(name) + b":" + encode(value) for name, value in features) + b"}"
    return b"{" + encode(request.under) + b":" + inner + b"}" if request.under else inner


def read_answer(status: int, body: bytes, *, at: str) -> Answer:
    """Read an answer; `at` is where the probability stands, like `data.0.score`."""
    shown = body[:SHOWN].decode("utf-8", "replace")
    if 400 <= status < 500:
        return Answer(Kind.REFUSED, why=f"{status} {shown}")
    if not 200 <= status < 300:
        return Answer(Kind.BROKEN, why=f"{status} {shown}")
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Answer(Kind.BROKEN, why=f"{status}, but no JSON: {shown}")
    for part in at.split("."):
        match value:
            case dict() if part in value:
                value = value[part]
            case list() if part.isdigit() and int(part) < len(value):
                value = value[int(part)]
            case _:
                return Answer(Kind.BROKEN, why=f"{status}, but nothing at {at}: {shown}")
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
        return Answer(Kind.BROKEN, why=f"{status}, but {value!r} is no probability")
    return Answer(Kind.ANSWERED, probability=float(value), why=f"{value:g}")


@dataclass(slots=True)
class Asker:
    """Connections to one server, kept alive and used again. Must be used inside one running event loop.

    A connection carries one request at a time; there are never more than `connections`.
    """

    url: str
    request: Request
    connections: int
    _idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)
    _slots: asyncio.Semaphore | None = None
    _head: bytes = b""

    async def ask(self, body: bytes) -> Answer:
        """POST a body and read the answer; waits for a free connection, and then at most `timeout`. Never raises."""
        if self._slots is None:
            self._slots = asyncio.Semaphore(self.connections)
        async with self._slots:
            try:
                async with asyncio.timeout(self.request.timeout / 1000):
                    status, content = await self._exchange(body)
            except TimeoutError:
                return Answer(Kind.BROKEN, why=f"no answer within {self.request.timeout} ms")
            except (OSError, EOFError, AnswerInvalid, asyncio.LimitOverrunError) as error:
                return Answer(Kind.BROKEN, why=f"{type(error).__name__}: {error}"[:SHOWN])
        return read_answer(status, content, at=self.request.answer)

    async def close(self) -> None:
        """Close what is kept."""
        while self._idle:
            _, writer = self._idle.pop()
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _exchange(self, body: bytes) -> tuple[int, bytes]:
        while self._idle:
            reader, writer = self._idle.pop()
            try:
                return await self._send(reader, writer, body)
            except (ConnectionError, asyncio.IncompleteReadError) as error:
                # A server may close a connection that it kept for long; nothing of an answer came, so ask on another.
                if getattr(error, "partial", b""):
                    raise
        reader, writer = await self._open()
        return await self._send(reader, writer, body)

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(self.url)
        secure = parts.scheme == "https"
        context = ssl.create_default_context() if secure else None
        port = parts.port or (443 if secure else 80)
        if not self._head:
            path = parts.path.rstrip("/") + self.request.path
            lines = [f"POST {path} HTTP/1.1", f"Host: {parts.netloc}", "Content-Type: application/json"]
            lines += [f"{name}: {value}" for name, value in self.request.headers.items()]
            self._head = "\r\n".join([*lines, "Content-Length: "]).encode()
        return await asyncio.open_connection(parts.hostname, port, ssl=context, limit=LARGEST_HEAD)

    async def _send(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> tuple[int, bytes]:
        keep = False
        try:
            writer.write(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))
            head = await reader.readuntil(b"\r\n\r\n")
            status, headers = _read_head(head)
            content = await _read_body(reader, headers)
            keep = headers.get("connection", "").lower() != "close"
            return status, content
        finally:
            # Whatever was interrupted half way is in no state to be used again.
            if keep:
                self._idle.append((reader, writer))
            else:
                writer.close()


def _read_head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ", 2)
    if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdigit():
        raise AnswerInvalid(f"no HTTP/1.1 answer: {first[:60]!r}")
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)
    }
    return int(words[1]), headers


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        content = b""
        while size := _size(await reader.readuntil(b"\r\n"), base=16):
            content += await reader.readexactly(size)
            await reader.readexactly(2)
            if len(content) > LARGEST_ANSWER:
                raise AnswerInvalid(f"an answer longer than {LARGEST_ANSWER:,} bytes")
        await reader.readuntil(b"\r\n")
        return content
    return await reader.readexactly(_size(headers.get("content-length", "0").encode(), base=10))


def _size(text: bytes, *, base: int) -> int:
    try:
        size = int(text.split(b";")[0].strip(), base)
    except ValueError:
        raise AnswerInvalid(f"no length: {text[:40]!r}") from None
    if not 0 <= size <= LARGEST_ANSWER:
        raise AnswerInvalid(f"an answer of {size:,} bytes; expected at most {LARGEST_ANSWER:,}")
    return size
