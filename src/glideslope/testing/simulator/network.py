"""How a message gets from one host to another: at once, late, twice, or not at all, and what its sender learns of it."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final, TypeVar

from glideslope.domain.errors import GlideslopeError
from glideslope.testing.simulator.faults import Faults, Kind
from glideslope.testing.simulator.hosts import Host, HostDied

T = TypeVar("T")

TIMEOUT: Final = 0.6
"""Seconds after which a sender gives up; what it sent may still arrive."""

OLDEST: Final = 1.0
"""Seconds for which a network may keep a message: a line that is silent longer is torn down, and what it held is gone."""

MOST_A_SECOND: Final = 1_000
"""Acts of all servers in one second; they need some tens."""

Act = Callable[[], Awaitable[T]]
"""What a message asks of its receiver; it happens at one instant."""


class Network:
    """Carries requests and answers. `stepped` is called after each act, which counts as one step; `spun` for who never waits."""

    def __init__(
        self,
        faults: Faults,
        *,
        dice: Random,
        stepped: Callable[[], Awaitable[None]],
        spun: Callable[[Host], None],
    ) -> None:
        self.faults = faults
        self.steps = 0
        self._second = (0, 0)
        """The second in which something was done last, and how much was done in it."""
        self._dice = dice
        self._stepped = stepped
        self._spun = spun
        self._under_way: set[asyncio.Task[None]] = set()

    async def ask(self, host: Host, act: Act[T], *, lost: Callable[[], GlideslopeError], reachable: bool = True) -> T:
        """Have an act done elsewhere and return what came of it. Raises what it raises, HostDied, and `lost()`.

        `lost` makes the error of a sender who does not know whether it was done.
        """
        await self._pass(host)
        if self._spins():
            host.kill()
            self._spun(host)
            raise HostDied
        if not reachable or self.faults.strikes(Kind.LOST, host.name):
            await asyncio.sleep(TIMEOUT * self._dice.random())
            await host.gate()
            raise lost()
        if late := self.faults.strikes(Kind.LATE, host.name):
            delay = late.random() * OLDEST
            if delay > TIMEOUT:
                self.send(act, delay=delay)
                await asyncio.sleep(TIMEOUT)
                await host.gate()
                raise lost()
            await asyncio.sleep(delay)
        elif self._dice.random() < 0.3:
            await asyncio.sleep(self._dice.expovariate(200.0))
        if twice := self.faults.strikes(Kind.DUPLICATED, host.name):
            self.send(act, delay=twice.random() * OLDEST)
        found = await self._do(act)
        if self.faults.strikes(Kind.UNACKNOWLEDGED, host.name):
            await asyncio.sleep(TIMEOUT)
            await host.gate()
            raise lost()
        await self._pass(host)
        return found

    def send(self, act: Act[object], *, delay: float) -> None:
        """Let an act happen later, whatever has become of its sender by then."""

        async def arrive() -> None:
            await asyncio.sleep(delay)
            try:
                await self._do(act)
            except (GlideslopeError, HostDied):
                return

        task = asyncio.create_task(arrive())
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    def _spins(self) -> bool:
        """Tell whether so much is done in a second that somebody must be asking without ever waiting."""
        second = int(asyncio.get_running_loop().time())
        self._second = (second, self._second[1] + 1) if second == self._second[0] else (second, 1)
        return self._second[1] > MOST_A_SECOND

    async def _do(self, act: Act[T]) -> T:
        self.steps += 1
        try:
            return await act()
        finally:
            await self._stepped()

    async def _pass(self, host: Host) -> None:
        """Let a host act, unless it is killed or frozen just here."""
        if self.faults.strikes(Kind.KILL_AT, host.name):
            host.kill()
        await host.gate()
