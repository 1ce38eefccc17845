"""What one gateway carries, model by model: the route, the step whose lease it obeys, and the newest order it has seen.

Kept in the gateway's folder, because a server that comes back must neither change a step in force nor obey an older order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec

from glideslope.adapters.drivers.envoy import layout
from glideslope.domain.errors import DriverUnavailable
from glideslope.domain.ids import ModelName, RolloutId, StepName
from glideslope.domain.traffic import Route, Token

_FORMAT: Final = 1
_NO_ROLLOUT: Final = RolloutId("")
_NO_STEP: Final = StepName("")


@dataclass(frozen=True, slots=True)
class Lane:
    """One model's traffic as Envoy is asked to carry it."""

    route: Route
    rollout: RolloutId = _NO_ROLLOUT
    step: StepName = _NO_STEP
    """Empty until the first lease: such a lane reads no weights and exposes nobody."""
    slot: str = ""
    """The runtime layer that leases it."""
    token: Token | None = None

    @property
    def prefix(self) -> str:
        """What this step's runtime keys begin with; a lease for another step does not fit."""
        return f"gs.{self.rollout}.{self.step}"


Lanes = Mapping[ModelName, Lane]


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    lanes: tuple[Lane, ...]


def reshaped(lanes: Lanes, routes: Sequence[Route]) -> dict[ModelName, Lane]:
    """Carry new routes. A step stays in force only where the same versions are compared under the same salt."""
    return {route.model: _carried(lanes.get(route.model), route) for route in routes}


def _carried(lane: Lane | None, route: Route) -> Lane:
    if lane is None:
        return Lane(route)
    if compared(lane.route) == compared(route):
        return replace(lane, route=route)
    return Lane(route, token=lane.token)


def compared(route: Route) -> tuple[object, ...]:
    """Return what a comparison rests on. A change of it ends the exposure; a moved endpoint does not."""
    return (
        route.salt,
        route.incumbent.version,
        route.incumbent.digest,
        route.candidate and (route.candidate.version, route.candidate.digest),
    )


def load(path: Path) -> dict[ModelName, Lane]:
    """Read what was kept; nothing was kept before the first shape. Raises DriverUnavailable when it is damaged."""
    try:
        document = msgspec.json.decode(path.read_bytes(), type=_Document)
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise DriverUnavailable(driver="envoy", why=f"{path} cannot be read: {error}") from error
    if document.format != _FORMAT:
        raise DriverUnavailable(driver="envoy", why=f"{path} has format {document.format}, not {_FORMAT}")
    return {lane.route.model: lane for lane in document.lanes}


def save(path: Path, lanes: Lanes) -> None:
    """Keep them, whole or not at all."""
    document = _Document(format=_FORMAT, lanes=tuple(lanes[model] for model in sorted(lanes)))
    layout.replace(path, msgspec.json.encode(document).decode())
