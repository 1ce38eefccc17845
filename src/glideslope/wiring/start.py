"""`glideslope up` as the command line starts it: the root of the process tree, told by signals when to end."""

import asyncio
import signal
import sys

from glideslope.settings import Settings
from glideslope.wiring import tree


def up(settings: Settings) -> int:
    """Start server and gateway in one process tree, until told to stop. Raises what `tree.up` does."""
    asyncio.run(_up(settings))
    return 0


async def _up(settings: Settings) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    # A terminal that is closed hangs up: without this the gateway would go on with nobody left to end it.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stopping.set)
    await tree.up(settings, say=_say, stopping=stopping)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
