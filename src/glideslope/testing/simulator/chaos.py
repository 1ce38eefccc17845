"""Strikes hosts: kills, freezes, cuts, restarts, sets clocks. And in the end, heals everything."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random

from glideslope.testing.simulator.faults import Faults, Kind
from glideslope.testing.simulator.gateways import Gateway
from glideslope.testing.simulator.hosts import Host
from glideslope.testing.simulator.servers import Server
from glideslope.testing.simulator.watch import Watch

FARTHEST_JUMP = 15.0
"""Seconds by which a clock is set."""


@dataclass(slots=True)
class Chaos:
    """What goes wrong with hosts, once a second."""

    servers: Sequence[Server]
    gateways: Sequence[Gateway]
    faults: Faults
    watch: Watch
    mending: set["asyncio.Task[None]"] = field(default_factory=set)

    async def reign(self) -> None:
        """Strike, for ever."""
        while True:
            await asyncio.sleep(1.0)
            for server in self.servers:
                self._strike_server(server)
            for gateway in self.gateways:
                self._strike_gateway(gateway)
            if dice := self.faults.strikes(Kind.STORE_DOWN, "the store"):
                self.watch.store_down = True
                self._later(dice, 15.0, self._store_up)

    def heal(self) -> None:
        """End every fault that lasts."""
        self.faults.active = False
        self._store_up()
        for server in self.servers:
            if server.line is not None:
                server.line.cut = False
            self._thaw(server.host)
        for gateway in self.gateways:
            gateway.cut = gateway.lies = gateway.lying_split = False

    def _strike_server(self, server: Server) -> None:
        host, name = server.host, server.host.name
        if server.app is None:
            return
        if self.faults.strikes(Kind.KILL, name):
            host.kill()
        elif self.faults.strikes(Kind.STOP, name):
            host.stop()
        elif dice := self.faults.strikes(Kind.FREEZE, name):
            host.freeze()
            self._later(dice, 10.0, partial(self._thaw, host))
        line = server.line
        if line is not None and (dice := self.faults.strikes(Kind.STORE_CUT, name)):
            line.cut = True
            self._later(dice, 12.0, lambda: setattr(server.line, "cut", False))
        if server.clock is not None and (dice := self.faults.strikes(Kind.CLOCK_JUMP, name)):
            server.clock.skew += (2 * dice.random() - 1) * FARTHEST_JUMP

    def _strike_gateway(self, gateway: Gateway) -> None:
        if self.faults.strikes(Kind.GATEWAY_RESTART, gateway.name):
            gateway.restart()
            self.watch.leasing.restarted(gateway.name)
        if dice := self.faults.strikes(Kind.GATEWAY_CUT, gateway.name):
            gateway.cut = True
            self._later(dice, 12.0, lambda: setattr(gateway, "cut", False))
        if dice := self.faults.strikes(Kind.GATEWAY_LIES, gateway.name):
            gateway.lies = True
            self._later(dice, 10.0, lambda: setattr(gateway, "lies", False))
        if dice := self.faults.strikes(Kind.SPLIT_LIES, gateway.name):
            gateway.lying_split = True
            self._later(dice, 10.0, lambda: setattr(gateway, "lying_split", False))

    def _thaw(self, host: Host) -> None:
        if host.frozen and not host.dead:
            now = asyncio.get_running_loop().time()
            self.watch.thawed(now, after=now - host.hangs_since)
        host.thaw()

    def _store_up(self) -> None:
        self.watch.store_down = False

    def _later(self, dice: Random, most: float, mend: Callable[[], None]) -> None:
        async def wait() -> None:
            await asyncio.sleep(most * dice.random())
            mend()

        task = asyncio.ensure_future(wait())
        self.mending.add(task)
        task.add_done_callback(self.mending.discard)
