"""One stream of server-sent events per browser, which says that something is new and never what: pages ask for that themselves."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Final

import msgspec

from glideslope.domain.errors import Denied
from glideslope.engine.courses import PulseView
from glideslope.engine.service import Service

LOOK_EVERY: Final = 1.0
"""Seconds between two looks for news: what is recorded shows within a second."""
FIGURES_EVERY: Final = 2.0
"""Seconds after which pages with live figures are told to ask for them, while a rollout is under way or requests come."""
BEAT: Final = 15.0
"""Seconds of silence after which a comment shows that the connection lives, and the session is looked at again."""


async def news(
    service: Service, *, still: Callable[[], object], stopping: asyncio.Event
) -> AsyncGenerator[bytes, None]:
    """Tell of news until the server stops or `still` raises Denied: whoever was signed in is not any more."""
    shown = PulseView(entries=-1, under_way=())
    silent, since = 0.0, 0.0
    yield b"retry: 2000\n\n"
    while not stopping.is_set():
        found = await service.pulse()
        since += LOOK_EVERY
        if found != shown:
            yield _event("news", found)
            shown, silent, since = found, 0.0, 0.0
        elif (found.under_way or found.busy) and since >= FIGURES_EVERY:
            yield _event("figures", found)
            silent, since = 0.0, 0.0
        silent += LOOK_EVERY
        if silent >= BEAT:
            yield b": nothing new\n\n"
            silent = 0.0
        try:
            still()
            await asyncio.wait_for(stopping.wait(), LOOK_EVERY)
        except TimeoutError:
            continue
        except Denied:
            yield b"event: signed-out\ndata: {}\n\n"
            return


def _event(kind: str, found: PulseView) -> bytes:
    return b"event: %s\nid: %d\ndata: %s\n\n" % (kind.encode(), found.entries, msgspec.json.encode(found))
