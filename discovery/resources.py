"""Workloads to Envoy's clusters, endpoints and listeners. Pure: the same workloads, the same bytes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from discovery.model import Destination, IpAddress, Transport, Workload
from proa.containers import AccessLog
from proa.identity import TrustDomain, WorkloadIdentity, known_as
from proxy.clusters import MTLS, mesh_cluster
from proxy.listeners import destination_listener
from proxy.message import Message, address
from proxy.subscriptions import endpoints_file, file_subscription


@dataclass(frozen=True, slots=True)
class Resources:
    """Everything a sidecar may subscribe to. Endpoints are by the name of their cluster."""

    clusters: tuple[Message, ...]
    endpoints: dict[str, Message]
    listeners: tuple[Message, ...]


def resources(workloads: Iterable[Workload], access_log: AccessLog, own: Sequence[TrustDomain] = ()) -> Resources:
    """A listener, a cluster and an endpoint for each address and declared port of *workloads*.

    A workload of the *own* trust domain may show any of its names: one that is being renamed has both.
    A dialled pod address must reach that pod and no replica of it, so every destination has a cluster of its own.
    """
    # Two that claim one address and port, as after its reuse: the same one wins in any order, mTLS before plaintext.
    owners = {
        (host, port): workload
        for workload in sorted(workloads, key=_claim)
        for host in workload.addresses
        for port in workload.ports
    }
    destinations = {
        Destination(host, port, workload.identity.namespace): workload
        for (host, port), workload in sorted(owners.items(), key=_order)
    }
    return Resources(
        clusters=tuple(
            _cluster(destination, known_as(workload.identity, own)) for destination, workload in destinations.items()
        ),
        endpoints={
            destination.cluster: _assignment(destination, workload.transport)
            for destination, workload in destinations.items()
        },
        listeners=tuple(_listener(destination, access_log) for destination in destinations),
    )


def _claim(workload: Workload) -> tuple[bool, str]:
    return workload.transport is Transport.MTLS, workload.identity.uri


def _order(owned: tuple[tuple[IpAddress, int], Workload]) -> tuple[int, int, int]:
    # IPv4 and IPv6 addresses do not compare with each other.
    (host, port), _ = owned
    return host.version, int(host), port


def _cluster(destination: Destination, servers: Sequence[WorkloadIdentity]) -> Message:
    name = destination.cluster
    return mesh_cluster(name, servers, file_subscription(endpoints_file(name)))


def _listener(destination: Destination, access_log: AccessLog) -> Message:
    return destination_listener(address(str(destination.address), destination.port), destination.cluster, access_log)


def _assignment(destination: Destination, transport: Transport) -> Message:
    endpoint: Message = {"endpoint": {"address": address(str(destination.address), destination.port)}}
    match transport:
        case Transport.MTLS:
            endpoint["metadata"] = {"filter_metadata": {"envoy.transport_socket_match": {"tlsMode": MTLS}}}
        case Transport.PLAINTEXT:
            pass
    return {"cluster_name": destination.cluster, "endpoints": [{"lb_endpoints": [endpoint]}]}
