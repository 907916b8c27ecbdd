"""NetworkPolicies (networking.k8s.io/v1) of Proa's namespace: what is not named here is not let through. Pure."""

from collections.abc import Iterable
from typing import Final

from installation.metadata import inside, selecting, shared
from installation.noted import Fields, Noted, Tree
from proa import names

API_SERVER_PORTS: Final = (443, 6443, 8443, 16443)
"""Where API servers listen, behind their Service: clouds, kubeadm and kind, minikube, MicroK8s."""
DNS_PORT: Final = 53
_FROM_ANYWHERE: Final = "From anywhere: neither the API server nor the kubelet is a pod that could be named."
_TO_UPSTREAM: Final = "Vault, which may be outside the cluster."
_TO_API_SERVER: Final = "The API server, whose address no selector can name."


def closed() -> Fields:
    """Every pod of the namespace starts with nothing; policies add up."""
    return _policy(shared("proa-closed", "network"), {}, {})


def webhook_policy(metadata: Fields) -> Fields:
    name = str(metadata["name"])
    # Calls of its Service arrive here with the pod's own port.
    itself: Tree = {"to": [{"podSelector": {"matchLabels": selecting(name)}}], "ports": _tcp(names.WEBHOOK_PORT)}
    return _policy(
        metadata,
        {"matchLabels": selecting(name)},
        {
            "ingress": [Noted(_FROM_ANYWHERE, {"ports": _tcp(names.WEBHOOK_PORT, names.HEALTH_PORT)})],
            "egress": [*_everybodys(), Noted("Its self-test, through its Service.", itself)],
        },
    )


def authority_policy(metadata: Fields, serving: Iterable[int], upstream: Iterable[int]) -> Fields:
    """*serving* are the ports that pods call, *upstream* those of who signs its issuers."""
    ports = _tcp(names.HEALTH_PORT, *serving)
    return _policy(
        metadata,
        {"matchLabels": selecting(str(metadata["name"]))},
        {"ingress": [Noted(_FROM_ANYWHERE, {"ports": ports})], "egress": [*_everybodys(), *_to_upstream(upstream)]},
    )


def _to_upstream(ports: Iterable[int]) -> list[Tree]:
    return [Noted(_TO_UPSTREAM, {"ports": _tcp(port)}) for port in ports]


def _policy(metadata: Fields, selector: Tree, allowed: Fields) -> Fields:
    """A direction without rules has none at all: the API server drops an empty list, and kubectl would see a change."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": inside(metadata),
        "spec": {"podSelector": selector, "policyTypes": ["Ingress", "Egress"], **allowed},
    }


def _everybodys() -> list[Tree]:
    dns: Tree = {"ports": [{"port": DNS_PORT, "protocol": protocol} for protocol in ("UDP", "TCP")]}
    return [Noted(_TO_API_SERVER, {"ports": _tcp(*API_SERVER_PORTS)}), dns]


def _tcp(*ports: int) -> list[Tree]:
    return [{"port": port, "protocol": "TCP"} for port in ports]
