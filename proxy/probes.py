"""What the kubelet asks the application, asked through the sidecar: a listener for each probed port. Pure.

The kubelet has no certificate of the mesh. So it asks a port of the sidecar, whose listener answers the probe's own
request and nothing else, by asking the application at the address and from the source by which mTLS would reach it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, assert_never

from proa.json import Json
from proa.mesh import IpFamily
from proxy.clusters import application_cluster
from proxy.http import asked, http_listener, router
from proxy.message import Message, extension, typed

GRPC_METHOD: Final = "/grpc.health.v1.Health/Check"
"""All that the kubelet's grpc probe calls (KEP-2727); the service it names is in the body."""
TCP_PATH: Final = "/tcp"
"""Where the sidecar says whether the application takes TCP connections."""
_OPTIONS: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_ADDED_BY_ENVOY: Final = frozenset({"x-forwarded-proto"})
"""An application that saw `http` there might answer the probe with a redirect to https."""
_SLOW_CLIENT: Final = "10s"


class Protocol(StrEnum):
    """What the application speaks at the probed port."""

    HTTP = "http"
    HTTPS = "https"
    GRPC = "grpc"
    """HTTP/2 with prior knowledge."""
    TCP = "tcp"


@dataclass(frozen=True, slots=True)
class Backend:
    """A port of the application."""

    protocol: Protocol
    port: int


@dataclass(frozen=True, slots=True)
class Probe:
    """One question of the kubelet, every *period* seconds.

    *target* is path and query as the sidecar hears them; *seconds* is how long the answer may take, 0 for any time;
    *headers* are the lower-case names of those that the probe itself sets.
    """

    backend: Backend
    target: str
    seconds: int
    period: int
    headers: frozenset[str]


def probe_resources(
    listening: Mapping[int, Sequence[Probe]], application: str, family: IpFamily
) -> dict[str, list[Message]]:
    """The `listeners` and `clusters` that answer, by the sidecar's port, probes of one backend each.

    *application* is the pod's address.
    """
    return {
        "listeners": [_listener(port, probes, family) for port, probes in listening.items()],
        "clusters": [_cluster(port, probes, application, family) for port, probes in listening.items()],
    }


def _name(port: int) -> str:
    return f"probe-{port}"


def _listener(port: int, probes: Sequence[Probe], family: IpFamily) -> Message:
    match probes[0].backend.protocol:
        case Protocol.HTTP | Protocol.HTTPS:
            return _answering(port, family, "HTTP1", list(_http_routes(port, probes)), ())
        case Protocol.GRPC:
            return _answering(port, family, "HTTP2", [_route(port, "POST", GRPC_METHOD, _longest(probes))], ())
        case Protocol.TCP:
            return _answering(port, family, "HTTP1", [], (_connection_check(port),))
        case _:
            assert_never(probes[0].backend.protocol)


def _answering(
    port: int, family: IpFamily, codec: str, routes: Sequence[Message], before: Sequence[Message]
) -> Message:
    """A listener that adds nothing to what the kubelet and the application say to each other."""
    return http_listener(
        _name(port),
        port,
        family,
        routes,
        (*before, router({"suppress_envoy_headers": True})),
        codec_type=codec,
        generate_request_id=False,
        request_headers_timeout=_SLOW_CLIENT,
        common_http_protocol_options={"idle_timeout": _SLOW_CLIENT},
    )


def _http_routes(port: int, probes: Iterable[Probe]) -> Iterator[Message]:
    by_target: dict[str, list[Probe]] = {}
    for probe in probes:
        by_target.setdefault(probe.target, []).append(probe)
    for target, same in by_target.items():
        kept = frozenset[str]().union(*(probe.headers for probe in same))
        dropped: list[Json] = [*sorted(_ADDED_BY_ENVOY - kept)]
        yield {
            **_route(port, "GET", target, _longest(same)),
            "request_headers_to_remove": dropped,
            # The kubelet would follow it, to a path that this port does not answer. Without it a redirect is to the
            # kubelet what one to another host is: success, with a warning (pkg/probe/http, RedirectChecker).
            "response_headers_to_remove": ["location"],
        }


def _route(port: int, method: str, target: str, seconds: int) -> Message:
    return {
        "match": asked(method, {"exact": target}),
        # Seconds are all of the answer's; idle_timeout would end a preStop hook that takes longer than five minutes.
        "route": {"cluster": _name(port), "timeout": f"{seconds}s", "idle_timeout": "0s"},
    }


def _longest(probes: Iterable[Probe]) -> int:
    """The longest that any of *probes* waits; 0 if one waits for ever."""
    seconds = [probe.seconds for probe in probes]
    return 0 if 0 in seconds else max(seconds)


def _connection_check(port: int) -> Message:
    """200 while the cluster's active health check succeeds, else 503: what is asked here reaches no application."""
    return extension(
        "envoy.filters.http.health_check",
        "envoy.extensions.filters.http.health_check.v3.HealthCheck",
        {
            "pass_through_mode": False,
            "headers": asked("GET", {"exact": TCP_PATH})["headers"],
            "cluster_min_healthy_percentages": {_name(port): {"value": 100}},
        },
    )


def _cluster(port: int, probes: Sequence[Probe], application: str, family: IpFamily) -> Message:
    backend = probes[0].backend
    cluster = application_cluster(_name(port), application, backend.port, family)
    match backend.protocol:
        case Protocol.HTTP:
            return {**cluster, **_speaking("explicit_http_config", {"http_protocol_options": {}})}
        case Protocol.HTTPS:
            versions: Message = {"http_protocol_options": {}, "http2_protocol_options": {}}
            return {**cluster, **_speaking("auto_config", versions), "transport_socket": _unverified_tls()}
        case Protocol.GRPC:
            return {**cluster, **_speaking("explicit_http_config", {"http2_protocol_options": {}})}
        case Protocol.TCP:
            return {**cluster, "health_checks": [_connecting(probes)]}
        case _:
            assert_never(backend.protocol)


def _speaking(version: str, options: Message) -> Message:
    # A connection for each request, as the kubelet makes them: one that is kept might be the last that works.
    once: Message = {"common_http_protocol_options": {"max_requests_per_connection": 1}, version: options}
    return {"typed_extension_protocol_options": {_OPTIONS: typed(_OPTIONS, once)}}


def _unverified_tls() -> Message:
    """As the kubelet does it: TLS 1.2 or 1.3, and any certificate (pkg/probe/http sets InsecureSkipVerify)."""
    context: Message = {
        "max_session_keys": 0,
        "common_tls_context": {
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_2", "tls_maximum_protocol_version": "TLSv1_3"}
        },
    }
    return extension(
        "envoy.transport_sockets.tls", "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", context
    )


def _connecting(probes: Sequence[Probe]) -> Message:
    """Connect, and hang up: twice in the kubelet's shortest period, and every second until it succeeds.

    The interval that Envoy goes by is `no_traffic_*`, as the cluster never has any.
    """
    interval: Json = f"{max(1, min(probe.period for probe in probes) // 2)}s"
    return {
        "timeout": f"{max(1, min(probe.seconds for probe in probes))}s",
        "interval": interval,
        "unhealthy_interval": "1s",
        "no_traffic_interval": "1s",
        "no_traffic_healthy_interval": interval,
        "unhealthy_threshold": 1,
        "healthy_threshold": 1,
        "reuse_connection": False,
        "tcp_health_check": {},
    }
