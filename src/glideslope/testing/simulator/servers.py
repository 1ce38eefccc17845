"""Servers: the real engine on a host of its own, started again whenever it ends."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Final

from glideslope.domain.errors import GlideslopeError
from glideslope.engine.app import App, World
from glideslope.engine.views import CheckView
from glideslope.testing.memory import MemorySigner, MemoryStore
from glideslope.testing.simulator.checks.violation import Violation
from glideslope.testing.simulator.gateways import Gateway
from glideslope.testing.simulator.hosts import Host, HostClock, HostDied
from glideslope.testing.simulator.network import Network
from glideslope.testing.simulator.ports import FleetLine, StoreLine
from glideslope.testing.simulator.watch import Watch
from glideslope.testing.traffic import KEY
from glideslope.testing.world import Answering

RESTART_WITHIN: Final = 3.0
"""Seconds after which a server that ended has been started again."""


@dataclass(slots=True)
class Estate:
    """What all servers share."""

    store: MemoryStore
    signer: MemorySigner
    gateways: Sequence[Gateway]
    network: Network
    watch: Watch
    starts: int = 0


@dataclass(slots=True)
class Server:
    """One server, over all its lives. `app` is there while one of them is ready."""

    name: str
    estate: Estate
    dice: Random
    skew: float = 0.0
    speed: float = 1.0
    app: App | None = None
    host: Host = field(default_factory=lambda: Host("nobody"))
    clock: HostClock | None = None
    line: StoreLine | None = None
    epoch: int = 0

    @property
    def up(self) -> bool:
        """Tell whether it takes requests."""
        return self.app is not None and not self.host.dead

    @property
    def governs(self) -> bool:
        """Tell whether it believes that it governs."""
        return self.app is not None and not self.host.dead and self.app.governor.acting

    async def live(self) -> None:
        """Start, serve until killed or stopped, and start again, for ever. Raises Violation."""
        while True:
            with suppress(HostDied, GlideslopeError):
                await self._once()
            self.app = None
            await asyncio.sleep(self.dice.random() * RESTART_WITHIN)

    async def _once(self) -> None:
        estate = self.estate
        self.epoch = estate.starts = estate.starts + 1
        cut = self.line is not None and self.line.cut
        self.host = host = Host(f"{self.name}.{estate.starts}")
        # A process that starts anew reads the machine's clock, set as it may have been.
        skew = self.skew if self.clock is None else self.clock.skew
        self.clock = clock = HostClock(host, dice=self.dice, skew=skew, speed=self.speed)
        self.line = line = StoreLine(host, estate.store, estate.network, estate.watch, cut=cut)
        app = App(
            World(
                store=line,
                leases=line,
                counters=line,
                checkpoints=line,
                signer=estate.signer,
                driver=FleetLine(host, estate.gateways, estate.network, estate.watch),
                probe=Answering(),
                clock=clock,
                identify=lambda _token: None,
                grants=None,
                vkey=estate.signer.verifier.vkey,
                keys={KEY.id: KEY},
                holder=host.name,
                checks=_nothing_to_check,
            ),
            epoch=estate.starts,
        )
        async with app.running():
            self.app = app
            await host.ending.wait()
            self.app = None
            if host.dead:
                raise HostDied

    async def flush(self) -> None:
        """Have it save what it counted."""
        if self.app is not None:
            await self.app.flush()

    def require_sound(self) -> None:
        """Raise Violation when the engine met an error that it does not expect."""
        if self.app is None:
            return
        governor = self.app.governor.trouble
        if "The last tick failed" in governor or "cannot be judged" in governor:
            raise Violation("no error goes unexpected", f"{self.host.name}: {governor}")
        for name, trouble in self.app.troubles.items():
            if trouble.partition(":")[0].isidentifier():
                raise Violation("no error goes unexpected", f"{self.host.name}: {name}: {trouble}")


async def _nothing_to_check() -> Sequence[CheckView]:
    return []
