"""The configuration documents of the node's parts, as the node reads them. Pure.

JSON where Kubernetes takes YAML: the one is the other's subset.
"""

import base64
import json
from collections.abc import Sequence
from typing import Final

from launcher.certificates import Subject
from launcher.layout import (
    CNI_CONFIGURATION,
    DNS_ADDRESS,
    DOMAIN,
    KUBERNETES,
    NAME,
    NODE,
    PKI,
    POD_RANGES,
    SERVER,
)
from proa.json import Json

PAUSE_IMAGE: Final = "localhost/pause:1"

CONTAINERD: Final = f"""version = 2
# Its optional packages would lie in /opt, which is the machine's.
disabled_plugins = ["io.containerd.internal.v1.opt"]

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE_IMAGE}"
# Root may lack CAP_SYS_RESOURCE, and then may not lower a score (runc: "can't get final child's PID from pipe: EOF").
restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{CNI_CONFIGURATION}"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
"""


def pod_network() -> str:
    """The CNI configuration: a bridge with both families, nothing masqueraded: pods reach the machine, no further."""
    return _document(
        {
            "cniVersion": "1.0.0",
            "name": "pods",
            "plugins": [
                {
                    "type": "bridge",
                    "bridge": "pods",
                    "isGateway": True,
                    # A pod may reach itself through a Service.
                    "hairpinMode": True,
                    "ipam": {
                        "type": "host-local",
                        "ranges": [[{"subnet": subnet}] for subnet in POD_RANGES],
                        "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
                    },
                }
            ],
        }
    )


def kubelet(taints: Sequence[str] = ()) -> str:
    """*taints* are the keys of those with which it registers its node, where that is not registered yet."""
    return _document(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": f"{PKI}/ca.crt"},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": f"{PKI}/kubelet.crt",
            "tlsPrivateKeyFile": f"{PKI}/kubelet.key",
            "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
            # Machines for tests still have version 1, which the kubelet refuses by default since 1.35.
            "failCgroupV1": False,
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{NAME}",
            "enforceNodeAllocatable": [],
            "failSwapOn": False,
            "clusterDNS": [DNS_ADDRESS],
            "clusterDomain": DOMAIN,
            "resolvConf": f"{KUBERNETES}/resolv.conf",
            # Its default lies in /usr, which is the machine's.
            "volumePluginDir": "/var/lib/kubelet/volumeplugins",
            # The range of pods' addresses holds 254.
            "maxPods": 230,
            # An image that was collected could not be pulled again.
            "imageGCHighThresholdPercent": 100,
            "evictionHard": {"nodefs.available": "1%", "imagefs.available": "1%", "memory.available": "50Mi"},
            "registerWithTaints": [{"key": key, "effect": "NoSchedule"} for key in taints],
        }
    )


def kube_proxy() -> str:
    return _document(
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "clusterCIDR": ",".join(POD_RANGES),
            "hostnameOverride": NODE,
            "clientConnection": {"kubeconfig": f"{KUBERNETES}/proxy.kubeconfig"},
            # Zero leaves nf_conntrack_max alone: only the first network namespace may set it.
            "conntrack": {"maxPerCore": 0, "min": 0},
        }
    )


def resolver() -> str:
    """Not the machine's: its search domains would go into every pod's resolv.conf."""
    return f"nameserver {DNS_ADDRESS}\n"


def kubeconfig(subject: Subject) -> str:
    """Of a part that runs on the node, by the paths of its files."""
    files: dict[str, Json] = {
        "client-certificate": f"{PKI}/{subject.file}.crt",
        "client-key": f"{PKI}/{subject.file}.key",
    }
    return _kubeconfig({"certificate-authority": f"{PKI}/ca.crt"}, files)


def portable_kubeconfig(authority: bytes, certificate: bytes, key: bytes) -> str:
    """Of a user, anywhere on the machine: PEM inside."""
    user: dict[str, Json] = {"client-certificate-data": _base64(certificate), "client-key-data": _base64(key)}
    return _kubeconfig({"certificate-authority-data": _base64(authority)}, user)


def _kubeconfig(authority: dict[str, Json], user: dict[str, Json]) -> str:
    return _document(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": NAME, "cluster": {"server": SERVER, **authority}}],
            "users": [{"name": NAME, "user": user}],
            "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME}}],
            "current-context": NAME,
        }
    )


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _document(content: Json) -> str:
    return json.dumps(content, indent=2) + "\n"
