"""docs/annotations.md from the table of what a pod may ask for: what is read and what is written cannot differ. Pure.

Written by `python -m installation.annotations > docs/annotations.md`.
"""

import sys
from collections.abc import Iterable, Iterator
from typing import Final

from proa import names
from proa.protected import TRANSPARENCY
from webhook.interception import HARMLESS
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
_INTERCEPTING_HEAD: Final = f"""
## What goes through the sidecar
Each is the flag of that name of [`proa-init`](proa-init.md), read by the same rules: contradictions, such as a port
that is included and excluded, refuse the pod. What is excluded passes by the sidecar as it would without one, in
plaintext and past `peerTls: strict`; `proa explain` lists it. In a namespace of `injection.enforce` only those are
allowed that let nothing pass by: {", ".join(f"`{flag[2:]}`" for flag in HARMLESS)}.
For the whole mesh they are set by a template of `defaultTemplates`.

| annotation | allowed | default | |
|---|---|---|---|
"""
_NOT_INTERCEPTING: Final = f"""
The sidecar's own ports {names.READY_PORT} and {names.METRICS_PORT} are excluded beside whatever a pod excludes. There
is no annotation for the other flags: the proxy's user, group and ports are those of its bootstrap.

### The client's own address
By default the app is called by its own sidecar and sees an address of its own pod as the client's. With
`{names.PREFIX}/inbound-mode: tproxy` the sidecar speaks from the client's address, by mTLS as without; the kubelet's
probes, which the sidecar answers, keep coming from the pod. What it takes:

- Linux 5.17 or newer on the node. On an older one the sidecar is ready and no call reaches the app; a `proa-init`
  that programs its pod warns of it in its log.
- The capability {TRANSPARENCY} for `{names.PROXY_CONTAINER}`, which then runs as root with that alone, and with the
  proxy's group. The Pod Security Standards `baseline` and `restricted` forbid it, in node mode, too, and so does
  `{names.POD_SECURITY}: baseline`: the pod is refused, and a warning says why.
- No template and no container of the pod's own that takes root or the capability from `{names.PROXY_CONTAINER}`.

MARK and TABLE are of packets and routes in the pod's own network, for pods in which something else has these numbers.
[Decision 0041](decisions/0041-clients-addresses-by-one-capability.md) says why, [packet-paths.md](packet-paths.md) how.

### Questions for names
With `{names.PREFIX}/dns: 10.96.0.10,fd96::a` what the app asks these servers, by UDP or TCP, goes through the sidecar,
which hands it on as it is, whatever is asked for: by TCP to the server that was asked, by UDP to each of them in turn.
So they should know the same, as the addresses of one Service do, and every pod should reach them all: one that it does
not reach, such as one of a family that it does not have, is asked in its turn, too, and whoever asked waits. Questions
to other servers pass as before. Metrics (`envoy_udp_downstream_sess_total`) count them. The flag's `all` and
`resolv.conf` are not allowed here: the sidecar is told whom to ask before the pod has a resolv.conf. Nor are servers
beside `{names.PREFIX}/virtual-interfaces`, or of a family that `{names.PREFIX}/ipv4` or `ipv6` does not capture
([decision 0042](decisions/0042-questions-go-on-as-they-are.md)).
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
    "sidecar.istio.io/interceptionMode": "`REDIRECT` and `TPROXY` by the same names; `NONE` for no interception",
    "sidecar.istio.io/proxyImage": "needs a registry or a path: a bare name is one of Istio's own images",
    "traffic.sidecar.istio.io/excludeInboundPorts": "counts beside a list of included ports, too",
    "traffic.sidecar.istio.io/includeOutboundPorts": "where all addresses are captured, warns that it adds nothing",
    "traffic.sidecar.istio.io/kubevirtInterfaces": "`istio.io/reroute-virtual-interfaces` says the same, and wins",
    "proxy.istio.io/config:concurrency": "0, all CPUs, is refused",
}
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
without a certificate, unless `proa.dev/exclude-inbound-ports` has the port of the app's metrics, which is then reached
directly; in a namespace of `injection.enforce` nothing may be. Nothing is merged into the sidecar's metrics
([decision 0013](decisions/0013-nothing-is-merged-into-the-sidecars-metrics.md)).

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
