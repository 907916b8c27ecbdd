"""A sidecar's bootstrap: everything Envoy knows before it asks anybody. Pure."""

from dataclasses import dataclass
from typing import Final

from proa import names
from proa.mesh import Discovery, FileDiscovery, MeshConfiguration, NoDiscovery
from proxy.clusters import admin_cluster, black_hole_cluster, inbound_cluster, passthrough_cluster
from proxy.listeners import inbound_listener, metrics_listener, outbound_listener, ready_listener
from proxy.message import LOOPBACK, Message, address, response
from proxy.subscriptions import CLUSTERS_FILE, LISTENERS_FILE, file_subscription
from proxy.tls import leaf, roots

_SDS: Final = "envoy.extensions.transport_sockets.tls.v3.Secret"


@dataclass(frozen=True, slots=True)
class PodFile:
    """A file of the bootstrap volume: its name, and the annotation of the pod that holds its content."""

    name: str
    annotation: str
    content: Message


def pod_files(configuration: MeshConfiguration, *, intercepts: bool = True) -> tuple[PodFile, ...]:
    """All that a sidecar is told by its pod. Secrets are where to read keys, not keys."""
    return (
        PodFile(names.BOOTSTRAP_FILE, names.BOOTSTRAP, bootstrap(configuration, intercepts=intercepts)),
        PodFile(names.LEAF_FILE, names.LEAF, response(_SDS, [leaf()])),
        PodFile(names.ROOTS_FILE, names.ROOTS, response(_SDS, [roots()])),
    )


def bootstrap(configuration: MeshConfiguration, *, intercepts: bool = True) -> Message:
    """The bootstrap of every sidecar of the mesh. What differs between pods is on Envoy's command line.

    Where nothing *intercepts* there is no original destination, and so no listener that goes by it.
    """
    redirected: list[Message] = [outbound_listener(configuration), inbound_listener(configuration)]
    return {
        "admin": {"address": address(LOOPBACK, names.ADMIN_PORT)},
        "static_resources": {
            "listeners": [
                *(redirected if intercepts else []),
                ready_listener(configuration),
                metrics_listener(configuration),
            ],
            "clusters": [
                passthrough_cluster(),
                inbound_cluster(configuration.ip_family),
                black_hole_cluster(),
                admin_cluster(),
            ],
        },
        **_dynamic_resources(configuration.discovery),
    }


def _dynamic_resources(discovery: Discovery) -> Message:
    match discovery:
        case NoDiscovery():
            return {}
        case FileDiscovery():
            clusters, listeners = file_subscription(CLUSTERS_FILE), file_subscription(LISTENERS_FILE)
            return {"dynamic_resources": {"cds_config": clusters, "lds_config": listeners}}
