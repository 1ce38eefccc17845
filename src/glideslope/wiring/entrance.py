"""Lets callers in, one after another, and makes room for them: whoever connects takes a descriptor, whatever it does then.

asyncio's own servers take as many as are waiting, a hundred at a time, and tell nobody before each has a transport, or with TLS
a finished handshake. Callers who only connect would take every descriptor, and with the last one the governor's line to its
gateway: exposure would lapse.
"""

import asyncio
import logging
import resource
import socket
import ssl
from collections.abc import Callable
from typing import Final

RESERVED: Final = 128
"""Descriptors that callers never get: they are for the store, the gateway and model servers."""

MOST: Final = 10_000
FEWEST: Final = 16

HANDSHAKE: Final = 10.0
"""Seconds in which a caller must have agreed on its keys."""

PAUSE: Final = 0.05
"""Seconds until the next try when there was no descriptor after all."""

_log = logging.getLogger(__name__)


def most_callers() -> int:
    """Return how many callers may be connected at once, as this process's limits are now."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return max(FEWEST, min(MOST, soft - RESERVED))


class Entrance:
    """One listening socket and who comes in by it.

    `inside` counts who is in; `dismiss` ends the connection of whoever can be spared longest, and tells whether there was one.
    """

    def __init__(
        self,
        listening: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        *,
        tls: ssl.SSLContext | None,
        inside: Callable[[], int],
        dismiss: Callable[[], bool],
    ) -> None:
        self._listening = listening
        self._protocol = protocol
        self._tls = tls
        self._inside = inside
        self._dismiss = dismiss
        self._arriving: dict[asyncio.Task[None], None] = {}
        """Who is not in yet, first come first."""

    async def admit(self) -> None:
        """Let callers in until cancelled."""
        loop = asyncio.get_running_loop()
        self._listening.setblocking(False)
        try:
            while True:
                try:
                    caller, _ = await loop.sock_accept(self._listening)
                except OSError as error:
                    # A caller who is gone already, or no descriptor: then somebody must go.
                    _log.warning("nobody could be let in just now: %s", error.strerror)
                    self._make_room()
                    await asyncio.sleep(PAUSE)
                    continue
                if self._inside() + len(self._arriving) >= most_callers() and not self._make_room():
                    caller.close()
                    continue
                arriving = loop.create_task(self._enter(caller))
                self._arriving[arriving] = None
                arriving.add_done_callback(self._arrived)
                # Whoever was let in or dismissed is so before the next one: accept itself waits for nobody while there is somebody.
                await asyncio.sleep(0)
        finally:
            for arriving in self._arriving:
                arriving.cancel()

    def _make_room(self) -> bool:
        """End the oldest arrival when arrivals take most of the places, otherwise whom those inside can spare."""
        few = 2 * len(self._arriving) <= most_callers()
        if few and self._dismiss():
            return True
        oldest = next(iter(self._arriving), None)
        if oldest is None:
            return False
        del self._arriving[oldest]
        oldest.cancel()
        return True

    def _arrived(self, arriving: asyncio.Task[None]) -> None:
        self._arriving.pop(arriving, None)

    async def _enter(self, caller: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        patience = None if self._tls is None else HANDSHAKE
        try:
            # asyncio does this for sockets that name their protocol, and one that was accepted names none: an answer of two
            # writes, head and body, then waits 40 ms for the caller's kernel to acknowledge the first.
            caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.connect_accepted_socket(self._protocol, caller, ssl=self._tls, ssl_handshake_timeout=patience)
        except OSError:
            # It did not speak TLS, or no longer; an SSLError is an OSError.
            caller.close()
