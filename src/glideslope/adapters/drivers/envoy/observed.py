"""Reads back from Envoy itself what is in force: routes from its configuration, weights from its runtime."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from glideslope.adapters.drivers.envoy.admin import Admin
from glideslope.adapters.drivers.envoy.names import METADATA
from glideslope.domain.errors import NotFound
from glideslope.domain.ids import ModelName, RolloutId, StepName, VersionName
from glideslope.domain.traffic import FULL, TOTAL, Exposure, ObservedRoute, Split


async def observed_route(admin: Admin, model: ModelName) -> ObservedRoute:
    """Return what Envoy does for `model`. Raises DriverUnavailable, and NotFound when it has no route for it."""
    dump = await admin.json("/config_dump?resource=dynamic_route_configs")
    for route in _routes(dump):
        facts = route.get("metadata", {}).get("filter_metadata", {}).get(METADATA, {})
        if facts.get("model") == model:
            break
    else:
        raise NotFound(what="model behind the gateway", name=model)
    exposure = None
    if facts["step"]:
        weighted = route["route"]["weighted_clusters"]
        exposure = exposure_in_force(
            await _runtime(admin),
            prefix=weighted["runtime_key_prefix"],
            clusters=[cluster["name"] for cluster in weighted["clusters"]],
            rollout=RolloutId(facts["rollout"]),
            step=StepName(facts["step"]),
        )
    return ObservedRoute(
        model=model,
        exposure=exposure,
        incumbent=VersionName(facts["incumbent"]),
        candidate=VersionName(facts["candidate"]) if facts["candidate"] else None,
    )


def exposure_in_force(
    runtime: Mapping[str, str], *, prefix: str, clusters: list[str], rollout: RolloutId, step: StepName
) -> Exposure | None:
    """Turn weights in force into the split that they came from; None when the static default applies."""
    candidate, control, _ = (runtime.get(f"{prefix}.{cluster}") for cluster in clusters)
    if candidate is None or control is None:
        return None
    return Exposure(
        rollout=rollout,
        step=step,
        split=split_of(int(candidate), int(control)),
        mirror=int(runtime.get(f"{prefix}.mirrored", "0")),
    )


def split_of(candidate: int, control: int) -> Split:
    """Return the split whose weights these are. Split.weights rounds down, and 6.5 weights make a basis point: one fits."""
    points = -(-candidate * FULL // TOTAL)
    rest = TOTAL - candidate - control
    return Split(candidate=points, control=FULL - points if rest == 0 else -(-control * FULL // TOTAL))


async def requests_of(admin: Admin, model: ModelName) -> Mapping[str, int]:
    """Return requests answered so far per role, summed over the versions that Envoy knows."""
    stats = await admin.stats(rf"^cluster\.{re.escape(model)}/.*/[a-z]+\.upstream_rq_completed$")
    totals: dict[str, int] = {}
    for name, value in stats.items():
        role = name.removesuffix(".upstream_rq_completed").rpartition("/")[2]
        totals[role] = totals.get(role, 0) + int(value)
    return totals


async def _runtime(admin: Admin) -> dict[str, str]:
    dump = await admin.json("/runtime")
    return {key: entry["final_value"] for key, entry in dump["entries"].items() if entry["final_value"]}


def _routes(dump: Any) -> Iterator[Any]:  # noqa: ANN401 - JSON is anything until it is looked into
    for config in dump.get("configs", []):
        for host in config.get("route_config", {}).get("virtual_hosts", []):
            yield from host["routes"]
