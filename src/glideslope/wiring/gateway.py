"""The gateway process: keeps one Envoy alive, whatever becomes of the server."""

import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta

from glideslope.adapters.clock import SystemClock
from glideslope.adapters.drivers.envoy.attendant import attending
from glideslope.adapters.drivers.envoy.bootstrap import Gateway
from glideslope.adapters.drivers.envoy.credentials import Credentials
from glideslope.adapters.drivers.envoy.line import Line
from glideslope.adapters.drivers.envoy.supervisor import run_gateway
from glideslope.settings import Settings
from glideslope.wiring import log_lines, tls
from glideslope.wiring.folder import make_state_folder, write_address


def run(settings: Settings) -> None:
    """Keep the gateway alive in this process until SIGTERM or SIGINT. Raises DriverUnavailable, PortInUse, CredentialsInvalid."""
    log_lines.configure(os.environ)
    asyncio.run(_run(settings))


async def _run(settings: Settings) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    line = _line(settings)
    make_state_folder(settings)
    doors = settings.doors

    def settled(gateway: Gateway) -> None:
        at = tls.url(gateway.host, gateway.port, tls=doors.tls)
        write_address(settings.gateway_address, at)
        if line is not None:
            # On a host of its own nobody else says where it is.
            sys.stdout.write(f"gateway  {at}, for the server at {line.host}:{line.port}\n")
            sys.stdout.flush()

    wanted = Gateway(port=settings.gateway_port, host=doors.gateway_host, line=line, tls=doors.tls is not None)
    shown = None if doors.tls is None else (doors.tls.cert, doors.tls.key)
    async with AsyncExitStack() as stack:
        if line is not None:
            wanted = replace(wanted, node=line.credentials.name)
            await stack.enter_async_context(attending(settings.gateway, line, now=SystemClock().now))
        await run_gateway(settings.gateway, wanted, stopping=stopping, settled=settled, shown=shown)


def _line(settings: Settings) -> Line | None:
    """Return the way to a server on another host. Raises CredentialsInvalid; credentials that have ended are told of later.

    A gateway must serve what it last carried, whether or not its server will speak to it.
    """
    if settings.line is None or settings.credentials is None:
        return None
    host, port = settings.line
    return Line(host, port, Credentials.load(settings.credentials), timedelta(seconds=settings.silence))
