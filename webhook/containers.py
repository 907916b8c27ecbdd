"""The two containers that a pod is given, as core/v1 has them. Pure."""

from collections.abc import Iterable, Iterator
from typing import Final

from proa import names
from proa.capture.choices import Tproxied
from proa.capture.interception import Interception
from proa.capture.provers import prover
from proa.containers import Init, LogFormat, Proxy, Resources, SidecarKind
from proa.json import Json
from proa.protected import TRANSPARENCY
from proxy.message import Message
from webhook.interception import interception
from webhook.vocabulary import DRAIN_SECONDS
from webhook.volumes import mounts
from webhook.wishes import PodSettings

ADDRESS: Final = "POD_IP"
JSON_LOG: Final = '{"level":"%l","time":"%Y-%m-%dT%T.%e%z","component":"%n","message":"%j"}'
"""spdlog's pattern with Envoy's `%j`, the message escaped for JSON (docs: operations/cli)."""
_WAIT: Final = (
    # Who hangs up while it is asked, as a proxy that starts may, is asked again.
    "trap '' PIPE; "
    "for ((tries = 0; tries < 600; tries++)); do "
    "if { exec 3<>/dev/tcp/127.0.0.1/$1; } 2>/dev/null; then "
    "printf 'GET %s HTTP/1.1\\r\\nHost: proa\\r\\nConnection: close\\r\\n\\r\\n' \"$2\" 2>/dev/null >&3; "
    "read -r -t 5 _ status _ <&3; exec 3>&-; [[ $status == 200 ]] && exit 0; fi; "
    "sleep 0.1; done; exit 1"
)
"""A minute at most. Not httpGet: the kubelet asks once, and ends a container that does not answer yet."""


def init_container(init: Init, quantities: Resources, intercepting: Iterable[str] = ()) -> Json:
    """*intercepting* are the command's arguments."""
    arguments: list[Json] = [*intercepting]
    return {
        "name": names.INIT_CONTAINER,
        "image": init.image,
        "command": ["proa-init"],
        **({"args": arguments} if arguments else {}),
        "resources": _resources(quantities),
        # Root with one capability: nftables asks for CAP_NET_ADMIN in the network namespace's user namespace.
        "securityContext": {
            "runAsUser": 0,
            "runAsGroup": 0,
            "runAsNonRoot": False,
            "privileged": False,
            **_confined(added=["NET_ADMIN"]),
        },
    }


def waiting_container(init: Init, quantities: Resources, intercepting: Iterable[str], seconds: int) -> Json:
    """`proa-init` in a pod that the node programs: it only waits until that is done, and can do nothing else.

    What arrives shows it to the proxy's user, or what leaves to another.
    """
    told = tuple(intercepting)
    user, group = prover(interception(told)) or (names.PROXY_UID, names.PROXY_GID)
    return {
        "name": names.INIT_CONTAINER,
        "image": init.image,
        "command": ["proa-init"],
        # Behind the others, whose places in the list are known to `webhook.patch`.
        "args": [*told, f"--await={seconds}"],
        "resources": _resources(quantities),
        "securityContext": {"runAsUser": user, "runAsGroup": group, "runAsNonRoot": True, **_confined(added=[])},
    }


def proxy_container(proxy: Proxy, quantities: Resources, settings: PodSettings, volumes: Iterable[str]) -> Json:
    """Envoy as *proxy* says, which *settings* have been made part of; the rest of them is read here."""
    ready: Message = {"httpGet": {"path": names.READY_PATH, "port": names.READY_PORT}}
    return {
        "name": names.PROXY_CONTAINER,
        "image": proxy.image,
        **_standing(proxy.sidecar),
        "command": ["envoy"],
        "args": _arguments(proxy, settings),
        "env": [
            from_field("POD_NAME", "metadata.name"),
            from_field("POD_NAMESPACE", "metadata.namespace"),
            from_field("SERVICE_ACCOUNT", "spec.serviceAccountName"),
        ],
        # A PodMonitor finds it by this name, also among init containers (Prometheus' role `pod` lists both).
        "ports": [{"name": "proa-metrics", "containerPort": names.METRICS_PORT, "protocol": "TCP"}],
        # The next container starts when the startup probe has passed once: the app never runs without its proxy.
        "startupProbe": {**ready, "periodSeconds": 1, "failureThreshold": 60},
        "readinessProbe": {**ready, "periodSeconds": 5, "failureThreshold": 3},
        **_lifecycle(proxy.sidecar, settings),
        "resources": _resources(quantities),
        "securityContext": _proxy_context(settings.interception),
        "volumeMounts": mounts(volumes),
    }


def _proxy_context(wanted: Interception | None) -> Message:
    match wanted:
        case Interception(inbound_mode=Tproxied()):
            # Kubernetes gives capabilities to root alone (no ambient ones, KEP-2763): the group tells it from the app.
            # NET_RAW is enough for IP_TRANSPARENT, and from Linux 5.17 on for SO_MARK (docs/decisions/0041).
            root: Message = {"runAsUser": 0, "runAsGroup": names.PROXY_GID, "runAsNonRoot": False}
            return {**root, **_confined(added=[TRANSPARENCY])}
        case _:
            user: Message = {"runAsUser": names.PROXY_UID, "runAsGroup": names.PROXY_GID, "runAsNonRoot": True}
            return {**user, **_confined(added=[])}


def _standing(kind: SidecarKind) -> Message:
    match kind:
        case SidecarKind.NATIVE:
            # An init container that is restarted is a sidecar (KEP-753): it starts before the app and stops after it.
            return {"restartPolicy": "Always"}
        case SidecarKind.REGULAR:
            return {}


def _lifecycle(kind: SidecarKind, settings: PodSettings) -> Message:
    """On SIGTERM Envoy ends at once, whatever its drain time: so it must not get one while the app needs it.

    The kubelet signals a native sidecar when the app has ended, a regular one at the same time as the app, but for
    its preStop hook. `sleep` is the kubelet's own (KEP-3960) and needs nothing of the image.
    """
    hooks: Message = {}
    if settings.hold and kind is SidecarKind.REGULAR:
        asked: list[Json] = ["bash", "-c", _WAIT, "wait", str(names.READY_PORT), names.READY_PATH]
        hooks["postStart"] = {"exec": {"command": asked}}
    by_kind = DRAIN_SECONDS if kind is SidecarKind.REGULAR else 0
    if drain := by_kind if settings.termination_drain is None else settings.termination_drain:
        hooks["preStop"] = {"sleep": {"seconds": drain}}
    return {"lifecycle": hooks} if hooks else {}


def _arguments(proxy: Proxy, settings: PodSettings) -> list[Json]:
    """Envoy's command line; `$(…)` is filled in by the kubelet from the container's environment."""
    return [
        "--config-path",
        f"{names.BOOTSTRAP_DIRECTORY}/{names.BOOTSTRAP_FILE}",
        "--service-node",
        "$(POD_NAME).$(POD_NAMESPACE)",
        "--service-cluster",
        "$(SERVICE_ACCOUNT).$(POD_NAMESPACE)",
        "--concurrency",
        str(proxy.concurrency),
        "--log-level",
        proxy.log_level.value,
        # Milliseconds that a line of the access log may wait; Envoy's ten seconds are long for whoever looks.
        "--file-flush-interval-msec",
        "1000",
        # It needs shared memory, and a pod has no second Envoy to hand over to: nor any --parent-shutdown-time-s.
        "--disable-hot-restart",
        *_chosen(proxy.log_format, settings),
    ]


def _chosen(log_format: LogFormat, settings: PodSettings) -> Iterator[str]:
    if log_format is LogFormat.JSON:
        yield from ("--log-format", JSON_LOG)
    if settings.component_log_level:
        yield from ("--component-log-level", settings.component_log_level)
    if settings.drain_time is not None:
        yield from ("--drain-time-s", str(settings.drain_time))


def _confined(added: list[Json]) -> Message:
    """The `restricted` Pod Security Standard, but for the *added* capabilities."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"], "add": added} if added else {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def from_field(name: str, path: str) -> Json:
    """An environment variable from a field of the pod."""
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def _resources(given: Resources) -> Json:
    sides = {"requests": given.requests, "limits": given.limits}
    return {side: dict(quantities) for side, quantities in sides.items() if quantities}
