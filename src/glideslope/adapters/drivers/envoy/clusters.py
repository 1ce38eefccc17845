"""Clusters: where versions are served, how long is waited for them, and who answers when a candidate does not."""

import ipaddress

from glideslope.adapters.drivers.envoy.limits import Limits, seconds
from glideslope.adapters.drivers.envoy.names import METADATA, TYPE, Json, cluster_name
from glideslope.domain.traffic import Endpoint, Route
from glideslope.engine.addresses import host_and_port


def clusters_of(route: Route, limits: Limits) -> list[Json]:
    """Return the clusters that one route may lead to."""
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
    host, port = host_and_port(endpoint.url)
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
                "@type": f"{TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions",
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
    interval = seconds(limits.health_interval)
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
                "@type": f"{TYPE}.extensions.clusters.aggregate.v3.ClusterConfig",
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


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
