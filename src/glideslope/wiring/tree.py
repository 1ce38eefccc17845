"""`glideslope up`: the process tree on one machine. A server and a gateway, each restarted when it dies, neither needed by the other."""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from glideslope.domain.errors import Unavailable
from glideslope.settings import LOOPBACK, Settings

_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 5.0
_SOUND: Final = 10.0
"""Seconds after which a start counts as having worked."""

_READY_WITHIN: Final = 30.0
_STOP_WITHIN: Final = 15.0
_PR_SET_PDEATHSIG: Final = 1


class ChildFailed(Unavailable):
    """A process of the tree ended before it was ready; it said why itself."""

    code = "child-failed"

    def __init__(self, *, name: str, status: int) -> None:
        super().__init__(f"The {name} ended with status {status} before it was ready; its own words are above.")


@dataclass(slots=True)
class _Child:
    name: str
    command: Sequence[str]
    dies_with_us: bool
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            *self.command,
            start_new_session=True,
            preexec_fn=_die_with_parent if self.dies_with_us else None,
        )


async def up(settings: Settings, *, say: Callable[[str], None], stopping: asyncio.Event) -> None:
    """Start the tree, tell when it is ready, keep it alive until `stopping`. Raises ChildFailed."""
    settings.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.address.unlink(missing_ok=True)
    me = (sys.executable, "-m", "glideslope")
    state = ("--state", str(settings.state))
    children = []
    if settings.with_gateway:
        # The gateway goes on when we are killed: traffic must not depend on who watches it.
        command = (*me, "gateway", *state, "--gateway-port", str(settings.gateway_port))
        children.append(_Child("gateway", command, dies_with_us=False))
    gateway = () if settings.with_gateway else ("--no-gateway",)
    children.append(_Child("server", (*me, "serve", *state, "--port", str(settings.port), *gateway), dies_with_us=True))
    tasks: list[asyncio.Task[None]] = []
    try:
        for child in children:
            await child.start()
        await _ready(children, settings)
        say(f"server   {settings.address.read_text().strip()}")
        if settings.with_gateway:
            say(f"gateway  {settings.gateway_address.read_text().strip()}")
        tasks = [asyncio.create_task(_keep(child, say=say)) for child in children]
        await stopping.wait()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for child in reversed(children):
            await _stop(child)


async def _ready(children: Sequence[_Child], settings: Settings) -> None:
    """Wait until each door answers. Raises ChildFailed."""
    deadline = asyncio.get_running_loop().time() + _READY_WITHIN
    doors = [settings.address] + ([settings.gateway_address] if settings.with_gateway else [])
    while True:
        for child in children:
            if child.process is not None and child.process.returncode is not None:
                raise ChildFailed(name=child.name, status=child.process.returncode)
        if all(door.exists() for door in doors):
            ports = [int(door.read_text().strip().rpartition(":")[2] or 0) for door in doors]
            if all([await _answers(port) for port in ports]):
                return
        if asyncio.get_running_loop().time() > deadline:
            raise ChildFailed(name="tree", status=-1)
        await asyncio.sleep(0.05)


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    writer.close()
    return True


async def _keep(child: _Child, *, say: Callable[[str], None]) -> None:
    """Start a child again whenever it dies, with growing pauses while it dies at once."""
    pause = _FIRST_PAUSE
    loop = asyncio.get_running_loop()
    while child.process is not None:
        started = loop.time()
        status = await child.process.wait()
        pause = _FIRST_PAUSE if loop.time() - started > _SOUND else min(_LONGEST_PAUSE, pause * 2)
        say(f"the {child.name} ended with status {status}; starting it again in {pause:g} s")
        await asyncio.sleep(pause)
        await child.start()


async def _stop(child: _Child) -> None:
    if child.process is None or child.process.returncode is not None:
        return
    child.process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(_STOP_WITHIN):
            await child.process.wait()
    except TimeoutError:
        child.process.kill()
        await child.process.wait()


def _die_with_parent() -> None:
    """Ask the kernel to end the server when the tree's root is gone: nobody would restart it (prctl(2))."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)
