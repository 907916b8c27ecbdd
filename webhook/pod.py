"""What the webhook reads of a Pod, and nothing else: a typed view beside the raw object. Pure.

A field that a later Kubernetes adds is not seen here and passes through untouched. `null` is what Kubernetes takes
it for: the field's absence; only of what an injection makes it is known which of the two it was.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from proa import names
from proa.capture.annotation import ANNOTATION
from proa.errors import Invalid, shown

ISTIO_INJECT: Final = "sidecar.istio.io/inject"
"""Istio's label on a pod, and annotation."""
_FILES: Final = (names.BOOTSTRAP, names.LEAF, names.ROOTS, ANNOTATION)
_WISHES: Final = (names.INJECT, ISTIO_INJECT)


class _View(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Unknown fields are ignored."""


class Annotations(msgspec.Struct, frozen=True):
    """All annotations by key, and those that say what has been done to the pod, or is to be."""

    values: Mapping[str, str]

    @property
    def inject(self) -> str | UnsetType:
        return self.values.get(names.INJECT, UNSET)

    @property
    def istio_inject(self) -> str | UnsetType:
        return self.values.get(ISTIO_INJECT, UNSET)

    @property
    def status(self) -> str | UnsetType:
        return self.values.get(names.STATUS, UNSET)

    @property
    def files(self) -> dict[str, str]:
        """Those that an injection would replace, or take away: a copy of an injected pod has them."""
        return {key: self.values[key] for key in _FILES if key in self.values}


class OwnerReference(_View, frozen=True):
    """meta/v1 OwnerReference."""

    kind: str = ""
    api_version: str = ""
    controller: bool | None = None


class Metadata(_View, frozen=True):
    name: str | None = None
    generate_name: str | None = None
    namespace: str | None = None
    labels: dict[str, Any] | None = None
    """All of them: the configuration may select by any."""
    owner_references: tuple[OwnerReference, ...] | None = None
    annotations: dict[str, Any] | UnsetType | None = UNSET

    def __post_init__(self) -> None:
        # Whoever writes a file may leave the quotes out; the API server sends nothing but text.
        for key in _WISHES:
            value = (self.labels or {}).get(key, "")
            if not isinstance(value, str):
                raise Invalid(f"metadata.labels['{key}']", shown(value), "text, in quotes")
        for key, value in (self.annotations or {}).items():
            if not isinstance(value, str) and (names.PREFIX in key or key == ISTIO_INJECT):
                raise Invalid(f"metadata.annotations['{key}']", shown(value), "text, in quotes")


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
    restart_policy: str | None = None
    """`Always` makes a native sidecar of an init container."""

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
    service_account_name: str | None = None
    service_account: str | None = None
    """The same, by the name that Kubernetes gave up: a manifest may still have it."""
    security_context: SecurityContext | None = None
    resources: dict[str, Any] | None = None
    """Of the whole pod (KEP-2837)."""
    termination_grace_period_seconds: int | None = None
    restart_policy: str | None = None


class Pod(_View, frozen=True):
    """A Pod, or the template of one: they have the same shape."""

    spec: PodSpec
    metadata: Metadata | UnsetType | None = UNSET

    @property
    def labels(self) -> Mapping[str, object]:
        return (self.metadata and self.metadata.labels) or {}

    @property
    def annotations(self) -> Annotations:
        return Annotations((self.metadata and self.metadata.annotations) or {})

    @property
    def controller(self) -> OwnerReference | None:
        """What makes pods like this one, if anything does."""
        owners = (self.metadata and self.metadata.owner_references) or ()
        return next((owner for owner in owners if owner.controller), None)

    @property
    def name(self) -> str:
        """Its name, or what its name will begin with: the API server makes one up after admission."""
        return (self.metadata and (self.metadata.name or self.metadata.generate_name)) or ""

    @property
    def carries_sidecar(self) -> bool:
        """The annotation alone proves nothing: a pod copied from an injected one may carry it and no sidecar."""
        found = (*(self.spec.init_containers or ()), *self.spec.containers)
        return self.annotations.status is not UNSET and any(each.name == names.PROXY_CONTAINER for each in found)
