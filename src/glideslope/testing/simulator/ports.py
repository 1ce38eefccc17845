"""The ports of one server, each at the far end of a network that loses, delays and repeats."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from glideslope.domain.errors import DriverUnavailable, GlideslopeError, StoreUnavailable, TokenStale
from glideslope.domain.ids import ModelName
from glideslope.domain.traffic import Exposure, ObservedRoute, Route, Token
from glideslope.engine.ports import Alike, Draft, Feature, Fence, Lease, Total
from glideslope.testing.memory import MemoryStore
from glideslope.testing.simulator.faults import Kind
from glideslope.testing.simulator.gateways import Gateway
from glideslope.testing.simulator.hosts import Host
from glideslope.testing.simulator.network import Act, Network, T
from glideslope.testing.simulator.watch import Watch


@dataclass(slots=True)
class StoreLine:
    """Keeps the ports Store, Leases, Counters and Checkpoints for one server."""

    host: Host
    store: MemoryStore
    network: Network
    watch: Watch
    cut: bool = False
    """Whether this server does not reach the store; nobody does while `watch.store_down`."""

    async def append(self, drafts: Sequence[Draft], *, fence: Fence | None = None) -> Sequence[int]:
        def commit() -> Awaitable[Sequence[int]]:
            self.watch.counting.governor = self.watch.leasing.committing = self.host.name
            return self.store.append(drafts, fence=fence)

        positions = await self._ask(commit)
        self.watch.acknowledged(positions)
        return positions

    async def entries(self, start: int = 0, stop: int | None = None) -> Sequence[bytes]:
        return await self._ask(lambda: self.store.entries(start, stop))

    async def streams(self) -> Mapping[str, int]:
        return await self._ask(self.store.streams)

    async def stream(self, name: str) -> Sequence[bytes]:
        return await self._ask(lambda: self.store.stream(name))

    async def acquire(self, name: str, *, holder: str, ttl: timedelta, now: datetime) -> Lease | None:
        async def take() -> Lease | None:
            lease = await self.store.acquire(name, holder=holder, ttl=ttl, now=now)
            if lease is not None:
                self.watch.taken(lease, at=asyncio.get_running_loop().time())
            return lease

        answered = await self._ask(take)
        if answered is None:
            self.watch.leasing.refused(holder, at=asyncio.get_running_loop().time())
        return answered

    async def release(self, lease: Lease) -> None:
        async def give() -> None:
            await self.store.release(lease)
            self.watch.leasing.released(lease)

        await self._ask(give)

    async def save(self, totals: Sequence[Total]) -> None:
        await self._ask(lambda: self.store.save(totals))
        self.watch.saved(totals)

    async def load(self, prefix: str) -> Sequence[Total]:
        async def read() -> Sequence[Total]:
            totals = await self.store.load(prefix)
            self.watch.read(prefix, totals)
            return totals

        totals = await self._ask(read)
        self.watch.loaded(self.host.name, prefix, totals)
        return totals

    async def once(self, keys: Sequence[str], totals: Sequence[Total]) -> Sequence[bool]:
        return await self._ask(lambda: self.store.once(keys, totals))

    async def once_alike(
        self, keys: Sequence[bytes], places: Sequence[int], groups: Sequence[Alike]
    ) -> Sequence[bytes | None]:
        return await self._ask(lambda: self.store.once_alike(keys, places, groups))

    async def has_noted(self, prefix: str) -> bool:
        return await self._ask(lambda: self.store.has_noted(prefix))

    async def keep(self, size: int, note: bytes) -> None:
        await self._ask(lambda: self.store.keep(size, note))

    async def cosign(self, size: int, line: bytes) -> None:
        await self._ask(lambda: self.store.cosign(size, line))

    async def checkpoints(self) -> Sequence[bytes]:
        return await self._ask(self.store.checkpoints)

    async def _ask(self, act: Act[T]) -> T:
        async def look() -> T:
            if self.network.faults.strikes(Kind.STORE_BEFORE, "the store"):
                raise StoreUnavailable("the disk is not there")
            return await act()

        reachable = not (self.cut or self.watch.store_down)
        found = await self.network.ask(self.host, look, lost=_store_lost, reachable=reachable)
        self.watch.reached_store(asyncio.get_running_loop().time())
        return found


def _store_lost() -> GlideslopeError:
    return StoreUnavailable("it did not answer in time")


@dataclass(slots=True)
class FleetLine:
    """Keeps the port Driver over several gateways: each is told, and nothing is in force before all say the same."""

    host: Host
    gateways: Sequence[Gateway]
    network: Network
    watch: Watch
    name: str = "fleet"
    features: frozenset[Feature] = frozenset(Feature)

    async def shape(self, routes: Sequence[Route], *, token: Token | None = None) -> None:
        await self._all([partial(g.shape, routes, token=token) for g in self.gateways])

    async def lease(self, model: ModelName, exposure: Exposure | None, *, token: Token, ttl: timedelta) -> None:
        await self._all([partial(self._tell, g, model, exposure, token, ttl) for g in self.gateways])

    async def _tell(
        self, gateway: Gateway, model: ModelName, exposure: Exposure | None, token: Token, ttl: timedelta
    ) -> None:
        now = asyncio.get_running_loop().time()
        with self.watch.asking():
            self.watch.leasing.told(token.epoch, at=now, where=gateway.name, exposing=exposure is not None)
        await gateway.lease(model, exposure, token=token, ttl=ttl)

    async def observe(self, model: ModelName) -> ObservedRoute:
        found = await self._all([partial(g.observe, model) for g in self.gateways])
        if any(each != found[0] for each in found):
            raise DriverUnavailable(driver=self.name, why="its gateways do not agree yet")
        return found[0]

    async def _all(self, acts: Sequence[Act[T]]) -> Sequence[T]:
        if len(acts) == 1:
            return [await self._ask(self.gateways[0], acts[0])]
        asked = [asyncio.ensure_future(self._ask(g, act)) for g, act in zip(self.gateways, acts, strict=True)]
        done = await asyncio.gather(*asked, return_exceptions=True)
        failed = [each for each in done if isinstance(each, BaseException)]
        if failed:
            # A host that died has nothing more to say; a token that is refused says more than a line that is cut.
            raise min(failed, key=lambda each: (isinstance(each, GlideslopeError), not isinstance(each, TokenStale)))
        return [each for each in done if not isinstance(each, BaseException)]

    async def _ask(self, gateway: Gateway, act: Act[T]) -> T:
        return await self.network.ask(self.host, act, lost=self._lost, reachable=not gateway.cut)

    def _lost(self) -> GlideslopeError:
        return DriverUnavailable(driver=self.name, why="a gateway did not answer in time")
