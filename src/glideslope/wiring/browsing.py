"""`glideslope browse`: the dashboard over a copy of a record, for readers; no gateway, no governor, no key, and nothing is kept."""

import asyncio
import contextlib
import secrets
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from glideslope.adapters.clock import SystemClock
from glideslope.adapters.drivers.inprocess import InProcessDriver
from glideslope.adapters.probe import HttpProbe
from glideslope.adapters.stores.sqlite.store import SqliteStore
from glideslope.domain.identity import Identity, Role
from glideslope.domain.ids import Actor
from glideslope.engine.app import World
from glideslope.engine.copies import Copy, NoKey, take_over
from glideslope.engine.ports import Clock
from glideslope.engine.views import CheckView
from glideslope.interfaces.api.app import create_app
from glideslope.interfaces.dashboard.link import SignInLink
from glideslope.interfaces.dashboard.site import beside, create_site
from glideslope.ledger import bundle, note
from glideslope.sdk.client import Client
from glideslope.sdk.requests import json_call
from glideslope.settings import LOOPBACK
from glideslope.wiring.server import listen
from glideslope.wiring.web import WebServer

READER: Final = Actor("reader")


def browse(lines: Sequence[bytes], *, key: str, port: int, ready: Callable[[str, str], None]) -> None:
    """Serve pages over the lines of a bundle that was verified with `key`, until SIGTERM or SIGINT.

    `ready` is told the address that signs a reader in, once, and a token for later. Raises PortInUse.
    """
    with contextlib.suppress(KeyboardInterrupt), tempfile.TemporaryDirectory(prefix="glideslope-browse-") as folder:
        asyncio.run(_serve(Path(folder), lines, key=key, port=port, ready=ready))


async def _serve(
    folder: Path, lines: Sequence[bytes], *, key: str, port: int, ready: Callable[[str, str], None]
) -> None:
    token = secrets.token_urlsafe(32)
    listening = listen(port, purpose="pages", setting="--port")
    address = f"http://{LOOPBACK}:{listening.getsockname()[1]}"
    async with SqliteStore(folder / "copy.sqlite") as store:
        app = await copy_of(lines, store=store, key=key, token=token)
        stopping = asyncio.Event()
        api = create_app(app, new_key=lambda: secrets.token_hex(16), stopping=stopping)
        pages = create_site(app, monotonic=time.monotonic, chance=lambda: secrets.token_urlsafe(32), stopping=stopping)
        server = WebServer(beside(api, pages), stopping=stopping)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, server.stop)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        ready(f"{address}{await asyncio.to_thread(_link, address, token)}?next=/tour", token)
        await serving


async def copy_of(lines: Sequence[bytes], *, store: SqliteStore, key: str, token: str) -> Copy:
    """Return what shows the lines of a verified bundle to the holder of a token. Raises StoreUnavailable."""
    found = bundle.parse(lines)
    await take_over(found, store=store, checkpoints=store)
    app = Copy(_world(store, _Standing(found.entries[-1].at if found.entries else ""), key=key, token=token))
    await app.load()
    return app


class _Standing(SystemClock):
    """A clock that stands at the last entry: what had run out by now had not then, and nobody waits any longer."""

    def __init__(self, at: str) -> None:
        self._at = datetime.fromisoformat(at) if at else super().now()

    def now(self) -> datetime:
        return self._at


def _world(store: SqliteStore, clock: Clock, *, key: str, token: str) -> World:
    async def checks() -> Sequence[CheckView]:
        return (CheckView(name="copy", ok=True, sentence="This is a copy of a record; nothing is governed here."),)

    return World(
        store=store,
        leases=store,
        counters=store,
        search=store,
        checkpoints=store,
        signer=NoKey(note.Verifier.parse(key).name),
        driver=InProcessDriver(clock=clock, first=False),
        grants=None,
        probe=HttpProbe(),
        clock=clock,
        identify={token: Identity(actor=READER, role=Role.READER)}.get,
        vkey=key,
        keys={},
        holder="copy",
        checks=checks,
    )


def _link(address: str, token: str) -> str:
    with Client(address, token, timeout=10.0) as client:
        found = client.send(json_call("POST", "/sign-in/links", content={}))
    return msgspec.convert(found, SignInLink).path
