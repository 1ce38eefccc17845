"""Envoy's first words: what it must know before it hears from anybody. Pure: settings in, document out."""

from dataclasses import dataclass
from typing import Final

from glideslope.adapters.certificates import CIPHERS
from glideslope.adapters.drivers.envoy.credentials import SERVER as NAME
from glideslope.adapters.drivers.envoy.credentials import Credentials, is_address
from glideslope.adapters.drivers.envoy.layout import ADMIN, CDS, LEASES, RDS, ROUTES, SDS, SERVER, XDS
from glideslope.adapters.drivers.envoy.limits import seconds
from glideslope.adapters.drivers.envoy.line import Line
from glideslope.adapters.drivers.envoy.names import Json
from glideslope.domain.stamps import SUBJECT

CERTIFICATE: Final = "gateway"
"""The name of the one secret."""

SLOTS: Final = tuple(f"lease-{n:02d}" for n in range(64))
"""Runtime layers, one for each rollout under way: a layer is what Envoy can give a life of its own.

Layers are fixed when Envoy starts; 64 add nothing measurable to a request, since Envoy merges them when one changes.
"""

FLUSH_US: Final = 100_000
"""Microseconds between two reports of a request that has not ended: what is missing of a slow candidate is no older than this."""

_TYPE: Final = "type.googleapis.com/envoy.extensions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """How a gateway is started. Changing any of it needs a new Envoy."""

    port: int
    host: str = "127.0.0.1"
    concurrency: int = 1
    """Worker threads; each is about one core under full load."""
    node: str = "gateway"
    """Names this gateway to the server that leases."""
    max_connections: int = 20_000
    line: Line | None = None
    """Leads to a server on another host; else the server listens on a socket in the gateway's folder."""
    tls: bool = False
    """Callers speak TLS; the certificate comes as a document of its own, so that it can be renewed."""


def bootstrap(gateway: Gateway) -> Json:
    """Return the bootstrap document. Paths in it are relative to the gateway's folder, in which Envoy runs."""
    return {
        "node": {
            "id": gateway.node,
            "cluster": "glideslope",
            # Given on the command line; told here too, so that this document says all that an Envoy is started with.
            # So are renewed credentials, whose files have the names of the old.
            "metadata": {"concurrency": gateway.concurrency}
            | ({"credentials": gateway.line.credentials.serial} if gateway.line else {}),
        },
        # Without an admin layer nobody can set weights through the admin: only a lease exposes.
        "layered_runtime": {"layers": [_lease_layer(slot) for slot in SLOTS]},
        "admin": {"address": {"pipe": {"path": ADMIN, "mode": 0o600}}},
        "dynamic_resources": {
            "cds_config": _files(CDS),
            "ads_config": {
                # Incremental: with state of the world, Envoy 1.40 tells every layer when one ends, and aborts.
                "api_type": "DELTA_GRPC",
                "transport_api_version": "V3",
                "grpc_services": [_server_channel()],
                "set_node_on_first_message_only": True,
            },
        },
        "static_resources": {"clusters": [_server_cluster(gateway.line)], "listeners": [_listener(gateway)]},
        "overload_manager": {
            "resource_monitors": [
                {
                    "name": "envoy.resource_monitors.global_downstream_max_connections",
                    "typed_config": {
                        "@type": f"{_TYPE}.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                        "max_active_downstream_connections": gateway.max_connections,
                    },
                }
            ]
        },
    }


def _lease_layer(slot: str) -> Json:
    return {
        "name": slot,
        "rtds_layer": {
            "name": slot,
            # Envoy does not listen until this has passed; without a server there is nothing to wait for.
            "rtds_config": {"resource_api_version": "V3", "ads": {}, "initial_fetch_timeout": "0.2s"},
        },
    }


def _files(document: str) -> Json:
    return {
        "resource_api_version": "V3",
        "path_config_source": {"path": f"{XDS}/{document}", "watched_directory": {"path": XDS}},
    }


def _server_channel() -> Json:
    return {
        "envoy_grpc": {
            "cluster_name": LEASES,
            # A server that comes back should be heard within the life of a lease.
            "retry_policy": {"retry_back_off": {"base_interval": "0.1s", "max_interval": "0.5s"}},
        }
    }


def _server_cluster(line: Line | None) -> Json:
    if line is None:
        return _leading_to({"pipe": {"path": SERVER}}, http2={})
    # What comes late is not taken: Envoy hangs up on a line that has been silent.
    http2 = {"connection_keepalive": {"interval": seconds(line.silence / 4), "timeout": seconds(line.silence * 3 / 4)}}
    address = {"socket_address": {"address": line.host, "port_value": line.port}}
    return _leading_to(address, http2=http2) | {
        "type": "STATIC" if is_address(line.host) else "STRICT_DNS",
        "transport_socket": _mutual_tls(line.credentials),
    }


def _leading_to(address: Json, *, http2: Json) -> Json:
    return {
        "name": LEASES,
        "type": "STATIC",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{_TYPE}.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": http2},
            }
        },
        "load_assignment": {
            "cluster_name": LEASES,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }


def _mutual_tls(credentials: Credentials) -> Json:
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": f"{_TYPE}.transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": NAME,
            # Each connection proves anew who is there, and that its certificate has not ended.
            "max_session_keys": 0,
            "common_tls_context": {
                "tls_params": {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"},
                "alpn_protocols": ["h2"],
                "tls_certificates": [
                    {
                        "certificate_chain": {"filename": str(credentials.certificate)},
                        "private_key": {"filename": str(credentials.key)},
                    }
                ],
                "validation_context": {
                    "trusted_ca": {"filename": str(credentials.authority)},
                    "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": NAME}}],
                },
            },
        },
    }


def _listener(gateway: Gateway) -> Json:
    # (Else whoever connects and says nothing keeps a connection for ever.)
    encrypted = {"transport_socket": _tls(), "transport_socket_connect_timeout": "10s"} if gateway.tls else {}
    return {
        "name": "gateway",
        "address": {"socket_address": {"address": gateway.host, "port_value": gateway.port}},
        "per_connection_buffer_limit_bytes": 1024 * 1024,
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": _connection_manager(),
                    }
                ],
                **encrypted,
            }
        ],
    }


def _tls() -> Json:
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": f"{_TYPE}.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "tls_params": {
                    "tls_minimum_protocol_version": "TLSv1_2",
                    "tls_maximum_protocol_version": "TLSv1_3",
                    "cipher_suites": list(CIPHERS),
                },
                "alpn_protocols": ["h2", "http/1.1"],
                "tls_certificate_sds_secret_configs": [{"name": CERTIFICATE, "sds_config": _files(SDS)}],
            },
        },
    }


def _connection_manager() -> Json:
    return {
        "@type": f"{_TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "gateway",
        "codec_type": "AUTO",
        "stream_idle_timeout": "300s",
        "request_headers_timeout": "10s",
        "common_http_protocol_options": {
            "idle_timeout": "300s",
            "headers_with_underscores_action": "REJECT_REQUEST",
        },
        # Bounds for callers who speak HTTP/2, which TLS offers to all.
        "http2_protocol_options": {
            "max_concurrent_streams": 100,
            "initial_stream_window_size": 64 * 1024,
            "initial_connection_window_size": 1024 * 1024,
        },
        "normalize_path": True,
        "merge_slashes": True,
        "server_header_transformation": "PASS_THROUGH",
        # Every caller is an outsider: none may send x-envoy-* orders or choose the id by which answers are paired.
        "use_remote_address": True,
        # (The range is the broadcast address, from which nobody calls; an empty list would mean private networks.)
        "internal_address_config": {"cidr_ranges": [{"address_prefix": "255.255.255.255", "prefix_len": 32}]},
        "generate_request_id": True,
        "always_set_request_id_in_response": True,
        "rds": {"route_config_name": ROUTES, "config_source": _files(RDS)},
        "access_log": [_access_log()],
        # Requests that have not ended are reported too, so that those of a slow candidate are not missing.
        "access_log_options": {"access_log_flush_interval": f"{FLUSH_US / 1e6}s"},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {
                    "@type": f"{_TYPE}.filters.http.router.v3.Router",
                    "suppress_envoy_headers": True,
                },
            }
        ],
    }


def _access_log() -> Json:
    return {
        "name": "envoy.access_loggers.http_grpc",
        "typed_config": {
            "@type": f"{_TYPE}.access_loggers.grpc.v3.HttpGrpcAccessLogConfig",
            "common_config": {
                "log_name": "served",
                "transport_api_version": "V3",
                "grpc_service": _server_channel(),
                "buffer_flush_interval": "0.1s",
                "buffer_size_bytes": 65536,
            },
            "additional_request_headers_to_log": [SUBJECT],
        },
    }
