"""The gateway's end of the line to a server on another host: calls it, obeys its orders, and calls again when it is cut.

It stands beside the supervisor and is needed by nobody: without it Envoy serves on from its files, and exposure ends.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, assert_never

import grpc
import grpc.aio
import msgspec

from glideslope.adapters.drivers.envoy.credentials import SERVER, Credentials, CredentialsInvalid
from glideslope.adapters.drivers.envoy.door import LocalPlane, Plane
from glideslope.adapters.drivers.envoy.layout import Folder
from glideslope.adapters.drivers.envoy.line import (
    ATTEND,
    CHANNEL,
    SERVICE,
    TELLS_SILENCE,
    Absent,
    Answer,
    Count,
    Counted,
    Done,
    Failed,
    Line,
    Observe,
    Observed,
    Order,
    Publish,
    encode,
    read_order,
)
from glideslope.domain.errors import DriverUnavailable, NotFound

_AGAIN: Final = 0.25
_ANSWER_WITHIN: Final = 5.0
"""Seconds for a server that can be reached to take the call."""

_log = logging.getLogger(__name__)


@asynccontextmanager
async def attending(
    folder: Path, line: Line, *, now: Callable[[], datetime], patience: float = 5.0
) -> AsyncIterator[None]:
    """Obey the server for the Envoy in `folder` until left. Nothing is raised: a server that cannot be reached is called again."""
    plane = LocalPlane(Folder.at(folder), patience=patience)
    task = asyncio.create_task(_attend(plane, line, now=now))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await plane.close()


async def _attend(plane: Plane, line: Line, *, now: Callable[[], datetime]) -> None:
    said = ""
    while True:
        try:
            # Read anew each time: they may have been renewed.
            shown = Credentials.load(line.credentials.folder)
            why = await _call(plane, line, shown)
            if ended := shown.trouble(now()):
                why = f"the credentials in {shown.folder} are of no use: {ended}"
        except CredentialsInvalid as error:
            why = str(error)
        except Exception as error:  # noqa: BLE001 - the boundary of the loop: if it ended here, no server would be called again
            why = f"a mistake of ours: {error!r}"
        if why != said:
            _log.warning("no line to the server at %s:%d, incumbents are served: %s", line.host, line.port, why)
            said = why
        await asyncio.sleep(_AGAIN)


async def _call(plane: Plane, line: Line, shown: Credentials) -> str:
    """Attend once; return why it ended."""
    secure = grpc.ssl_channel_credentials(
        shown.authority.read_bytes(), shown.key.read_bytes(), shown.certificate.read_bytes()
    )
    # A pool of its own: one that is shared would remember for how long not to call again.
    alone = (("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1))
    options = (*CHANNEL, *alone, ("grpc.ssl_target_name_override", SERVER))
    host = f"[{line.host}]" if ":" in line.host else line.host
    async with grpc.aio.secure_channel(f"{host}:{line.port}", secure, options=options) as channel:
        try:
            async with asyncio.timeout(_ANSWER_WITHIN):
                await channel.channel_ready()
        except TimeoutError:
            return "it does not answer, or one of us does not believe the other"
        try:
            await _obey(plane, channel, silence=line.silence)
        except grpc.aio.AioRpcError as error:
            return error.details() or error.code().name
        except msgspec.DecodeError as error:
            return f"it ordered what cannot be read; is it of the same release? ({error})"
    return "it hung up"


async def _obey(plane: Plane, channel: grpc.aio.Channel, *, silence: timedelta) -> None:
    told = ((TELLS_SILENCE, f"{silence.total_seconds():g}"),)
    call = channel.stream_stream(f"/{SERVICE}/{ATTEND}")(metadata=told)  # type: ignore[call-arg] # the stubs forget that all have defaults
    publishing = asyncio.Lock()
    writing = asyncio.Lock()

    async def answer(order: Order) -> None:
        told = await _obeyed(plane, order, publishing)
        async with writing:
            # Whoever reads below says why the call has ended.
            with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
                await call.write(encode(told))

    obeying: set[asyncio.Task[None]] = set()
    try:
        async for message in call:
            task = asyncio.create_task(answer(read_order(message)))
            obeying.add(task)
            task.add_done_callback(obeying.discard)
    finally:
        for task in obeying:
            task.cancel()
        await asyncio.gather(*obeying, return_exceptions=True)


async def _obeyed(plane: Plane, order: Order, publishing: asyncio.Lock) -> Answer:
    try:
        match order:
            case Publish(making=making, final=final):
                async with publishing:
                    await plane.publish(making, final)
                return Done(order.number)
            case Observe(model=model):
                return Observed(order.number, await plane.observe(model))
            case Count(model=model):
                return Counted(order.number, dict(await plane.requests(model)))
            case _:
                assert_never(order)
    except NotFound:
        return Absent(order.number)
    except DriverUnavailable as error:
        return Failed(order.number, error.why)
