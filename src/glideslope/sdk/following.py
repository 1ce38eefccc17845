"""Server-sent events read from lines (WHATWG HTML, section 9.2), and where to go on after a break."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from glideslope.sdk.requests import Call

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Event:
    """One event; without `data` it only says how far the stream has come."""

    id: str
    kind: str
    data: bytes | None


def events(lines: Iterable[bytes]) -> Iterator[Event]:
    """Read events; one that was broken off is none."""
    id_, kind = "", ""
    data: list[bytes] = []
    for line in lines:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"id" and b"\0" not in value:
            id_ = value.decode(errors="replace")
        elif name == b"event":
            kind = value.decode(errors="replace")
        elif name == b"data":
            data.append(value)
        elif not line:
            yield Event(id=id_, kind=kind or "message", data=b"\n".join(data) if data else None)
            kind, data = "", []


def from_there(call: Call[T], *, last: str) -> Call[T]:
    """Return a call that goes on after the event `last`, if any came."""
    return replace(call, headers={**call.headers, "Last-Event-ID": last}) if last else call
