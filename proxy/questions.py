"""Questions of the Domain Name System that the kernel sends to the sidecar, handed on to the pod's name servers. Pure.

As they are, whatever they ask for: Envoy's own DNS filter answers for addresses alone (docs/decisions/0042).
"""

from collections.abc import Iterator
from typing import Final

from proa import names
from proa.json import Json
from proa.mesh import IpFamily, MeshConfiguration
from proxy.access_log import access_logs
from proxy.clusters import PASSTHROUGH, RESOLVERS
from proxy.listeners import dialled_directly, listener_filter, tcp_chain
from proxy.message import LOOPBACK, Message, extension

QUESTIONS: Final = "questions"
_GIVEN_UP: Final = "5s"
"""After which nobody waits for an answer: resolv.conf(5), `timeout`. Each asker's port holds a socket for so long."""

_LARGEST: Final[Message] = {"max_rx_datagram_size": 4096}
"""As large as askers say that they take (RFC 6891, 6.2.5); Envoy would drop what is above 1500 bytes."""


def question_listeners(configuration: MeshConfiguration) -> Iterator[Message]:
    """For UDP and TCP, where the kernel sends them: loopback alone, or whoever reaches the pod could ask."""
    yield {
        **_listening("UDP", configuration.ip_family),
        "udp_listener_config": {"downstream_socket_config": _LARGEST},
        "listener_filters": [_udp_proxy()],
    }
    yield {
        **_listening("TCP", configuration.ip_family),
        "listener_filters": [listener_filter("original_dst", "OriginalDst")],
        "filter_chains": [dialled_directly(names.DNS_PORT)],
        # By TCP the server that was asked is known.
        "default_filter_chain": tcp_chain(QUESTIONS, PASSTHROUGH),
        "access_log": access_logs(configuration.proxy.access_log),
    }


def _listening(protocol: str, family: IpFamily) -> Message:
    hosts = (LOOPBACK, "::1") if family is IpFamily.DUAL_STACK else (LOOPBACK,)
    first, *others = (_address(protocol, host) for host in hosts)
    more: list[Json] = [{"address": each} for each in others]
    return {
        "name": f"{QUESTIONS}-{protocol.lower()}",
        "traffic_direction": "OUTBOUND",
        "address": first,
        **({"additional_addresses": more} if more else {}),
        # Also where IPv6 is off on lo.
        "freebind": True,
    }


def _address(protocol: str, host: str) -> Message:
    return {"socket_address": {"protocol": protocol, "address": host, "port_value": names.DNS_PORT}}


def _udp_proxy() -> Message:
    route = extension("route", "envoy.extensions.filters.udp.udp_proxy.v3.Route", {"cluster": RESOLVERS})
    return extension(
        "envoy.filters.udp_listener.udp_proxy",
        "envoy.extensions.filters.udp.udp_proxy.v3.UdpProxyConfig",
        {
            "stat_prefix": QUESTIONS,
            "matcher": {"on_no_match": {"action": route}},
            "idle_timeout": _GIVEN_UP,
            "upstream_socket_config": _LARGEST,
            # Who asks again, by the same port, as one of two servers was silent, asks the other.
            "use_per_packet_load_balancing": True,
        },
    )
