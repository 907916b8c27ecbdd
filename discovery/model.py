"""What discovery knows of the mesh: the workloads, their addresses and how to speak to them. Pure."""

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

from proa.errors import Invalid, Problems
from proa.identity import WorkloadIdentity

IpAddress: TypeAlias = IPv4Address | IPv6Address


class Transport(Enum):
    """How the peer of a connection is spoken to."""

    MTLS = "mtls"
    """It stands behind a sidecar."""
    PLAINTEXT = "plaintext"


@dataclass(frozen=True, slots=True)
class Workload:
    """One pod. Ports are those its containers declare: only for them are there destinations.

    An address must be one pod's: Envoy takes a listener of 0.0.0.0 for every address that has no listener of its own.
    """

    identity: WorkloadIdentity
    addresses: tuple[IpAddress, ...]
    ports: tuple[int, ...]
    transport: Transport

    def __post_init__(self) -> None:
        problems = Problems()
        problems.add(Invalid("port", str(port), "1 to 65535") for port in self.ports if not 1 <= port <= 65535)
        problems.add(
            Invalid("address", str(host), "an address that one pod has")
            for host in self.addresses
            if host.is_unspecified or host.is_loopback or host.is_multicast or "%" in str(host)
        )
        problems.refuse(f"the workload {self.identity}")


@dataclass(frozen=True, slots=True)
class Destination:
    """An address and port that somebody may dial."""

    address: IpAddress
    port: int
    namespace: str

    @property
    def cluster(self) -> str:
        """Its cluster's name: direction, port, subset (none) and host, as dashboards for Envoy meshes expect them.

        The host is the pod's DNS name: the address with '-' for '.' and ':' (Kubernetes DNS specification §2.2).
        """
        host = str(self.address).replace(".", "-").replace(":", "-")
        return f"outbound|{self.port}||{host}.{self.namespace}.pod.cluster.local"
