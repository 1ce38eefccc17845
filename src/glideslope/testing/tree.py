"""A real `glideslope up` on free ports, driven through its public doors only: signals, command line, HTTP, files."""

import asyncio
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

from glideslope.testing.http import Dial, Message, exchange

PATIENCE: Final = 30.0
"""Seconds that a real process may take on a busy machine."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str


@dataclass(slots=True, eq=False)
class Tree:
    """A running `glideslope up`, or one that has ended."""

    state: Path
    process: subprocess.Popen[bytes]
    log: Path
    dial: Dial = asyncio.open_connection
    """Reaches its doors."""

    @property
    def port(self) -> int:
        """The server's."""
        return _port(self.state / "address")

    @property
    def gateway_port(self) -> int:
        """The gateway's."""
        return _port(self.state / "gateway-address")

    @property
    def token(self) -> str:
        """The operator's token, which the first start made."""
        return (self.state / "token").read_text().strip()

    @property
    def trust(self) -> ssl.SSLContext | None:
        """What its callers trust, when its doors speak TLS."""
        encrypted = (self.state / "address").read_text().startswith("https")
        return ssl.create_default_context(cafile=self.state / "ca.pem") if encrypted else None

    @property
    def said(self) -> str:
        """Everything that the tree has written, its children's words included."""
        return self.log.read_text()

    def pids(self) -> dict[str, int]:
        """Return the processes that are alive now, by what they are: up, server, gateway, envoy."""
        found = {"up": self.process.pid} if self.process.poll() is None else {}
        return found | {name: pid for name, pid in living(self.state).items() if name != "up"}

    async def call(
        self, method: str, path: str, body: object = None, *, token: str | None = None, key: str = ""
    ) -> tuple[int, Any]:
        """Ask the API; return status and decoded body. Raises ConnectionError when nobody answers."""
        headers = {"authorization": f"Bearer {self.token if token is None else token}"}
        if key:
            headers["idempotency-key"] = key
        content = b"" if body is None else json.dumps(body).encode()
        answer = await exchange(self.port, method, path, headers=headers, body=content, dial=self.dial, tls=self.trust)
        return answer.status, json.loads(answer.body) if answer.body else None

    async def ask(self, model: str, subject: str, *, headers: Mapping[str, str] | None = None) -> Message:
        """Ask the gateway for a prediction. Raises ConnectionError when nobody answers."""
        named = {"x-glideslope-subject": subject, **(headers or {})}
        return await exchange(self.gateway_port, "POST", f"/{model}/predict", headers=named, body=b"{}", tls=self.trust)

    async def cli(self, *arguments: str) -> Ended:
        """Run the command line as a person in the folder above the state folder would."""
        return await cli(*arguments, folder=self.state.parent)

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal to `up` and wait for its end."""
        self.process.send_signal(number)
        return await asyncio.to_thread(self.process.wait, PATIENCE)


async def cli(*arguments: str, folder: Path) -> Ended:
    """Run the command line in a folder."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "glideslope", *arguments,
        cwd=folder, env={**os.environ, "NO_COLOR": "1"}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    return Ended(status=process.returncode or 0, out=out.decode(), err=err.decode())


def start(state: Path, *options: str, on: Sequence[str] = (), dial: Dial = asyncio.open_connection) -> Tree:
    """Start `glideslope up` without waiting for it; it takes any free ports unless `options` say more.

    `on` is what a command on another host begins with.
    """
    state.parent.mkdir(parents=True, exist_ok=True)
    log = next(path for n in count() if not (path := state.parent / f"up-{n}.log").exists())
    free = ("--port", "0", "--gateway-port", "0")
    with log.open("wb") as writing:
        process = subprocess.Popen(
            [*on, sys.executable, "-m", "glideslope", "up", "--state", str(state), *free, *options],
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Tree(state=state, process=process, log=log, dial=dial)


@asynccontextmanager
async def tree(state: Path, *options: str) -> AsyncIterator[Tree]:
    """Run a tree until left, and leave none of its processes behind. Raises AssertionError when it does not get ready."""
    running = start(state, *options)
    try:
        await ready(running)
        yield running
    finally:
        end(running)


async def ready(running: Tree) -> None:
    """Wait until the tree says where its doors are. Raises AssertionError."""

    def told() -> bool:
        if running.process.poll() is not None:
            raise AssertionError(f"`glideslope up` ended:\n{running.said[-3000:]}")
        return any(line.startswith("server ") for line in running.said.splitlines())

    await until(told, what=lambda: f"`glideslope up` is ready; it said:\n{running.said[-3000:]}")


def end(running: Tree) -> None:
    """End a tree, at first politely; then kill whatever still works in its state folder."""
    with suppress(subprocess.TimeoutExpired):
        running.process.terminate()
        running.process.wait(PATIENCE)
    for pid in [running.process.pid, *living(running.state).values()]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    running.process.wait()


async def until(
    condition: Callable[[], object], *, what: Callable[[], str] | str, seconds: float = PATIENCE, every: float = 0.02
) -> None:
    """Wait for something that real processes do in their own time. Raises AssertionError when they do not."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {seconds:g} s: {what if isinstance(what, str) else what()}")
        await asyncio.sleep(every)


def living(state: Path) -> dict[str, int]:
    """Return the processes that work in a state folder, by what they are: up, server, gateway, envoy."""
    found: dict[str, int] = {}
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        with suppress(OSError):
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if "--disable-hot-restart" in words and (process / "cwd").readlink() == (state / "gateway").absolute():
                found["envoy"] = int(process.name)
            elif "glideslope" in words and str(state) in words:
                verb = words[words.index("glideslope") + 1]
                found["server" if verb == "serve" else verb] = int(process.name)
    return found


def _port(address: Path) -> int:
    return int(address.read_text().strip().rpartition(":")[2])
