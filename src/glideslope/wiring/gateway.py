"""The gateway process: keeps one Envoy alive, whatever becomes of the server."""

import asyncio
import signal
import socket

from glideslope.adapters.drivers.envoy.bootstrap import Gateway
from glideslope.adapters.drivers.envoy.supervisor import run_gateway
from glideslope.settings import LOOPBACK, Settings


def run(settings: Settings) -> None:
    """Keep the gateway alive in this process until SIGTERM or SIGINT. Raises DriverUnavailable, PortInUse."""
    asyncio.run(_run(settings))


async def _run(settings: Settings) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    settings.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    port = settings.gateway_port or _last_port(settings) or _free_port()
    settings.gateway_address.write_text(f"http://{LOOPBACK}:{port}\n")
    await run_gateway(settings.gateway, Gateway(port=port, host=LOOPBACK), stopping=stopping)


def _last_port(settings: Settings) -> int:
    """Return the port of the last time, so that callers find the gateway again; 0 when there was none."""
    try:
        return int(settings.gateway_address.read_text().strip().rpartition(":")[2])
    except (OSError, ValueError):
        return 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])
