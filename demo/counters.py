"""The counters that a request makes grow, in the kernel and in both Envoys. Shell."""

import subprocess
from collections.abc import Mapping
from typing import Final, TypeAlias

from demo.kubelet import RunningPod
from demo.probe import fetched
from demo.proof import Counter, counter_sum
from init.counters import INBOUND_CAPTURED, OUTBOUND_CAPTURED
from init.rules import TABLE
from proa import names
from proxy.clusters import INBOUND

_PATIENCE: Final = 30.0
Counted: TypeAlias = Mapping[tuple[str, str], int]
"""Values by pod and by the counter's name."""


def counted(client: RunningPod, web: RunningPod) -> Counted:
    """Every counter on the way from client to web, in that order."""
    out, into = _exposition(client), _exposition(web)
    inbound = {"envoy_cluster_name": INBOUND}
    return {
        ("client", "connections redirected, nftables"): _redirected(client, OUTBOUND_CAPTURED),
        ("client", "TLS handshakes begun, Envoy"): counter_sum(out, "envoy_cluster_ssl_handshake", {}),
        ("web", "connections redirected, nftables"): _redirected(web, INBOUND_CAPTURED),
        ("web", "TLS handshakes answered, Envoy"): counter_sum(into, "envoy_listener_ssl_handshake", {}),
        ("web", "connections to the application, Envoy"): counter_sum(into, "envoy_cluster_upstream_cx_total", inbound),
    }


def grown(before: Counted, after: Counted) -> tuple[Counter, ...]:
    return tuple(Counter(*key, before=before[key], after=after[key]) for key in before)


def _redirected(pod: RunningPod, counter: str) -> int:
    """A named counter of the interception table in *pod*: one packet for each connection."""
    listing = ["nft", "list", "counter", "inet", TABLE, counter]
    command = ["nsenter", f"--net=/run/netns/{pod.network.namespace}", "--", *listing]
    shown = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout  # noqa: S603 - made here
    return int(shown.partition("packets")[2].split()[0])


def _exposition(pod: RunningPod) -> str:
    """The sidecar's metrics, as Prometheus scrapes them."""
    return fetched(pod.network.addresses[0], names.METRICS_PORT, names.METRICS_PATH, _PATIENCE)[1]
