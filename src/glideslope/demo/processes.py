"""The demo's cast: a process tree as any user starts it, and one real model server per version."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LOOPBACK: Final = "127.0.0.1"
PATIENCE: Final = 60.0
"""Seconds that a process may take to be ready; importing scikit-learn on a busy machine takes several."""


class NotReady(RuntimeError):
    """A process of the demo did not come up; its log says why."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A running `glideslope up`: its state folder, and where its doors are."""

    state: Path
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def server(self) -> str:
        """The server's URL; another after a restart on any free port."""
        return (self.state / "address").read_text(encoding="utf-8").strip()

    @property
    def gateway(self) -> str:
        """The gateway's URL."""
        return (self.state / "gateway-address").read_text(encoding="utf-8").strip()

    @property
    def token(self) -> str:
        """The operator's token, which the first start made."""
        return (self.state / "token").read_text(encoding="utf-8").strip()

    def server_pid(self) -> int:
        """Return the process id of the server in the tree. Raises NotReady."""
        for pid in _children(self.process.pid):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if b"serve" in words:
                return pid
        raise NotReady("the server is not in its tree")


@contextlib.contextmanager
def tree(state: Path) -> Iterator[Tree]:
    """Run `glideslope up` on free ports until left. Raises NotReady."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    port = free_port()
    command = ["up", "--state", str(state), "--port", str(port), "--gateway-port", str(free_port())]
    with _running([sys.executable, "-m", "glideslope", *command], log=state / "up.log") as process:
        running = Tree(state=state, process=process, log=state / "up.log")
        wait_for_lines(running.log, "gateway ", process=process)
        yield running


@contextlib.contextmanager
def model_servers(folders: Mapping[str, Path], *, model: str, state: Path) -> Iterator[Mapping[str, str]]:
    """Serve each version from its folder until left; yield their URLs. Raises NotReady when one does not start."""
    with contextlib.ExitStack() as stack:
        ports: dict[str, int] = {}
        processes = {}
        for version, folder in folders.items():
            ports[version] = free_port()
            options = ["--folder", str(folder), "--port", str(ports[version]), "--version", version]
            options += ["--model", model, "--state", str(state)]
            command = [sys.executable, "-m", "glideslope.demo.model_server", *options]
            processes[version] = stack.enter_context(_running(command, log=_log(state, version)))
        deadline = time.monotonic() + PATIENCE
        for version, port in ports.items():
            while not _answers(port):
                if processes[version].poll() is not None or time.monotonic() > deadline:
                    raise NotReady(f"the model server of {version} did not start; see {_log(state, version)}")
                time.sleep(0.05)
        yield {version: f"http://{LOOPBACK}:{port}" for version, port in ports.items()}


def glideslope(*arguments: str, state: Path, token: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command line as a person in the folder above the state would; return what it said."""
    environment = {**os.environ, "NO_COLOR": "1"} | ({"GLIDESLOPE_TOKEN": token} if token else {})
    return subprocess.run(
        [sys.executable, "-m", "glideslope", *arguments],
        cwd=state.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def wait_for_lines(log: Path, beginning: str, *, process: subprocess.Popen[bytes]) -> None:
    """Wait until a log holds a line that begins so. Raises NotReady when the process ends before, or never says it."""
    deadline = time.monotonic() + PATIENCE
    while not any(line.startswith(beginning) for line in log.read_text(encoding="utf-8").splitlines()):
        if process.poll() is not None or time.monotonic() > deadline:
            raise NotReady(f"`glideslope up` did not become ready; its log {log} ends:\n{log.read_text()[-2000:]}")
        time.sleep(0.05)


@contextlib.contextmanager
def _running(command: Sequence[str], *, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _log(state: Path, version: str) -> Path:
    return state / f"model-server-{version}.log"


def _children(pid: int) -> Sequence[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((LOOPBACK, port)) == 0
