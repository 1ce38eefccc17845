"""A real HTTP server over a whole world on a clock that stands still, for whoever calls it from outside."""

import asyncio
import socket
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx

from glideslope.domain.commands import Halt, OrderRollback
from glideslope.domain.identity import Identity, Role
from glideslope.domain.ids import Actor
from glideslope.interfaces.api.app import create_app
from glideslope.testing.traffic import Behaviour
from glideslope.testing.world import ADA, GRACE, World, draft
from glideslope.wiring.web import WebServer

T = TypeVar("T")

WHO = {
    "gs_admin": Identity(ADA, Role.ADMIN),
    "gs_member": Identity(GRACE, Role.MEMBER),
    "gs_source": Identity(Actor("svc"), Role.SOURCE),
    "gs_reader": Identity(Actor("rob"), Role.READER),
}


class Served:
    """A world and its server, which run in a thread of their own. `do` runs something there."""

    def __init__(self, loop: asyncio.AbstractEventLoop, world: World) -> None:
        self.world = world
        self._loop = loop
        self._web: WebServer | None = None
        self._serving: asyncio.Task[None] | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def do(self, what: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(60)

    def size(self) -> int:
        return self.world.app.record.size()

    async def open(self) -> None:
        """Listen, on the same port as before if there was one."""
        stopping = asyncio.Event()
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self.port))
        listening.listen()
        listening.setblocking(False)
        self.port = listening.getsockname()[1]
        self._web = WebServer(create_app(self.world.app, new_key=self.world.key, stopping=stopping), stopping=stopping)
        self._serving = asyncio.ensure_future(self._web.serve(sockets=[listening]))

    async def close(self) -> None:
        """Answer nobody any more, as a server that is restarted."""
        assert self._web is not None
        assert self._serving is not None
        self._web.stop()
        await self._serving

    def http(self) -> httpx.Client:
        """Return a client of the admin's."""
        return httpx.Client(base_url=self.url, headers={"Authorization": "Bearer gs_admin"}, timeout=30)


async def lived() -> World:
    """Three models: one whose rollout was rolled back, one whose rollout is halted, one whose proposal waits for a yes."""
    world = World(identify=WHO.get)
    for model in ("delays", "arrivals", "fraud"):
        await world.serves(model, per_second=8, v1=Behaviour(), v2=Behaviour())
    first = await world.propose(draft("delays", "v2"))
    await world.run(2)
    await world.app.roll_back(OrderRollback(rollout=first, by=GRACE, why="tried"), key=world.key())
    await world.run(1)
    second = await world.propose(draft("arrivals", "v2"))
    await world.run(2)
    await world.app.halt(Halt(rollout=second, by=GRACE, why="lunch"), key=world.key())
    await world.propose(draft("fraud", "v2", approvals=1))
    await world.run(1)
    return world


@contextmanager
def served() -> Iterator[Served]:
    """Serve a lived-in world until left."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def begin() -> Served:
        found = Served(loop, await lived())
        await found.open()
        return found

    found = asyncio.run_coroutine_threadsafe(begin(), loop).result(60)
    try:
        yield found
    finally:
        found.do(found.close())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
