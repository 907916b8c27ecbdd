"""The sidecar's own listeners: outbound 15001, inbound 15006, readiness 15021, metrics 15090. Pure."""

from typing import Final

from proa import names
from proa.capture.choices import InboundMode, Redirected, Tproxied
from proa.containers import AccessLog
from proa.mesh import MeshConfiguration, PeerTls
from proxy.access_log import access_logs
from proxy.clusters import ADMIN, BLACK_HOLE, INBOUND, PASSTHROUGH
from proxy.http import http_listener, router
from proxy.message import Message, extension, wildcard
from proxy.tls import downstream_tls

_AFTER_HANDSHAKE: Final[Message] = {
    "upstream_connect_mode": "ON_DOWNSTREAM_TLS_HANDSHAKE",
    "max_early_data_bytes": 0,
}
"""Who is refused in the handshake does not even make the application accept a connection (Envoy 1.37 and later)."""
OUTBOUND_PASSTHROUGH: Final = "outbound-passthrough"
INBOUND_MTLS: Final = "inbound-mtls"
INBOUND_PLAINTEXT: Final = "inbound-plaintext"
_TLS_DETECTION: Final = "5s"
"""How long a client may stay silent before it counts as plaintext. Shorter, and the greeting of a sidecar whose packets
are lost goes to the application; longer, and a server-first protocol waits longer for clients outside the mesh."""
_HANDSHAKE: Final = "10s"
"""Who has not proved an identity by then holds a connection for nothing."""


def outbound_listener(configuration: MeshConfiguration) -> Message:
    """Takes all the pod opens; hands a connection to the listener of its original destination, or passes it through."""
    return {
        "name": "outbound",
        "traffic_direction": "OUTBOUND",
        "address": wildcard(names.OUTBOUND_PORT, configuration.ip_family),
        "use_original_dst": True,
        "filter_chains": [dialled_directly(names.OUTBOUND_PORT)],
        "default_filter_chain": tcp_chain(OUTBOUND_PASSTHROUGH, PASSTHROUGH),
        "access_log": access_logs(configuration.proxy.access_log),
    }


def inbound_listener(configuration: MeshConfiguration, mode: InboundMode) -> Message:
    """Takes all that arrives: the mesh's own mTLS, and what `peerTls` lets in beside it."""
    secure: Message = {
        **tcp_chain(INBOUND_MTLS, INBOUND, _AFTER_HANDSHAKE),
        "filter_chain_match": {"transport_protocol": "tls", "application_protocols": [names.MESH_ALPN]},
        "transport_socket": downstream_tls(configuration),
        "transport_socket_connect_timeout": _HANDSHAKE,
    }
    listener: Message = {
        "name": "inbound",
        "traffic_direction": "INBOUND",
        "address": wildcard(names.INBOUND_PORT, configuration.ip_family),
        **_arrived(mode),
        "listener_filters_timeout": _TLS_DETECTION,
        "continue_on_listener_filters_timeout": True,
        "filter_chains": [dialled_directly(names.INBOUND_PORT), secure],
        "access_log": access_logs(configuration.proxy.access_log),
    }
    match configuration.peer_tls:
        case PeerTls.PERMISSIVE:
            return {**listener, "default_filter_chain": tcp_chain(INBOUND_PLAINTEXT, INBOUND)}
        case PeerTls.STRICT:
            return listener


def ready_listener(configuration: MeshConfiguration) -> Message:
    return _admin_listener("ready", names.READY_PORT, (names.READY_PATH, "/ready"), configuration)


def metrics_listener(configuration: MeshConfiguration) -> Message:
    return _admin_listener("metrics", names.METRICS_PORT, (names.METRICS_PATH, "/stats/prometheus"), configuration)


def destination_listener(destination: Message, cluster: str, access_log: AccessLog) -> Message:
    """One mesh destination, by address, with no socket of its own: the outbound listener hands its connections over."""
    return {
        "name": cluster,
        "traffic_direction": "OUTBOUND",
        "address": destination,
        "bind_to_port": False,
        "filter_chains": [tcp_chain(cluster, cluster)],
        "access_log": access_logs(access_log),
    }


def tcp_chain(name: str, cluster: str, connecting: Message | None = None) -> Message:
    """A filter chain that forwards bytes to *cluster*; *connecting* says when it is called, at once by default."""
    proxy = extension(
        "envoy.filters.network.tcp_proxy",
        "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        # Never idle for too long: Envoy's hour would cut an application's connections, which it did not ask for.
        {"stat_prefix": name, "cluster": cluster, "idle_timeout": "0s", **(connecting or {})},
    )
    return {"name": name, "filters": [proxy]}


def dialled_directly(port: int) -> Message:
    """A connection nobody redirected: forwarded to its destination it would come back here, for ever."""
    return {
        **tcp_chain("dialled-directly", BLACK_HOLE),
        "filter_chain_match": {"destination_port": port},
    }


def _arrived(mode: InboundMode) -> Message:
    """How a connection tells where it was dialled, and from which address the application is called."""
    destination = listener_filter("original_dst", "OriginalDst")
    tls = listener_filter("tls_inspector", "TlsInspector")
    match mode:
        case Redirected():
            return {"listener_filters": [destination, tls]}
        case Tproxied(mark=mark):
            source = listener_filter("original_src", "OriginalSrc", {"mark": mark})
            return {"transparent": True, "listener_filters": [destination, source, tls]}


def listener_filter(name: str, message: str, fields: Message | None = None) -> Message:
    return extension(f"envoy.filters.listener.{name}", f"envoy.extensions.filters.listener.{name}.v3.{message}", fields)


def _admin_listener(name: str, port: int, path: tuple[str, str], configuration: MeshConfiguration) -> Message:
    """One path of the admin endpoint, read only, for the kubelet and Prometheus; everything else is 404."""
    shown, admin_path = path
    route: Message = {
        "match": {"path": shown, "headers": [{"name": ":method", "string_match": {"exact": "GET"}}]},
        "route": {"cluster": ADMIN, "prefix_rewrite": admin_path},
    }
    return http_listener(name, port, configuration.ip_family, [route], [router()])
