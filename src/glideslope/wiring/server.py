"""The server process: state, engine, data plane and HTTP API in one event loop."""

import asyncio
import contextlib
import importlib
import os
import random
import resource
import secrets
import signal
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final, cast

from glideslope.adapters.certificates import Shown
from glideslope.adapters.clock import SystemClock
from glideslope.adapters.drivers.envoy.credentials import Authority
from glideslope.adapters.drivers.envoy.driver import EnvoyDriver
from glideslope.adapters.drivers.envoy.remote import RemoteDoor
from glideslope.adapters.drivers.inprocess import InProcessDriver
from glideslope.adapters.identity.passkeys import WebAuthn
from glideslope.adapters.identity.providers import FileProviders
from glideslope.adapters.identity.tokens import FileTokens
from glideslope.adapters.metrics.installed import InstalledPlugins
from glideslope.adapters.notifiers.built_in import Notifiers
from glideslope.adapters.probe import HttpProbe
from glideslope.adapters.secret_file import create_secret, read_secret
from glideslope.adapters.signers.file_key import FileKeySigner
from glideslope.adapters.stores.sqlite.deliveries import SqliteDeliveries
from glideslope.adapters.stores.sqlite.people import SqlitePeople
from glideslope.adapters.stores.sqlite.store import SqliteStore
from glideslope.domain.errors import PortInUse, StoreCorrupt, StoreUnavailable
from glideslope.domain.ids import Actor
from glideslope.domain.receipt import ReceiptKey
from glideslope.engine.app import App, World
from glideslope.engine.calendars import HolidaysOf, no_holidays
from glideslope.engine.log_desk import KEEP
from glideslope.engine.ports import Driver, Grants, Served
from glideslope.engine.prediction_log import PredictionLog
from glideslope.engine.telling.ports import Outlets
from glideslope.engine.tracing import NO_TRACER, Tracer
from glideslope.engine.views import CheckView
from glideslope.interfaces.api.app import create_app
from glideslope.interfaces.dashboard.site import beside, create_site
from glideslope.interfaces.dashboard.ways import Ways
from glideslope.interfaces.metering import HttpMeter
from glideslope.settings import LOOPBACK, Settings
from glideslope.wiring import accounts, artifacts, log_lines, rules, tls, tracing, witnesses
from glideslope.wiring.channels import ChannelsFile
from glideslope.wiring.folder import make_state_folder, write_address
from glideslope.wiring.web import WebServer

_RENEW_BEFORE: Final = timedelta(days=30)
"""What a gateway shows is to be replaced this long before it ends."""

OPA: Final = "GLIDESLOPE_OPA"
OPA_TOKEN: Final = "GLIDESLOPE_OPA_TOKEN"  # noqa: S105 - the name of a variable
"""Where an OPA server is asked about rules of policies in force, and what it is shown; as for `glideslope policy`."""

NOTE_EVERY: Final = 60.0
"""Seconds between two writings of when tokens were used."""

ORIGIN: Final = "glideslope"
"""The name under which the ledger's checkpoints are signed."""


async def serve(settings: Settings) -> None:
    """Serve until told to stop. Raises StoreInUse, StoreCorrupt, StoreUnavailable, PortInUse, DriverUnavailable."""
    make_state_folder(settings)
    doors = settings.doors
    shown = None if doors.tls is None else Shown(doors.tls.cert, doors.tls.key)
    listening = listen(settings.port, purpose="server", setting="--port", host=doors.host)
    port = listening.getsockname()[1]
    async with tracing.following(os.environ) as tracer, running(settings, tracer=tracer) as app:
        stopping = asyncio.Event()
        meter = HttpMeter(tracer=tracer)
        api = create_app(app, new_key=lambda: secrets.token_hex(16), stopping=stopping, more=meter.families)
        pages = create_site(
            app,
            monotonic=time.monotonic,
            chance=lambda: secrets.token_urlsafe(32),
            stopping=stopping,
            ways=_ways(settings),
        )
        doorway = meter.around(beside(api, pages), [*api.routes, *pages.routes])
        server = WebServer(doorway, stopping=stopping, shown=shown)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, server.stop)
        write_address(settings.address, tls.url(doors.host, port, tls=doors.tls))
        await server.serve(sockets=[listening])


def _ways(settings: Settings) -> Ways:
    """Return how people sign in besides by token. Raises StoreUnavailable, StoreCorrupt, ProvidersInvalid."""
    now = SystemClock().now
    return Ways(
        accounts.opened(settings.state),
        authenticators=WebAuthn(),
        providers=FileProviders(settings.state, monotonic=time.monotonic, now=now),
        now=now,
    )


@asynccontextmanager
async def running(settings: Settings, *, tracer: Tracer = NO_TRACER) -> AsyncIterator[App]:
    """Open the state, start the data plane and govern, until left."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(SqliteStore(settings.database))
        people = await stack.enter_async_context(SqlitePeople(settings.people))
        deliveries = await stack.enter_async_context(SqliteDeliveries(settings.deliveries))
        tokens = FileTokens(settings.state, now=clock.now)
        tokens.first_start(Actor(_operator()), at=clock.now(), random_bytes=secrets.token_bytes(32))
        signer = FileKeySigner(settings.checkpoint_key, name=ORIGIN, random_bytes=secrets.token_bytes)
        sink = _Sink()
        driver: Driver
        grants: Grants | None = None
        door = _door(settings, clock)
        if settings.with_gateway:
            driver = await stack.enter_async_context(EnvoyDriver(settings.gateway, sink=sink, door=door))
        else:
            driver = grants = InProcessDriver(clock=clock, first=False)

        async def checks() -> Sequence[CheckView]:
            shown = [] if settings.doors.tls is None else [tls.check(settings.doors.tls)]
            found = [_state_check(settings), *shown, *await artifacts.checked(settings.artifacts, app.record)]
            return [*found, _line_check(door, now=clock.now())] if door is not None else found

        log = None if settings.keep_log is None else await stack.enter_async_context(_log(settings))
        secret = _receipt_secret(settings)
        # Receipts were once signed with the secret itself, and their outcomes may still come.
        keys = (ReceiptKey(id=1, secret=secret), ReceiptKey(id=2, secret=secret, per_model=True))
        app = App(
            World(
                store=store,
                leases=store,
                counters=store,
                summaries=store,
                search=store,
                people=people,
                outlets=Outlets(
                    deliveries=deliveries,
                    notifier=Notifiers(settings.state),
                    channels=ChannelsFile(settings.channels),
                    address=partial(_written, settings.address),
                    chance=random.random,
                ),
                checkpoints=store,
                signer=signer,
                driver=driver,
                probe=HttpProbe(),
                clock=clock,
                identify=tokens.find,
                grants=grants,
                vkey=signer.verifier.vkey,
                keys={key.id: key for key in keys},
                holder=f"{socket.gethostname()}.{os.getpid()}.{secrets.token_hex(4)}",
                checks=checks,
                log=log,
                keep=KEEP if settings.keep_log is None else timedelta(seconds=settings.keep_log),
                witnesses=partial(witnesses.read, settings.witnesses),
                plugins=InstalledPlugins(),
                tracer=tracer,
                sources=rules.sources(os.environ.get(OPA, ""), os.environ.get(OPA_TOKEN, "")),
                holidays=_holidays(),
            ),
            epoch=int(clock.now().timestamp() * 1000),
        )
        sink.app = app
        await stack.enter_async_context(app.running())
        telling = asyncio.create_task(log_lines.tell(app))
        stack.callback(telling.cancel)
        await stack.enter_async_context(_noting(tokens))
        yield app


@asynccontextmanager
async def _noting(tokens: FileTokens) -> AsyncIterator[None]:
    """Write down each minute, and at the end, when tokens were used."""

    async def note() -> None:
        while True:
            await asyncio.sleep(NOTE_EVERY)
            await asyncio.to_thread(_note, tokens)

    noting = asyncio.create_task(note())
    try:
        yield
    finally:
        noting.cancel()
        await asyncio.to_thread(_note, tokens)


def _note(tokens: FileTokens) -> None:
    # Nothing rests on it: a full disk must not end the server over it, nor a file that somebody opened to others.
    with contextlib.suppress(StoreUnavailable, StoreCorrupt):
        tokens.write_uses()


def _holidays() -> HolidaysOf:
    """Return who knows public holidays, if the extra is installed."""
    try:
        return cast("HolidaysOf", importlib.import_module("glideslope.adapters.calendars.public").public_holidays)
    except ModuleNotFoundError as error:
        if error.name != "holidays":
            raise
        return no_holidays


def listen(port: int, *, purpose: str, setting: str, host: str = LOOPBACK) -> socket.socket:
    """Return a listening socket, on loopback unless told otherwise. Raises PortInUse."""
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise PortInUse(port=port, purpose=purpose, setting=setting) from error
    listening.listen(1024)
    return listening


def _log(settings: Settings) -> AbstractAsyncContextManager[PredictionLog]:
    """Open the prediction log. Raises LogUnavailable; ModuleNotFoundError without the extra, which the boundary explains."""
    # By name, since it comes with its own extra.
    found = importlib.import_module("glideslope.adapters.logs.parquet.log").ParquetLog(settings.log)
    return cast("AbstractAsyncContextManager[PredictionLog]", found)


def _written(address: Path) -> str:
    """Return where people reach this server, once it is written down."""
    try:
        return address.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


class _Sink:
    """Passes on what the data plane saw, once there is an app to take it."""

    def __init__(self) -> None:
        self.app: App | None = None

    def __call__(self, batch: Sequence[Served]) -> None:
        if self.app is not None:
            self.app.observer.served(batch)


def _door(settings: Settings, clock: SystemClock) -> RemoteDoor | None:
    """Return where a gateway on another host comes in; None when it is on this one. Raises StoreUnavailable, StoreCorrupt."""
    if settings.gateway_listen is None:
        return None
    host, port = settings.gateway_listen
    return RemoteDoor(host, port, authority=Authority.at(settings.authority, now=clock.now()), now=clock.now)


def _line_check(door: RemoteDoor, *, now: datetime) -> CheckView:
    if door.ends is None:
        return CheckView(name="line", ok=False, sentence="No gateway has called from another host yet.")
    sentence = f"The gateway {door.gateway} {'is' if door.plane.attended else 'was'} connected"
    ok = door.plane.attended and door.ends - now > _RENEW_BEFORE
    return CheckView(name="line", ok=ok, sentence=f"{sentence}; its credentials end on {door.ends:%Y-%m-%d}.")


def _receipt_secret(settings: Settings) -> bytes:
    content = read_secret(settings.receipt_key)
    if content is None:
        create_secret(settings.receipt_key, secrets.token_bytes(32))
        content = read_secret(settings.receipt_key)
    if content is None or len(content) != 32:
        raise StoreUnavailable(f"{settings.receipt_key} does not hold a key of 32 bytes")
    return content


def _operator() -> str:
    """Return whom the first token belongs to: who started the server."""
    return os.environ.get("USER") or os.environ.get("LOGNAME") or "operator"


def _state_check(settings: Settings) -> CheckView:
    try:
        status = os.statvfs(settings.state)
    except OSError as error:
        return CheckView(name="disk", ok=False, sentence=f"{settings.state}: {error.strerror}.")
    free = status.f_bavail * status.f_frsize
    enough = free > 100_000_000
    sentence = f"{free / 1e9:.1f} GB are free for state."
    return CheckView(name="disk", ok=enough, sentence=sentence)


def run(settings: Settings) -> None:
    """Serve in this process until SIGTERM or SIGINT. Raises what `serve` does."""
    log_lines.configure(os.environ)
    # Every connection is a descriptor, and the usual 1,024 are soon gone; then the store could not open its files.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(settings))
