"""What a pod may ask for of its sidecar: every annotation once, with its type, its default and what it does. Pure.

Reading (`webhook.wishes`), the reference page and the warnings about misspelt keys all go by this table. `inject` and
what an injection writes are not in it: the one is the decision's, the others are nobody's to set.
"""

from dataclasses import dataclass
from itertools import product
from typing import Any, Final

from proa import names
from proa.capture.annotation import ANNOTATION
from proa.capture.settings import SETTINGS as FLAGS
from proa.containers import AccessLog, LogFormat, LogLevel, SidecarKind
from webhook.interception import OFFERED, default, kind
from webhook.kinds import (
    BOOLEAN,
    COMPONENT_LEVELS,
    IMAGE_REFERENCE,
    NONE,
    PLACE,
    QUANTITY,
    Kind,
    choice,
    number,
    seconds,
)

DRAIN_SECONDS: Final = 5
"""That a regular sidecar goes on while its pod ends: Istio's terminationDrainDuration."""
_LONGEST: Final = 3600
_RESOURCES: Final = ("cpu", "memory", "ephemeral-storage")
_SIDES: Final = {"request": "requests", "limit": "limits"}
_ISTIO_RESOURCES: Final = {
    "proxy-cpu-request": "sidecar.istio.io/proxyCPU",
    "proxy-cpu-limit": "sidecar.istio.io/proxyCPULimit",
    "proxy-memory-request": "sidecar.istio.io/proxyMemory",
    "proxy-memory-limit": "sidecar.istio.io/proxyMemoryLimit",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One annotation `proa.dev/*name*`. *default* is a field of the mesh configuration, or what is so without it;
    *istio* is Istio's annotation for it, or `proxy.istio.io/config` with a member behind a colon, or empty.
    """

    name: str
    kind: Kind[Any]
    default: str
    does: str
    istio: str = ""

    @property
    def key(self) -> str:
        return f"{names.PREFIX}/{self.name}"

    @property
    def field(self) -> str:
        """The member of `PodSettings` that holds it."""
        return self.name.replace("-", "_")


def _resource(container: str, resource: str, side: str) -> Setting:
    name = f"{container}-{resource}-{side}"
    default = f"{container}.resources.{_SIDES[side]}.{resource}"
    does = f"The {side} for {resource} of `proa-{container}`; `{NONE}` for none"
    return Setting(name, QUANTITY, default, does, _ISTIO_RESOURCES.get(name, ""))


QUANTITIES: Final = tuple(_resource(*each) for each in product(("proxy", "init"), _RESOURCES, _SIDES))
"""Each request and each limit by itself: setting one leaves the others as they are."""
OTHERS: Final = (
    Setting(
        "sidecar",
        choice(SidecarKind),
        "proxy.sidecar",
        "What Kubernetes takes the sidecar for: `native` starts before the app and ends after it; `regular` is a "
        "container beside the app's, for tools that know no other",
        "sidecar.istio.io/nativeSidecar",
    ),
    Setting(
        "place",
        PLACE,
        "`first` for a native sidecar, `last` for a regular one",
        "Where among the pod's init containers `proa-init` stands, and a native `proa-proxy` behind it: those before "
        "it have the plain network, those behind it go through the proxy",
    ),
    Setting(
        "hold",
        BOOLEAN,
        "`false`",
        "Whether the app's containers wait until a regular sidecar is ready. It is the first container then, with a "
        "postStart hook that asks by bash, which Envoy's distroless images lack. A native sidecar is always waited for",
        "proxy.istio.io/config:holdApplicationUntilProxyStarts",
    ),
    Setting(
        "concurrency",
        number(1, 256),
        "the CPU limit that the pod asks for, rounded up; without one `proxy.concurrency`",
        "Worker threads of Envoy",
        "proxy.istio.io/config:concurrency",
    ),
    Setting(
        "drain-time",
        seconds(1, _LONGEST),
        "Envoy's 600 seconds",
        "How long connections go on of a destination that discovery has taken away (Envoy's `--drain-time-s`)",
        "proxy.istio.io/config:drainDuration",
    ),
    Setting(
        "termination-drain",
        seconds(0, _LONGEST),
        f"0 for a native sidecar, which ends after the app; {DRAIN_SECONDS} seconds for a regular one",
        "How long the sidecar goes on at least once the pod is to end, as a preStop hook; never longer than the "
        "pod's terminationGracePeriodSeconds",
        "proxy.istio.io/config:terminationDrainDuration",
    ),
    Setting("log-level", choice(LogLevel), "proxy.logLevel", "Envoy's log level", "sidecar.istio.io/logLevel"),
    Setting(
        "component-log-level",
        COMPONENT_LEVELS,
        "none",
        "Levels of single components of Envoy, which refuses to start for a component that it has not",
        "sidecar.istio.io/componentLogLevel",
    ),
    Setting("log-format", choice(LogFormat), "proxy.logFormat", "How Envoy writes its own log"),
    Setting("access-log", choice(AccessLog), "proxy.accessLog", "Whether Envoy logs each connection, and how"),
    Setting("proxy-image", IMAGE_REFERENCE, "proxy.image", "Envoy's image", "sidecar.istio.io/proxyImage"),
    Setting(
        "rewrite-probes",
        BOOLEAN,
        "`true`",
        "Whether the kubelet asks the sidecar, which asks the app. Without it probes arrive in plaintext at the port "
        "they name, which `peerTls: strict` refuses",
        "sidecar.istio.io/rewriteAppHTTPProbers",
    ),
)
_ISTIO_TRAFFIC: Final = {
    "--include-inbound-ports": "includeInboundPorts",
    "--exclude-inbound-ports": "excludeInboundPorts",
    "--include-outbound-cidrs": "includeOutboundIPRanges",
    "--exclude-outbound-cidrs": "excludeOutboundIPRanges",
    "--outbound-ports-anywhere": "includeOutboundPorts",
    "--exclude-outbound-ports": "excludeOutboundPorts",
    "--exclude-interfaces": "excludeInterfaces",
    "--virtual-interfaces": "kubevirtInterfaces",
}
_ISTIO_MODE: Final = {"--inbound-mode": "sidecar.istio.io/interceptionMode"}


def _intercepting(flag: str) -> Setting:
    purpose, theirs = FLAGS[flag].purpose, _ISTIO_TRAFFIC.get(flag, "")
    said = f"`{default(flag)}`" if default(flag) else "nothing"
    istio = f"traffic.sidecar.istio.io/{theirs}" if theirs else _ISTIO_MODE.get(flag, "")
    return Setting(flag[2:], kind(flag), said, purpose[0].upper() + purpose[1:], istio)


INTERCEPTING: Final = tuple(map(_intercepting, OFFERED))
"""Flags of `proa-init`: what of the pod's traffic goes through the proxy."""
SETTINGS: Final = (*QUANTITIES, *OTHERS, *INTERCEPTING)
BY_KEY: Final = {setting.key: setting for setting in SETTINGS}
READ_ELSEWHERE: Final = frozenset(
    {names.INJECT, names.TEMPLATES, names.STATUS, names.BOOTSTRAP, names.LEAF, names.ROOTS, ANNOTATION}
)
"""Annotations of Proa that are not settings."""
