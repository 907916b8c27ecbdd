"""What every pod is given: two containers, their volumes and annotations, made once for a configuration. Pure.

Everything is data of Kubernetes' own shape (core/v1), encoded when it is made: a patch then only joins the pieces.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from proa import names
from proa.json import Json
from proa.mesh import FileDiscovery, IpFamily, MeshConfiguration, NoDiscovery, Resources
from proa.release import VERSION
from proxy.bootstrap import PodFile, pod_files
from proxy.message import Message
from webhook.operations import encoded
from webhook.status import FORMAT, Status

_ADDRESS: Final = "POD_IP"
POD_ADDRESS: Final = f"$({_ADDRESS})"
"""The pod's address in the arguments of a container with the variable `POD_IP`: the kubelet knows it in time."""


@dataclass(frozen=True, slots=True)
class Sidecar:
    """Encoded JSON. *annotations* by key, without the status annotation: *status* is what is the same in all."""

    init: msgspec.Raw
    proxy: msgspec.Raw
    volumes: tuple[msgspec.Raw, ...]
    annotations: dict[str, msgspec.Raw]
    family: IpFamily
    status: Status

    @property
    def fingerprint(self) -> str:
        """Of all that the configuration gives a pod: the same exactly if the sidecars are the same."""
        return self.status.fingerprint


def sidecar(configuration: MeshConfiguration) -> Sidecar:
    """What every injected pod of a mesh of *configuration* is given: nothing in it depends on the pod."""
    files = pod_files(configuration)
    volumes = _volumes(configuration, files)
    annotations = {file.annotation: encoded(_text(file.content)) for file in files}
    init, proxy = encoded(_init_container(configuration)), encoded(_proxy_container(configuration, volumes))
    specified = tuple(map(encoded, volumes.values()))
    status = Status(
        version=FORMAT,
        proa=VERSION,
        fingerprint=_fingerprint(init, proxy, *specified, *annotations.values()),
        init_containers=(names.INIT_CONTAINER, names.PROXY_CONTAINER),
        volumes=tuple(volumes),
        annotations=(*annotations, names.STATUS),
    )
    return Sidecar(init, proxy, specified, annotations, configuration.ip_family, status)


def _text(value: Json) -> str:
    """JSON inside a string: annotations hold nothing else."""
    return msgspec.json.encode(value).decode()


def _fingerprint(*parts: msgspec.Raw) -> str:
    return hashlib.sha256(b"\0".join(map(bytes, parts))).hexdigest()[:16]


def _init_container(configuration: MeshConfiguration) -> Json:
    return {
        "name": names.INIT_CONTAINER,
        "image": configuration.init.image,
        "command": ["proa-init"],
        "resources": _resources(configuration.init.resources),
        # Root with one capability: nftables asks for CAP_NET_ADMIN in the network namespace's user namespace.
        "securityContext": {
            "runAsUser": 0,
            "runAsGroup": 0,
            "runAsNonRoot": False,
            "privileged": False,
            **_confined(added=["NET_ADMIN"]),
        },
    }


def _proxy_container(configuration: MeshConfiguration, volumes: Iterable[str]) -> Json:
    ready: Message = {"httpGet": {"path": names.READY_PATH, "port": names.READY_PORT}}
    return {
        "name": names.PROXY_CONTAINER,
        "image": configuration.proxy.image,
        # An init container that is restarted is a sidecar (KEP-753): it starts before the app and stops after it.
        "restartPolicy": "Always",
        "command": ["envoy"],
        "args": _arguments(configuration),
        "env": [
            _from_field("POD_NAME", "metadata.name"),
            _from_field("POD_NAMESPACE", "metadata.namespace"),
            _from_field("SERVICE_ACCOUNT", "spec.serviceAccountName"),
        ],
        "ports": [{"name": "proa-metrics", "containerPort": names.METRICS_PORT, "protocol": "TCP"}],
        # The next container starts when the startup probe has passed once: the app never runs without its proxy.
        "startupProbe": {**ready, "periodSeconds": 1, "failureThreshold": 60},
        "readinessProbe": {**ready, "periodSeconds": 5, "failureThreshold": 3},
        "resources": _resources(configuration.proxy.resources),
        "securityContext": {
            "runAsUser": names.PROXY_UID,
            "runAsGroup": names.PROXY_GID,
            "runAsNonRoot": True,
            **_confined(added=[]),
        },
        "volumeMounts": _mounts(volumes),
    }


def _arguments(configuration: MeshConfiguration) -> list[Json]:
    """Envoy's command line; `$(…)` is filled in by the kubelet from the container's environment."""
    return [
        "--config-path",
        f"{names.BOOTSTRAP_DIRECTORY}/{names.BOOTSTRAP_FILE}",
        "--service-node",
        "$(POD_NAME).$(POD_NAMESPACE)",
        "--service-cluster",
        "$(SERVICE_ACCOUNT).$(POD_NAMESPACE)",
        "--concurrency",
        str(configuration.proxy.concurrency),
        "--log-level",
        configuration.proxy.log_level.value,
        # Milliseconds that a line of the access log may wait; Envoy's ten seconds are long for whoever looks.
        "--file-flush-interval-msec",
        "1000",
        # It needs shared memory, and a pod has no second Envoy to hand over to.
        "--disable-hot-restart",
    ]


def _confined(added: list[Json]) -> Message:
    """The `restricted` Pod Security Standard, but for the *added* capabilities."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"], "add": added} if added else {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _from_field(name: str, path: str) -> Json:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


POD_IP: Final = encoded(_from_field(_ADDRESS, "status.podIP"))
"""The variable, for the sidecars that need it."""


def _resources(resources: Resources) -> Json:
    given = {"requests": resources.requests, "limits": resources.limits}
    return {key: dict(quantities) for key, quantities in given.items() if quantities}


def _mounts(volumes: Iterable[str]) -> list[Json]:
    directories = {
        names.IDENTITY_VOLUME: names.IDENTITY_DIRECTORY,
        names.BOOTSTRAP_VOLUME: names.BOOTSTRAP_DIRECTORY,
        names.DISCOVERY_VOLUME: names.DISCOVERY_DIRECTORY,
    }
    return [{"name": volume, "mountPath": directories[volume], "readOnly": True} for volume in volumes]


def _volumes(configuration: MeshConfiguration, files: Iterable[PodFile]) -> dict[str, Json]:
    """By name. The kubelet makes the key, asks the signer and renews: no agent of ours is in the pod."""
    volumes: dict[str, Json] = {
        names.IDENTITY_VOLUME: {
            "name": names.IDENTITY_VOLUME,
            "projected": {"sources": [_certificate(configuration), _trust_bundle()]},
        },
        names.BOOTSTRAP_VOLUME: {
            "name": names.BOOTSTRAP_VOLUME,
            "downwardAPI": {"items": [_item(file) for file in files]},
        },
    }
    match configuration.discovery:
        case NoDiscovery():
            return volumes
        case FileDiscovery(config_map=name):
            return {**volumes, names.DISCOVERY_VOLUME: {"name": names.DISCOVERY_VOLUME, "configMap": {"name": name}}}


def _certificate(configuration: MeshConfiguration) -> Json:
    return {
        "podCertificate": {
            "signerName": names.SIGNER,
            "keyType": "ECDSAP256",
            "credentialBundlePath": names.CREDENTIAL_BUNDLE,
            "maxExpirationSeconds": configuration.certificate.lifetime_seconds,
        }
    }


def _trust_bundle() -> Json:
    # An empty selector takes every bundle of the signer, an absent one none (core/v1 ClusterTrustBundleProjection).
    return {"clusterTrustBundle": {"signerName": names.SIGNER, "labelSelector": {}, "path": names.TRUST_BUNDLE}}


def _item(file: PodFile) -> Json:
    return {"path": file.name, "fieldRef": {"fieldPath": f"metadata.annotations['{file.annotation}']"}}
