"""Workloads to Envoy's clusters, endpoints and listeners. Pure: the same workloads, the same bytes."""

from collections.abc import Iterable
from dataclasses import dataclass

from discovery.model import Destination, Transport, Workload
from proa.mesh import AccessLog
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


def resources(workloads: Iterable[Workload], access_log: AccessLog) -> Resources:
    """A listener, a cluster and an endpoint for each address and declared port of *workloads*.

    A dialled pod address must reach that pod and no replica of it, so every destination has a cluster of its own.
    """
    owners = {
        Destination(host, port, workload.identity.namespace): workload
        for workload in workloads
        for host in workload.addresses
        for port in workload.ports
    }
    return Resources(
        clusters=tuple(_cluster(destination, owners[destination]) for destination in sorted(owners, key=_order)),
        endpoints={
            destination.cluster: _assignment(destination, owners[destination].transport)
            for destination in sorted(owners, key=_order)
        },
        listeners=tuple(_listener(destination, access_log) for destination in sorted(owners, key=_order)),
    )


def _order(destination: Destination) -> tuple[int, int, int]:
    # IPv4 and IPv6 addresses do not compare with each other.
    return destination.address.version, int(destination.address), destination.port


def _cluster(destination: Destination, workload: Workload) -> Message:
    name = destination.cluster
    return mesh_cluster(name, [workload.identity], file_subscription(endpoints_file(name)))


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
