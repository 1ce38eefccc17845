"""Compiles lanes into the documents that Envoy watches. Pure: what is asked for in, clusters and routes out.

A measured lane divides its requests among three clusters: the candidate (rescued by the incumbent), control (the
incumbent, measured) and rest (the incumbent, unmeasured). Their static weights give everything to rest; only a leased
runtime layer changes that. The candidate is listed first, so that Envoy's choice equals `domain.traffic.assign`.
"""

import hashlib
import ipaddress
import json
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from glideslope.adapters.drivers.envoy.lanes import Lane, Lanes
from glideslope.adapters.drivers.envoy.layout import ROUTES
from glideslope.domain.errors import NameInvalid
from glideslope.domain.ids import ModelName, VersionName
from glideslope.domain.stamps import ARM, ROLLOUT, SERVED, SHADOW, STAMPS, STEP, SUBJECT, VERSION
from glideslope.domain.traffic import FULL, TOTAL, Arm, Endpoint, Exposure, Route

Json = dict[str, Any]

METADATA: Final = "glideslope"
NO_SUBJECT: Final = "no-subject"
BY_SUBJECT: Final = "by-subject"

_TYPE: Final = "type.googleapis.com/envoy"
_SERVED: Final = f"%UPSTREAM_METADATA({METADATA}:version)%"
_MILLIONTHS: Final = 1_000_000 // FULL


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long and how much, the same for every model behind one gateway."""

    timeout: timedelta = timedelta(seconds=15)
    """For the whole request."""
    attempt: timedelta = timedelta(seconds=5)
    """For the assigned version, before the incumbent is asked instead."""
    health_path: str = "/healthz"
    """Asked of candidates. Any answer below 500 is a sign of life, since not every model server has such a path."""
    health_interval: timedelta = timedelta(seconds=0.5)
    shadow_requests: int = 64
    """Mirrored copies under way at once; more are dropped, so that a hanging shadow holds nothing up."""
    concurrent: int = 4096
    """Requests under way at once per cluster."""
    retries: int = 256
    """Rescues under way at once per cluster."""
    body: int = 32 * 1024 * 1024
    """Bytes of a request kept for its rescue; a longer one is served, but cannot be sent again."""


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
            clusters |= {cluster["name"]: cluster for cluster in _clusters(lane.route, limits)}
    return Documents(
        clusters=_versioned(
            [{"@type": f"{_TYPE}.config.cluster.v3.Cluster"} | clusters[name] for name in sorted(clusters)]
        ),
        routes=_versioned([_route_configuration(lanes, limits)]),
    )


def runtime_values(lane: Lane, exposure: Exposure) -> Json:
    """Return the layer that exposes: all three weights at once, and the share of requests that is mirrored."""
    weights = exposure.split.weights()
    candidate, control, rest = _split_names(lane.route)
    return {
        f"{lane.prefix}.{candidate}": weights.candidate,
        f"{lane.prefix}.{control}": weights.control,
        f"{lane.prefix}.{rest}": weights.rest,
        f"{lane.prefix}.mirror": {"numerator": exposure.mirror * _MILLIONTHS, "denominator": "MILLION"},
        # For reading back: Envoy shows a fraction in a form that it forbids to parse.
        f"{lane.prefix}.mirrored": exposure.mirror,
    }


def route_name(lane: Lane, how: str) -> str:
    """Name a route by what its log entries must say: model, rollout, step, and whether a subject was named."""
    return f"{lane.route.model}|{lane.rollout}|{lane.step}|{how}"


def cluster_name(model: ModelName, version: VersionName, role: str) -> str:
    """Name a cluster; the version is in it, so that a route and its clusters change together."""
    return f"{model}/{version}/{role}"


def _split_names(route: Route) -> tuple[str, str, str]:
    if route.candidate is None:
        raise AssertionError(route)
    return (
        cluster_name(route.model, route.candidate.version, "candidate"),
        cluster_name(route.model, route.incumbent.version, "control"),
        cluster_name(route.model, route.incumbent.version, "rest"),
    )


def _versioned(resources: list[Json]) -> Json:
    text = json.dumps(resources, sort_keys=True)
    return {"version_info": hashlib.sha256(text.encode()).hexdigest()[:16], "resources": resources}


# Clusters


def _clusters(route: Route, limits: Limits) -> list[Json]:
    rest = cluster_name(route.model, route.incumbent.version, "rest")
    clusters = [_pool(rest, route.incumbent, limits)]
    if route.candidate is None:
        return clusters
    alone = cluster_name(route.model, route.candidate.version, "alone")
    control = cluster_name(route.model, route.incumbent.version, "control")
    candidate = cluster_name(route.model, route.candidate.version, "candidate")
    rescue = cluster_name(route.model, route.incumbent.version, "rescue")
    shadow = cluster_name(route.model, route.candidate.version, "shadow")
    return [
        *clusters,
        _pool(control, route.incumbent, limits),
        _pool(alone, route.candidate, limits) | _watched(limits),
        # A cluster of its own: the access log names the cluster that answered, and this one tells a rescue.
        _pool(rescue, route.incumbent, limits),
        _rescued(candidate, [alone, rescue], limits),
        _pool(shadow, route.candidate, limits) | {"circuit_breakers": _breakers(limits.shadow_requests, limits)},
    ]


def _pool(name: str, endpoint: Endpoint, limits: Limits) -> Json:
    host, port = address(endpoint)
    return {
        "name": name,
        "type": "STATIC" if _is_ip(host) else "STRICT_DNS",
        # With both families as hosts, half of the requests to a name like localhost would be refused.
        "dns_lookup_family": "V4_PREFERRED",
        "connect_timeout": "1s",
        "lb_policy": "LEAST_REQUEST",
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "circuit_breakers": _breakers(limits.concurrent, limits),
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{_TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions",
                # Shorter than any model server's own: a connection that the server closes under a request looks like
                # a failure of its arm, and the arm with less traffic would suffer more of them.
                "common_http_protocol_options": {"idle_timeout": "1s"},
                "explicit_http_config": {"http_protocol_options": {}},
            }
        },
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [
                {
                    "lb_endpoints": [
                        {
                            "endpoint": {"address": {"socket_address": {"address": host, "port_value": port}}},
                            "metadata": {"filter_metadata": {METADATA: {"version": endpoint.version}}},
                        }
                    ]
                }
            ],
        },
    }


def _watched(limits: Limits) -> Json:
    """Only a candidate is watched and ejected: the incumbent is the last resort and must never be taken out."""
    interval = _seconds(limits.health_interval)
    return {
        "outlier_detection": {
            "consecutive_5xx": 5,
            "consecutive_gateway_failure": 3,
            "enforcing_consecutive_gateway_failure": 100,
            "interval": "1s",
            "base_ejection_time": "5s",
            "max_ejection_percent": 100,
        },
        "health_checks": [
            {
                "timeout": "1s",
                "interval": interval,
                "no_traffic_interval": interval,
                "unhealthy_threshold": 2,
                "healthy_threshold": 1,
                "http_health_check": {
                    "path": limits.health_path,
                    "expected_statuses": [{"start": 200, "end": 500}],
                },
            }
        ],
    }


def _rescued(name: str, members: list[str], limits: Limits) -> Json:
    return {
        "name": name,
        "connect_timeout": "1s",
        "lb_policy": "CLUSTER_PROVIDED",
        "circuit_breakers": _breakers(limits.concurrent, limits),
        "cluster_type": {
            "name": "envoy.clusters.aggregate",
            "typed_config": {
                "@type": f"{_TYPE}.extensions.clusters.aggregate.v3.ClusterConfig",
                "clusters": members,
            },
        },
    }


def _breakers(requests: int, limits: Limits) -> Json:
    return {
        "thresholds": [
            {
                "max_connections": requests,
                "max_pending_requests": requests,
                "max_requests": requests,
                "max_retries": limits.retries,
            }
        ]
    }


def address(endpoint: Endpoint) -> tuple[str, int]:
    """Return an endpoint's host and port. Raises NameInvalid for anything but `http://host:port`."""
    try:
        parts = urlsplit(endpoint.url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or not port or endpoint.url.rstrip("/") != f"http://{_bracketed(host)}:{port}":
        raise NameInvalid(what="endpoint", text=endpoint.url, expected="http://host:port")
    return host, port


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


# Routes


def _route_configuration(lanes: Lanes, limits: Limits) -> Json:
    routes = [_direct("/-/ready", 200, "ready\n")]
    for model in sorted(lanes):
        routes += _routes(lanes[model], limits)
    nothing = "There is no model at this path.\n" if lanes else "No model is served here yet.\n"
    return {
        "@type": f"{_TYPE}.config.route.v3.RouteConfiguration",
        "name": ROUTES,
        "virtual_hosts": [
            {
                "name": ROUTES,
                "domains": ["*"],
                "request_body_buffer_limit": limits.body,
                "routes": [*routes, _direct("/", 404 if lanes else 503, nothing)],
            }
        ],
    }


def _direct(prefix: str, status: int, body: str) -> Json:
    return {"match": {"prefix": prefix}, "direct_response": {"status": status, "body": {"inline_string": body}}}


def _routes(lane: Lane, limits: Limits) -> list[Json]:
    """A subject that is missing or empty matches the second route: it is assigned at random and is told apart."""
    named = {"name": SUBJECT, "string_match": {"safe_regex": {"regex": ".+"}}}
    if not lane.step:
        return [_route(lane, BY_SUBJECT, limits, match={}, hashing={})]
    hashing = {
        "hash_policy": [
            {
                "header": {
                    "header_name": SUBJECT,
                    "regex_rewrite": {
                        "pattern": {"regex": "^(.*)$"},
                        "substitution": re.sub(r"\\", r"\\\\", lane.route.salt) + r":\1",
                    },
                }
            }
        ]
    }
    return [
        _route(lane, BY_SUBJECT, limits, match={"headers": [named]}, hashing=hashing),
        _route(lane, NO_SUBJECT, limits, match={}, hashing={}),
    ]


def _route(lane: Lane, how: str, limits: Limits, *, match: Json, hashing: Json) -> Json:
    route = lane.route
    candidate = route.candidate
    return {
        "name": route_name(lane, how),
        "match": {"prefix": f"/{route.model}/"} | match,
        "metadata": {
            "filter_metadata": {
                METADATA: {
                    "model": route.model,
                    "incumbent": route.incumbent.version,
                    "candidate": candidate.version if candidate else "",
                    "rollout": lane.rollout,
                    "step": lane.step,
                }
            }
        },
        "response_headers_to_add": [_header(SERVED, _SERVED)],
        "route": {
            "prefix_rewrite": "/",
            "timeout": _seconds(limits.timeout),
            "retry_policy": _retries(limits),
        }
        | hashing
        | (_measured(lane, candidate) if candidate and lane.step else {"weighted_clusters": _only_rest(lane)}),
    }


def _retries(limits: Limits) -> Json:
    return {
        "retry_on": "5xx,reset,connect-failure,refused-stream",
        "num_retries": 1,
        "per_try_timeout": _seconds(limits.attempt),
        "retry_back_off": {"base_interval": "0.001s", "max_interval": "0.002s"},
        # A plain retry stays with the version that has just failed.
        "retry_priority": {
            "name": "envoy.retry_priorities.previous_priorities",
            "typed_config": {
                "@type": f"{_TYPE}.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
                "update_frequency": 1,
            },
        },
    }


def _only_rest(lane: Lane) -> Json:
    rest = cluster_name(lane.route.model, lane.route.incumbent.version, "rest")
    return {"clusters": [_weighted(rest, TOTAL, {VERSION: lane.route.incumbent.version})]}


def _measured(lane: Lane, contender: Endpoint) -> Json:
    incumbent = lane.route.incumbent
    candidate, control, rest = _split_names(lane.route)
    where = {ROLLOUT: lane.rollout, STEP: lane.step}
    return {
        "weighted_clusters": {
            "use_hash_policy": True,
            "runtime_key_prefix": lane.prefix,
            "clusters": [
                _weighted(candidate, 0, {ARM: Arm.CANDIDATE, VERSION: contender.version} | where),
                _weighted(control, 0, {ARM: Arm.INCUMBENT, VERSION: incumbent.version} | where),
                _weighted(rest, TOTAL, {VERSION: incumbent.version}),
            ],
        },
        "request_mirror_policies": [
            {
                "cluster": cluster_name(lane.route.model, contender.version, "shadow"),
                "disable_shadow_host_suffix_append": True,
                "runtime_fraction": {
                    "runtime_key": f"{lane.prefix}.mirror",
                    "default_value": {"numerator": 0, "denominator": "MILLION"},
                },
                "request_headers_mutations": [
                    {"append": _header(name, value)}
                    for name, value in ({ARM: SHADOW, VERSION: contender.version} | where).items()
                ],
            }
        ],
    }


def _weighted(cluster: str, weight: int, stamps: dict[str, str]) -> Json:
    headers = [_header(name, value) for name, value in stamps.items()]
    return {
        "name": cluster,
        "weight": weight,
        # What callers and model servers claim about arms and versions is dropped before our own stamps are set. Not at
        # the level of routes: Envoy would drop our stamps there too.
        "request_headers_to_remove": list(STAMPS),
        "response_headers_to_remove": list(STAMPS),
        "request_headers_to_add": headers,
        "response_headers_to_add": headers,
    }


def _header(name: str, value: str) -> Json:
    return {"header": {"key": name, "value": str(value)}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def _seconds(duration: timedelta) -> str:
    return f"{duration.total_seconds():.3f}s"
