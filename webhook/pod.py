"""What the webhook reads of a Pod, and nothing else: a typed view beside the raw object. Pure.

A field that a later Kubernetes adds is not seen here and passes through untouched. `null` is what Kubernetes takes
it for: the field's absence; only of what an injection makes it is known which of the two it was.
"""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from proa import names


class _View(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Unknown fields are ignored."""


class Labels(_View, frozen=True):
    """The labels that mean something to Proa."""

    inject: str | UnsetType = msgspec.field(name=names.INJECT, default=UNSET)


class Annotations(_View, frozen=True):
    """The annotations that mean something to Proa."""

    inject: str | UnsetType = msgspec.field(name=names.INJECT, default=UNSET)
    status: str | UnsetType = msgspec.field(name=names.STATUS, default=UNSET)
    bootstrap: str | UnsetType = msgspec.field(name=names.BOOTSTRAP, default=UNSET)
    leaf: str | UnsetType = msgspec.field(name=names.LEAF, default=UNSET)
    roots: str | UnsetType = msgspec.field(name=names.ROOTS, default=UNSET)

    @property
    def files(self) -> dict[str, str]:
        """Those that an injection would replace: a copy of an injected pod has them."""
        found = {names.BOOTSTRAP: self.bootstrap, names.LEAF: self.leaf, names.ROOTS: self.roots}
        return {key: value for key, value in found.items() if value is not UNSET}


class Metadata(_View, frozen=True):
    name: str | None = None
    generate_name: str | None = None
    namespace: str | None = None
    labels: Labels | None = None
    annotations: Annotations | UnsetType | None = UNSET


class SecurityContext(_View, frozen=True):
    """Of a pod or of a container: both have the fields."""

    run_as_user: int | None = None
    run_as_group: int | None = None


class VolumeMount(_View, frozen=True):
    name: str


class ContainerPort(_View, frozen=True):
    container_port: int
    name: str | None = None


class HttpHeader(_View, frozen=True):
    name: str


class HttpGet(_View, frozen=True):
    port: int | str
    path: str | None = None
    scheme: str | None = None
    host: str | None = None
    http_headers: tuple[HttpHeader, ...] | None = None


class TcpSocket(_View, frozen=True):
    port: int | str
    host: str | None = None


class Grpc(_View, frozen=True):
    port: int


class Probe(_View, frozen=True):
    """A probe or a lifecycle hook, by what it asks for; who executes a command asks nobody."""

    http_get: HttpGet | UnsetType | None = UNSET
    tcp_socket: dict[str, Any] | None = None
    """A TcpSocket, with fields that nobody knows yet: it is replaced as a whole, and may have to come back."""
    grpc: Grpc | None = None
    timeout_seconds: int | None = None
    period_seconds: int | None = None


class Lifecycle(_View, frozen=True):
    post_start: Probe | None = None
    pre_stop: Probe | None = None


class Container(_View, frozen=True):
    name: str
    security_context: SecurityContext | None = None
    volume_mounts: tuple[VolumeMount, ...] | None = None
    ports: tuple[ContainerPort, ...] | None = None
    readiness_probe: Probe | None = None
    liveness_probe: Probe | None = None
    startup_probe: Probe | None = None
    lifecycle: Lifecycle | None = None

    @property
    def asks(self) -> bool:
        """Whether there is anything that the kubelet may ask it."""
        return bool(self.readiness_probe or self.liveness_probe or self.startup_probe or self.lifecycle)


class Volume(_View, frozen=True):
    name: str


class OperatingSystem(_View, frozen=True):
    name: str


class PodSpec(_View, frozen=True):
    containers: Annotated[tuple[Container, ...], msgspec.Meta(min_length=1)]
    init_containers: tuple[Container, ...] | UnsetType | None = UNSET
    volumes: tuple[Volume, ...] | UnsetType | None = UNSET
    host_network: bool | None = None
    os: OperatingSystem | None = None
    security_context: SecurityContext | None = None


class Pod(_View, frozen=True):
    """A Pod, or the template of one: they have the same shape."""

    spec: PodSpec
    metadata: Metadata | UnsetType | None = UNSET

    @property
    def labels(self) -> Labels:
        return (self.metadata and self.metadata.labels) or Labels()

    @property
    def annotations(self) -> Annotations:
        return (self.metadata and self.metadata.annotations) or Annotations()

    @property
    def name(self) -> str:
        """Its name, or what its name will begin with: the API server makes one up after admission."""
        return (self.metadata and (self.metadata.name or self.metadata.generate_name)) or ""

    @property
    def carries_sidecar(self) -> bool:
        """The annotation alone proves nothing: a pod copied from an injected one may carry it and no sidecar."""
        found = (*(self.spec.init_containers or ()), *self.spec.containers)
        return self.annotations.status is not UNSET and any(each.name == names.PROXY_CONTAINER for each in found)
