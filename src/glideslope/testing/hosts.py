"""Two hosts and the line between them, on one machine: network namespaces, and a wire that delays, loses and is cut.

Needs root, `ip` (iproute2) and /dev/net/tun. The wire is ours, packet by packet, and not the kernel's: netem is missing in
many a kernel, and a seed decides here which packet is lost.
"""

import asyncio
import contextlib
import ctypes
import fcntl
import itertools
import os
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

_TUN: Final = "/dev/net/tun"
_TUNSETIFF: Final = 0x400454CA
_IFF_TUN: Final = 0x0001
_IFF_NO_PI: Final = 0x1000
_CLONE_NEWNET: Final = 0x40000000
_LARGEST: Final = 65_536

SERVER: Final = "10.213.0.1"
GATEWAY: Final = "10.213.0.2"

_numbers = itertools.count()


def unable() -> str:
    """Return why there can be no hosts here; empty when there can."""
    if os.geteuid() != 0:
        return "only root makes network namespaces"
    if shutil.which("ip") is None:
        return "`ip` is missing: apt-get install iproute2"
    if not os.access(_TUN, os.R_OK | os.W_OK):
        return f"{_TUN} cannot be opened"
    name = f"gs-{os.getpid()}-probe"
    made = subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True, text=True)
    if made.returncode:
        return f"no network namespace can be made: {made.stderr.strip()}"
    _ip("netns", "del", name)
    return ""


@dataclass(frozen=True, slots=True)
class Host:
    """A host of its own, as far as the network goes."""

    name: str
    address: str
    end: int
    """The descriptor at the other side of its one interface."""

    @property
    def on(self) -> Sequence[str]:
        """What a command begins with to run there."""
        return ("nsenter", f"--net={self._namespace}")

    @property
    def _namespace(self) -> Path:
        return Path("/run/netns") / self.name

    async def dial(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect from there."""
        connected = await asyncio.to_thread(self._there, lambda: socket.create_connection((host, port), timeout=5))
        connected.setblocking(False)
        return await asyncio.open_connection(sock=connected)

    def listen(self, host: str, port: int) -> socket.socket:
        """Open a port there."""
        return self._there(lambda: socket.create_server((host, port)))

    def _there(self, make: Callable[[], socket.socket]) -> socket.socket:
        """Make a socket in this host's network: it stays there, whoever uses it. A thread of its own enters, and ends."""
        made: list[socket.socket | OSError] = []

        def enter() -> None:
            try:
                _enter(self._namespace)
                made.append(make())
            except OSError as error:
                made.append(error)

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        (found,) = made
        if isinstance(found, OSError):
            raise found
        return found


@dataclass(slots=True, eq=False)
class Wire:
    """Carries every packet between two hosts. Its qualities may be changed while it works."""

    server: Host
    gateway: Host
    seed: int = 1
    delay: float = 0.0
    """Seconds, each way."""
    loss: float = 0.0
    """The part of packets that is lost, each way."""
    to_gateway: bool = True
    """Whether the server's packets get through."""
    to_server: bool = True
    carried: int = 0
    lost: int = 0
    _random: Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)  # noqa: S311 - a seed, not a secret

    def cut(self) -> None:
        """Let nothing through, in silence."""
        self.to_gateway = self.to_server = False

    def heal(self) -> None:
        """Let all through, at once."""
        self.to_gateway = self.to_server = True
        self.delay = self.loss = 0.0

    @contextmanager
    def working(self) -> Iterator[None]:
        """Carry packets in the running event loop until left."""
        loop = asyncio.get_running_loop()
        ends = (self.server.end, self.gateway.end)
        for end in ends:
            loop.add_reader(end, self._take, end)
        try:
            yield
        finally:
            for end in ends:
                loop.remove_reader(end)

    def _take(self, end: int) -> None:
        with contextlib.suppress(BlockingIOError):
            while packet := os.read(end, _LARGEST):
                if self._random.random() < self.loss:
                    self.lost += 1
                elif self.delay:
                    asyncio.get_running_loop().call_later(self.delay, self._bring, end, packet)
                else:
                    self._bring(end, packet)

    def _bring(self, end: int, packet: bytes) -> None:
        # A packet that is on its way when the wire is cut is lost with it.
        if not (self.to_gateway if end == self.server.end else self.to_server):
            self.lost += 1
            return
        self.carried += 1
        with contextlib.suppress(OSError):  # a full queue drops, as a router's does
            os.write(self.gateway.end if end == self.server.end else self.server.end, packet)


@contextmanager
def two_hosts(*, seed: int = 1) -> Iterator[Wire]:
    """Make two hosts and the wire between them, and leave nothing of them behind."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(_host("s", SERVER, GATEWAY))
        gateway = stack.enter_context(_host("g", GATEWAY, SERVER))
        yield Wire(server, gateway, seed)


@contextmanager
def _host(letter: str, address: str, peer: str) -> Iterator[Host]:
    name = f"gs-{os.getpid()}-{next(_numbers)}{letter}"
    device = f"gs{os.getpid()}{letter}"
    end = os.open(_TUN, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.ioctl(end, _TUNSETIFF, struct.pack("16sH22x", device.encode(), _IFF_TUN | _IFF_NO_PI))
        _ip("netns", "add", name)
        try:
            _ip("link", "set", device, "netns", name)
            _ip("-n", name, "addr", "add", address, "peer", peer, "dev", device)
            for each in ("lo", device):
                _ip("-n", name, "link", "set", each, "up")
            yield Host(name, address, end)
        finally:
            _ip("netns", "del", name)
    finally:
        os.close(end)


def _enter(namespace: Path) -> None:
    """Move this thread into a network namespace, setns(2)."""
    with namespace.open() as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
