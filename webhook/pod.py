"""What the webhook reads of a Pod, and nothing else: a typed view beside the raw object. Pure.

A field that a later Kubernetes adds is not seen here and passes through untouched. `null` is what Kubernetes takes
it for: the field's absence.
"""

from typing import Annotated

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


class Metadata(_View, frozen=True):
    name: str | None = None
    generate_name: str | None = None
    namespace: str | None = None
    labels: Labels | None = None
    annotations: Annotations | None = None


class SecurityContext(_View, frozen=True):
    """Of a pod or of a container: both have the fields."""

    run_as_user: int | None = None
    run_as_group: int | None = None


class VolumeMount(_View, frozen=True):
    name: str


class ContainerPort(_View, frozen=True):
    container_port: int
    name: str | None = None


class Container(_View, frozen=True):
    name: str
    security_context: SecurityContext | None = None
    volume_mounts: tuple[VolumeMount, ...] | None = None
    ports: tuple[ContainerPort, ...] | None = None


class Volume(_View, frozen=True):
    name: str


class OperatingSystem(_View, frozen=True):
    name: str


class PodSpec(_View, frozen=True):
    containers: Annotated[tuple[Container, ...], msgspec.Meta(min_length=1)]
    init_containers: tuple[Container, ...] | None = None
    volumes: tuple[Volume, ...] | None = None
    host_network: bool | None = None
    os: OperatingSystem | None = None
    security_context: SecurityContext | None = None


class Pod(_View, frozen=True):
    """A Pod, or the template of one: they have the same shape."""

    spec: PodSpec
    metadata: Metadata | None = None

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
