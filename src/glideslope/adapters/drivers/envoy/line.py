"""What a server and the supervisor of a gateway on another host say to each other: orders one way, answers the other.

The server is called, never calls: the gateway's host needs no open door. Nothing that is said carries a time of day, so
clocks of the two hosts need not agree; how long a lease lives is a duration, told to Envoy beside this line.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Final

import grpc
import msgspec

from glideslope.adapters.drivers.envoy.credentials import Credentials
from glideslope.adapters.drivers.envoy.shape import Documents
from glideslope.domain.ids import ModelName
from glideslope.domain.traffic import ObservedRoute

SERVICE: Final = "glideslope.gateway.v1.Line"
ATTEND: Final = "Attend"

SILENCE: Final = timedelta(seconds=1)
"""For this long a line may be silent before Envoy hangs up, unless its gateway is told otherwise.

So no word arrives later than this after it was sent, and this much is taken off each lease.
"""

SILENCES: Final = (timedelta(seconds=0.5), timedelta(seconds=30))
"""The shortest and the longest that makes sense."""

TELLS_SILENCE: Final = "glideslope-silence"
"""The metadata in which a supervisor says how long that is, in seconds."""

_LONGEST_MESSAGE: Final = 64 * 1024 * 1024

CHANNEL: Final = (
    ("grpc.keepalive_time_ms", 1_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_receive_message_length", _LONGEST_MESSAGE),
    ("grpc.max_send_message_length", _LONGEST_MESSAGE),
)
"""A line that was cut is noticed at both ends, though no packet says so."""

DOOR: Final = (
    *CHANNEL,
    # Both ends ping more often than gRPC thinks polite.
    ("grpc.http2.min_ping_interval_without_data_ms", 100),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 100),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.so_reuseport", 0),
)


@dataclass(frozen=True, slots=True)
class Line:
    """Where the server is, and what is shown to it."""

    host: str
    port: int
    credentials: Credentials
    silence: timedelta = SILENCE


_Number = Annotated[int, msgspec.Meta(ge=0)]


class _Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    number: _Number
    """An answer bears its order's."""


class Publish(_Message, frozen=True, tag="publish"):
    """Make Envoy carry what `final` says, over what `making` says."""

    making: Documents
    final: Documents


class Observe(_Message, frozen=True, tag="observe"):
    """Read back from Envoy what is in force for a model."""

    model: ModelName


class Count(_Message, frozen=True, tag="count"):
    """Count the requests that Envoy has answered for a model."""

    model: ModelName


Order = Publish | Observe | Count


class Done(_Message, frozen=True, tag="done"):
    """It was obeyed."""


class Observed(_Message, frozen=True, tag="observed"):
    """This is in force."""

    route: ObservedRoute


class Counted(_Message, frozen=True, tag="counted"):
    """This many, by role."""

    totals: dict[str, _Number]


class Absent(_Message, frozen=True, tag="absent"):
    """Envoy has no such model."""


class Failed(_Message, frozen=True, tag="failed"):
    """Envoy did not obey, or did not answer."""

    why: str


Answer = Done | Observed | Counted | Absent | Failed

encode: Final[Callable[[Any], bytes]] = msgspec.json.Encoder().encode
"""Writes an order or an answer."""


read_order: Final[Callable[[bytes], Order]] = msgspec.json.Decoder(Order).decode
"""Reads an order. Raises msgspec.DecodeError."""

read_answer: Final[Callable[[bytes], Answer]] = msgspec.json.Decoder(Answer).decode
"""Reads an answer. Raises msgspec.DecodeError."""


def line_handler(behaviour: Any) -> "grpc.GenericRpcHandler[Any, Any]":  # noqa: ANN401 - grpc's handlers carry no usable type
    """Return what a gRPC server needs to be attended."""
    return grpc.method_handlers_generic_handler(SERVICE, {ATTEND: grpc.stream_stream_rpc_method_handler(behaviour)})
