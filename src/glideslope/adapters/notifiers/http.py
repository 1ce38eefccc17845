"""One POST over HTTP/1.1, within a deadline, to a channel's address alone. Redirects are answers like any other: not followed."""

import asyncio
import email.utils
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import h11

from glideslope.adapters.notifiers.connecting import Unreached, connect, trusting
from glideslope.domain.telling.standing import Delivered, Failed, Outcome

PATIENCE: Final = 15.0
"""Seconds for all of it."""
LARGEST: Final = 4_096
"""Bytes of an answer that are read; the rest is of no interest."""
SHOWN: Final = 120


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver said."""

    status: int
    headers: Mapping[str, str]
    body: str


async def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    private: bool,
    now: int,
    quoting: bool = False,
    tls: ssl.SSLContext | None = None,
    patience: float = PATIENCE,
) -> Outcome:
    """Send, and tell what came of it: only 2xx is a yes. Never raises.

    `quoting` shows what a well-known service says of itself; `tls` is what is trusted, else the system's; `patience` in seconds.
    """
    try:
        async with asyncio.timeout(patience):
            answer = await _exchange(url, body, headers, private=private, tls=tls)
    except TimeoutError:
        return Failed(why=f"no answer within {patience:g} s")
    except Unreached as error:
        return Failed(why=str(error))
    except h11.RemoteProtocolError:
        return Failed(why="it answered no HTTP, or hung up before it answered")
    except (OSError, EOFError, h11.LocalProtocolError, ValueError) as error:
        return Failed(why=f"the connection broke ({type(error).__name__})")
    said = f": {_visible(answer.body)}" if quoting and answer.body.strip() else ""
    return judged(answer, said=said, now=now)


def judged(answer: Answer, *, said: str, now: int) -> Outcome:
    """Say what an answer means. `now` in milliseconds since the epoch, UTC."""
    if 200 <= answer.status < 300:
        return Delivered(how=f"HTTP {answer.status}")
    told = f"HTTP {answer.status}{said}"
    again = _again_after(answer.headers.get("retry-after", ""), now=now)
    if 300 <= answer.status < 400:
        return Failed(why=f"{told}: it points elsewhere, and nobody is followed there", refused=True)
    # 408, 425 and 429 are about the moment, not about the message.
    refused = 400 <= answer.status < 500 and answer.status not in (408, 425, 429)
    return Failed(why=told, refused=refused, again_after=again)


async def _exchange(
    url: str, body: bytes, headers: Mapping[str, str], *, private: bool, tls: ssl.SSLContext | None
) -> Answer:
    parts = urlsplit(url)
    host = parts.hostname or ""
    tls = (tls or trusting()) if parts.scheme == "https" else None
    if tls is None and not private:
        raise Unreached(
            "without TLS a message goes to private networks alone: write https, or private: true if that is meant"
        )
    port = parts.port or (443 if tls else 80)
    reader, writer = await connect(host, port, tls=tls, private=private)
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        named = f"[{host}]" if ":" in host else host
        request = h11.Request(
            method="POST",
            target=path,
            headers=[
                ("Host", named if parts.port is None else f"{named}:{port}"),
                ("User-Agent", "glideslope"),
                ("Content-Length", str(len(body))),
                ("Connection", "close"),
                *headers.items(),
            ],
        )
        line = h11.Connection(h11.CLIENT)
        for event in (request, h11.Data(data=body), h11.EndOfMessage()):
            writer.write(line.send(event) or b"")
        await writer.drain()
        return await _answer(line, reader)
    finally:
        writer.transport.abort()  # at once: a peer may let us wait for the end of TLS


async def _answer(line: h11.Connection, reader: asyncio.StreamReader) -> Answer:
    status, headers = 0, dict[str, str]()
    found = bytearray()
    while len(found) < LARGEST:
        event = line.next_event()
        match event:
            case h11.NEED_DATA:
                line.receive_data(await reader.read(4_096))
            case h11.Response():
                status = event.status_code
                headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
            case h11.Data():
                found += event.data
            case h11.EndOfMessage() | h11.ConnectionClosed() | h11.PAUSED:
                break
            case _:
                pass  # an interim answer: there is more to come
    return Answer(status=status, headers=headers, body=found[:LARGEST].decode("utf-8", "replace"))


def _again_after(value: str, *, now: int) -> float | None:
    """Read Retry-After: seconds, or a date (RFC 9110, section 10.2.3)."""
    if value.isascii() and value.isdecimal() and len(value) < 10:
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - now / 1000)
    except (TypeError, ValueError):
        return None


def _visible(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text.strip()[:SHOWN])
