"""Gateways that restart, are cut off, obey late and lie; each otherwise a data plane as its port promises."""

import asyncio
from collections import deque
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import timedelta
from random import Random
from typing import Final

from glideslope.domain.errors import GlideslopeError
from glideslope.domain.ids import ModelName, VersionName
from glideslope.domain.traffic import Arm, Assignment, Exposure, ObservedRoute, Route, Token
from glideslope.testing.drivers import MemoryDriver
from glideslope.testing.simulator.faults import Faults, Kind
from glideslope.testing.simulator.hosts import HostClock

LATEST: Final = 1.0
"""Seconds after which a gateway that obeys late has obeyed."""


class Gateway:
    """One data plane on a host of its own. What `now_exposed` says is the truth."""

    def __init__(self, name: str, *, clock: HostClock, faults: Faults, dice: Random) -> None:
        self.name = name
        self.cut = False
        """Whether no server reaches it; it serves on."""
        self.lies = False
        """Whether it reports what it was last told, instead of what it does."""
        self.lying_split = False
        """Whether it serves half of the candidate's subjects from the incumbent, and says so in its stamps."""
        self._plane = MemoryDriver(clock)
        self._faults = faults
        self._dice = dice
        self._routes: dict[ModelName, Route] = {}
        self._told: dict[ModelName, Exposure | None] = {}
        self._inbox: deque[tuple[float, ModelName, Exposure | None, Token, timedelta]] = deque()
        """What it said yes to and has not obeyed yet, in the order in which it was told."""
        self._obeying: asyncio.Task[None] | None = None

    async def shape(self, routes: Sequence[Route], *, token: Token | None) -> None:
        await self._plane.shape(routes, token=token)
        self._routes = {route.model: route for route in routes}

    async def lease(self, model: ModelName, exposure: Exposure | None, *, token: Token, ttl: timedelta) -> None:
        late = self._faults.strikes(Kind.GATEWAY_LATE, self.name)
        if late is None and not self._inbox:
            await self._plane.lease(model, exposure, token=token, ttl=ttl)
        else:
            due = asyncio.get_running_loop().time() + (late.random() * LATEST if late else 0.0)
            self._inbox.append((due, model, exposure, token, ttl))
            if self._obeying is None or self._obeying.done():
                self._obeying = asyncio.create_task(self._obey())
        self._told[model] = exposure

    async def observe(self, model: ModelName) -> ObservedRoute:
        found = await self._plane.observe(model)
        if not self.lies or model not in self._told:
            return found
        told = self._told[model]
        return ObservedRoute(model=model, exposure=told, incumbent=found.incumbent, candidate=found.candidate)

    def restart(self) -> None:
        """Forget the leases, as a data plane does that starts again; routes and tokens are in its files."""
        self._plane.restart()
        self._told.clear()

    def now_exposed(self, model: ModelName) -> Exposure | None:
        """Return what is really in force."""
        return self._plane.exposure(model)

    @property
    def models(self) -> Collection[ModelName]:
        """Return whose traffic it carries."""
        return self._routes.keys()

    def version(self, model: ModelName, arm: Arm) -> VersionName:
        """Return which version stands behind an arm."""
        route = self._routes[model]
        served = route.candidate if arm is Arm.CANDIDATE else route.incumbent
        return (served or route.incumbent).version

    def serve(self, model: ModelName, subject: str) -> tuple[Assignment, Exposure | None]:
        """Assign one request; say under which exposure."""
        exposure = self._plane.exposure(model)
        if exposure is None:
            return Assignment(Arm.INCUMBENT, measured=False), None
        assignment = self._plane.serve(model, subject)
        if self.lying_split and assignment.arm is Arm.CANDIDATE and self._dice.random() < 0.5:
            return Assignment(Arm.INCUMBENT, measured=True), exposure
        return assignment, exposure

    async def _obey(self) -> None:
        while self._inbox:
            due, model, exposure, token, ttl = self._inbox[0]
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
            with suppress(GlideslopeError):  # it said yes already
                await self._plane.lease(model, exposure, token=token, ttl=ttl)
            self._inbox.popleft()
