"""What does not fit into one answer: a rollout as it changes and the ledger as it grows (server-sent events), and all of it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response, StreamingResponse

from glideslope.domain.errors import GlideslopeError, Unavailable
from glideslope.domain.ids import RolloutId, model_name
from glideslope.engine.repository import Told
from glideslope.engine.views import RolloutView
from glideslope.interfaces.api.door import LOOKING, Door
from glideslope.interfaces.api.openapi import described
from glideslope.interfaces.api.problems import problem_of

EVENTS: Final = "text/event-stream"
BUNDLE: Final = "application/octet-stream"
BEAT: Final = 15.0
"""Seconds of silence after which a comment shows that the connection lives."""
CHUNK: Final = 64 * 1024
MOST: Final = 256
"""Event streams at once. With 1,500 the governor came too late to renew leases."""
MOST_LEDGERS: Final = 16
"""Ledgers on their way at once: each holds a page of it until its caller takes it."""


class TooManyStreams(Unavailable):
    code = "too-many-streams"

    def __init__(self, what: str, *, most: int) -> None:
        super().__init__(
            f"{most} {what} are open already, and more would keep the governor from its work.",
            next_command="glideslope status --wait",
        )


def streams(door: Door, *, stopping: asyncio.Event) -> APIRouter:
    """Return the streaming routes; all event streams end when `stopping` is set, so that a shutdown need not wait for them."""
    router = APIRouter(tags=["streams"])
    open_: set[object] = set()
    fetched: set[object] = set()

    @router.get(
        "/v1/rollouts/{rollout}/events",
        summary="Follow a rollout: its view now and after each change, as server-sent events",
        **described(answer=EVENTS),
    )
    async def events(request: Request, rollout: str) -> Response:
        door.caller(request, LOOKING, act="look")
        if len(open_) >= MOST:
            raise TooManyStreams("event streams", most=MOST)
        views = door.service.follow(RolloutId(rollout))
        # The first is awaited here, so that an unknown rollout is a 404 and not a broken stream.
        first = await anext(views)
        stream = _counted(follow(first, views, stopping=stopping), among=open_)
        return StreamingResponse(stream, media_type=EVENTS, headers={"Cache-Control": "no-store"})

    @router.get(
        "/v1/events",
        summary="Follow the ledger: each entry once and in order, as server-sent events",
        **described(answer=EVENTS),
    )
    async def entries(
        request: Request,
        start: Annotated[
            int | None,
            Query(alias="from", ge=0, le=2**53, description="From this entry on; without it those to come."),
        ] = None,
        model: Annotated[str, Query(max_length=200, description="About this model alone.")] = "",
        kind: Annotated[list[str], Query(max_length=100, description="Of these kinds alone.")] = [],  # noqa: B006 - FastAPI copies it
        last: Annotated[
            int | None,
            Header(
                alias="Last-Event-ID", ge=-1, le=2**53, description="Go on after this entry; `from` is passed over."
            ),
        ] = None,
    ) -> Response:
        door.caller(request, LOOKING, act="look")
        if len(open_) >= MOST:
            raise TooManyStreams("event streams", most=MOST)
        about = model_name(model) if model else None
        told = door.service.entries(start=start if last is None else last + 1, model=about, kinds=frozenset(kind))
        stream = _counted(follow_entries(told, stopping=stopping), among=open_)
        return StreamingResponse(stream, media_type=EVENTS, headers={"Cache-Control": "no-store"})

    @router.get("/v1/ledger", summary="Fetch the whole ledger as a bundle", **described(answer=BUNDLE))
    async def ledger(request: Request) -> Response:
        door.caller(request, LOOKING, act="look")
        if len(fetched) >= MOST_LEDGERS:
            raise TooManyStreams("fetched ledgers", most=MOST_LEDGERS)
        pieces = _joined(await door.service.ledger())
        first = await anext(pieces, b"")
        headers = {"Content-Disposition": 'attachment; filename="ledger.bundle"', "Cache-Control": "no-store"}
        stream = _counted(_with_first(first, pieces), among=fetched)
        return StreamingResponse(stream, media_type=BUNDLE, headers=headers)

    return router


async def follow(
    first: RolloutView, views: AsyncIterator[RolloutView], *, stopping: asyncio.Event, beat: float = BEAT
) -> AsyncGenerator[bytes, None]:
    """Write views as server-sent events until the rollout has ended, the views do, or the server stops."""
    yield _event(first)
    view = first
    stop = asyncio.ensure_future(stopping.wait())
    coming = asyncio.ensure_future(_next(views))
    try:
        while not view.ended:
            done, _ = await asyncio.wait({coming, stop}, timeout=beat, return_when=asyncio.FIRST_COMPLETED)
            if stop in done:
                return
            if not done:
                yield b": nothing changed\n\n"
                continue
            try:
                found = coming.result()
            except GlideslopeError as error:
                yield b"event: problem\ndata: " + msgspec.json.encode(problem_of(error)) + b"\n\n"
                return
            if found is None:
                return
            view = found
            yield _event(view)
            coming = asyncio.ensure_future(_next(views))
    finally:
        stop.cancel()
        coming.cancel()
        with suppress(asyncio.CancelledError, GlideslopeError):
            await coming


async def follow_entries(
    told: AsyncIterator[Told], *, stopping: asyncio.Event, beat: float = BEAT
) -> AsyncGenerator[bytes, None]:
    """Write entries of the ledger as server-sent events until the server stops.

    The id of each is its place in the ledger. What was passed over moves the id too, so that whoever comes back need not read it again.
    """
    stop = asyncio.ensure_future(stopping.wait())
    coming = asyncio.ensure_future(anext(told))
    try:
        while True:
            done, _ = await asyncio.wait({coming, stop}, timeout=beat, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                yield b": nothing new\n\n"
            elif coming not in done:
                return
            else:
                position, entry = coming.result()
                data = b"" if entry is None else b"event: entry\ndata: %s\n" % msgspec.json.encode(entry)
                yield b"id: %d\n%s\n" % (position, data)
                coming = asyncio.ensure_future(anext(told))
    except GlideslopeError as error:
        yield b"event: problem\ndata: " + msgspec.json.encode(problem_of(error)) + b"\n\n"
    finally:
        stop.cancel()
        coming.cancel()
        with suppress(asyncio.CancelledError, GlideslopeError):
            await coming


async def _counted(stream: AsyncGenerator[bytes, None], *, among: set[object]) -> AsyncGenerator[bytes, None]:
    among.add(stream)
    try:
        async for piece in stream:
            yield piece
    finally:
        among.discard(stream)
        await stream.aclose()


async def _next(views: AsyncIterator[RolloutView]) -> RolloutView | None:
    return await anext(views, None)


def _event(view: RolloutView) -> bytes:
    return b"event: rollout\nid: %d\ndata: %s\n\n" % (view.version, msgspec.json.encode(view))


async def _joined(lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Send many lines at once: a ledger has some hundred thousand."""
    kept = bytearray()
    async for line in lines:
        kept += line
        if len(kept) >= CHUNK:
            yield bytes(kept)
            kept.clear()
    if kept:
        yield bytes(kept)


async def _with_first(first: bytes, rest: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    yield first
    async for piece in rest:
        yield piece
