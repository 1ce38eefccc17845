"""One Envoy as a process: started here or found alive, watched through a descriptor that cannot mistake it for another."""

import asyncio
import logging
import os
import resource
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec

from glideslope.adapters.drivers.envoy import layout
from glideslope.adapters.drivers.envoy.admin import Admin
from glideslope.adapters.drivers.envoy.bootstrap import Gateway
from glideslope.adapters.drivers.envoy.layout import Folder
from glideslope.domain.errors import DriverUnavailable

_POLL: Final = 0.02

_RESERVED: Final = 128
"""Descriptors for Envoy's own files, its admin, its line to the server and the health checks of many models."""

_FEWEST: Final = 16

_log = logging.getLogger(__name__)


class Running(msgspec.Struct, frozen=True):
    """What a gateway's folder says about its Envoy."""

    pid: Annotated[int, msgspec.Meta(gt=0, lt=2**31)]
    started: int
    """Clock ticks from the machine's start to the process's: with the pid it names one process, ever."""
    host: str
    port: int


@dataclass(slots=True, eq=False)
class Envoy:
    """A living Envoy. `child` is set when it is ours to reap."""

    running: Running
    descriptor: int
    child: subprocess.Popen[bytes] | None = None

    async def died(self) -> None:
        """Wait for its end."""
        loop = asyncio.get_running_loop()
        gone = asyncio.Event()
        loop.add_reader(self.descriptor, gone.set)
        try:
            await gone.wait()
        finally:
            loop.remove_reader(self.descriptor)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to this process and no other."""
        try:
            signal.pidfd_send_signal(self.descriptor, number)
        except ProcessLookupError:
            return

    def close(self) -> int | None:
        """Let go of what has died, and return how it ended if it was a child."""
        os.close(self.descriptor)
        return self.child.wait() if self.child else None


def most_connections() -> int:
    """Return how many callers an Envoy started here may have: each may need two descriptors, and the rest is Envoy's own.

    One that has none left neither answers its admin nor takes anybody, and exposure ends for want of a look at it.
    """
    return max(_FEWEST, (resource.getrlimit(resource.RLIMIT_NOFILE)[1] - _RESERVED) // 2)


def start(folder: Folder, gateway: Gateway, *, binary: Path) -> Envoy:
    """Start Envoy in its folder, in a session of its own: it outlives us, and an interrupt at the terminal is not for it."""
    with folder.log.open("ab") as log:
        child = subprocess.Popen(
            [
                str(binary),
                *("-c", folder.bootstrap.name),
                "--disable-hot-restart",
                *("--concurrency", str(gateway.concurrency)),
                *("-l", "warning"),
                # Else it complains twice a second for as long as no server lives.
                *("--component-log-level", "config:error"),
            ],
            cwd=folder.path,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    # Every connection is a descriptor, and the usual 1,024 are soon gone.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.prlimit(child.pid, resource.RLIMIT_NOFILE, (hard, hard))
    started = _started(child.pid)
    running = Running(pid=child.pid, started=started or 0, host=gateway.host, port=gateway.port)
    envoy = Envoy(running, os.pidfd_open(child.pid), child)
    remember(envoy, folder)
    return envoy


def remember(envoy: Envoy, folder: Folder) -> None:
    """Write down who Envoy is, unless it stands there, so that the next supervisor finds it.

    A full disk must not keep it from serving: then this is to be called again.
    """
    written = msgspec.json.encode(envoy.running).decode()
    try:
        if not (folder.pid.exists() and folder.pid.read_bytes() == written.encode()):
            layout.replace(folder.pid, written)
    except (OSError, DriverUnavailable) as error:
        _log.warning("cannot write down which process Envoy is: %s", error)


def find(folder: Folder) -> Envoy | None:
    """Return the Envoy that lives in this folder, whoever started it."""
    try:
        running = msgspec.json.decode(folder.pid.read_bytes(), type=Running)
        descriptor = os.pidfd_open(running.pid)
    except (FileNotFoundError, ProcessLookupError, UnicodeDecodeError, msgspec.DecodeError):
        return None
    if _started(running.pid) != running.started:
        os.close(descriptor)
        return None
    return Envoy(running, descriptor)


def discover(folder: Folder, *, host: str, port: int) -> Envoy | None:
    """Return the Envoy that lives in this folder, also one of which nobody wrote down who it is.

    Its supervisor may have been killed between starting it and saying so. It works in the folder and was started from its
    bootstrap, which proc(5) tells; `host` and `port` are those of that bootstrap.
    """
    if (known := find(folder)) is not None:
        return known
    home = folder.path.resolve()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            command = (entry / "cmdline").read_bytes().split(b"\0")
            if folder.bootstrap.name.encode() not in command or (entry / "cwd").readlink() != home:
                continue
            pid = int(entry.name)
            descriptor = os.pidfd_open(pid)
        except OSError:
            continue  # it ended meanwhile, or is somebody else's
        started = _started(pid)
        if started is None:
            os.close(descriptor)
            continue
        envoy = Envoy(Running(pid=pid, started=started, host=host, port=port), descriptor)
        remember(envoy, folder)
        return envoy
    return None


def running(folder: Path) -> Running | None:
    """Return where the gateway in `folder` listens, or None when no Envoy lives there."""
    envoy = find(Folder.at(folder))
    if envoy is None:
        return None
    envoy.close()
    return envoy.running


async def ready(folder: Path, *, timeout: float) -> Running:  # noqa: ASYNC109 - the bound belongs to the promise
    """Wait until the gateway in `folder` takes requests. Raises DriverUnavailable after `timeout` seconds."""
    admin = Admin(Folder.at(folder).admin)
    try:
        async with asyncio.timeout(timeout):
            while True:
                try:
                    await admin.get("/ready")
                except DriverUnavailable:
                    pass
                else:
                    if found := running(folder):
                        return found
                await asyncio.sleep(_POLL)
    except TimeoutError:
        raise DriverUnavailable(driver="envoy", why=f"it is not ready after {timeout:g} s") from None


async def stop(envoy: Envoy, folder: Folder, *, drain: float) -> None:
    """Take no new connections, let the requests under way finish for up to `drain` seconds, then end it."""
    admin = Admin(folder.admin)
    try:
        await admin.post("/drain_listeners")
        async with asyncio.timeout(drain):
            while (await admin.stats("^http.gateway.downstream_rq_active$")).popitem()[1] != "0":  # noqa: ASYNC110 - another process sets no event
                await asyncio.sleep(_POLL)
    except (DriverUnavailable, TimeoutError):
        pass
    envoy.send(signal.SIGTERM)
    try:
        async with asyncio.timeout(5):
            await envoy.died()
    except TimeoutError:
        envoy.send(signal.SIGKILL)
        await envoy.died()
    envoy.close()
    folder.pid.unlink(missing_ok=True)


def _started(pid: int) -> int | None:
    """Return field 22 of /proc/<pid>/stat, proc(5); None for a process that has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    after_name = stat.rpartition(") ")[2].split()
    return None if after_name[0] == "Z" else int(after_name[19])
