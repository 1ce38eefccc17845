"""A version in its own serving process: started on a free port, watched, its CPU time read, and ended with all that it started."""

import ctypes
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from glideslope.domain.errors import Unavailable
from glideslope.evaluate.declared import Served

LOOPBACK: Final = "127.0.0.1"
STOP_WITHIN: Final = 10.0
"""Seconds that a server has to end in good order."""
_PR_SET_PDEATHSIG: Final = 1
_LOG_SHOWN: Final = 600


class ServerNotReady(Unavailable):
    """A version's server did not come up, does not answer, or ended by itself."""

    code = "server-not-ready"

    def __init__(self, *, arm: str, why: str) -> None:
        super().__init__(
            f"The {arm}'s server is not ready: {why}", traffic="Nothing is exposed offline; traffic is unchanged."
        )


@dataclass(slots=True)
class Server:
    """A version's server while it is measured. `process` is None for one that others started."""

    arm: str
    url: str
    process: subprocess.Popen[bytes] | None
    start: Callable[[], "tuple[str, subprocess.Popen[bytes]]"] | None = None
    starts: int = 1

    def is_alive(self) -> bool:
        """Tell whether it still runs; of one that others started nobody knows, so it is believed."""
        return self.process is None or self.process.poll() is None

    def revive(self, *, doubted: bool) -> bool:
        """Start it again if it ended; tell whether that was needed. Raises ServerNotReady when it does not come up.

        A process that ends closes its sockets before it is seen to have ended. So one whose answers were `doubted`, and that does not
        listen any more, is waited for, and ended if it stays.
        """
        if doubted and self.process is not None and self.is_alive() and not _listens(self.url):
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_WITHIN)
            _end(self.process)
        if self.is_alive() or self.start is None:
            return False
        self.url, self.process = self.start()
        self.starts += 1
        return True

    def cpu_seconds(self) -> float | None:
        """Return the CPU time that its processes took so far; None where they cannot be seen."""
        if self.process is None or not Path("/proc/self/stat").exists():
            return None
        ticks = os.sysconf("SC_CLK_TCK")
        return sum(_ticks(pid) for pid in _tree(self.process.pid)) / ticks


@contextmanager
def serving(served: Served, *, arm: str, folder: Path, log: Path) -> Iterator[Server]:
    """Yield the version's server, ready to answer, until left. Raises ServerNotReady.

    `folder` is where the command runs; what it prints goes to `log`. If this process is killed, the kernel ends the server.
    """
    if served.url is not None:
        _require_port(served.url, arm=arm)
        yield Server(arm=arm, url=served.url, process=None)
        return
    assert served.command is not None  # noqa: S101 - checked when it was read

    def start() -> tuple[str, subprocess.Popen[bytes]]:
        return _start(served, arm=arm, folder=folder, log=log)

    log.write_bytes(b"")
    url, process = start()
    server = Server(arm=arm, url=url, process=process, start=start)
    try:
        yield server
    finally:
        if server.process is not None:
            _end(server.process)


def _start(served: Served, *, arm: str, folder: Path, log: Path) -> tuple[str, subprocess.Popen[bytes]]:
    port = _free_port()
    words = [word.replace("{port}", str(port)).replace("{python}", sys.executable) for word in served.command or ()]
    parent = os.getpid()
    with log.open("ab") as out:
        try:
            process = subprocess.Popen(
                words,
                cwd=folder,
                env={**os.environ, "PORT": str(port)},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=(lambda: _die_with(parent)) if sys.platform == "linux" else None,  # noqa: PLW1509 - we have one thread
            )
        except OSError as error:
            raise ServerNotReady(arm=arm, why=f"{words[0]}: {error.strerror}.") from None
    deadline = time.monotonic() + served.patience / 1000
    try:
        while not (ready := _is_ready(port, served.ready)) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
    except BaseException:
        _end(process)
        raise
    if ready:
        return f"http://{LOOPBACK}:{port}", process
    ended = process.poll()
    _end(process)
    why = (
        f"{served.ready} did not answer 200 within {served.patience} ms" if ended is None else f"it ended with {ended}"
    )
    if not any("{port}" in word for word in served.command or ()):
        why += f". Its command does not say {{port}}, so it must listen on $PORT ({port} this time)"
    raise ServerNotReady(arm=arm, why=f"{why}. {_end_of(log)}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all of its session."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_WITHIN)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _die_with(parent: int) -> None:
    """Ask the kernel to end the server when we are gone, however we went (prctl(2))."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _is_ready(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=2.0)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _listens(url: str) -> bool:
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 80), timeout=STOP_WITHIN).close()
    except ConnectionError:
        return False
    except OSError:
        return True  # it does not answer, but nobody said that it is gone
    return True


def _require_port(url: str, *, arm: str) -> None:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=5.0).close()
    except OSError as error:
        raise ServerNotReady(arm=arm, why=f"nothing listens at {url}: {error.strerror or error}.") from None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _end_of(log: Path) -> str:
    text = log.read_text(encoding="utf-8", errors="replace").strip()[-_LOG_SHOWN:]
    return f"{log} ends: {text}" if text else f"{log} is empty."


def _tree(pid: int) -> Sequence[int]:
    found, waiting = [], [pid]
    while waiting:
        each = waiting.pop()
        found.append(each)
        with suppress(OSError):
            for task in Path(f"/proc/{each}/task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
    return found


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    # utime, stime, and those of children that have ended.
    return sum(int(fields[k]) for k in (11, 12, 13, 14))
