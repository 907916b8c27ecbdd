"""What to intercept in a pod: one value that cannot be wrong. Pure."""

from __future__ import annotations

from proa import names
from proa.capture.choices import NoDns, Redirected
from proa.capture.contradictions import problems
from proa.capture.networks import EVERYWHERE
from proa.capture.refusals import refusal
from proa.capture.spans import ALL_IDS, ALL_PORTS, singles
from proa.capture.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from proa.capture.choices import DatagramPolicy, Dns, ExcludedUsers, FamilyPolicy, InboundMode
    from proa.capture.spans import Spans


class Interception(Value):
    """What of one pod goes to the proxy. Exclusions win over inclusions. Raises Refused with every problem at once.

    Ports and ids are spans, first and last, both included; networks are in CIDR notation.
    """

    proxy_uids: Spans = singles(names.PROXY_UID)
    proxy_gids: Spans = singles(names.PROXY_GID)
    """A process that runs as such a user or such a group is the proxy: its connections leave as they are."""
    outbound_port: int = names.OUTBOUND_PORT
    """Where the proxy takes what the application dials."""
    inbound_port: int = names.INBOUND_PORT
    """Where the proxy takes what others dial."""
    dns_port: int = names.DNS_PORT
    """Where the proxy answers questions of the Domain Name System, UDP and TCP, on loopback."""
    inbound_mode: InboundMode = Redirected()
    included_inbound_ports: Spans = ALL_PORTS
    excluded_inbound_ports: Spans = singles(names.READY_PORT, names.METRICS_PORT)
    """Ports others reach directly. The defaults are the proxy's own listeners for the kubelet and for Prometheus."""
    tunnel_ports: Spans = ()
    """Listeners of the proxy that others dial by their own port, like Istio's 15008."""
    included_outbound_cidrs: tuple[str, ...] = EVERYWHERE
    excluded_outbound_cidrs: tuple[str, ...] = ()
    included_outbound_ports: Spans = ALL_PORTS
    """Narrows the included networks: both must hold."""
    excluded_outbound_ports: Spans = ()
    outbound_ports_anywhere: Spans = ()
    """Widens: captured at any address, beside the included networks. Istio's meaning of its included ports."""
    excluded_interfaces: tuple[str, ...] = ()
    """Nothing that arrives or leaves by them is touched."""
    virtual_interfaces: tuple[str, ...] = ()
    """What arrives by them is outbound: virtual machines or containers behind the pod's own bridge."""
    excluded_users: tuple[ExcludedUsers, ...] = ()
    included_gids: Spans = ALL_IDS
    """Only what processes of these groups dial is captured."""
    excluded_gids: Spans = ()
    dns: Dns = NoDns()
    udp: DatagramPolicy = "bypass"
    """Of the application's datagrams to other pods, except to port 53."""
    quic: DatagramPolicy = "bypass"
    """Of those to port 443, before *udp* is asked: without QUIC, clients fall back to TCP, which is captured."""
    ipv4: FamilyPolicy = "capture"
    ipv6: FamilyPolicy = "capture"
    """`drop`: of this family nothing but the excluded and the proxy's own gets into the pod or out."""
    loopback: str = "127.0.0.0/8"
    """IPv4 addresses that the proxy dials without meeting its own inbound port. Istio's is 127.0.0.1/32."""
    drop_invalid: bool = False
    """Drop what conntrack cannot place, or the application would answer it with a reset that ends the connection."""
    log_rate: int = 0
    """Lines a second in the node's kernel log, at most, of each kind of capture or drop; 0 for none."""

    def __post_init__(self) -> None:
        if found := tuple(problems(self)):
            raise refusal("the interception", found)
