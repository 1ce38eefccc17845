"""Compiles lanes into the documents that Envoy watches, and a lease into a layer. Pure: what is asked for in, JSON out."""

import hashlib
import json
from dataclasses import dataclass
from typing import Final

from glideslope.adapters.drivers.envoy.clusters import clusters_of
from glideslope.adapters.drivers.envoy.lanes import Lane, Lanes
from glideslope.adapters.drivers.envoy.limits import Limits
from glideslope.adapters.drivers.envoy.names import TYPE, Json, split_names
from glideslope.adapters.drivers.envoy.routes import route_configuration
from glideslope.domain.traffic import FULL, Exposure

_MILLIONTHS: Final = 1_000_000 // FULL


@dataclass(frozen=True, slots=True)
class Documents:
    """What Envoy watches, each carrying its own hash as its version."""

    clusters: Json
    routes: Json


def compile_lanes(lanes: Lanes, *, limits: Limits, keeping: Lanes | None = None) -> Documents:
    """Return the documents for `lanes`; clusters of `keeping` stay too, so that no route in force loses its own."""
    clusters: dict[str, Json] = {}
    for carried in (keeping or {}, lanes):
        for lane in carried.values():
            clusters |= {cluster["name"]: cluster for cluster in clusters_of(lane.route, limits)}
    return Documents(
        clusters=versioned(
            [{"@type": f"{TYPE}.config.cluster.v3.Cluster"} | clusters[name] for name in sorted(clusters)]
        ),
        routes=versioned([route_configuration(lanes, limits)]),
    )


def runtime_values(lane: Lane, exposure: Exposure) -> Json:
    """Return the layer that exposes: all three weights at once, and the share of requests that is mirrored."""
    weights = exposure.split.weights()
    candidate, control, rest = split_names(lane.route)
    return {
        f"{lane.prefix}.{candidate}": weights.candidate,
        f"{lane.prefix}.{control}": weights.control,
        f"{lane.prefix}.{rest}": weights.rest,
        f"{lane.prefix}.mirror": {"numerator": exposure.mirror * _MILLIONTHS, "denominator": "MILLION"},
        # For reading back: Envoy shows a fraction in a form that it forbids to parse.
        f"{lane.prefix}.mirrored": exposure.mirror,
    }


def versioned(resources: list[Json]) -> Json:
    """Return a document of these resources; its version is their hash."""
    text = json.dumps(resources, sort_keys=True)
    return {"version_info": hashlib.sha256(text.encode()).hexdigest()[:16], "resources": resources}
