"""Asks a model server over HTTP/1.1 and reads its answers as they are: what it predicts, a refusal, or something broken."""

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

from glideslope.evaluate.declared import Data, Request
from glideslope.evaluate.spelling import text_of

LARGEST_HEAD: Final = 65_536
LARGEST_ANSWER: Final = 1 << 20
SHOWN: Final = 160
"""Characters of an answer that a report shows."""
MOST_SHOWN: Final = 6
"""Numbers of an answer that a report shows."""
SUM_WITHIN: Final = 0.01
"""How far from 1 the probabilities of the classes may add up: servers print few digits."""

Pairs = Sequence[tuple[str, object]]


class Kind(StrEnum):
    """What came back."""

    ANSWERED = "answered"  # 2xx with what is asked for: a probability, one for each class, or a finite number
    REFUSED = "refused"  # 4xx: the server says that it does not answer this
    BROKEN = "broken"  # anything else: 5xx, no answer in time, a closed connection, nothing valid in it


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one request. `why` says what was wrong with it, for people."""

    kind: Kind
    values: tuple[float, ...] = ()
    """The probability, the probabilities in the order of the classes, or the number; empty when there is none."""
    why: str = ""

    def moved(self, before: "Answer") -> float:
        """Return by how much the answer differs, in the value that differs most; NaN unless both are answers."""
        pairs = zip(self.values, before.values, strict=False)
        return max((abs(now - then) for now, then in pairs), default=math.nan)


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


@dataclass(frozen=True, slots=True)
class Expected:
    """What an answer must hold, and where: `at` is like `data.0.score`. `classes` are of a multiclass outcome."""

    at: str = "probability"
    kind: str = "binary"
    classes: tuple[str, ...] = ()

    @classmethod
    def of(cls, data: Data, request: Request) -> "Expected":
        """Return what is declared; `request.answer` was filled in when the document was read."""
        classes = tuple(text_of(each) for each in data.classes or ())
        return cls(request.answer or "", data.kind, classes if data.kind == "multiclass" else ())


def read_answer(status: int, body: bytes, *, expected: Expected) -> Answer:
    """Read an answer. What is no valid answer is refused or broken, and `why` says it."""
    shown = " ".join(body[:SHOWN].decode("utf-8", "replace").split())
    if 400 <= status < 500:
        return Answer(Kind.REFUSED, why=f"{status} {shown}")
    if not 200 <= status < 300:
        return Answer(Kind.BROKEN, why=f"{status} {shown}")
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Answer(Kind.BROKEN, why=f"{status}, but no JSON: {shown}")
    for part in expected.at.split("."):
        match value:
            case dict() if part in value:
                value = value[part]
            case list() if part.isdigit() and int(part) < len(value):
                value = value[int(part)]
            case _:
                return Answer(Kind.BROKEN, why=f"{status}, but nothing at {expected.at}: {shown}")
    match expected.kind:
        case "multiclass":
            return _probabilities(status, value, expected.classes)
        case "regression":
            if not _is_number(value) or not math.isfinite(value):
                return Answer(Kind.BROKEN, why=f"{status}, but {_brief(value)} is no finite number")
        case _:
            if not _is_number(value) or not 0.0 <= value <= 1.0:
                return Answer(Kind.BROKEN, why=f"{status}, but {_brief(value)} is no probability")
    return answered((float(value),))


def answered(values: tuple[float, ...]) -> Answer:
    """Return a valid answer."""
    return Answer(Kind.ANSWERED, values, ", ".join(f"{value:g}" for value in values[:MOST_SHOWN]))


def _probabilities(status: int, value: object, classes: tuple[str, ...]) -> Answer:
    """Read one probability for each class: a list in their order, or an object by their names."""
    match value:
        case dict() if value.keys() == set(classes):
            found = [value[name] for name in classes]
        case dict():
            missing = [name for name in classes if name not in value] or [n for n in value if n not in classes]
            return Answer(Kind.BROKEN, why=f"{status}, but the classes are others: {_brief(missing)}")
        case list() if len(value) == len(classes):
            found = value
        case list():
            return Answer(Kind.BROKEN, why=f"{status}, but {len(value)} probabilities of {len(classes)} classes")
        case _:
            return Answer(Kind.BROKEN, why=f"{status}, but {_brief(value)} is no probability for each class")
    wrong = next((each for each in found if not _is_number(each) or not 0.0 <= each <= 1.0), None)
    if wrong is not None or any(each is None for each in found):
        return Answer(Kind.BROKEN, why=f"{status}, but {_brief(wrong)} is no probability")
    if abs(sum(found) - 1.0) > SUM_WITHIN:
        return Answer(Kind.BROKEN, why=f"{status}, but the probabilities add up to {sum(found):g}")
    return answered(tuple(float(each) for each in found))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _brief(value: object) -> str:
    return repr(value)[:SHOWN]


@dataclass(slots=True)
class Asker:
    """Connections to one server, kept alive and used again. Must be used inside one running event loop.

    A connection carries one request at a time; there are never more than `connections`.
    """

    url: str
    request: Request
    connections: int
    expected: Expected = field(default_factory=Expected)
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
        return read_answer(status, content, expected=self.expected)

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
