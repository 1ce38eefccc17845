"""Publishes documents to a running Envoy and waits until it has taken them, or says why it has not."""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Final

from glideslope.adapters.drivers.envoy.admin import Admin
from glideslope.adapters.drivers.envoy.layout import ROUTES, Folder, replace
from glideslope.adapters.drivers.envoy.limits import Limits
from glideslope.adapters.drivers.envoy.names import Json
from glideslope.adapters.drivers.envoy.shape import Documents, versioned
from glideslope.domain.errors import DriverUnavailable

_CLUSTERS: Final = "cluster_manager.cds"
_ROUTES: Final = f"http.gateway.rds.{ROUTES}"
_WARMING: Final = "cluster_manager.warming_clusters"
_POLL: Final = 0.003

LINGER: Final = Limits().timeout.total_seconds()
"""Seconds for which a cluster outlives the last route to it: no request is on its way for longer, once it has arrived whole."""

_APART: Final = 0.05
"""Seconds between two looks whether a request is under way: between its two attempts it is nowhere, for at most 2 ms."""

_log = logging.getLogger(__name__)


class Publisher:
    """Writes what Envoy watches. A refused document is replaced by the last one that was accepted.

    A request that began under the routes from before keeps their names: when the candidate fails it, Envoy looks up the
    cluster for its rescue by name, and without one answers 503. So clusters linger until nobody is on the way to them.
    """

    def __init__(
        self,
        folder: Folder,
        admin: Admin,
        *,
        patience: float,
        linger: float = LINGER,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._admin = admin
        self._patience = patience
        self._linger = linger
        self._monotonic = monotonic
        self._left: dict[str, float] = {}
        """Clusters to which no route leads any more, and since when."""
        self._turn = asyncio.Lock()
        self._dropping: asyncio.Task[None] | None = None

    async def publish(self, making: Documents, final: Documents) -> None:
        """Bring up the clusters of `making`, switch to its routes, and later drop the clusters that `final` does without.

        Raises DriverUnavailable.
        """
        async with self._turn:
            clusters = _named(making.clusters)
            for name in clusters:
                self._left.pop(name, None)
            clusters = await self._carried() | clusters
            await self._put(self._folder.clusters, _document(clusters), _CLUSTERS)
            await self._warmed()
            await self._put(self._folder.routes, making.routes, _ROUTES)
            now = self._monotonic()
            self._left = {name: self._left.get(name, now) for name in clusters.keys() - _named(final.clusters).keys()}
        if self._left and (self._dropping is None or self._dropping.done()):
            self._dropping = asyncio.create_task(self._drop())

    async def close(self) -> None:
        """Stop dropping; whoever publishes next goes on with it."""
        if self._dropping is not None:
            self._dropping.cancel()
            await asyncio.wait((self._dropping,))

    async def _drop(self) -> None:
        while self._left:
            await asyncio.sleep(min(self._left.values()) + self._linger - self._monotonic())
            async with self._turn:
                now = self._monotonic()
                over = {name for name, since in self._left.items() if now - since >= self._linger}
                try:
                    dropped = not await self._busy(over) and await self._dropped(over)
                except DriverUnavailable as error:
                    _log.info("clusters that nobody needs are kept for now: %s", error.why)
                    dropped = False
                for name in over:
                    if dropped:
                        del self._left[name]
                    else:
                        self._left[name] = now

    async def _busy(self, names: Collection[str]) -> bool:
        """Tell whether a request is under way: one that takes long to arrive has longer than any time-out."""
        for wait in (0.0, _APART):
            await asyncio.sleep(wait)
            active = await self._admin.stats(r"\.upstream_rq_active$")
            if any(active.get(f"cluster.{name}.upstream_rq_active", "0") != "0" for name in names):
                return True
        return False

    async def _dropped(self, names: Collection[str]) -> bool:
        clusters = await self._carried()
        if not clusters.keys() >= set(names):
            return False
        kept = {name: cluster for name, cluster in clusters.items() if name not in names}
        await self._put(self._folder.clusters, _document(kept), _CLUSTERS)
        return True

    async def _carried(self) -> dict[str, Json]:
        """Return the clusters that Envoy has taken from its file; none when it has not taken what is there now."""
        state = await self._state(_CLUSTERS)
        document = _decoded(self._folder.clusters)
        return _named(document) if state["version_text"] == f'"{document.get("version_info", "")}"' else {}

    async def _put(self, path: Path, document: Json, subject: str) -> None:
        wanted = document["version_info"]
        before = await self._state(subject)
        if before["version_text"] == f'"{wanted}"' and _version_in(path) == wanted:
            return
        last_good = _read(path)
        replace(path, json.dumps(document))
        try:
            await self._taken(wanted, subject, before)
        except DriverUnavailable:
            if last_good:
                replace(path, last_good)
            raise

    async def _taken(self, wanted: str, subject: str, before: dict[str, str]) -> None:
        try:
            async with asyncio.timeout(self._patience):
                while True:
                    now = await self._state(subject)
                    if now["version_text"] == f'"{wanted}"':
                        return
                    if _refusals(now) > _refusals(before):
                        raise DriverUnavailable(driver="envoy", why=f"it refused a shape: {await self._why()}")
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            why = f"it has not taken a shape within {self._patience:g} s"
            raise DriverUnavailable(driver="envoy", why=why) from None

    async def _warmed(self) -> None:
        """Wait until new clusters know their hosts and their health: before that, requests to them would fail."""
        try:
            async with asyncio.timeout(self._patience):
                while (await self._admin.stats(f"^{_WARMING}$"))[_WARMING] != "0":  # noqa: ASYNC110 - another process sets no event
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            why = f"new clusters are not ready within {self._patience:g} s; are their hosts known?"
            raise DriverUnavailable(driver="envoy", why=why) from None

    async def _state(self, subject: str) -> dict[str, str]:
        stats = await self._admin.stats(f"^{subject}.(version_text|update_rejected|update_failure)$")
        return {name.rpartition(".")[2]: value for name, value in stats.items()}

    async def _why(self) -> str:
        dump = await self._admin.json("/config_dump")
        return "; ".join(_details(dump)) or "no reason given"


def _refusals(state: dict[str, str]) -> int:
    return int(state.get("update_rejected", "0")) + int(state.get("update_failure", "0"))


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (FileNotFoundError, UnicodeDecodeError):
        return ""  # a damaged document is no good one to fall back to


def _version_in(path: Path) -> str:
    return str(_decoded(path).get("version_info", ""))


def _decoded(path: Path) -> Json:
    try:
        document = json.loads(_read(path))
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _named(document: Json) -> dict[str, Json]:
    return {cluster["name"]: cluster for cluster in document.get("resources", ())}


def _document(clusters: dict[str, Json]) -> Json:
    return versioned([clusters[name] for name in sorted(clusters)])


def _details(dump: Any) -> list[str]:  # noqa: ANN401 - JSON is anything until it is looked into
    match dump:
        case {"error_state": {"details": str(details)}}:
            return [details]
        case dict():
            return [found for value in dump.values() for found in _details(value)]
        case list():
            return [found for value in dump for found in _details(value)]
        case _:
            return []
