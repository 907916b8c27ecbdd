"""docs/annotations.md from the table of what a pod may ask for: what is read and what is written cannot differ. Pure.

Written by `python -m installation.annotations > docs/annotations.md`.
"""

import sys
from collections.abc import Iterable, Iterator
from typing import Final

from proa import names
from webhook.vocabulary import DRAIN_SECONDS, INTERCEPTING, OTHERS, QUANTITIES, SETTINGS, Setting

_HEAD: Final = f"""\
# What a pod may set

Annotations of a pod, or of the template in its Deployment, Job and so on. They count in an injected pod alone, and
`{names.INJECT}` decides which that is. A value that is none of those allowed refuses the pod, with everything
else that is wrong with it; an annotation under `{names.PREFIX}/` that means nothing is let in with a warning, which
`kubectl` shows. `{names.TEMPLATES}` chooses [templates](templates.md) of the mesh configuration, which may set any of
these too.

A default such as `proxy.logLevel` is that field of the mesh configuration.
"""
_QUANTITIES_HEAD: Final = """
## Resources
Each request and each limit by itself: setting one leaves the others as they are. A default request gives way to a
lower limit that the pod asks for. Kubernetes makes a request of a limit that has none, so `none` for a request is of
use where there is no limit. A pod with `spec.resources` of its own gets no defaults at all, as its containers share
what it has.

| annotation | allowed | default | |
|---|---|---|---|
"""
_INTERCEPTING_HEAD: Final = """
## What goes through the sidecar
Each is the flag of that name of [`proa-init`](proa-init.md), read by the same rules: contradictions, such as a port
that is included and excluded, refuse the pod. What is excluded passes by the sidecar as it would without one, in
plaintext and past `peerTls: strict`; `proa explain` lists it. In a namespace of `injection.enforce` only those are
allowed that let nothing pass by: `outbound-ports-anywhere`, `udp`, `quic`, `drop-invalid` and `log-rate`.
For the whole mesh they are set by a template of `defaultTemplates`.

| annotation | allowed | default | |
|---|---|---|---|
"""
_NOT_INTERCEPTING: Final = f"""
The sidecar's own ports {names.READY_PORT} and {names.METRICS_PORT} are excluded beside whatever a pod excludes. There
is no annotation for the other flags: the proxy's user, group and ports are those of its bootstrap, and for `--dns` and
`--inbound-mode=tproxy` the sidecar has no listener yet.
"""
_ISTIO_HEAD: Final = """
## Istio's names
With `vocabulary: istio` in the mesh configuration these are read too, with Istio's meaning; where a pod has both,
Proa's own wins, with a warning. Every other annotation of Istio's but `sidecar.istio.io/inject` and
`inject.istio.io/templates`, for [templates](templates.md) of those names, has no effect, and says so.

| Istio's annotation | Proa's | where it differs |
|---|---|---|
"""
_DIFFERENCES: Final = {
    "sidecar.istio.io/nativeSidecar": "`true` is `native`, `false` is `regular`",
    "sidecar.istio.io/proxyImage": "needs a registry or a path: a bare name is one of Istio's own images",
    "traffic.sidecar.istio.io/excludeInboundPorts": "counts beside a list of included ports, too",
    "traffic.sidecar.istio.io/includeOutboundPorts": "where all addresses are captured, warns that it adds nothing",
    "traffic.sidecar.istio.io/kubevirtInterfaces": "`istio.io/reroute-virtual-interfaces` says the same, and wins",
    "proxy.istio.io/config:concurrency": "0, all CPUs, is refused",
}
_ISTIO_FOOT: Final = """
`sidecar.istio.io/interceptionMode` is `REDIRECT`, or `NONE` for no interception; `TPROXY` redirects, too, with a
warning.
"""
_ALL_RESOURCES: Final = "one of the four replaces all default requests and limits, those of `proa-init` too"
_FOOT: Final = f"""
## How a sidecar ends
Envoy ends at once on SIGTERM and drains nothing, whatever its drain time: what counts is when the kubelet sends it. A
native sidecar gets it when the last container of the app has ended, so there is nothing to wait for, and a hook would
only make short-lived pods last longer. A regular one gets it together with the app: its preStop hook lets it go on for
{DRAIN_SECONDS} seconds, or `{names.PREFIX}/termination-drain`, and an app that takes longer to end has no network from
then on. Neither takes longer than the pod's terminationGracePeriodSeconds, within which the hook's time counts.

## Probes
The kubelet has no certificate of the mesh, so it asks the sidecar, which asks the app. Left as they are: `exec`; what
names a `host`; a port by a name that the container does not have (with a warning); and startup probes and postStart
hooks of native sidecars that start before the proxy, which nothing intercepts yet (with a warning).

## Metrics
The sidecar's own are at port {names.METRICS_PORT}, path `{names.METRICS_PATH}`, in plaintext; the port's name,
`proa-metrics`, is what a PodMonitor asks for: `podMetricsEndpoints: [{{port: proa-metrics, path:
{names.METRICS_PATH}}}]`.
Prometheus lists ports of init containers too; a scrape configuration that drops
`__meta_kubernetes_pod_container_init: "true"` drops native sidecars.

Annotations that say where to scrape the app, such as `prometheus.io/port`, stay as they are. With `peerTls: permissive`
the app is scraped as before. With `peerTls: strict` a Prometheus outside the mesh is refused like every other client
without a certificate: nothing is merged into the sidecar's metrics, and no port is opened for it.

## kubectl
`{names.DEFAULT_CONTAINER}` names the app's first container unless the pod names another, so that `kubectl logs`
and `kubectl exec` mean the app.
"""


def annotations() -> str:
    """The whole document."""
    return "".join(_document())


def _document() -> Iterator[str]:
    yield _HEAD
    for setting in OTHERS:
        yield f"\n### `{setting.key}`\n{setting.does}.\n\n"
        yield f"Allowed: {setting.kind.allowed}.\nDefault: {_default(setting)}.\n"
    yield _QUANTITIES_HEAD
    yield from map(_row, QUANTITIES)
    yield _INTERCEPTING_HEAD
    yield from map(_row, INTERCEPTING)
    yield _NOT_INTERCEPTING
    yield _ISTIO_HEAD
    yield from _istio(setting for setting in SETTINGS if setting.istio)
    yield _ISTIO_FOOT
    yield _FOOT


def _row(setting: Setting) -> str:
    return f"| `{setting.key}` | {setting.kind.allowed} | {_default(setting)} | {setting.does} |\n"


def _istio(settings: Iterable[Setting]) -> Iterator[str]:
    for setting in settings:
        key, colon, member = setting.istio.partition(":")
        theirs = f"`{key}`, member `{member}`" if colon else f"`{key}`"
        differs = _ALL_RESOURCES if setting in QUANTITIES else _DIFFERENCES.get(setting.istio, "")
        yield f"| {theirs} | `{setting.key}` | {differs} |\n"


def _default(setting: Setting) -> str:
    """A field of the configuration as such, other words as they are."""
    return f"`{setting.default}`" if setting.default.startswith(("proxy.", "init.")) else setting.default


if __name__ == "__main__":
    sys.stdout.write(annotations())
