"""Keeps one Envoy alive, in a process of its own: the gateway outlives the server, and even its supervisor.

It knows nothing of rollouts. Run it with `python -m glideslope.adapters.drivers.envoy.supervisor FOLDER --port PORT`.
"""

import argparse
import asyncio
import contextlib
import fcntl
import json
import logging
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from glideslope.adapters.drivers.envoy import certificate, lanes, layout, process
from glideslope.adapters.drivers.envoy.binary import find_binary
from glideslope.adapters.drivers.envoy.bootstrap import Gateway, bootstrap
from glideslope.adapters.drivers.envoy.layout import Folder
from glideslope.adapters.drivers.envoy.limits import Limits
from glideslope.adapters.drivers.envoy.process import Envoy
from glideslope.adapters.drivers.envoy.shape import compile_lanes
from glideslope.domain.errors import CertificateUnusable, DriverUnavailable, GlideslopeError, PortInUse

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 5.0
_SOUND: Final = 10.0
"""Seconds after which a start counts as having worked."""

_GONE_WITHIN: Final = 5.0
_POLL: Final = 0.02

_LOG_LIMIT: Final = 5_000_000
_LOG_CHECK: Final = 5.0

_log = logging.getLogger(__name__)


async def run_gateway(
    folder: Path,
    gateway: Gateway,
    *,
    stopping: asyncio.Event,
    binary: Path | None = None,
    drain: float = 10.0,
    settled: Callable[[Gateway], None] = lambda _: None,
    shown: tuple[Path, Path] | None = None,
) -> None:
    """Keep an Envoy serving from `folder` until `stopping` is set, then drain and end it.

    An Envoy that still lives there with the same settings is adopted, without a request lost. Port 0 takes the port of
    the last time, or any free one; `settled` is told which, once it is known to be ours. `shown` are the files of the
    certificate and its key, when the gateway speaks TLS; they are looked at again while it runs. Raises
    DriverUnavailable when another supervisor works there, PortInUse, CertificateUnusable.
    """
    home = Folder.at(folder)
    home.create()
    executable = binary or find_binary()
    with _sole_supervisor(home):
        most = min(gateway.max_connections, process.most_connections())
        wanted = replace(gateway, port=gateway.port or _any_port(home, gateway.host), max_connections=most)
        _write_first_documents(home)
        _show(home, shown, first=True)
        envoy = await _adopted(home, wanted, drain)
        if envoy is None:
            _require_free(wanted)
        settled(wanted)
        await _keep_alive(home, wanted, envoy, binary=executable, stopping=stopping, drain=drain, shown=shown)


async def relieve(folder: Path) -> bool:
    """End a supervisor that works in `folder` and leave its Envoy serving; tell whether there was one.

    It is killed, so that one which hangs goes too: the next supervisor adopts its Envoy, at whatever moment it died.
    Raises DriverUnavailable when it does not end.
    """
    home = Folder.at(folder)
    if not home.lock.exists():
        return False
    with home.lock.open("r+") as file:
        if _locks(file.fileno()):
            return False
        written = file.read().strip()
        pid = int(written) if written.isdecimal() else 0
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            async with asyncio.timeout(_GONE_WITHIN):
                while not _locks(file.fileno()):  # noqa: ASYNC110 - another process sets no event
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            why = f"the supervisor in {home.path} (process {pid or 'unknown'}) does not end"
            raise DriverUnavailable(driver="envoy", why=why) from None
    return True


async def sweep(folder: Path, *, drain: float = 10.0) -> None:
    """End an Envoy that nobody supervises in `folder`, after the requests under way; another's is left alone."""
    home = Folder.at(folder)
    if not home.path.exists():
        return
    try:
        with _sole_supervisor(home):
            if (envoy := _living(home)) is not None:
                await process.stop(envoy, home, drain=drain)
    except DriverUnavailable:
        _log.warning("another supervisor works in %s; its Envoy goes on", home.path)


async def _adopted(home: Folder, gateway: Gateway, drain: float) -> Envoy | None:
    """Return a living Envoy that fits; one that does not is ended. Writes the bootstrap that is wanted now."""
    wanted = json.dumps(bootstrap(gateway), indent=1)
    envoy = _living(home)
    fits = home.bootstrap.exists() and home.bootstrap.read_bytes() == wanted.encode()
    # One whose supervisor died while it was draining lives and takes nobody.
    fits = fits and (envoy is None or not _is_free(gateway.host, gateway.port))
    if envoy is not None and not fits:
        await process.stop(envoy, home, drain=drain)
        envoy = None
    if not fits:
        layout.replace(home.bootstrap, wanted)
    if envoy is not None:
        _log.warning("adopted the Envoy that was already serving (process %d)", envoy.running.pid)
    return envoy


async def _keep_alive(
    home: Folder,
    gateway: Gateway,
    envoy: Envoy | None,
    *,
    binary: Path,
    stopping: asyncio.Event,
    drain: float,
    shown: tuple[Path, Path] | None,
) -> None:
    loop = asyncio.get_running_loop()
    pause = _FIRST_PAUSE
    while not stopping.is_set():
        if envoy is None:
            envoy = process.start(home, gateway, binary=binary)
        since = loop.time()
        if not await _watch(envoy, home, stopping, shown=shown):
            await process.stop(envoy, home, drain=drain)
            return
        status = envoy.close()
        envoy = None
        pause = _FIRST_PAUSE if loop.time() - since > _SOUND else min(pause * 2, _LONGEST_PAUSE)
        _log.error("Envoy ended (status %s); starting it again in %.2f s", status, pause)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), pause)


async def _watch(envoy: Envoy, home: Folder, stopping: asyncio.Event, *, shown: tuple[Path, Path] | None) -> bool:
    """Return True when Envoy died, False when it is to be stopped."""
    died = asyncio.create_task(envoy.died())
    stopped = asyncio.create_task(stopping.wait())
    try:
        while not (died.done() or stopped.done()):
            await asyncio.wait((died, stopped), timeout=_LOG_CHECK, return_when=asyncio.FIRST_COMPLETED)
            process.remember(envoy, home)
            _show(home, shown)
            _rotate(home.log)
        return died.done()
    finally:
        died.cancel()
        stopped.cancel()
        await asyncio.wait((died, stopped))


def _show(home: Folder, shown: tuple[Path, Path] | None, *, first: bool = False) -> None:
    """Give Envoy the certificate in its files, if it is another one: whole, in one document, and only what fits together.

    Without a usable one it goes on with the one from before. Raises CertificateUnusable when there is none.
    """
    if shown is None:
        home.certificate.unlink(missing_ok=True)
        return
    try:
        if certificate.publish(home, *shown) and not first:
            _log.warning("showing the renewed certificate in %s", shown[0])
    except (CertificateUnusable, DriverUnavailable) as error:
        if first and not home.certificate.exists():
            raise
        _log.warning("going on with the certificate from before: %s", error)


def _rotate(log: Path) -> None:
    """Copy and cut: Envoy goes on writing to the same file, at its new end."""
    if log.exists() and log.stat().st_size > _LOG_LIMIT:
        with contextlib.suppress(OSError):  # on a full disk the past is what can be spared
            shutil.copyfile(log, log.with_suffix(".log.1"))
        with log.open("r+b") as file:
            file.truncate(0)


def _write_first_documents(home: Folder) -> None:
    """Give a gateway without a past something to serve: what it last carried, or the news that it carries nothing."""
    if home.clusters.exists() and home.routes.exists():
        return
    documents = compile_lanes(lanes.load(home.lanes), limits=Limits())
    layout.replace(home.clusters, json.dumps(documents.clusters))
    layout.replace(home.routes, json.dumps(documents.routes))


@contextlib.contextmanager
def _sole_supervisor(home: Folder) -> Iterator[None]:
    # Opened for appending: what the holder wrote must survive our look at it.
    with home.lock.open("a") as file:
        if not _locks(file.fileno()):
            raise DriverUnavailable(driver="envoy", why=f"another supervisor already works in {home.path}")
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _locks(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _living(home: Folder) -> Envoy | None:
    host, port = _last_address(home)
    return process.discover(home, host=host, port=port)


def _any_port(home: Folder, host: str) -> int:
    """Return the port of the last time, so that callers find the gateway again, unless somebody else took it."""
    last = _last_address(home)[1]
    living = _living(home)
    if living is not None:
        living.close()
        return last
    return last if last and _is_free(host, last) else _free_port(host)


def _last_address(home: Folder) -> tuple[str, int]:
    try:
        listener = json.loads(home.bootstrap.read_text())["static_resources"]["listeners"][0]
        address = listener["address"]["socket_address"]
        host, port = str(address["address"]), int(address["port_value"])
    except (FileNotFoundError, ValueError, OverflowError, LookupError, TypeError, RecursionError):
        return "", 0  # never started here, or the file is damaged: it is written again
    return host, port if 0 < port < 65_536 else 0


def _require_free(gateway: Gateway) -> None:
    if not _is_free(gateway.host, gateway.port):
        raise PortInUse(port=gateway.port, purpose="gateway", setting="--gateway-port")


def _is_free(host: str, port: int) -> bool:
    """Envoy shares a port with whoever shares too; ask without sharing."""
    try:
        with _probe(host) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError:
        return False
    return True


def _free_port(host: str) -> int:
    with _probe(host) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _probe(host: str) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)


async def _main(arguments: argparse.Namespace) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    gateway = Gateway(port=arguments.port, host=arguments.host, concurrency=arguments.concurrency)
    await run_gateway(arguments.folder, gateway, stopping=stopping, drain=arguments.drain)


def main() -> int:
    """Run from the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="glideslope-gateway", description="Keeps one Envoy alive.")
    parser.add_argument("folder", type=Path, help="the gateway's folder")
    parser.add_argument("--port", type=int, required=True, help="where requests arrive; 0 takes any free port")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--concurrency", type=int, default=1, help="worker threads (default: %(default)s)")
    parser.add_argument(
        "--drain", type=float, default=10.0, help="seconds for requests under way (default: %(default)s)"
    )
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        asyncio.run(_main(parser.parse_args()))
    except GlideslopeError as error:
        print(f"[{error.code}] {error}", file=sys.stderr)  # noqa: T201 - this is a command's last word
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
