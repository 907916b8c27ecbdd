"""The clusters a sidecar has whatever the mesh looks like, and those made for mesh destinations. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final

from proa import names
from proa.capture.choices import InboundMode, Redirected, Tproxied
from proa.identity import WorkloadIdentity
from proa.json import Json
from proa.mesh import IpFamily
from proxy.message import LOOPBACK, Message, address, extension
from proxy.tls import upstream_tls

PASSTHROUGH: Final = "PassthroughCluster"
INBOUND: Final = "InboundPassthroughCluster"
BLACK_HOLE: Final = "BlackHoleCluster"
ADMIN: Final = "admin"
RESOLVERS: Final = "resolvers"
_CONNECT_TIMEOUT: Final = "10s"
_DNS: Final = 53
_UNLIMITED: Final = 4294967295
_SOL_IP: Final = 0
_IP_BIND_ADDRESS_NO_PORT: Final = 24
"""linux/in.h; of IPv6 sockets, too."""
MTLS: Final = "proa"
"""Value of the endpoint metadata `envoy.transport_socket_match.tlsMode` of an endpoint behind a sidecar."""


def passthrough_cluster() -> Message:
    """Where the application dialled, as it is."""
    return _original_destination(PASSTHROUGH)


def inbound_cluster(family: IpFamily, mode: InboundMode) -> Message:
    """The application in this pod, by the address its client dialled.

    The source 127.0.0.6 (or ::6) is how the interception rules tell this hop, which must reach the application, from a
    call of the pod to itself, which must come back to the inbound listener. From the client's own address, which the
    inbound listener gives, it is the mark that tells it.
    """
    match mode:
        case Redirected():
            return {**_original_destination(INBOUND), "upstream_bind_config": _hairpin(family)}
        case Tproxied():
            return {**_original_destination(INBOUND), "upstream_bind_config": {"socket_options": [_port_by_bind()]}}


def application_cluster(name: str, host: str, port: int, family: IpFamily) -> Message:
    """The application in this pod at one of its ports; *host* is the pod's address, as it may listen on that alone."""
    return {**_static(name, (host, port)), "upstream_bind_config": _hairpin(family)}


def black_hole_cluster() -> Message:
    """Nowhere: for connections that would make the proxy call itself for ever."""
    return {"name": BLACK_HOLE, "type": "STATIC", "connect_timeout": _CONNECT_TIMEOUT}


def admin_cluster() -> Message:
    """Envoy's own admin endpoint, of which the listeners 15021 and 15090 show one path each."""
    return _static(ADMIN, (LOOPBACK, names.ADMIN_PORT))


def resolvers_cluster(servers: Iterable[str]) -> Message:
    """The pod's name *servers*, which are asked in turn."""
    cluster = _static(RESOLVERS, *((server, _DNS) for server in servers))
    return {**cluster, "circuit_breakers": _no_circuit_breakers()}


def mesh_cluster(name: str, servers: Sequence[WorkloadIdentity], eds_config: Message) -> Message:
    """A mesh destination: mTLS to endpoints behind a sidecar, which must be one of *servers*; plaintext to others."""
    secure: Message = {"name": "mtls", "match": {"tlsMode": MTLS}, "transport_socket": upstream_tls(servers)}
    plain: Message = {
        "name": "plain",
        "match": {},
        "transport_socket": extension(
            "envoy.transport_sockets.raw_buffer", "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer"
        ),
    }
    return {
        "name": name,
        # Statistics are named by segments between dots, so a name with dots would be cut apart there.
        "alt_stat_name": name.replace(".", "_"),
        "type": "EDS",
        "connect_timeout": _CONNECT_TIMEOUT,
        "eds_cluster_config": {"eds_config": eds_config},
        "transport_socket_matches": [secure, plain],
        "circuit_breakers": _no_circuit_breakers(),
        "upstream_connection_options": _kept_alive(),
    }


def _static(name: str, *places: tuple[str, int]) -> Message:
    endpoints: list[Json] = [{"endpoint": {"address": address(host, port)}} for host, port in places]
    assignment: Message = {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]}
    return {"name": name, "type": "STATIC", "connect_timeout": _CONNECT_TIMEOUT, "load_assignment": assignment}


def _hairpin(family: IpFamily) -> Message:
    """The source address of the sidecar's last hop to the application."""
    bind: Message = {"source_address": {"address": names.HAIRPIN_IPV4, "port_value": 0}}
    if family is IpFamily.DUAL_STACK:
        bind["extra_source_addresses"] = [{"address": {"address": names.HAIRPIN_IPV6, "port_value": 0}}]
    return bind


def _port_by_bind() -> Message:
    """The source port is chosen when the socket is bound, not when it connects.

    From the client's own address the port must be none that the client uses for the same destination: one of the two
    connections would never stand. Linux gives `bind` odd ports and `connect`, by which clients dial, even ones, as
    long as there are any (inet_csk_find_open_port); Envoy's filter original_src would leave it to `connect`.
    """
    return {"level": _SOL_IP, "name": _IP_BIND_ADDRESS_NO_PORT, "int_value": 0, "state": "STATE_PREBIND"}


def _original_destination(name: str) -> Message:
    return {
        "name": name,
        "type": "ORIGINAL_DST",
        "lb_policy": "CLUSTER_PROVIDED",
        "connect_timeout": _CONNECT_TIMEOUT,
        "circuit_breakers": _no_circuit_breakers(),
        "upstream_connection_options": _kept_alive(),
    }


def _kept_alive() -> Message:
    """Peers that vanish are noticed by TCP, as connections may be idle for ever: five minutes, then nine tries."""
    return {"tcp_keepalive": {"keepalive_time": 300}}


def _no_circuit_breakers() -> Message:
    """Envoy's default of 1024 connections a cluster would be a limit nobody asked for."""
    limits: dict[str, Json] = dict.fromkeys(
        ("max_connections", "max_pending_requests", "max_requests", "max_retries"), _UNLIMITED
    )
    return {"thresholds": [limits]}
