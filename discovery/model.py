"""What discovery knows of the mesh: the workloads, their addresses and how to speak to them. Pure."""

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

from proa.errors import Invalid
from proa.identity import WorkloadIdentity

IpAddress: TypeAlias = IPv4Address | IPv6Address


class Transport(Enum):
    """How the peer of a connection is spoken to."""

    MTLS = "mtls"
    """It stands behind a sidecar."""
    PLAINTEXT = "plaintext"


@dataclass(frozen=True, slots=True)
class Workload:
    """One pod. Ports are those its containers declare: only for them are there destinations."""

    identity: WorkloadIdentity
    addresses: tuple[IpAddress, ...]
    ports: tuple[int, ...]
    transport: Transport

    def __post_init__(self) -> None:
        for port in self.ports:
            if not 1 <= port <= 65535:
                raise Invalid("port", str(port), "1 to 65535")


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
