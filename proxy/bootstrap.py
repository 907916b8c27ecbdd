"""A sidecar's bootstrap: everything Envoy knows before it asks anybody. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from proa import names
from proa.capture.choices import DnsTo
from proa.capture.interception import Interception
from proa.mesh import Discovery, FileDiscovery, MeshConfiguration, NoDiscovery
from proxy.clusters import admin_cluster, black_hole_cluster, inbound_cluster, passthrough_cluster, resolvers_cluster
from proxy.listeners import inbound_listener, metrics_listener, outbound_listener, ready_listener
from proxy.message import LOOPBACK, Message, address, response
from proxy.questions import question_listeners
from proxy.subscriptions import CLUSTERS_FILE, LISTENERS_FILE, file_subscription
from proxy.tls import leaf, roots

_SDS: Final = "envoy.extensions.transport_sockets.tls.v3.Secret"
_ORDINARY: Final = Interception()


@dataclass(frozen=True, slots=True)
class PodFile:
    """A file of the bootstrap volume: its name, and the annotation of the pod that holds its content."""

    name: str
    annotation: str
    content: Message


def pod_files(configuration: MeshConfiguration, interception: Interception | None = _ORDINARY) -> tuple[PodFile, ...]:
    """All that a sidecar is told by its pod. Secrets are where to read keys, not keys."""
    return (
        PodFile(names.BOOTSTRAP_FILE, names.BOOTSTRAP, bootstrap(configuration, interception)),
        PodFile(names.LEAF_FILE, names.LEAF, response(_SDS, [leaf()])),
        PodFile(names.ROOTS_FILE, names.ROOTS, response(_SDS, [roots(configuration)])),
    )


def bootstrap(configuration: MeshConfiguration, interception: Interception | None = _ORDINARY) -> Message:
    """The bootstrap of a sidecar in a pod with this *interception*. What else differs is on Envoy's command line.

    Without one there is no original destination, and so no listener that goes by it.
    """
    return {
        "admin": {"address": address(LOOPBACK, names.ADMIN_PORT)},
        "static_resources": {
            "listeners": [
                *(_capturing(configuration, interception) if interception else ()),
                ready_listener(configuration),
                metrics_listener(configuration),
            ],
            "clusters": [
                passthrough_cluster(),
                inbound_cluster(configuration.ip_family, (interception or _ORDINARY).inbound_mode),
                black_hole_cluster(),
                admin_cluster(),
                *_asked(interception),
            ],
        },
        **_dynamic_resources(configuration.discovery),
    }


def _capturing(configuration: MeshConfiguration, interception: Interception) -> Iterator[Message]:
    """The listeners to which the kernel sends the pod's connections."""
    yield outbound_listener(configuration)
    yield inbound_listener(configuration, interception.inbound_mode)
    if isinstance(interception.dns, DnsTo):
        yield from question_listeners(configuration)


def _asked(interception: Interception | None) -> Iterator[Message]:
    """The name servers to which captured questions go on. Of all questions nobody knows which those would be."""
    match interception:
        case Interception(dns=DnsTo(servers)):
            yield resolvers_cluster(servers)
        case _:
            return


def _dynamic_resources(discovery: Discovery) -> Message:
    match discovery:
        case NoDiscovery():
            return {}
        case FileDiscovery():
            clusters, listeners = file_subscription(CLUSTERS_FILE), file_subscription(LISTENERS_FILE)
            return {"dynamic_resources": {"cds_config": clusters, "lds_config": listeners}}
