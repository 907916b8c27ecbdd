"""The agent that programs pods on each node: what a mesh has where pods do not program themselves. Pure.

It stands in a namespace of its own, as its pods take what that of the other processes forbids.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

from installation.access import granted, service_account
from installation.configuration import mesh
from installation.metadata import inside, selecting, shared
from installation.noted import Fields, Noted, Tree
from installation.options import Options
from installation.pods import GRACE_SECONDS, HEALTH, probes
from installation.workload_api import Additions, additions
from node.permissions import PERMISSIONS
from node.settings import NRI_VARIABLE
from proa import names
from proa.capture.annotation import ANNOTATION
from proa.programming import ByNode, Door

COMPONENT: Final = "node"
POLICY: Final = "proa-interception"
_API: Final = "admissionregistration.k8s.io/v1"
_SECURITY: Final = "pod-security.kubernetes.io"
_SOCKET: Final = "/run/proa-node"
_CAPABILITIES: Final = ("NET_ADMIN", "SYS_ADMIN", "SYS_PTRACE")


def agent(options: Options) -> Iterator[Fields]:
    """Nothing where pods program themselves."""
    match mesh(options).interception:
        case ByNode() as programming:
            yield _namespace()
            yield from _policy()
            yield service_account(_metadata(), names.NODE_NAMESPACE)
            yield from granted(_metadata(), PERMISSIONS, namespace=names.NODE_NAMESPACE)
            yield _daemon_set(options, programming)
        case _:
            return


def _metadata() -> Fields:
    return shared(names.NODE_AGENT, COMPONENT)


def _namespace() -> Fields:
    labels = {names.INJECT: "disabled", f"{_SECURITY}/enforce": "privileged"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": shared(names.NODE_NAMESPACE, COMPONENT, **labels)}


def _policy() -> Iterator[Fields]:
    """Between a pod's admission and its start its annotation could be changed; its containers cannot."""
    found = f"object.metadata.?annotations[?'{ANNOTATION}'].orValue('')"
    spec: Tree = {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["pods"]}
            ]
        },
        "validations": [
            {
                "expression": f"{found} == {found.replace('object', 'oldObject', 1)}",
                "message": f"{ANNOTATION} is the webhook's word to the node's agent, and stays (kept by {POLICY})",
            }
        ],
    }
    metadata = shared(POLICY, COMPONENT)
    yield {"apiVersion": _API, "kind": "ValidatingAdmissionPolicy", "metadata": metadata, "spec": spec}
    yield {
        "apiVersion": _API,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": metadata,
        "spec": {"policyName": POLICY, "validationActions": ["Deny"]},
    }


def _daemon_set(options: Options, programming: ByNode) -> Fields:
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": inside(_metadata(), names.NODE_NAMESPACE),
        "spec": {
            "selector": {"matchLabels": selecting(names.NODE_AGENT)},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
            "template": {
                "metadata": {
                    "labels": _metadata()["labels"],
                    "annotations": {
                        "prometheus.io/scrape": "true",
                        "prometheus.io/port": str(names.NODE_HEALTH_PORT),
                        "prometheus.io/path": "/metrics",
                    },
                },
                "spec": _pod(options, programming),
            },
        },
    }


def _pod(options: Options, programming: ByNode) -> Fields:
    added = additions(mesh(options))
    return {
        "serviceAccountName": names.NODE_AGENT,
        "automountServiceAccountToken": True,
        "enableServiceLinks": False,
        "priorityClassName": Noted("Without it no pod of the mesh starts on the node.", "system-node-critical"),
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [Noted("Also the node's own, while it is not ready for others.", {"operator": "Exists"})],
        "hostNetwork": Noted("It must not need the network that its plugin is part of.", value=True),
        "hostPID": Noted("Pods that stand already are found by their processes.", value=True),
        **added.pod,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "containers": [_container(options, programming, added)],
        "volumes": [
            *({"name": name, **source} for name, (_, source) in _places(programming).items()),
            *added.volumes,
        ],
    }


def _places(programming: ByNode) -> dict[str, tuple[Fields, Fields]]:
    """By the names of their volumes: how each is mounted, and what it is (core/v1 VolumeMount, Volume)."""
    match programming.door:
        case Door.CNI:
            return {
                "cni-conf": _of_node(programming.cni_conf_dir),
                "cni-bin": _of_node(programming.cni_bin_dir),
                "socket": _of_node(_SOCKET),
            }
        case Door.NRI:
            path = str(PurePosixPath(names.NRI_SOCKET).parent)
            runtime = Noted("The runtime's own: where there is none, it has no NRI.", "Directory")
            return {
                # To dial a socket nothing needs to be written.
                "nri": ({"mountPath": path, "readOnly": True}, {"hostPath": {"path": path, "type": runtime}}),
                # The Workload API has a socket there that is not for others.
                "socket": ({"mountPath": _SOCKET}, {"emptyDir": {}}),
            }


def _of_node(path: str) -> tuple[Fields, Fields]:
    return {"mountPath": path}, {"hostPath": {"path": path, "type": "DirectoryOrCreate"}}


def _told(programming: ByNode) -> tuple[Fields, ...]:
    """The variables that say so to the agent."""
    match programming.door:
        case Door.CNI:
            return (
                {"name": "CNI_CONF_DIR", "value": programming.cni_conf_dir},
                {"name": "CNI_BIN_DIR", "value": programming.cni_bin_dir},
            )
        case Door.NRI:
            return ({"name": NRI_VARIABLE, "value": names.NRI_SOCKET},)


def _container(options: Options, programming: ByNode, added: Additions) -> Fields:
    return {
        "name": names.NODE_AGENT,
        "image": options.image,
        "imagePullPolicy": options.pull_policy.value,
        "command": [names.NODE_AGENT],
        "env": [
            {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            *_told(programming),
            *added.environment,
        ],
        "ports": [{"name": HEALTH, "containerPort": names.NODE_HEALTH_PORT, "protocol": "TCP"}],
        **probes(),
        "resources": {
            "requests": {"cpu": "50m", "memory": "96Mi"},
            "limits": {"memory": "256Mi"},
        },
        "securityContext": {
            "runAsUser": 0,
            "runAsGroup": 0,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": Noted(
                "Rules take the first, another's network namespace the second, and its /proc the third.",
                {"drop": ["ALL"], "add": list(_CAPABILITIES)},
            ),
            "seccompProfile": {"type": "RuntimeDefault"},
            "appArmorProfile": Noted("The runtime's own forbids to look at other processes.", {"type": "Unconfined"}),
            "seLinuxOptions": Noted("Nor does another type write into the node's directories.", {"type": "spc_t"}),
        },
        "volumeMounts": [
            *({"name": name, **mount} for name, (mount, _) in _places(programming).items()),
            *added.mounts,
        ],
    }
