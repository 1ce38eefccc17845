"""Publishes documents to a running Envoy and waits until it has taken them, or says why it has not."""

import asyncio
import json
from pathlib import Path
from typing import Any, Final

from glideslope.adapters.drivers.envoy.admin import Admin
from glideslope.adapters.drivers.envoy.layout import ROUTES, Folder, replace
from glideslope.adapters.drivers.envoy.names import Json
from glideslope.adapters.drivers.envoy.shape import Documents
from glideslope.domain.errors import DriverUnavailable

_CLUSTERS: Final = "cluster_manager.cds"
_ROUTES: Final = f"http.gateway.rds.{ROUTES}"
_WARMING: Final = "cluster_manager.warming_clusters"
_POLL: Final = 0.003


class Publisher:
    """Writes what Envoy watches. A refused document is replaced by the last one that was accepted."""

    def __init__(self, folder: Folder, admin: Admin, *, patience: float) -> None:
        self._folder = folder
        self._admin = admin
        self._patience = patience

    async def publish(self, making: Documents, final: Documents) -> None:
        """Bring up the clusters of `making`, switch to its routes, then drop the clusters that `final` does without.

        Raises DriverUnavailable.
        """
        await self._put(self._folder.clusters, making.clusters, _CLUSTERS)
        await self._warmed()
        await self._put(self._folder.routes, making.routes, _ROUTES)
        if final.clusters["version_info"] != making.clusters["version_info"]:
            await self._put(self._folder.clusters, final.clusters, _CLUSTERS)

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
    try:
        document = json.loads(_read(path))
    except (ValueError, RecursionError):
        return ""
    return str(document.get("version_info", "")) if isinstance(document, dict) else ""


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
