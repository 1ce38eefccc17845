"""The long-running processes, as the command line starts them: each returns an exit status when it ends."""

import asyncio
import signal
import sys
from pathlib import Path

from glideslope.settings import Settings
from glideslope.wiring import gateway as gateway_process
from glideslope.wiring import server, tree


def up(*, state: Path, port: int, gateway_port: int, gateway: bool) -> int:
    """Start server and gateway in one process tree, until told to stop. Raises ChildFailed."""
    settings = Settings(state=state, port=port, gateway_port=gateway_port, with_gateway=gateway)
    asyncio.run(_up(settings))
    return 0


def serve(*, state: Path, port: int, gateway_port: int, gateway: bool) -> int:
    """Be the server process. Raises StoreInUse, StoreCorrupt, StoreUnavailable, PortInUse, DriverUnavailable."""
    server.run_server(Settings(state=state, port=port, gateway_port=gateway_port, with_gateway=gateway))
    return 0


def gateway(*, state: Path, gateway_port: int) -> int:
    """Be the gateway's supervisor. Raises DriverUnavailable, PortInUse."""
    gateway_process.run(Settings(state=state, gateway_port=gateway_port))
    return 0


async def _up(settings: Settings) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await tree.up(settings, say=_say, stopping=stopping)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
