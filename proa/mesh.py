"""The mesh's configuration: one YAML document, read into one frozen value that cannot be wrong. Pure.

Every field has a default, so an empty document is a mesh. Keys are camelCase, as everywhere in Kubernetes.
A document with several mistakes is refused with all of them at once (see `mesh_configuration`).
"""

import re
from enum import StrEnum
from typing import Annotated, Any, Final, TypeAlias, TypeVar, cast

import msgspec
import yaml

from proa import names
from proa.errors import Invalid, Problems, Refused, shown
from proa.identity import TrustDomain

_QUANTITY: Final = r"^([0-9]+(\.[0-9]+)?)([mkMGTPE]|[KMGTPE]i)?$"
_IMAGE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,511}")
_SUBJECT: Final = "the mesh configuration"
_Loader: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SHORTEST_CERTIFICATE: Final = 3600
_LONGEST_CERTIFICATE: Final = 7862400

Quantity: TypeAlias = Annotated[str, msgspec.Meta(pattern=_QUANTITY)]
"""A Kubernetes resource quantity, such as `100m` or `128Mi`."""


class PeerTls(StrEnum):
    """What an inbound listener takes."""

    PERMISSIVE = "permissive"
    """mTLS from sidecars, plaintext from everybody else: the state in which a namespace can be moved pod by pod."""
    STRICT = "strict"
    """Nothing but mTLS from the trust domain."""


class AccessLog(StrEnum):
    JSON = "json"
    OFF = "off"


class IpFamily(StrEnum):
    DUAL_STACK = "dual-stack"
    IPV4 = "ipv4"
    """For nodes whose kernel has no IPv6 at all: listeners bind 0.0.0.0 instead of `::`."""


class LogLevel(StrEnum):
    """Envoy's own levels (`envoy --help`)."""

    TRACE = "trace"
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"
    OFF = "off"


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What every section of the document has in common."""


_S = TypeVar("_S", bound=_Section)


def _check_image(image: str) -> None:
    if not _IMAGE.fullmatch(image):
        raise Invalid("image", shown(image), "an image reference")


class Resources(_Section, frozen=True):
    """Requests and limits of one container; a key that is absent is not set."""

    requests: dict[str, Quantity] = {}
    limits: dict[str, Quantity] = {}


class Proxy(_Section, frozen=True):
    """The sidecar: stock Envoy."""

    image: str = "docker.io/envoyproxy/envoy:v1.40.0"
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=256)] = 2
    """Worker threads."""
    log_level: LogLevel = LogLevel.WARNING
    access_log: AccessLog = AccessLog.JSON
    resources: Resources = Resources(requests={"cpu": "50m", "memory": "64Mi"}, limits={"memory": "512Mi"})

    def __post_init__(self) -> None:
        _check_image(self.image)


class Init(_Section, frozen=True):
    """The init container that programs interception."""

    image: str = "proa:0.1.0"
    resources: Resources = Resources(requests={"cpu": "10m", "memory": "32Mi"}, limits={"memory": "64Mi"})

    def __post_init__(self) -> None:
        _check_image(self.image)


class Certificate(_Section, frozen=True):
    """Workload certificates."""

    lifetime_seconds: Annotated[int, msgspec.Meta(ge=_SHORTEST_CERTIFICATE, le=_LONGEST_CERTIFICATE)] = 86400
    """One hour to 91 days: what the API server takes in a PodCertificateRequest (Kubernetes 1.37)."""


class NoDiscovery(_Section, frozen=True, tag_field="kind", tag="none"):
    """Outbound traffic passes through to where the application dialled, as it is."""


class FileDiscovery(_Section, frozen=True, tag_field="kind", tag="files"):
    """Clusters, endpoints and listeners are read from a ConfigMap of the pod's namespace, and followed."""

    config_map: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")] = names.DISCOVERY_VOLUME


Discovery: TypeAlias = NoDiscovery | FileDiscovery


class MeshConfiguration(_Section, frozen=True):
    """Everything an admin may set. `trust_domain` is text here and a `TrustDomain` where it is used."""

    trust_domain: str = "cluster.local"
    peer_tls: PeerTls = PeerTls.PERMISSIVE
    ip_family: IpFamily = IpFamily.DUAL_STACK
    proxy: Proxy = Proxy()
    init: Init = Init()
    certificate: Certificate = Certificate()
    discovery: Discovery = NoDiscovery()
    never_inject_namespaces: tuple[str, ...] = ("kube-system", "kube-public", "kube-node-lease", "local-path-storage")
    """Beside `proa-system`, whose pods are never injected: the injector must not need itself to start."""

    def __post_init__(self) -> None:
        TrustDomain(self.trust_domain)


def mesh_configuration(document: str | bytes) -> MeshConfiguration:
    """The configuration that *document* (YAML) describes. Raises Refused naming every field that is wrong."""
    try:
        raw: object = yaml.load(document, Loader=_Loader)  # noqa: S506 - the C twin of SafeLoader
    except yaml.YAMLError as error:
        problem = Invalid("document", " ".join(str(error).split()), "one YAML document")
        raise Refused(_SUBJECT, (problem,)) from error
    problems = Problems()
    with problems.collected():
        return _section(MeshConfiguration, {} if raw is None else raw)
    raise problems.refusal(_SUBJECT)


def _section(kind: type[_S], raw: object) -> _S:
    """A *kind* from *raw*, field by field: msgspec alone would stop at the first mistake."""
    if not isinstance(raw, dict):
        raise Invalid("", shown(raw), "a mapping")
    given = cast("dict[object, object]", raw)
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    problems = Problems()
    problems.add(Invalid(str(key), "an unknown key", ", ".join(fields)) for key in given if key not in fields)
    values: dict[str, Any] = {}
    for key, field in fields.items():
        if key in given:
            with problems.collected(key):
                values[field.name] = _value(field.type, given[key])
    with problems.collected():
        value = kind(**values)
        if not problems:
            return value
    raise problems.refusal(_SUBJECT)


def _value(kind: Any, raw: object) -> object:
    if isinstance(kind, type):
        known = cast("type[object]", kind)
        if issubclass(known, _Section):
            return _section(known, raw)
        if issubclass(known, StrEnum):
            return _choice(known, raw)
    try:
        return cast("object", msgspec.convert(raw, kind))
    except msgspec.ValidationError as error:
        expectation, _, place = str(error).partition(" - at `$.")
        raise Invalid(place.rstrip("`"), shown(raw), expectation) from error


def _choice(kind: type[StrEnum], raw: object) -> StrEnum:
    # YAML 1.1 reads a bare `off` as false: what the user wrote is taken, not what the parser made of it.
    text = "off" if raw is False else str(raw)
    if text not in list(kind):
        raise Invalid("", shown(raw), ", ".join(kind))
    return kind(text)
