"""What the demo's kubelet reads of a Pod: typed views, and an error for what it cannot run. Pure."""

from typing import Any, TypeAlias

import msgspec

from proa.errors import Invalid, shown

Port: TypeAlias = int | str


class _View(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A part of the Pod API of which the demo reads only these fields."""


class FieldPath(_View, frozen=True):
    field_path: str


class EnvSource(_View, frozen=True):
    field_ref: FieldPath


class EnvVar(_View, frozen=True):
    name: str
    value: str = ""
    value_from: EnvSource | None = None


class ContainerPort(_View, frozen=True):
    container_port: int
    name: str = ""


class HttpGet(_View, frozen=True):
    port: Port
    path: str = "/"


class Probe(_View, frozen=True):
    http_get: HttpGet
    period_seconds: int = 10
    failure_threshold: int = 3


class Capabilities(_View, frozen=True):
    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


class SecurityContext(_View, frozen=True):
    run_as_user: int = 0
    run_as_group: int = 0
    read_only_root_filesystem: bool = False
    allow_privilege_escalation: bool = True
    capabilities: Capabilities = Capabilities()


class VolumeMount(_View, frozen=True):
    name: str
    mount_path: str
    read_only: bool = False


class Container(_View, frozen=True):
    name: str
    image: str
    command: tuple[str, ...]
    args: tuple[str, ...] = ()
    env: tuple[EnvVar, ...] = ()
    ports: tuple[ContainerPort, ...] = ()
    volume_mounts: tuple[VolumeMount, ...] = ()
    security_context: SecurityContext = SecurityContext()
    startup_probe: Probe | None = None
    readiness_probe: Probe | None = None
    restart_policy: str = ""

    @property
    def is_sidecar(self) -> bool:
        """A native sidecar, where it stands among init containers (KEP-753)."""
        return self.restart_policy == "Always"


class DownwardFile(_View, frozen=True):
    path: str
    field_ref: FieldPath


class DownwardApi(_View, frozen=True):
    items: tuple[DownwardFile, ...]


class PodCertificate(_View, frozen=True):
    signer_name: str
    credential_bundle_path: str
    key_type: str
    max_expiration_seconds: int = 86400


class ClusterTrustBundle(_View, frozen=True):
    signer_name: str
    path: str


class ProjectedSource(_View, frozen=True):
    pod_certificate: PodCertificate | None = None
    cluster_trust_bundle: ClusterTrustBundle | None = None


class Projected(_View, frozen=True):
    sources: tuple[ProjectedSource, ...]


class ConfigMapSource(_View, frozen=True):
    name: str


class Volume(_View, frozen=True):
    name: str
    empty_dir: dict[str, Any] | None = None
    downward_api: DownwardApi | None = msgspec.field(name="downwardAPI", default=None)
    projected: Projected | None = None
    config_map: ConfigMapSource | None = None


class Metadata(_View, frozen=True):
    name: str
    namespace: str = "default"
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Spec(_View, frozen=True):
    containers: tuple[Container, ...]
    init_containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()
    service_account_name: str = "default"


class Pod(_View, frozen=True):
    metadata: Metadata
    spec: Spec

    @property
    def containers(self) -> tuple[Container, ...]:
        return self.spec.init_containers + self.spec.containers


def parsed_pod(document: object) -> Pod:
    """The pod that *document* describes. Raises Invalid naming the field the demo cannot run."""
    try:
        return msgspec.convert(document, Pod)
    except msgspec.ValidationError as error:
        expectation, _, place = str(error).partition(" - at `$.")
        raise Invalid(place.rstrip("`") or "pod", shown(document, limit=40), expectation) from error


def field_value(subject: Pod, path: str, addresses: tuple[str, ...]) -> str:
    """What the downward API answers for *path*. Raises Invalid for a path it does not offer here."""
    annotations = subject.metadata.annotations
    values = {
        "metadata.name": subject.metadata.name,
        "metadata.namespace": subject.metadata.namespace,
        "spec.serviceAccountName": subject.spec.service_account_name,
        "status.podIP": addresses[0],
        "status.podIPs": ",".join(addresses),
        **{f"metadata.annotations['{key}']": value for key, value in annotations.items()},
    }
    if path not in values:
        raise Invalid("fieldPath", shown(path), ", ".join(values))
    return values[path]


def port_number(port: Port, container: Container) -> int:
    """A probe's port; a name is looked up among the ports of its container."""
    if isinstance(port, int):
        return port
    named = {declared.name: declared.container_port for declared in container.ports}
    if port not in named:
        raise Invalid("port", shown(port), ", ".join(named) or "a number")
    return named[port]
