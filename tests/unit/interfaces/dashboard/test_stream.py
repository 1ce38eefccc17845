"""The stream tells of news and of nothing else, and ends with the session and with the server."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from glideslope.domain.errors import TokenUnknown
from glideslope.engine.courses import PulseView
from glideslope.interfaces.dashboard import stream


class Pulsing:
    """A service of which only the pulse is asked."""

    def __init__(self, *pulses: PulseView) -> None:
        self._pulses = list(pulses)

    async def pulse(self) -> PulseView:
        return self._pulses.pop(0) if len(self._pulses) > 1 else self._pulses[0]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "LOOK_EVERY", 0.001)
    monkeypatch.setattr(stream, "FIGURES_EVERY", 0.002)


def news(service: Any, **more: Any) -> AsyncGenerator[bytes, None]:
    return stream.news(service, **{"still": lambda: None, "stopping": asyncio.Event(), **more})


async def test_what_is_recorded_is_told_once() -> None:
    found = news(Pulsing(PulseView(entries=1, under_way=()), *[PulseView(entries=2, under_way=())] * 3))
    first = [await anext(found) for _ in range(3)]

    assert first[0].startswith(b"retry:")
    assert b"id: 1\n" in first[1]
    assert b"id: 2\n" in first[2]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(found), 0.05)


async def test_while_something_is_under_way_figures_are_asked_for_again() -> None:
    found = news(Pulsing(PulseView(entries=1, under_way=("r-0001",))))
    told = [await anext(found) for _ in range(4)]

    assert told[1].startswith(b"event: news")
    assert all(each.startswith(b"event: figures") and b"r-0001" in each for each in told[2:])


async def test_while_requests_come_figures_move_although_nothing_is_under_way() -> None:
    found = news(Pulsing(PulseView(entries=1, under_way=(), busy=True)))
    told = [await anext(found) for _ in range(4)]

    assert all(each.startswith(b"event: figures") for each in told[2:])


async def test_it_ends_when_the_session_does() -> None:
    asked = 0

    def still() -> None:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise TokenUnknown

    told = [each async for each in news(Pulsing(PulseView(entries=1, under_way=())), still=still)]

    assert told[-1].startswith(b"event: signed-out")


async def test_it_ends_when_the_server_stops() -> None:
    stopping = asyncio.Event()
    found = news(Pulsing(PulseView(entries=1, under_way=())), stopping=stopping)
    await anext(found)
    await anext(found)
    stopping.set()

    assert [each async for each in found] == []
