"""How a sidecar subscribes to what may change while it runs. Pure."""

from typing import Final

from proa import names
from proxy.message import Message

CLUSTERS_FILE: Final = "clusters.json"
LISTENERS_FILE: Final = "listeners.json"


def file_subscription(file: str) -> Message:
    """A ConfigSource: *file* of the discovery volume, read again when the volume's `..data` link is swapped.

    Envoy follows moves in the watched directory, not writes (`watched_directory` of PathConfigSource). The path leads
    through that link: the kubelet links a new file by its name some milliseconds after the swap (Kubernetes'
    AtomicWriter), and Envoy refuses for good a cluster whose file is not there when it is told of it.
    """
    return {
        "resource_api_version": "V3",
        "path_config_source": {
            "path": f"{names.DISCOVERY_DIRECTORY}/{names.VOLUME_DATA}/{file}",
            "watched_directory": {"path": names.DISCOVERY_DIRECTORY},
        },
    }


def endpoints_file(cluster: str) -> str:
    """The file with the endpoints of *cluster*: each its own, as Envoy takes one assignment from a file (seen on 1.40).

    ConfigMap keys may hold only letters, digits, '-', '_' and '.'.
    """
    return f"endpoints.{cluster.replace('|', '_')}.json"
