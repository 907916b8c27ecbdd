"""The file door: resources as the files of an Envoy file subscription. Pure; `discovery.directory` writes them."""

from typing import Final

import msgspec

from discovery.resources import Resources
from proxy.message import response
from proxy.subscriptions import CLUSTERS_FILE, LISTENERS_FILE, endpoints_file

_CLUSTER: Final = "envoy.config.cluster.v3.Cluster"
_LISTENER: Final = "envoy.config.listener.v3.Listener"
_ASSIGNMENT: Final = "envoy.config.endpoint.v3.ClusterLoadAssignment"


def subscription_files(resources: Resources) -> dict[str, bytes]:
    """One DiscoveryResponse in JSON for each file."""
    responses = {
        CLUSTERS_FILE: response(_CLUSTER, resources.clusters),
        LISTENERS_FILE: response(_LISTENER, resources.listeners),
        **{endpoints_file(name): response(_ASSIGNMENT, [one]) for name, one in resources.endpoints.items()},
    }
    return {name: msgspec.json.encode(content) for name, content in responses.items()}
