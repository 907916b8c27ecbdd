"""What a pod is let in with although it will hardly work as its user means it. Pure."""

from collections.abc import Iterator
from typing import Final

from proa import names
from proa.containers import SidecarKind
from proa.mesh import MeshConfiguration, PeerTls
from webhook.kinds import Last, Place
from webhook.pod import Pod
from webhook.probes import Rewriting
from webhook.sidecar import Sidecar

_SIDECAR: Final = f"{names.PREFIX}/sidecar"


def unworkable(pod: Pod, configuration: MeshConfiguration, given: Sidecar, probes: Rewriting) -> Iterator[str]:
    """Warnings; *probes* are those that would be rewritten."""
    settings, strict = given.settings, configuration.peer_tls is PeerTls.STRICT
    if not settings.rewrite_probes and probes.listening and strict:
        yield (
            f"{names.PREFIX}/rewrite-probes: 'false' lets the kubelet ask the app in plaintext, which peerTls: strict "
            "refuses: these probes will fail"
        )
    if given.kind is SidecarKind.REGULAR:
        yield from _regular(pod, settings.place)
        image = settings.proxy_image or configuration.proxy.image
        if settings.hold and "distroless" in image:
            yield f"{names.PREFIX}/hold asks by bash, which a distroless image has not: the proxy will not start"


def _regular(pod: Pod, place: Place | None) -> Iterator[str]:
    if pod.spec.restart_policy in ("Never", "OnFailure"):
        yield f"{_SIDECAR}: regular never ends by itself, so the pod will not complete; a native sidecar lets it"
    if place not in (None, Last()) and pod.spec.init_containers:
        yield (
            f"{names.PREFIX}/place lets init containers run intercepted, before the regular sidecar is there to take "
            "their traffic: they have no network"
        )
