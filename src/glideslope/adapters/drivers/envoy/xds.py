"""Leases to Envoy: aggregated discovery (incremental ADS) of runtime layers that carry a life of their own.

A grant sends a layer with its TTL. A renewal is a heartbeat: the same resource and version without its body, which prolongs
what is in force and can bring back nothing that has lapsed. Source: the xDS transport protocol, "Time to live".
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Final

import grpc
import grpc.aio
from envoy.service.discovery.v3 import discovery_pb2
from envoy.service.runtime.v3 import rtds_pb2

from glideslope.adapters.drivers.envoy.door import Behaviour
from glideslope.domain.errors import DriverUnavailable

RUNTIME: Final = "type.googleapis.com/envoy.service.runtime.v3.Runtime"

_END: Final = discovery_pb2.DeltaDiscoveryResponse()

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Layer:
    """Values that one lease puts in force, until `deadline` on the server's monotonic clock."""

    values: Mapping[str, Any]
    version: int
    deadline: float


@dataclass(frozen=True, slots=True)
class Renewal:
    """A layer that shall live until `deadline`, if the Envoy that was told still has it."""

    slot: str
    version: int
    deadline: float


@dataclass(slots=True, eq=False)
class Stream:
    """One Envoy that listens, and what it has answered."""

    node: str = ""
    names: frozenset[str] = frozenset()
    unanswered: dict[str, int] = field(default_factory=dict)
    """Version by nonce of what was sent with a body."""
    heartbeats: "dict[str, Renewal]" = field(default_factory=dict)
    """By nonce, what was prolonged and is not known to have come."""
    accepted: int = 0
    """The newest version that it has taken."""
    refused: int = 0
    why: str = ""
    outbox: "asyncio.Queue[discovery_pb2.DeltaDiscoveryResponse]" = field(default_factory=asyncio.Queue)
    answered: asyncio.Event = field(default_factory=asyncio.Event)


class LeaseService:
    """Keeps runtime layers in every Envoy that is connected. Not thread-safe: it belongs to one event loop."""

    def __init__(self, slots: Sequence[str], *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._slots = frozenset(slots)
        self._monotonic = monotonic
        self._layers: dict[str, Layer] = {}
        self._streams: list[Stream] = []
        self._inherited: frozenset[str] = frozenset()
        self._nonce = 0
        # A version that an Envoy remembers from an earlier server must not look like one of ours.
        self._version = time.time_ns()

    def inherit(self, slots: Iterable[str]) -> None:
        """Leave alone what an earlier server leased in these slots, until we have our own word on them.

        Its life goes on shrinking in Envoy; a slot that is nobody's is emptied instead when an Envoy connects.
        """
        self._inherited = self._slots & frozenset(slots)

    def put(self, slot: str, values: Mapping[str, Any], ttl: timedelta) -> int:
        """Put a layer in force everywhere for `ttl`; return the version to wait for."""
        self._version += 1
        self._inherited -= {slot}
        self._layers[slot] = Layer(values, self._version, self._monotonic() + ttl.total_seconds())
        self._broadcast(slot)
        return self._version

    def clear(self, slot: str) -> int:
        """Withdraw the layer at once; return the version to wait for."""
        self._version += 1
        self._inherited -= {slot}
        self._layers.pop(slot, None)
        self._broadcast(slot)
        return self._version

    def renew(self, slot: str, ttl: timedelta) -> None:
        """Prolong the layer where it is still in force. Raises DriverUnavailable when nobody listens, or answers.

        Its life here is as long as an Envoy is known to give it: a renewal that nobody has taken must not make us send the
        layer anew, to an Envoy that had let it lapse meanwhile.
        """
        self.require_listener()
        layer = self._layers.get(slot)
        under_way = any(renewal.slot == slot for stream in self._streams for renewal in stream.heartbeats.values())
        if layer is None or not (under_way or self.in_force(slot)):
            return
        renewal = Renewal(slot, layer.version, self._monotonic() + ttl.total_seconds())
        heartbeat = discovery_pb2.Resource(name=slot, version=str(layer.version))
        heartbeat.ttl.FromTimedelta(ttl)
        for stream in self._streams:
            if slot in stream.names:
                stream.heartbeats[self._send(stream, [heartbeat])] = renewal
        if not self.in_force(slot):
            raise DriverUnavailable(driver="envoy", why="no renewal was acknowledged for the life of the lease")

    def require_listener(self) -> None:
        """Raise DriverUnavailable when no Envoy listens: then what is said now reaches nobody."""
        if not self.nodes():
            raise DriverUnavailable(driver="envoy", why="no gateway is connected")

    def in_force(self, slot: str) -> bool:
        """Tell whether the layer's life is not over yet."""
        return self._current(slot) is not None

    def nodes(self) -> Sequence[str]:
        """Return who is connected and asked for leases."""
        return [stream.node for stream in self._streams if stream.names]

    async def accepted(self, version: int, *, timeout: float) -> None:  # noqa: ASYNC109 - the bound belongs to the promise
        """Wait until every connected Envoy has taken `version`. Raises DriverUnavailable when one refuses or is silent."""
        self.require_listener()
        try:
            async with asyncio.timeout(timeout):
                for stream in list(self._streams):
                    while stream in self._streams and stream.accepted < version:
                        if stream.refused >= version:
                            raise DriverUnavailable(driver="envoy", why=f"{stream.node} refused a lease: {stream.why}")
                        stream.answered.clear()
                        await stream.answered.wait()
        except TimeoutError:
            raise DriverUnavailable(driver="envoy", why=f"a lease was not taken within {timeout:g} s") from None

    def _current(self, slot: str) -> Layer | None:
        layer = self._layers.get(slot)
        return layer if layer and layer.deadline > self._monotonic() else None

    def _resource(self, slot: str) -> discovery_pb2.Resource:
        """Return the layer that is in force; without a lease it is empty, so that nothing older survives."""
        runtime = rtds_pb2.Runtime(name=slot)
        resource = discovery_pb2.Resource(name=slot, version=str(self._version))
        if layer := self._current(slot):
            resource.version = str(layer.version)
            runtime.layer.update(layer.values)
            resource.ttl.FromTimedelta(timedelta(seconds=layer.deadline - self._monotonic()))
        resource.resource.Pack(runtime)
        return resource

    def _broadcast(self, slot: str) -> None:
        resource = self._resource(slot)
        for stream in self._streams:
            if slot in stream.names:
                stream.unanswered[self._send(stream, [resource])] = self._version

    def _send(self, stream: Stream, resources: Sequence[discovery_pb2.Resource]) -> str:
        self._nonce += 1
        nonce = str(self._nonce)
        stream.outbox.put_nowait(
            discovery_pb2.DeltaDiscoveryResponse(type_url=RUNTIME, nonce=nonce, resources=resources)
        )
        return nonce

    async def stream(
        self,
        requests: AsyncIterator[discovery_pb2.DeltaDiscoveryRequest],
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> None:
        """Serve one Envoy for as long as it listens."""
        stream = Stream()
        reading = asyncio.create_task(self._read(stream, requests))
        reading.add_done_callback(lambda _: stream.outbox.put_nowait(_END))
        self._streams.append(stream)
        try:
            while (response := await stream.outbox.get()) is not _END:
                await context.write(response)
        finally:
            self._streams.remove(stream)
            stream.answered.set()
            reading.cancel()

    async def _read(self, stream: Stream, requests: AsyncIterator[discovery_pb2.DeltaDiscoveryRequest]) -> None:
        async for request in requests:
            if request.type_url != RUNTIME:
                continue
            stream.node = request.node.id or stream.node
            asked = frozenset(request.resource_names_subscribe) & self._slots
            left_alone = self._inherited & frozenset(request.initial_resource_versions)
            fresh = asked - stream.names - left_alone
            stream.names = (stream.names | asked) - frozenset(request.resource_names_unsubscribe)
            self._note_answer(stream, request)
            if fresh:
                nonce = self._send(stream, [self._resource(slot) for slot in sorted(fresh)])
                stream.unanswered[nonce] = self._version

    def _note_answer(self, stream: Stream, request: discovery_pb2.DeltaDiscoveryRequest) -> None:
        if not request.response_nonce:
            return
        version = stream.unanswered.pop(request.response_nonce, 0)
        renewal = stream.heartbeats.pop(request.response_nonce, None)
        if renewal:
            self._note_renewal(renewal, stream, refused=request.HasField("error_detail"))
        elif request.HasField("error_detail"):
            stream.refused = max(stream.refused, version)
            stream.why = request.error_detail.message
            _log.warning("%s refused a lease: %s", stream.node, stream.why)
        else:
            stream.accepted = max(stream.accepted, version)
        stream.answered.set()

    def _note_renewal(self, renewal: Renewal, stream: Stream, *, refused: bool) -> None:
        layer = self._layers.get(renewal.slot)
        if layer is None or layer.version != renewal.version:
            return
        if refused:
            # Envoy refuses a heartbeat for what it no longer has. No renewal shall bring it back.
            _log.warning("%s had let a lease lapse before its renewal came", stream.node)
            del self._layers[renewal.slot]
        else:
            # Counted from when it was sent: Envoy counts from no earlier.
            self._layers[renewal.slot] = replace(layer, deadline=max(layer.deadline, renewal.deadline))


def lease_handler(
    service: LeaseService, *, guarded: Callable[[Behaviour], Behaviour]
) -> "grpc.GenericRpcHandler[Any, Any]":
    """Return what a gRPC server needs to lease."""
    return grpc.method_handlers_generic_handler(
        "envoy.service.discovery.v3.AggregatedDiscoveryService",
        {
            "DeltaAggregatedResources": grpc.stream_stream_rpc_method_handler(
                guarded(service.stream),
                request_deserializer=discovery_pb2.DeltaDiscoveryRequest.FromString,
                response_serializer=discovery_pb2.DeltaDiscoveryResponse.SerializeToString,
            )
        },
    )
