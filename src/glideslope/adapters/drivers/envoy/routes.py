"""Routes: which requests are whose, how they are divided, and the stamps that say so.

A measured lane divides its requests among three clusters: the candidate (rescued by the incumbent), control (the
incumbent, measured) and rest (the incumbent, unmeasured). Their static weights give everything to rest; only a leased
runtime layer changes that. The candidate is listed first, so that Envoy's choice equals `domain.traffic.assign`.
"""

import re
from typing import Final

from glideslope.adapters.drivers.envoy.lanes import Lane, Lanes
from glideslope.adapters.drivers.envoy.layout import ROUTES
from glideslope.adapters.drivers.envoy.limits import Limits, seconds
from glideslope.adapters.drivers.envoy.names import (
    BY_SUBJECT,
    METADATA,
    NO_SUBJECT,
    TYPE,
    Json,
    cluster_name,
    route_name,
    split_names,
)
from glideslope.domain.stamps import ARM, ROLLOUT, SERVED, SHADOW, STAMPS, STEP, SUBJECT, VERSION
from glideslope.domain.traffic import TOTAL, Arm, Endpoint

_SERVED: Final = f"%UPSTREAM_METADATA({METADATA}:version)%"


def route_configuration(lanes: Lanes, limits: Limits) -> Json:
    """Return the one route configuration, for all models."""
    routes = [_direct("/-/ready", 200, "ready\n")]
    for model in sorted(lanes):
        routes += _routes(lanes[model], limits)
    nothing = "There is no model at this path.\n" if lanes else "No model is served here yet.\n"
    return {
        "@type": f"{TYPE}.config.route.v3.RouteConfiguration",
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
            "timeout": seconds(limits.timeout),
            "retry_policy": _retries(limits),
        }
        | hashing
        | (_measured(lane, candidate) if candidate and lane.step else {"weighted_clusters": _only_rest(lane)}),
    }


def _retries(limits: Limits) -> Json:
    return {
        "retry_on": "5xx,reset,connect-failure,refused-stream",
        "num_retries": 1,
        "per_try_timeout": seconds(limits.attempt),
        "retry_back_off": {"base_interval": "0.001s", "max_interval": "0.002s"},
        # A plain retry stays with the version that has just failed.
        "retry_priority": {
            "name": "envoy.retry_priorities.previous_priorities",
            "typed_config": {
                "@type": f"{TYPE}.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
                "update_frequency": 1,
            },
        },
    }


def _only_rest(lane: Lane) -> Json:
    rest = cluster_name(lane.route.model, lane.route.incumbent.version, "rest")
    return {"clusters": [_weighted(rest, TOTAL, {VERSION: lane.route.incumbent.version})]}


def _measured(lane: Lane, contender: Endpoint) -> Json:
    incumbent = lane.route.incumbent
    candidate, control, rest = split_names(lane.route)
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
