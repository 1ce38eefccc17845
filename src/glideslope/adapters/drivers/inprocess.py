"""The data plane without a hop: services assign in process, and this driver holds what they are granted.

Leases end in the services themselves; here is what was handed out, to whom, and until when it may still be obeyed.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from glideslope.domain.errors import DriverUnavailable, NotFound, TokenStale
from glideslope.domain.ids import ModelName
from glideslope.domain.observation import Grant
from glideslope.domain.traffic import Exposure, ObservedRoute, Route, Token, newest
from glideslope.engine.ports import Clock, Feature

NO_GRANT: Final = "0"
"""The tag while nobody is exposed."""


@dataclass(frozen=True, slots=True)
class _Lease:
    exposure: Exposure
    salt: str
    token: Token
    until: float
    """Monotonic seconds."""

    @property
    def tag(self) -> str:
        split = self.exposure.split
        return f"{self.token}.{self.exposure.rollout}.{self.exposure.step}.{split.candidate}.{split.control}"


@dataclass(slots=True)
class _Lane:
    """One model's traffic."""

    route: Route
    newest: Token | None = None
    lease: _Lease | None = None
    withdrawn: bool = False
    """Whether the newest token was borne by a withdrawal."""
    ttl: float = 0.0
    """Seconds of the longest lease that was spoken of."""
    handed: dict[tuple[str, str], _Lease] = field(default_factory=dict)
    """Source and tag to the lease that the source was last handed under it, while it may still be obeyed."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


class InProcessDriver:
    """Keeps the port Driver for services that assign by `glideslope.sdk`. Runs in one event loop; `clock` is told.

    The briefing route asks `grant` for what to hand out, `tag` for what a long poll compares, and waits in `changed`.
    """

    name = "inprocess"
    features = frozenset({Feature.STICKY, Feature.OBSERVE})

    def __init__(self, *, clock: Clock, first: bool = True) -> None:
        """Tell with `first` whether no other server can have granted anything before: what it did grant is unknown here."""
        self._clock = clock
        self._first = first
        self._started = clock.monotonic()
        self._shaped: Token | None = None
        self._lanes: dict[ModelName, _Lane] = {}
        self._reshaped = asyncio.Event()

    async def shape(self, routes: Sequence[Route], *, token: Token | None = None) -> None:
        """Take over the routes; another candidate, incumbent or salt ends the exposure, a moved endpoint does not.

        Raises TokenStale.
        """
        self._shaped = newest(self._shaped, token, what="all models")
        wanted = {route.model: route for route in routes}
        for model in self._lanes.keys() - wanted.keys():
            self._lanes.pop(model).wake()
        for model, route in wanted.items():
            lane = self._lanes.get(model)
            if lane is None:
                self._lanes[model] = _Lane(route=route)
                self._reshaped.set()
                self._reshaped = asyncio.Event()
                continue
            before, lane.route = lane.route, route
            if lane.lease is not None and _compared(before) != _compared(route):
                lane.lease = None
                lane.wake()

    async def lease(self, model: ModelName, exposure: Exposure | None, *, token: Token, ttl: timedelta) -> None:
        """Grant, renew or withdraw. Raises TokenStale, and NotFound for an exposure without a candidate or its salt.

        After a lapse or a withdrawal only a newer token exposes again: a renewal prolongs, it brings nothing back.
        """
        lane = self._lane(model)
        if lane.newest is not None and token < lane.newest:
            raise TokenStale(model=model, seen=str(lane.newest), offered=str(token))
        if exposure is not None and (lane.route.candidate is None or not lane.route.salt):
            raise NotFound(what="candidate to expose of", name=model)
        if exposure is not None and exposure.rollout != lane.route.salt:
            return  # What is left of an earlier rollout touches no other candidate.
        known = lane.lease
        if known and (known.exposure, known.token) == (exposure, token) and self._live(lane) is None:
            return
        if exposure is not None and lane.withdrawn and lane.newest == token:
            return
        before = self.tag(model)
        lane.newest = token
        lane.ttl = max(lane.ttl, ttl.total_seconds())
        lane.lease, lane.withdrawn = None, exposure is None
        if exposure is not None:
            until = self._clock.monotonic() + ttl.total_seconds()
            lane.lease = _Lease(exposure=exposure, salt=lane.route.salt, token=token, until=until)
        if self.tag(model) != before:
            lane.wake()

    async def observe(self, model: ModelName) -> ObservedRoute:
        """Report the exposure that services may still obey: the current lease, or one that was handed out and not taken back.

        A withdrawal is in force when each source has asked again, and at the latest when its lease has ended. Raises
        DriverUnavailable while a service that has not asked us yet may obey an earlier server.
        """
        lane = self._lane(model)
        lease = self._live(lane)
        if lease is None:
            self._forget_ended(lane)
            lease = max(lane.handed.values(), key=lambda handed: handed.until, default=None)
        left = self._started + lane.ttl - self._clock.monotonic()
        if lease is None and not self._first and left > 0:
            why = f"for {left:.1f} s more a service may obey what an earlier server granted"
            raise DriverUnavailable(driver=self.name, why=why)
        candidate = lane.route.candidate
        return ObservedRoute(
            model=model,
            exposure=None if lease is None else lease.exposure,
            incumbent=lane.route.incumbent.version,
            candidate=None if candidate is None else candidate.version,
        )

    def tag(self, model: ModelName) -> str:
        """Return what changes whenever what `grant` hands out does, but for the time left of it."""
        lane = self._lanes.get(model)
        lease = None if lane is None else self._live(lane)
        return NO_GRANT if lease is None else lease.tag

    def grant(self, model: ModelName, *, source: str = "") -> Grant | None:
        """Hand out what is granted now, with the time left of it; None when nobody is to be exposed."""
        lane = self._lanes.get(model)
        lease = None if lane is None else self._live(lane)
        if lane is None or lease is None:
            return None
        left = int((lease.until - self._clock.monotonic()) * 1000)
        if left <= 0:
            return None
        self._forget_ended(lane)
        lane.handed[source, lease.tag] = lease
        weights = lease.exposure.split.weights()
        return Grant(
            rollout=lease.exposure.rollout,
            step=lease.exposure.step,
            salt=lease.salt,
            candidate=weights.candidate,
            control=weights.control,
            lease_ms=left,
            epoch=lease.token.epoch,
            version=lease.token.version,
        )

    def acknowledge(self, model: ModelName, *, seen: str, source: str = "") -> None:
        """Note that a source obeys what it was given under the tag `seen`, and so nothing older."""
        lane = self._lanes.get(model)
        if lane is None:
            return
        for held in [held for held in lane.handed if held[0] == source and held[1] != seen]:
            del lane.handed[held]

    async def changed(self, model: ModelName, *, seen: str) -> None:
        """Return as soon as the tag is not `seen` (any more). Bound it by a timeout: a lapse wakes nobody."""
        while self.tag(model) == seen:
            lane = self._lanes.get(model)
            await (self._reshaped if lane is None else lane.changed).wait()

    def _lane(self, model: ModelName) -> _Lane:
        lane = self._lanes.get(model)
        if lane is None:
            raise NotFound(what="model", name=model)
        return lane

    def _live(self, lane: _Lane) -> _Lease | None:
        lease = lane.lease
        return lease if lease is not None and self._clock.monotonic() < lease.until else None

    def _forget_ended(self, lane: _Lane) -> None:
        now = self._clock.monotonic()
        for held in [held for held, lease in lane.handed.items() if lease.until <= now]:
            del lane.handed[held]


def _compared(route: Route) -> tuple[object, ...]:
    """Return what a comparison rests on."""
    ends = (route.incumbent, route.candidate)
    return (route.salt, *(end and (end.version, end.digest) for end in ends))
