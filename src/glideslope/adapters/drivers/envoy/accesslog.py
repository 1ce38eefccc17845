"""Takes Envoy's access log over gRPC and hands on who was served, by which arm, how well.

What a request was assigned to is read from the names of its route and its cluster: a caller can write neither. The cluster
is the one that answered: after a rescue that is `rescue`, which nothing else leads to.
"""

import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

import grpc
import grpc.aio
from envoy.data.accesslog.v3 import accesslog_pb2
from envoy.service.accesslog.v3 import als_pb2

from glideslope.adapters.drivers.envoy.bootstrap import FLUSH_US
from glideslope.adapters.drivers.envoy.door import Behaviour
from glideslope.adapters.drivers.envoy.names import BY_SUBJECT
from glideslope.domain.ids import ModelName, RolloutId, StepName
from glideslope.domain.stamps import SUBJECT
from glideslope.domain.traffic import Arm
from glideslope.engine.ports import Served, ServedSink

_log = logging.getLogger(__name__)

_ARMS: Final = {
    "candidate": Arm.CANDIDATE,
    "alone": Arm.CANDIDATE,
    "rescue": Arm.CANDIDATE,
    "control": Arm.INCUMBENT,
    "rest": Arm.INCUMBENT,
}


MOST_FLYING: Final = 10_000
"""Requests whose reports are counted before they have ended; the oldest give way, and seem younger when told of again."""


REPORTED_US: Final = FLUSH_US * 9 // 10
"""Microseconds that a request is older with each report."""


class Ages:
    """How old requests are that have not ended, told by how often Envoy reported them: no two clocks are compared.

    Envoy reports each every FLUSH_US from its beginning, so one reported n times is n times as old; a tenth is taken off, since
    the timers of an overloaded Envoy may be early by what its loop is late.
    """

    def __init__(self) -> None:
        self._reports: OrderedDict[str, int] = OrderedDict()

    def told(self, one: Served) -> Served:
        """Give a request that has not ended its least age; forget one that has."""
        if not one.in_flight:
            self._reports.pop(one.stream, None)
            return one
        self._reports[one.stream] = count = self._reports.get(one.stream, 0) + 1
        if len(self._reports) > MOST_FLYING:
            self._reports.popitem(last=False)
        return replace(one, latency_us=count * REPORTED_US)


def served(entries: Iterable[Any]) -> list[Served]:
    """Translate `HTTPAccessLogEntry` messages; what reached no model is left out."""
    return [one for entry in entries if (one := _served(entry)) is not None]


def _served(entry: Any) -> Served | None:  # noqa: ANN401 - generated messages carry no types
    common = entry.common_properties
    assigned = _assigned(common.route_name, common.upstream_cluster)
    if assigned is None:
        return None
    model, rollout, step, arm, rescued, sticky = assigned
    took = common.duration
    return Served(
        model=model,
        rollout=rollout,
        step=step,
        arm=arm,
        subject=entry.request.request_headers.get(SUBJECT, "") if sticky else "",
        status=entry.response.response_code.value,
        latency_us=took.seconds * 1_000_000 + took.nanos // 1_000,
        rescued=rescued or common.upstream_request_attempt_count > 1,
        in_flight=common.access_log_type == accesslog_pb2.DownstreamPeriodic,
        stream=common.stream_id,
    )


@lru_cache(maxsize=4096)
def _assigned(route: str, cluster: str) -> tuple[ModelName, RolloutId, StepName, Arm, bool, bool] | None:
    parts = route.split("|")
    role = cluster.rpartition("/")[2]
    if len(parts) != 4 or role not in _ARMS:
        return None
    model, rollout, step, how = parts
    if role == "rest":
        # The route still bears its step's name when its lease has lapsed; nobody tossed a coin for this request.
        rollout, step = "", ""
    return ModelName(model), RolloutId(rollout), StepName(step), _ARMS[role], role == "rescue", how == BY_SUBJECT


class AccessLogService:
    """Receives log entries and hands on what they say to a sink."""

    def __init__(self, sink: ServedSink) -> None:
        self._sink = sink
        self._ages = Ages()

    async def stream(
        self,
        messages: AsyncIterator[als_pb2.StreamAccessLogsMessage],
        _context: grpc.aio.ServicerContext[Any, Any],
    ) -> als_pb2.StreamAccessLogsResponse:
        """Take one Envoy's entries for as long as it sends them."""
        async for message in messages:
            if batch := served(message.http_logs.log_entry):
                self._sink([self._ages.told(one) for one in batch])
        return als_pb2.StreamAccessLogsResponse()


def log_handler(
    service: AccessLogService, *, guarded: Callable[[Behaviour], Behaviour]
) -> "grpc.GenericRpcHandler[Any, Any]":
    """Return what a gRPC server needs to take logs."""
    return grpc.method_handlers_generic_handler(
        "envoy.service.accesslog.v3.AccessLogService",
        {
            "StreamAccessLogs": grpc.stream_unary_rpc_method_handler(
                guarded(service.stream),
                request_deserializer=als_pb2.StreamAccessLogsMessage.FromString,
                response_serializer=als_pb2.StreamAccessLogsResponse.SerializeToString,
            )
        },
    )
