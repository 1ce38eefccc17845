"""`glideslope up`: the process tree on one machine. A server and a gateway, each restarted when it dies, neither needed by the other."""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from glideslope.adapters.drivers.envoy import lanes
from glideslope.adapters.drivers.envoy.layout import Folder
from glideslope.adapters.drivers.envoy.supervisor import relieve, sweep
from glideslope.adapters.stores.sqlite.lock import FileLock
from glideslope.domain.errors import DriverUnavailable, StoreInUse, Unavailable
from glideslope.settings import Settings
from glideslope.wiring import tls
from glideslope.wiring.folder import StateUnusable, make_state_folder, read_port

_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 5.0
_SOUND: Final = 10.0
"""Seconds after which a start counts as having worked."""

_READY_WITHIN: Final = 30.0
_STOP_WITHIN: Final = 20.0
"""Longer than a gateway may drain and an Envoy may take to end."""

_PREDECESSOR_WITHIN: Final = 10.0
"""Seconds for the server of an earlier tree, whose root was killed, to end."""

_POLL: Final = 0.05
_PR_SET_PDEATHSIG: Final = 1


class ChildFailed(Unavailable):
    """A process of the tree ended before it was ready; it said why itself."""

    code = "child-failed"

    def __init__(self, *, name: str, status: int) -> None:
        super().__init__(f"The {name} ended with status {status} before it was ready; its own words are above.")
        self.child = name


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
            preexec_fn=partial(_die_with_parent, os.getpid()) if self.dies_with_us else None,
        )


async def up(settings: Settings, *, say: Callable[[str], None], stopping: asyncio.Event) -> None:
    """Start the tree, tell when it is ready, keep it alive until `stopping`.

    A gateway that a killed tree left serving is taken over without a request lost. While the gateway has models to serve,
    a server that does not start is tried again and again: the incumbents are served without it. Raises StateUnusable,
    StoreInUse for a second tree in the same folder, ChildFailed (in the end, when the server never got ready).
    """
    make_state_folder(settings)
    tls.ready(settings)
    try:
        Folder.at(settings.gateway)
    except DriverUnavailable as error:
        raise StateUnusable(path=settings.state, why="its path is too long for the sockets in it") from error
    # Before anything is touched: the folder may be the home of a living tree.
    sole = FileLock(settings.state / "up")
    try:
        await _inherit(settings)
        await _run(settings, say=say, stopping=stopping)
    finally:
        sole.release()


async def _inherit(settings: Settings) -> None:
    """Make way for new children in a folder whose last tree was killed. Raises StoreInUse, DriverUnavailable."""
    settings.address.unlink(missing_ok=True)
    settings.gateway_address.unlink(missing_ok=True)
    if settings.runs_gateway:
        await relieve(settings.gateway)
    deadline = asyncio.get_running_loop().time() + _PREDECESSOR_WITHIN
    while True:
        try:
            FileLock(settings.database).release()
        except StoreInUse:
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(_POLL)
        else:
            return


async def _run(settings: Settings, *, say: Callable[[str], None], stopping: asyncio.Event) -> None:
    me = (sys.executable, "-m", "glideslope")
    state = ("--state", str(settings.state))
    children = []
    if settings.runs_gateway:
        # The gateway goes on when we are killed: traffic must not depend on who watches it.
        command = (*me, "gateway", *state, "--gateway-port", str(settings.gateway_port), *_door_options(settings))
        children.append(_Child("gateway", command, dies_with_us=False))
    gateway: tuple[str, ...] = () if settings.with_gateway else ("--no-gateway",)
    if settings.gateway_listen is not None:
        gateway = ("--gateway-listen", "{}:{}".format(*settings.gateway_listen))
    command = (
        *me,
        "serve",
        *state,
        "--port",
        str(settings.port),
        *gateway,
        *_log_options(settings),
        *_door_options(settings),
    )
    children.append(_Child("server", command, dies_with_us=True))
    tasks: list[asyncio.Task[None]] = []
    try:
        for child in children:
            await child.start()
        failed = await _ready(children, settings, say=say, stopping=stopping)
        if failed is not None:
            if not (failed.child == "server" and settings.runs_gateway and await _carries(settings)):
                raise failed
            say(f"{failed.sentence} The gateway goes on and serves the incumbents.")
        tasks = [asyncio.create_task(_keep(child, say=say)) for child in children]
        if failed is not None:
            failed = await _late(settings, stopping=stopping, failed=failed)
        if not stopping.is_set():
            _tell(settings, say=say)
        await stopping.wait()
        if failed is not None:
            raise failed
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for child in reversed(children):
            await _stop(child)
        if settings.runs_gateway:
            # Its supervisor may have been killed just now, and would not be started again.
            await sweep(settings.gateway)


def _log_options(settings: Settings) -> Sequence[str]:
    keep = settings.keep_log
    return () if keep is None else ("--prediction-log", "--keep-log", f"{keep:.0f}s")


def _door_options(settings: Settings) -> Sequence[str]:
    doors = settings.doors
    shown = () if doors.tls is None else ("--tls-cert", str(doors.tls.cert), "--tls-key", str(doors.tls.key))
    insecure = ("--insecure-no-tls",) if doors.insecure else ()
    return ("--host", doors.host, "--gateway-host", doors.gateway_host, *shown, *insecure)


def _tell(settings: Settings, *, say: Callable[[str], None]) -> None:
    say(f"server   {settings.address.read_text().strip()}   (its pages: glideslope open)")
    if settings.runs_gateway:
        say(f"gateway  {settings.gateway_address.read_text().strip()}")
    if settings.gateway_listen is not None:
        say("gateway  expected at {}:{} from another host".format(*settings.gateway_listen))


async def _ready(
    children: Sequence[_Child], settings: Settings, *, say: Callable[[str], None], stopping: asyncio.Event
) -> ChildFailed | None:
    """Wait until each door answers, or we are to stop; return what ended before. A long record takes long to read.

    Who was killed is started again, here as later: it had no reason of its own to end, and to give up because of it would
    take along a gateway that an earlier tree left serving. And what an earlier tree started as it was killed may come to life
    only after we have looked for it: it is relieved then.
    """
    patience = asyncio.get_running_loop().time() + _READY_WITHIN
    while not (stopping.is_set() or await _all_answer(_doors(settings))):
        for child in children:
            status = None if child.process is None else child.process.returncode
            if status is not None and status >= 0 and child.name == "gateway" and await relieve(settings.gateway):
                say("a gateway of an earlier tree had come first; taking its place")
                await child.start()
                continue
            if status is not None and status >= 0:
                return ChildFailed(name=child.name, status=status)
            if status is not None:
                say(_again(child, status=status, pause=_FIRST_PAUSE))
                await asyncio.sleep(_FIRST_PAUSE)
                await child.start()
        if asyncio.get_running_loop().time() > patience:
            say("The server is still starting: it reads its record. Ctrl-C stops it.")
            patience = float("inf")
        await asyncio.sleep(_POLL)
    return None


async def _carries(settings: Settings) -> bool:
    """Tell whether the gateway answers and has models to serve, whatever becomes of the server."""
    try:
        if not lanes.load(Folder.at(settings.gateway).lanes):
            return False
    except DriverUnavailable:
        # What the server made it from is damaged; what the gateway serves from is not thereby.
        pass
    deadline = asyncio.get_running_loop().time() + _READY_WITHIN
    gateway = {settings.gateway_address: tls.reached_at(settings.doors.gateway_host)}
    while not (answers := await _all_answer(gateway)):
        if asyncio.get_running_loop().time() > deadline:
            break
        await asyncio.sleep(_POLL)
    return answers


async def _late(settings: Settings, *, stopping: asyncio.Event, failed: ChildFailed) -> ChildFailed | None:
    """Wait for a server that is tried again and again; return what failed when we are to stop before."""
    while not stopping.is_set():
        if await _all_answer(_doors(settings)):
            return None
        await asyncio.sleep(_POLL)
    return failed


def _doors(settings: Settings) -> Mapping[Path, str]:
    """Return where each door is written, and the host on which it is reached."""
    found = {settings.address: tls.reached_at(settings.doors.host)}
    if settings.runs_gateway:
        found[settings.gateway_address] = tls.reached_at(settings.doors.gateway_host)
    return found


async def _all_answer(doors: Mapping[Path, str]) -> bool:
    ports = {door: read_port(door) for door in doors}
    return all([port is not None and await _answers(doors[door], port) for door, port in ports.items()])


async def _answers(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(host, port)
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
        say(_again(child, status=status, pause=pause))
        await asyncio.sleep(pause)
        await child.start()


def _again(child: _Child, *, status: int, pause: float) -> str:
    return f"the {child.name} ended with status {status}; starting it again in {pause:g} s"


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


def _die_with_parent(parent: int) -> None:
    """Ask the kernel to end the server when the tree's root is gone: nobody would restart it (prctl(2))."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)
