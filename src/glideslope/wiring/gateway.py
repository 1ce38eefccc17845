"""The gateway process: keeps one Envoy alive, whatever becomes of the server."""

import asyncio
import signal

from glideslope.adapters.drivers.envoy.bootstrap import Gateway
from glideslope.adapters.drivers.envoy.supervisor import run_gateway
from glideslope.settings import Settings
from glideslope.wiring import tls
from glideslope.wiring.folder import make_state_folder, write_address


def run(settings: Settings) -> None:
    """Keep the gateway alive in this process until SIGTERM or SIGINT. Raises DriverUnavailable, PortInUse."""
    asyncio.run(_run(settings))


async def _run(settings: Settings) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    make_state_folder(settings)
    doors = settings.doors

    def settled(gateway: Gateway) -> None:
        write_address(settings.gateway_address, tls.url(gateway.host, gateway.port, tls=doors.tls))

    wanted = Gateway(port=settings.gateway_port, host=doors.gateway_host, tls=doors.tls is not None)
    shown = None if doors.tls is None else (doors.tls.cert, doors.tls.key)
    await run_gateway(settings.gateway, wanted, stopping=stopping, settled=settled, shown=shown)
