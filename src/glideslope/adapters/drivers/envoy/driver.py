"""The Envoy driver: what the server process holds of a gateway. It writes shapes, grants leases, reads back what is in force.

Shapes reach Envoy as files and outlive us; exposure reaches it only over our own leases and ends with them. Whether Envoy runs
on this host or on another is the business of the door between us.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc.aio

from glideslope.adapters.drivers.envoy import lanes as kept
from glideslope.adapters.drivers.envoy.accesslog import AccessLogService, log_handler
from glideslope.adapters.drivers.envoy.bootstrap import SLOTS
from glideslope.adapters.drivers.envoy.door import Door, LocalDoor
from glideslope.adapters.drivers.envoy.lanes import Lane
from glideslope.adapters.drivers.envoy.layout import Folder
from glideslope.adapters.drivers.envoy.limits import Limits
from glideslope.adapters.drivers.envoy.shape import compile_lanes, runtime_values
from glideslope.adapters.drivers.envoy.xds import LeaseService, lease_handler
from glideslope.domain.errors import DriverUnavailable, NotFound, TokenStale
from glideslope.domain.ids import ModelName
from glideslope.domain.traffic import Exposure, ObservedRoute, Route, Token, newest
from glideslope.engine.ports import Feature, ServedSink

_log = logging.getLogger(__name__)


class EnvoyDriver:
    """Drives the gateway in `folder`, or behind another `door`. Use as an asynchronous context: within it, it can lease.

    `folder` keeps what the gateway was asked to carry. `sink` is called in the event loop with what was measured.
    `patience` bounds, in seconds, how long Envoy may take to accept something. Raises DriverUnavailable when the folder
    cannot be used.
    """

    name: str = "envoy"
    features: frozenset[Feature] = frozenset(Feature)

    def __init__(
        self,
        folder: Path,
        *,
        sink: ServedSink,
        limits: Limits | None = None,
        patience: float = 5.0,
        monotonic: Callable[[], float] = time.monotonic,
        door: Door | None = None,
    ) -> None:
        self._folder = Folder.at(folder)
        self._limits = limits or Limits()
        self._patience = patience
        self._door = door or LocalDoor(self._folder, patience=patience)
        self._plane = self._door.plane
        self._leases = LeaseService(SLOTS, monotonic=monotonic)
        self._logs = AccessLogService(sink)
        self._shaped: Token | None = None
        self._lanes: dict[ModelName, Lane] = {}
        self._granted: dict[ModelName, tuple[Exposure, Token]] = {}
        self._withdrawn: dict[ModelName, Token] = {}
        """The token that bore the last withdrawal; whoever comes after this process bears newer ones."""
        self._orders: dict[ModelName, int] = {}
        self._publishing = asyncio.Lock()
        self._server: grpc.aio.Server | None = None

    async def __aenter__(self) -> Self:
        self._folder.create()
        self._lanes = kept.load(self._folder.lanes)
        self._leases.inherit(lane.slot for lane in self._lanes.values() if lane.slot)
        guarded = self._door.guarded
        server = grpc.aio.server(options=list(self._door.options))
        ours = (lease_handler(self._leases, guarded=guarded), log_handler(self._logs, guarded=guarded))
        server.add_generic_rpc_handlers((*ours, *self._door.handlers))
        self._door.bind(server)
        await server.start()
        self._door.opened()
        self._server = server
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._plane.close()
        if self._server is not None:
            await self._server.stop(grace=0)
            self._server = None

    # Driver

    async def shape(self, routes: Sequence[Route], *, token: Token | None = None) -> None:
        """Make Envoy carry `routes` and nothing else; return when it has accepted them. Raises TokenStale, DriverUnavailable."""
        self._shaped = newest(self._shaped, token, what="all models")
        async with self._publishing:
            lanes = kept.reshaped(self._lanes, routes)
            documents = compile_lanes(lanes, limits=self._limits, keeping=self._lanes)
            final = compile_lanes(lanes, limits=self._limits)
            for model, lane in self._lanes.items():
                if lane.slot and (model not in lanes or not lanes[model].slot):
                    self._forget(model, lane.slot)
            before, self._lanes = self._lanes, lanes
            try:
                if lanes != before:
                    kept.save(self._folder.lanes, lanes)
                await self._plane.publish(documents, final)
            except DriverUnavailable:
                self._lanes = _restored(before, self._lanes)
                kept.save(self._folder.lanes, self._lanes)
                raise

    async def lease(self, model: ModelName, exposure: Exposure | None, *, token: Token, ttl: timedelta) -> None:
        """Grant, renew or withdraw. A renewal under the same token prolongs; it brings back nothing that lapsed or was withdrawn.

        Besides TokenStale raises NotFound for a model, or a candidate, that was never shaped, and DriverUnavailable when
        nobody listens, or a step begins that Envoy does not accept: then nobody is exposed to it.
        """
        if exposure is not None:
            ttl = self._shortened(ttl)
        lane = self._lanes.get(model)
        if lane is None:
            raise NotFound(what="model behind the gateway", name=model)
        if lane.token is not None and token < lane.token:
            raise TokenStale(model=model, seen=str(lane.token), offered=str(token))
        if exposure is not None and lane.route.candidate is not None and exposure.rollout != lane.route.salt:
            return  # What is left of an earlier rollout touches no other candidate.
        order = self._orders[model] = self._orders.get(model, 0) + 1
        newer = token != lane.token
        if exposure is not None and self._withdrawn.get(model) == token:
            return
        self._lanes[model] = lane = replace(lane, token=token)
        try:
            if exposure is None:
                self._withdrawn[model] = token
                if lane.slot:
                    self._forget(model, lane.slot)
                self._leases.require_listener()
            elif lane.route.candidate is None:
                raise NotFound(what="candidate behind the gateway for", name=model)
            elif lane.slot and (lane.rollout, lane.step) == (exposure.rollout, exposure.step):
                self._go_on(lane, exposure, token, ttl)
            else:
                await self._begin_step(lane, exposure, token, ttl, order)
        finally:
            # Also when it reached nobody: an older order must be refused by whoever comes after us.
            if newer:
                kept.save(self._folder.lanes, self._lanes)

    async def observe(self, model: ModelName) -> ObservedRoute:
        """Read back routes and weights in force from Envoy's admin."""
        if model not in self._lanes:
            raise NotFound(what="model behind the gateway", name=model)
        return await self._plane.observe(model)

    async def requests(self, model: ModelName) -> Mapping[str, int]:
        """Return how many requests Envoy has answered per role (candidate, control, rest, shadow) since it started.

        This counts the unmeasured too, at no cost per request. Raises DriverUnavailable.
        """
        return await self._plane.requests(model)

    def gateways(self) -> Sequence[str]:
        """Return which gateways listen for leases now."""
        return self._leases.nodes()

    # Leases

    def _shortened(self, ttl: timedelta) -> timedelta:
        """Return for how long Envoy is told to expose, so that it ends within `ttl` of now however late it is told."""
        if ttl <= self._door.silence:
            why = (
                f"a lease of {ttl.total_seconds():g} s is too short for a gateway on another host, which may be told "
                f"{self._door.silence.total_seconds():g} s late; plan a longer one"
            )
            raise DriverUnavailable(driver=self.name, why=why)
        return ttl - self._door.silence

    def _forget(self, model: ModelName, slot: str) -> None:
        self._leases.clear(slot)
        self._granted.pop(model, None)

    def _go_on(self, lane: Lane, exposure: Exposure, token: Token, ttl: timedelta) -> None:
        """Renew by heartbeat what was granted under this token; anything newer is a decision and is sent in full."""
        if self._granted.get(lane.route.model) == (exposure, token):
            self._leases.renew(lane.slot, ttl)
            return
        self._leases.require_listener()
        self._leases.put(lane.slot, runtime_values(lane, exposure), ttl)
        self._granted[lane.route.model] = (exposure, token)

    async def _begin_step(self, lane: Lane, exposure: Exposure, token: Token, ttl: timedelta, order: int) -> None:
        """Put the weights of both steps in force, then switch the route: no subject falls back between two steps."""
        model = lane.route.model
        async with self._publishing:
            if self._orders[model] != order:
                return
            lane = self._unchanged(lane)
            begun = replace(lane, rollout=exposure.rollout, step=exposure.step, slot=lane.slot or self._free_slot())
            values = runtime_values(begun, exposure)
            before = self._granted.get(model) if self._leases.in_force(begun.slot) else None
            both = runtime_values(lane, before[0]) | values if before else values
            self._lanes[model] = begun
            try:
                await self._leases.accepted(self._leases.put(begun.slot, both, ttl), timeout=self._patience)
                kept.save(self._folder.lanes, self._lanes)
                documents = compile_lanes(self._lanes, limits=self._limits)
                await self._plane.publish(documents, documents)
            except DriverUnavailable:
                # First of all nobody is exposed; what follows may fail for the same reason.
                self._forget(model, begun.slot)
                self._lanes[model] = replace(lane, token=self._lanes[model].token)
                kept.save(self._folder.lanes, self._lanes)
                raise
            if self._orders[model] == order:
                self._leases.put(begun.slot, values, ttl)
                self._granted[model] = (exposure, token)

    def _unchanged(self, lane: Lane) -> Lane:
        """Return the lane as it is after waiting. Raises DriverUnavailable when another comparison was shaped meanwhile."""
        now = self._lanes.get(lane.route.model)
        if now is None or kept.compared(now.route) != kept.compared(lane.route):
            raise DriverUnavailable(driver=self.name, why="the shape changed while a step was to begin; ask again")
        return now

    def _free_slot(self) -> str:
        taken = {lane.slot for lane in self._lanes.values()}
        for slot in SLOTS:
            if slot not in taken:
                return slot
        raise DriverUnavailable(driver=self.name, why=f"{len(SLOTS)} rollouts are under way; no more fit one gateway")


def _restored(before: Mapping[ModelName, Lane], now: Mapping[ModelName, Lane]) -> dict[ModelName, Lane]:
    """Return the lanes that Envoy goes on with; an order that came meanwhile is still the newest."""
    return {model: replace(lane, token=now[model].token) if model in now else lane for model, lane in before.items()}
