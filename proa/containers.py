"""The two containers that pods are given: the mesh configuration's sections for the sidecar and `proa-init`. Pure."""

import re
from enum import StrEnum
from typing import Annotated, Final, TypeAlias

from msgspec import Meta

from proa.errors import Invalid, shown
from proa.quantity import PATTERN, amount
from proa.release import VERSION
from proa.sections import Section

IMAGE_PATTERN: Final = r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,511}"
"""A regular expression for the whole of an image reference."""

# Patterns end in \Z, as `$` matches before a last newline too.
Quantity: TypeAlias = Annotated[
    str,
    Meta(
        pattern=PATTERN,
        description="a quantity as text, such as '500m' or '128Mi'",
    ),
]
"""Of a Kubernetes resource."""
ResourceName: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"^([a-z0-9][a-z0-9.-]{0,251}[a-z0-9]/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?\Z",
        description="quantities by a resource's name, such as cpu or memory",
    ),
]
# What it looks like is checked where a section is made; a schema that others read must say it, too.
Image: TypeAlias = Annotated[str, Meta(extra_json_schema={"pattern": rf"^{IMAGE_PATTERN}\Z"})]


class LogLevel(StrEnum):
    """Envoy's own levels (`envoy --help`)."""

    TRACE = "trace"
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"
    OFF = "off"


class LogFormat(StrEnum):
    """Of Envoy's own log, not of its access log."""

    TEXT = "text"
    JSON = "json"
    """One object a line, with the members level, time, component and message."""


class AccessLog(StrEnum):
    JSON = "json"
    OFF = "off"


class SidecarKind(StrEnum):
    """What Kubernetes takes the sidecar for."""

    NATIVE = "native"
    """An init container that goes on (KEP-753): it starts before the app and ends after it, also in Jobs."""
    REGULAR = "regular"
    """A container beside the app's: it starts and ends at the same time as they do, and keeps a Job from ending."""


class Resources(Section, frozen=True):
    """Requests and limits of one container; a key that is absent is not set."""

    requests: dict[ResourceName, Quantity] = {}  # noqa: RUF012 - msgspec copies an empty default
    limits: dict[ResourceName, Quantity] = {}  # noqa: RUF012

    def __post_init__(self) -> None:
        for name, limit in self.limits.items():
            request = self.requests.get(name, limit)
            if amount(request) > amount(limit):
                # The API server would refuse every pod that is given such a container.
                raise Invalid(f"requests.{name}", shown(request), f"at most its limit, {limit}")


class Proxy(Section, frozen=True):
    """The sidecar: stock Envoy."""

    sidecar: SidecarKind = SidecarKind.NATIVE
    image: Image = "docker.io/envoyproxy/envoy:v1.40.0"
    concurrency: Annotated[int, Meta(ge=1, le=256)] = 2
    """Worker threads."""
    log_level: LogLevel = LogLevel.WARNING
    log_format: LogFormat = LogFormat.TEXT
    access_log: AccessLog = AccessLog.JSON
    resources: Resources = Resources(requests={"cpu": "50m", "memory": "64Mi"}, limits={"memory": "512Mi"})

    def __post_init__(self) -> None:
        _check_image(self.image)


class Init(Section, frozen=True):
    """The init container that programs interception."""

    image: Image = f"proa:{VERSION}"
    resources: Resources = Resources(requests={"cpu": "10m", "memory": "32Mi"}, limits={"memory": "64Mi"})

    def __post_init__(self) -> None:
        _check_image(self.image)


def _check_image(image: str) -> None:
    if not re.fullmatch(IMAGE_PATTERN, image):
        raise Invalid("image", shown(image), "an image reference")
