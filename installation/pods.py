"""The pods of Proa's own processes: what all of them have in common, hardened to the `restricted` standard. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from installation.metadata import inside, selecting
from installation.noted import Fields, Noted, Tree
from installation.options import Options, Profile
from proa import names

PRIORITY: Final = "proa-control-plane"
HOSTNAME: Final = "kubernetes.io/hostname"
ZONE: Final = "topology.kubernetes.io/zone"
USER: Final = 65532
"""The Dockerfile's; stated again, as the kubelet cannot tell a name from root."""
GRACE_SECONDS: Final = 30
"""Above the 20 seconds that `proa.running` gives its services."""
HEALTH: Final = "health"
"""The name of the port for health and metrics."""
_MEASURED: Final = (
    "Measured (benchmarks/cluster.py): idle 52 MiB and 4m; at 50 pods a second the webhook 52 MiB and 50m,"
    " the authority 60 MiB and 265m."
)
_SAME_ROLLOUT: Final = ["pod-template-hash"]


@dataclass(frozen=True, slots=True)
class Process:
    """One of Proa's processes. *command* is a console script; *environment*, *ports*, *volumes* and *mounts* (core/v1)
    are what it has beyond what all have, *memory* is what it may take at most.
    """

    metadata: Fields
    command: str
    memory: Tree = "256Mi"
    environment: Sequence[Tree] = ()
    ports: Sequence[Tree] = ()
    volumes: Sequence[Tree] = ()
    mounts: Sequence[Tree] = ()

    @property
    def name(self) -> str:
        return str(self.metadata["name"])


def deployment(process: Process, options: Options) -> Fields:
    """The Deployment (apps/v1) of *process*."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": inside(process.metadata),
        "spec": {
            "replicas": options.count,
            "revisionHistoryLimit": 3,
            "selector": {"matchLabels": selecting(process.name)},
            # A new pod stands before an old one goes: never fewer than were asked for.
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {
                "metadata": {
                    "labels": process.metadata["labels"],
                    "annotations": {
                        "prometheus.io/scrape": "true",
                        "prometheus.io/port": str(names.HEALTH_PORT),
                        "prometheus.io/path": "/metrics",
                    },
                },
                "spec": _pod(process, options),
            },
        },
    }


def disruption_budget(process: Process) -> Fields:
    """A drain takes one of its pods at a time (policy/v1)."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": inside(process.metadata),
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": selecting(process.name)},
            "unhealthyPodEvictionPolicy": Noted("A pod that does not work must not keep its node.", "AlwaysAllow"),
        },
    }


def priority_class(metadata: Fields) -> Fields:
    """Its own: a quota may keep the cluster's critical classes to kube-system, as GKE does."""
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": metadata,
        "description": "Proa's control plane: pods of opted-in namespaces cannot start without it.",
        "preemptionPolicy": "PreemptLowerPriority",
        "value": Noted("The highest that is not the system's own.", 1_000_000_000),
    }


def _pod(process: Process, options: Options) -> Fields:
    return {
        "serviceAccountName": process.name,
        "automountServiceAccountToken": Noted("It talks to the API server.", value=True),
        "enableServiceLinks": False,
        "priorityClassName": PRIORITY,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        **_placement(process, options),
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(process, options)],
        **({"volumes": process.volumes} if process.volumes else {}),
    }


def _placement(process: Process, options: Options) -> Fields:
    term: Fields = {
        "labelSelector": {"matchLabels": selecting(process.name)},
        "topologyKey": HOSTNAME,
        # Of one rollout only: the new pod may stand beside the old one that it replaces.
        "matchLabelKeys": _SAME_ROLLOUT,
    }
    match options.profile:
        case Profile.MINIMAL:
            return {}
        case Profile.DEFAULT:
            rule: Fields = {
                "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]
            }
            note = "Preferred: on a single node two replicas are still better than one, as one can be replaced."
        case Profile.HA:
            rule = {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
            note = "Required: a node that is lost must never take two. Have a node for each replica."
    return {
        "affinity": {"podAntiAffinity": Noted(note, rule)},
        "topologySpreadConstraints": [_spread(process)],
    }


def _spread(process: Process) -> Fields:
    return {
        "maxSkew": 1,
        "topologyKey": ZONE,
        "whenUnsatisfiable": Noted("A cluster may have one zone, or none.", "ScheduleAnyway"),
        "labelSelector": {"matchLabels": selecting(process.name)},
        "matchLabelKeys": _SAME_ROLLOUT,
    }


def _container(process: Process, options: Options) -> Fields:
    return {
        "name": process.command,
        "image": options.image,
        "imagePullPolicy": options.pull_policy.value,
        "command": [process.command],
        "env": [
            _from_field("POD_NAME", "metadata.name"),
            _from_field("POD_NAMESPACE", "metadata.namespace"),
            *process.environment,
        ],
        "ports": [{"name": HEALTH, "containerPort": names.HEALTH_PORT, "protocol": "TCP"}, *process.ports],
        **probes(),
        "resources": {
            "requests": Noted(_MEASURED, {"cpu": "50m", "memory": "96Mi"}),
            "limits": Noted("None of CPU: a throttled webhook is a slow API server.", {"memory": process.memory}),
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        **({"volumeMounts": process.mounts} if process.mounts else {}),
    }


def probes() -> Fields:
    """Of every process of Proa, at its port for health."""
    return {
        "startupProbe": _probe("/healthz", periodSeconds=1, failureThreshold=60),
        "readinessProbe": _probe("/readyz", periodSeconds=2, failureThreshold=2, timeoutSeconds=2),
        "livenessProbe": _probe("/healthz", periodSeconds=10, failureThreshold=6, timeoutSeconds=5),
    }


def _probe(path: str, **timing: int) -> Fields:
    return {"httpGet": {"path": path, "port": HEALTH}, **timing}


def _from_field(name: str, path: str) -> Fields:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
