"""Names that Envoy carries for us, and what may be read back from them: nobody outside can write one."""

from typing import Any, Final

from glideslope.adapters.drivers.envoy.lanes import Lane
from glideslope.domain.ids import ModelName, VersionName
from glideslope.domain.traffic import Route

Json = dict[str, Any]

METADATA: Final = "glideslope"
"""The key of what we note on routes and endpoints."""

TYPE: Final = "type.googleapis.com/envoy"
NO_SUBJECT: Final = "no-subject"
BY_SUBJECT: Final = "by-subject"


def route_name(lane: Lane, how: str) -> str:
    """Name a route by what its log entries must say: model, rollout, step, and whether a subject was named."""
    return f"{lane.route.model}|{lane.rollout}|{lane.step}|{how}"


def cluster_name(model: ModelName, version: VersionName, role: str) -> str:
    """Name a cluster; the version is in it, so that a route and its clusters change together."""
    return f"{model}/{version}/{role}"


def split_names(route: Route) -> tuple[str, str, str]:
    """Name the three clusters of a split: candidate, control, rest. The route must have a candidate."""
    if route.candidate is None:
        raise AssertionError(route)
    return (
        cluster_name(route.model, route.candidate.version, "candidate"),
        cluster_name(route.model, route.incumbent.version, "control"),
        cluster_name(route.model, route.incumbent.version, "rest"),
    )
